/** Bemis-Murcko scaffolds, and splits that keep molecules of one scaffold together. */

import type { MainModule } from '@rdkit/rdkit';
import type { Part } from '../records/split.js';
import { permutation, random } from '../tensor/random.js';
import {
  type GraphAtom,
  loadRDKit,
  type MoleculeGraph,
  readGraph,
  useMolecule,
  withMolecule,
} from './rdkit.js';

const AS_IT_IS = JSON.stringify({ sanitize: false, assignStereo: false });
const WITHOUT_STEREO = JSON.stringify({ doIsomericSmiles: false });

/**
 * The scaffold of a molecule (Bemis and Murcko, J. Med. Chem. 1996): its rings, the chains between them, and what hangs on
 * those by a double bond. A canonical SMILES without stereo, '' for a molecule without rings, undefined where RDKit refuses
 * the text. It is the text of RDKit's `MurckoScaffoldSmiles`, which is not part of RDKit's WebAssembly; hydrogens and
 * charges of the atoms next to what was cut off are as RDKit leaves them, even where that is no stable molecule.
 * @internal
 */
export function murckoScaffold(rdkit: MainModule, smiles: string): string | undefined {
  const graph = withMolecule(rdkit, smiles, readGraph, { stereo: false, complexes: true });
  if (graph === undefined) return undefined;
  const scaffold = scaffoldGraph(graph);
  if (scaffold.molecules[0].atoms.length === 0) return '';
  return useMolecule(rdkit.get_mol(JSON.stringify(scaffold), AS_IT_IS), (molecule) =>
    molecule.get_smiles(WITHOUT_STEREO),
  );
}

/** The scaffold of each molecule: '' where it has no ring, undefined where RDKit refuses the text. */
export async function scaffoldsOf(smiles: readonly string[]): Promise<(string | undefined)[]> {
  const rdkit = await loadRDKit();
  return smiles.map((text) => murckoScaffold(rdkit, text));
}

/** Parts of the records for validation and for the test; the rest is for training. */
export interface SplitFractions {
  readonly valid: number;
  readonly test: number;
}

/**
 * The part of each molecule, such that molecules of one scaffold share it; undefined for a text that RDKit refuses.
 * Follows `ScaffoldSplitter` of DeepChem (Ramsundar et al., 2019), of which fractions of 0.1 and 0.1 are the usual split of
 * MoleculeNet: the groups of one scaffold, large ones first and of equal ones that with the later first molecule, go to
 * training until the next would not fit, and those that do not fit there to validation, else to the test. The fractions are
 * of the molecules that RDKit reads. There is no chance in it.
 */
export async function scaffoldSplit(
  smiles: readonly string[],
  { valid, test }: SplitFractions = { valid: 0.1, test: 0.1 },
): Promise<(Part | undefined)[]> {
  const { groups, read } = await scaffoldGroups(smiles);
  const sorted = groups.sort((a, b) => b.length - a.length || b[0] - a[0]);
  return fillParts(smiles.length, sorted, {
    train: (training) => training <= (1 - valid - test) * read,
    valid: (validation, training) => training + validation <= (1 - test) * read,
  });
}

/**
 * For each seed the part of each molecule, as in `scaffoldSplit`, but with chance. Follows `scaffold_balanced` of Chemprop
 * (Yang et al., J. Chem. Inf. Model. 2019): the groups that are larger than half of the validation or of the test part come
 * first, the others after them, both in an order that the seed draws, and a group goes to training if it fits, else to
 * validation, else to the test. So no part that is held out is mostly one scaffold.
 */
