import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { LacunaError } from '../errors.js';
import { loadRDKit, withMolecule } from '../molecules/rdkit.js';

/** The columns of the demo's labels, in file order. */
export const riskTasks = ['mutagenic', 'tumorigenic', 'irritant', 'reproductive'] as const;

export type RiskTask = (typeof riskTasks)[number];

/**
 * 1 says that the molecule is on OpenChemLib's list of compounds known for this effect (von Korff and Sander,
 * Toxicity-indicating structural patterns, J. Chem. Inf. Model. 2006, 46, 536; compounds of the RTECS registry).
 * 0 says only that it is not on that list, which is no proof of safety: every molecule here is on one list at least.
 */
export type RiskMolecule = { readonly smiles: string } & Readonly<Record<RiskTask, 0 | 1>>;

/** Each list is one text file inside openchemlib's resources: one ID code (a canonical structure) per line. */
const LISTS: Readonly<Record<RiskTask, string>> = {
  mutagenic: '/resources/toxpredictor/m3.txt',
  tumorigenic: '/resources/toxpredictor/t3.txt',
  irritant: '/resources/toxpredictor/i3.txt',
  reproductive: '/resources/toxpredictor/r3.txt',
};

/**
 * Decodes the risk lists that ship inside the npm package openchemlib to RDKit's canonical SMILES, in the order of the lists.
 * Of 4,259 structures RDKit refuses 24 with impossible valences (five-bonded carbon); two more are one molecule to RDKit.
 */
export async function loadRiskMolecules(): Promise<RiskMolecule[]> {
  const lists = await readLists();
  const [{ Molecule }, rdkit] = await Promise.all([import('openchemlib'), loadRDKit()]);

  const smilesOf = new Map<string, string | null>();
  const molecules = new Map<string, { smiles: string } & Record<RiskTask, 0 | 1>>();
  for (const [task, idCodes] of lists) {
    for (const idCode of idCodes) {
      let smiles = smilesOf.get(idCode);
      if (smiles === undefined) {
        // Without coordinates: inventing them costs four times as much and SMILES needs none.
        const written = Molecule.fromIDCode(idCode, false).toIsomericSmiles();
        smiles =
          withMolecule(rdkit, written, (molecule) => molecule.get_smiles(), { keepHydrogens: true }) ?? null;
        smilesOf.set(idCode, smiles);
      }
      if (smiles === null) continue;
      let molecule = molecules.get(smiles);
      if (molecule === undefined) {
        molecule = { smiles, mutagenic: 0, tumorigenic: 0, irritant: 0, reproductive: 0 };
        molecules.set(smiles, molecule);
      }
      molecule[task] = 1;
    }
  }
  return [...molecules.values()];
}

async function readLists(): Promise<Map<RiskTask, string[]>> {
  const path = join(dirname(createRequire(import.meta.url).resolve('openchemlib')), 'resources.json');
  const resources: Readonly<Record<string, string | undefined>> = JSON.parse(await readFile(path, 'utf8'));
  const lists = new Map<RiskTask, string[]>();
  for (const task of riskTasks) {
    const text = resources[LISTS[task]];
    if (text === undefined) {
      throw new LacunaError(
        `${path}: expected the list ${LISTS[task]}, found none; install the openchemlib version that package.json names`,
      );
    }
    lists.set(
      task,
      text.split('\n').filter((line) => line !== ''),
    );
  }
  return lists;
}
