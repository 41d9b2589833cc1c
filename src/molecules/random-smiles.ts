/** Another SMILES of the same molecule. */
import type { MainModule } from '@rdkit/rdkit';
import { permutation, type Random } from '../tensor/random.js';
import { type MoleculeGraph, readGraph, useMolecule, withMolecule } from './rdkit.js';

/** The graph is one that RDKit wrote: nothing about it is to be found out again. */
const AS_IT_IS = JSON.stringify({ sanitize: false, assignStereo: false });
const IN_ATOM_ORDER = JSON.stringify({ canonical: false });

/** A molecule to be written in many ways; undefined where RDKit refuses the text. */
export const moleculeGraph = (rdkit: MainModule, smiles: string): MoleculeGraph | undefined =>
  withMolecule(rdkit, smiles, readGraph, { complexes: true });

/**
 * A SMILES of the molecule with its atoms in an order that `source` draws, as Bjerrum (2017, "SMILES enumeration as data
 * augmentation") made them: RDKit writes it from the first atom on and takes branches in that order. Stereo is kept. RDKit's own
 * `doRandom` draws from a generator that cannot be seeded here.
 */
export function randomSmiles(rdkit: MainModule, graph: MoleculeGraph, source: Random): string {
  const [{ atoms, bonds, extensions }] = graph.molecules;
  const order = permutation(atoms.length, source);
  const placeOf = new Int32Array(order.length);
  for (const [place, atom] of order.entries()) placeOf[atom] = place;
  const places = (some: readonly number[]) => some.map((atom) => placeOf[atom]);
  // The bonds stay in their order, by which a stereo mark of an atom goes.
  const shuffled = {
    ...graph,
    molecules: [
      {
        atoms: Array.from(order, (atom) => atoms[atom]),
        bonds: bonds.map((bond) => ({
          ...bond,
          atoms: places(bond.atoms),
          ...(bond.stereoAtoms && { stereoAtoms: places(bond.stereoAtoms) }),
        })),
        extensions: extensions.map((extension) => ({
          ...extension,
          ...(extension.aromaticAtoms && { aromaticAtoms: places(extension.aromaticAtoms) }),
          atomRings: undefined,
          cipRanks: undefined,
          cipCodes: undefined,
        })),
      },
    ],
  };
  const written = useMolecule(rdkit.get_mol(JSON.stringify(shuffled), AS_IT_IS), (molecule) =>
    molecule.get_smiles(IN_ATOM_ORDER),
  );
  if (written === undefined) throw new Error('randomSmiles: RDKit does not read the graph that it wrote');
  return written;
}