export async function balancedScaffoldSplits(
  smiles: readonly string[],
  { valid, test }: SplitFractions,
  seeds: readonly number[],
): Promise<(Part | undefined)[][]> {
  const { groups, read } = await scaffoldGroups(smiles);
  const half = (Math.min(valid, test) * read) / 2;
  return seeds.map((seed) => {
    const shuffled = (some: readonly number[][], size: string) =>
      Array.from(permutation(some.length, random(seed, `${size} scaffolds`)), (place) => some[place]);
    const order = [
      ...shuffled(
        groups.filter(({ length }) => length > half),
        'large',
      ),
      ...shuffled(
        groups.filter(({ length }) => length <= half),
        'small',
      ),
    ];
    return fillParts(smiles.length, order, {
      train: (training) => training <= (1 - valid - test) * read,
      valid: (validation) => validation <= valid * read,
    });
  });
}

/** The places of the molecules of each scaffold, in order of the first molecule, and how many RDKit reads. */
async function scaffoldGroups(smiles: readonly string[]): Promise<{ groups: number[][]; read: number }> {
  const groups = new Map<string, number[]>();
  let read = 0;
  for (const [place, scaffold] of (await scaffoldsOf(smiles)).entries()) {
    if (scaffold === undefined) continue;
    read++;
    const group = groups.get(scaffold);
    if (group) group.push(place);
    else groups.set(scaffold, [place]);
  }
  return { groups: [...groups.values()], read };
}

/** Groups to parts, in their order: `fits` says whether training or validation may have so many molecules. */
function fillParts(
  count: number,
  groups: readonly (readonly number[])[],
  fits: {
    readonly train: (training: number) => boolean;
    readonly valid: (validation: number, training: number) => boolean;
  },
): (Part | undefined)[] {
  const parts: (Part | undefined)[] = Array.from({ length: count }, () => undefined);
  const filled = { train: 0, valid: 0, test: 0 };
  for (const group of groups) {
    let part: Part = 'test';
    if (fits.train(filled.train + group.length)) part = 'train';
    else if (fits.valid(filled.valid + group.length, filled.train)) part = 'valid';
    filled[part] += group.length;
    for (const place of group) parts[place] = part;
  }
  return parts;
}

/** The graph of what is left of a molecule: without atoms where there is no ring. */
function scaffoldGraph(graph: MoleculeGraph): MoleculeGraph {
  const { defaults, molecules } = graph;
  const [{ atoms, bonds, extensions }] = molecules;
  const order = (bond: number) => bonds[bond].bo ?? defaults.bond.bo;
  const neighbors: { atom: number; bond: number }[][] = atoms.map(() => []);
  for (const [bond, { atoms: ends }] of bonds.entries()) {
    neighbors[ends[0]].push({ atom: ends[1], bond });
    neighbors[ends[1]].push({ atom: ends[0], bond });
  }

  // Taking off ends until there is none leaves the rings and the chains between them.
  const core = atoms.map(() => true);
  const degree = neighbors.map(({ length }) => length);
  const ends = atoms.flatMap((_, atom) => (degree[atom] < 2 ? [atom] : []));
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) {
    core[end] = false;
    for (const { atom } of neighbors[end]) {
      degree[atom]--;
      if (core[atom] && degree[atom] === 1) ends.push(atom);
    }
  }
  const kept = atoms.map(
    (_, atom) =>
      core[atom] ||
      neighbors[atom].some((neighbor) => core[neighbor.atom] && order(neighbor.bond) === DOUBLE),
  );

  const aromaticBonds = new Set(extensions.flatMap((extension) => extension.aromaticBonds ?? []));
  const aromaticAtoms = new Set(extensions.flatMap((extension) => extension.aromaticAtoms ?? []));
  const cutAtom = (atom: number): GraphAtom => {
    if (neighbors[atom].every((neighbor) => kept[neighbor.atom])) return atoms[atom];
    let valence = 0;
    for (const { atom: neighbor, bond } of neighbors[atom])
      if (kept[neighbor])
        valence += aromaticBonds.has(bond) ? AROMATIC_ORDER : contribution(order(bond), bonds[bond], atom);
    const whole = { ...defaults.atom, ...atoms[atom] };
    return { ...atoms[atom], impHs: hydrogens(whole, valence, core[atom], aromaticAtoms.has(atom)) };
  };

  const newPlace = new Map<number, number>();
  for (const [atom, keep] of kept.entries()) if (keep) newPlace.set(atom, newPlace.size);
  const newBond = new Map<number, number>();
  for (const [bond, { atoms: ends }] of bonds.entries())
    if (kept[ends[0]] && kept[ends[1]]) newBond.set(bond, newBond.size);
  return {
    ...graph,
    molecules: [
      {
        atoms: [...newPlace.keys()].map(cutAtom).map(({ z, impHs, chg, nRad }) => ({ z, impHs, chg, nRad })),
        bonds: [...newBond.keys()].map((bond) => {
          const [first, second] = bonds[bond].atoms;
          return { atoms: [newPlace.get(first)!, newPlace.get(second)!], bo: bonds[bond].bo };
        }),
        extensions: extensions.map((extension) => ({
          ...extension,
          aromaticAtoms: placesAmong(newPlace, aromaticAtoms),
          aromaticBonds: placesAmong(newBond, aromaticBonds),
          atomRings: undefined,
          cipRanks: undefined,
          cipCodes: undefined,
        })),
      },
    ],
  };
}

