import type { MainModule } from '@rdkit/rdkit';
import { withMolecule } from './rdkit.js';

const CONSTITUTION = JSON.stringify({ doIsomericSmiles: false });

/**
 * The text that RDKit gives every way of writing the same molecule; undefined where RDKit refuses the text.
 * Without `stereo` (true by default) chirality, double bond geometry and isotopes are left out, so that molecules of one
 * constitution have one text. Texts of different releases of RDKit may differ.
 */
export function canonicalSmiles(
  rdkit: MainModule,
  smiles: string,
  { stereo = true }: { readonly stereo?: boolean } = {},
): string | undefined {
  if (stereo) return withMolecule(rdkit, smiles, (molecule) => molecule.get_smiles(), { complexes: true });
  const flat = withMolecule(rdkit, smiles, (molecule) => molecule.get_smiles(CONSTITUTION), {
    complexes: true,
  });
  // Deuterium was an atom of its own and is now a hydrogen like any other.
  return flat?.includes('[H]') ? (canonicalSmiles(rdkit, flat) ?? flat) : flat;
}
