import { describe, expect, it } from 'vitest';
import { loadRDKit, withMolecule } from '../molecules/rdkit.js';
import { loadRiskMolecules, riskTasks } from './molecules.js';

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
});