const placesAmong = (newPlaces: ReadonlyMap<number, number>, old: Iterable<number>): number[] =>
  [...old].flatMap((place) => newPlaces.get(place) ?? []);

const CARBON = 6;
const DOUBLE = 2;
const DATIVE = 17;
const AROMATIC_ORDER = 1.5;

/** What a bond adds to the valence of one of its atoms: a dative bond counts for the atom that is given electrons. */
function contribution(order: number, bond: { readonly atoms: readonly number[] }, atom: number): number {
  if (order === DATIVE) return bond.atoms[1] === atom ? 1 : 0;
  return order;
}

/**
 * The hydrogens of an atom that lost a neighbour, with `valence` left in bonds, by the rules of RDKit: an atom of the rings
 * and chains is filled up to its next valence, and an aromatic one that is not carbon, or is a cation, gets one. A charged
 * atom beside them keeps those it had.
 */
function hydrogens(atom: Required<GraphAtom>, valence: number, inCore: boolean, aromatic: boolean): number {
  const { z, chg, nRad, impHs, isotope } = atom;
  if (!inCore && (chg !== 0 || isotope !== 0 || !ORGANIC.has(z))) return impHs;
  if (aromatic && (z !== CARBON || chg === 1)) return 1;
  const shift = LEFT_OF_CARBON.has(z) || (z === CARBON && chg > 0) ? -chg : chg;
  const filled = VALENCES.get(z)?.find((allowed) => allowed + shift >= valence + nRad);
  return filled === undefined ? 0 : filled + shift - valence - nRad;
}

/** Atoms that a SMILES may have without brackets: B, C, N, O, F, P, S, Cl, Br, I. */
const ORGANIC = new Set([5, 6, 7, 8, 9, 15, 16, 17, 35, 53]);
/** B, Al, Ga, In: a negative charge gives them one more bond. */
const LEFT_OF_CARBON = new Set([5, 13, 31, 49]);

/** The valences of an atom without charge, by atomic number, ascending; other metals have none. */
const VALENCES = new Map<number, readonly number[]>(
  (
    [
      [[1], [1, 9, 17, 35]],
      [[2], [4, 8]],
      [[3], [5, 7, 13, 31, 49]],
      [[4], [6, 14, 32]],
      [
        [3, 5],
        [15, 33, 51, 83],
      ],
      [
        [2, 4],
        [50, 82],
      ],
      [
        [2, 4, 6],
        [16, 34, 52],
      ],
      [[1, 3, 5], [53]],
    ] as const
  ).flatMap(([valences, elements]) => elements.map((z) => [z, valences] as const)),
);
