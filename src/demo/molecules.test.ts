import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadRDKit, withMolecule } from '../molecules/rdkit.js';
import { loadRiskMolecules, riskTasks, writeRiskMoleculesCsv } from './molecules.js';

describe('the risk molecules inside openchemlib', async () => {
  const molecules = await loadRiskMolecules();

  it('are 4,234 different molecules, each on one list at least', () => {
    expect(molecules.length).toBe(4234);
    expect(new Set(molecules.map((m) => m.smiles)).size).toBe(4234);
    expect(molecules.every((m) => riskTasks.some((task) => m[task] === 1))).toBe(true);
  });

  it('carry the labels of their lists', () => {
    const counts = riskTasks.map((task) => molecules.filter((m) => m[task] === 1).length);
    expect(counts).toEqual([2334, 804, 1146, 1137]);
    // Benzo[a]pyrene, a textbook mutagen and carcinogen.
    expect(molecules.find((m) => m.smiles === 'c1ccc2c(c1)cc1ccc3cccc4ccc2c1c34')).toMatchObject({
      mutagenic: 1,
      tumorigenic: 1,
    });
  });

  it('are canonical to RDKit: writing them again changes nothing', async () => {
    const rdkit = await loadRDKit();
    for (let i = 0; i < molecules.length; i += 7) {
      const { smiles } = molecules[i]!;
      expect(withMolecule(rdkit, smiles, (m) => m.get_smiles(), { keepHydrogens: true })).toBe(smiles);
    }
  });

  it('are written as CSV, and no half-written file stays', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lacuna-molecules-'));
    try {
      expect(await writeRiskMoleculesCsv(join(folder, 'molecules.csv'))).toBe(4234);
      expect(await readdir(folder)).toEqual(['molecules.csv']);
      const lines = (await readFile(join(folder, 'molecules.csv'), 'utf8')).split('\n');
      expect(lines[0]).toBe('smiles,mutagenic,tumorigenic,irritant,reproductive');
      expect(lines.length).toBe(4234 + 2);
      expect(lines.slice(1, -1).every((line) => /^[^",]+(,[01]){4}$/.test(line))).toBe(true);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
