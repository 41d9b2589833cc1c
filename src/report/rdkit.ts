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

/**
 * Parses `smiles`, hands the molecule to `use`, frees it. Returns null where RDKit refuses the text.
 * Hydrogens written as atoms are kept, so that RDKit's atom k is the k-th atom of the text.
 */
export function withMolecule<T>(rdkit: MainModule, smiles: string, use: (molecule: Mol) => T): T | null {
  const molecule = rdkit.get_mol(smiles, '{"removeHs":false}');
  if (molecule === null) return null;
  try {
    return use(molecule);
  } finally {
    molecule.delete();
  }
}
