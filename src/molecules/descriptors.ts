import type { MainModule, Mol } from '@rdkit/rdkit';
import { atomTypes, fragments } from './fragments.js';
import { loadRDKit, withMolecule } from './rdkit.js';

export interface Descriptors {
  /** What each column is. */
  readonly names: readonly string[];
  /** float32[molecules, names]; the rows of texts that RDKit refuses are NaN */
  readonly values: Float32Array;
  /** The places of those texts, ascending. */
  readonly unreadable: readonly number[];
}

/**
 * Numbers that describe molecules: RDKit's own (masses, surfaces, Crippen's logP and refractivity, rings, connectivity and
 * shape indices), how many of each functional group there are, how many atoms of each of Crippen's types, and which of the
 * MACCS keys. A value that is not finite, as of shape indices of single atoms, is 0.
 */
export async function describeMolecules(smiles: readonly string[]): Promise<Descriptors> {
  const rdkit = await loadRDKit();
  const describe = describer(rdkit);
  const names = await descriptorNames();
  const values = new Float32Array(smiles.length * names.length).fill(Number.NaN);
  const unreadable: number[] = [];
  for (const [row, text] of smiles.entries()) {
    const own = withMolecule(rdkit, text, describe, { complexes: true });
    if (own) values.set(own.values, row * names.length);
    else unreadable.push(row);
  }
  return { names, values, unreadable };
}

/** What the columns of {@link describeMolecules} are. */
export async function descriptorNames(): Promise<readonly string[]> {
  const rdkit = await loadRDKit();
  return withMolecule(rdkit, 'C', describer(rdkit))!.names;
}

/** Whether RDKit reads the text as a molecule. */
export const isMolecule = async (text: string): Promise<boolean> =>
  withMolecule(await loadRDKit(), text, () => true, { complexes: true, stereo: false }) ?? false;

const MACCS_KEYS = 166;

let patterns: { readonly groups: readonly Mol[]; readonly atoms: readonly Mol[] } | undefined;

function describer(rdkit: MainModule): (molecule: Mol) => { names: string[]; values: number[] } {
  // Compiled once and kept, as RDKit is.
  patterns ??= {
    groups: Object.values(fragments).map((smarts) => pattern(rdkit, smarts)),
    atoms: atomTypes.map(([, smarts]) => pattern(rdkit, smarts)),
  };
  const { groups, atoms } = patterns;
  const types = [...new Set(atomTypes.map(([type]) => type))];
  const maccsNames = Array.from({ length: MACCS_KEYS }, (_, key) => `MACCS ${key + 1}`);
  return (molecule) => {
    const own = Object.entries(JSON.parse(molecule.get_descriptors()) as Record<string, number>);
    const groupCounts = groups.map((group) => matches(molecule, group).length);
    const typeOf = new Map<number, string>();
    atoms.forEach((query, i) => {
      for (const { atoms: found } of matches(molecule, query)) {
        if (!typeOf.has(found[0])) typeOf.set(found[0], atomTypes[i][0]);
      }
    });
    const typeCounts = new Map<string, number>();
    for (const type of typeOf.values()) typeCounts.set(type, (typeCounts.get(type) ?? 0) + 1);
    const packed: Uint8Array = molecule.get_maccs_fp_as_uint8array();
    const keys = maccsNames.map((_, i) => (packed[(i + 1) >> 3] >> ((i + 1) & 7)) & 1);
    return {
      names: [...own.map(([name]) => name), ...Object.keys(fragments), ...types, ...maccsNames],
      values: [
        ...own.map(([, value]) => (Number.isFinite(value) ? value : 0)),
        ...groupCounts,
        ...types.map((type) => typeCounts.get(type) ?? 0),
        ...keys,
      ],
    };
  };
}

function pattern(rdkit: MainModule, smarts: string): Mol {
  const query = rdkit.get_qmol(smarts);
  if (!query) throw new Error(`descriptors: RDKit does not read the pattern ${smarts}`);
  return query;
}

/** RDKit writes {} for none. */
function matches(molecule: Mol, query: Mol): readonly { readonly atoms: readonly number[] }[] {
  const text = molecule.get_substruct_matches(query);
  return text.length < 4 ? [] : JSON.parse(text);
}
