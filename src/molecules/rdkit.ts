import type { MainModule, Mol } from '@rdkit/rdkit';

let loading: Promise<MainModule> | undefined;

/** RDKit compiled to WebAssembly, loaded at the first call and kept. Its own log is silenced: callers report what fails. */
export function loadRDKit(): Promise<MainModule> {
  loading ??= import('@rdkit/rdkit').then(async (imported) => {
    const rdkit = await imported.default.default();
    rdkit.disable_logging();
    return rdkit;
  });
  return loading;
}

export interface ParseOptions {
  /** Keeps hydrogens that are written as atoms, so that RDKit's atom k is the k-th atom of the text. False by default. */
  readonly keepHydrogens?: boolean;
  /** Finds out which stereo marks mean something. True by default; without it parsing takes a tenth less time. */
  readonly stereo?: boolean;
  /**
   * Takes complexes of aluminium, germanium, boron and the like that have more bonds than RDKit's table of valences, which
   * RDKit refuses from 2024.09 on and took before, if the valences of their non-metals are usual ones. False by default.
   */
  readonly complexes?: boolean;
}

/**
 * Parses `smiles`, hands the molecule to `use`, frees it. Returns undefined where RDKit refuses the text, or where it is empty.
 */
export function withMolecule<T>(
  rdkit: MainModule,
  smiles: string,
  use: (molecule: Mol) => T,
  { keepHydrogens = false, stereo = true, complexes = false }: ParseOptions = {},
): T | undefined {
  if (smiles === '') return undefined;
  const details = { removeHs: !keepHydrogens, assignStereo: stereo };
  const molecule = rdkit.get_mol(smiles, JSON.stringify(details));
  if (molecule !== null || !complexes) return useMolecule(molecule, use);
  const unchecked = rdkit.get_mol(
    smiles,
    JSON.stringify({ ...details, sanitize: { SANITIZE_ALL: true, SANITIZE_PROPERTIES: false } }),
  );
  return useMolecule(unchecked, (mol) => (hasUsualNonMetals(readGraph(mol)) ? use(mol) : undefined));
}

/** Hands a molecule to `use` and frees it; undefined where there is none. */
export function useMolecule<T>(molecule: Mol | null, use: (molecule: Mol) => T): T | undefined {
  if (molecule === null) return undefined;
  try {
    return use(molecule);
  } finally {
    molecule.delete();
  }
}

/** A molecule as RDKit writes it in JSON (https://github.com/CommonChem/CommonChem): what equals a default is not there. */
export interface MoleculeGraph {
  readonly defaults: { readonly atom: Required<GraphAtom>; readonly bond: { readonly bo: number } };
  readonly molecules: readonly [
    {
      readonly atoms: readonly GraphAtom[];
      readonly bonds: readonly GraphBond[];
      readonly extensions: readonly GraphExtension[];
    },
  ];
}

export interface GraphAtom {
  /** Atomic number. */
  readonly z?: number;
  /** Hydrogens that are no atoms of the graph. */
  readonly impHs?: number;
  /** Formal charge. */
  readonly chg?: number;
  /** Unpaired electrons. */
  readonly nRad?: number;
  /** Mass number; 0 is the natural mixture. */
  readonly isotope?: number;
}

export interface GraphBond {
  /** The places of its two atoms; a dative bond goes from the first to the second. */
  readonly atoms: readonly [number, number];
  /** The neighbours that the stereo of a double bond goes by. */
  readonly stereoAtoms?: readonly [number, number];
  /** 1, 2 or 3, also in aromatic rings, which are written as Kekulé did; 0 and 17 (dative) in complexes. */
  readonly bo?: number;
}

/** RDKit's own additions: which atoms and bonds are aromatic. */
export interface GraphExtension {
  readonly name: string;
  readonly aromaticAtoms?: readonly number[];
  readonly aromaticBonds?: readonly number[];
}

export const readGraph = (molecule: Mol): MoleculeGraph => JSON.parse(molecule.get_json());

/** Most bonds of an atom without charge, by atomic number: C, N, O, F, P, S, Cl, Br, I. */
const MOST_BONDS = new Map([
  [6, 4],
  [7, 3],
  [8, 2],
  [9, 1],
  [15, 7],
  [16, 6],
  [17, 1],
  [35, 1],
  [53, 5],
]);

/** Whether no non-metal has more bonds than it can: a positive charge allows one more, except on carbon. */
function hasUsualNonMetals({ defaults, molecules: [{ atoms, bonds }] }: MoleculeGraph): boolean {
  const valences = atoms.map((atom) => atom.impHs ?? defaults.atom.impHs);
  for (const { atoms: ends, bo = defaults.bond.bo } of bonds) for (const end of ends) valences[end] += bo;
  return atoms.every(({ z = defaults.atom.z, chg = defaults.atom.chg }, i) => {
    const most = MOST_BONDS.get(z);
    return most === undefined || valences[i] <= most + (z === 6 ? -Math.abs(chg) : chg);
  });
}
