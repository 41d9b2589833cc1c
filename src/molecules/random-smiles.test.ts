import { describe, expect, it } from 'vitest';
import { random } from '../tensor/random.js';
import { molecules } from './molecules.case.js';
import { moleculeGraph, randomSmiles } from './random-smiles.js';
import { loadRDKit, withMolecule } from './rdkit.js';

const rdkit = await loadRDKit();
const canonical = (smiles: string) =>
  withMolecule(rdkit, smiles, (molecule) => molecule.get_smiles(), { complexes: true });
const drawn = (smiles: string, seed: number) =>
  randomSmiles(rdkit, moleculeGraph(rdkit, smiles)!, random(seed, 'test'));

describe('randomSmiles', () => {
  it.each([
    ...molecules,
    // Stereo of double bonds, of atoms in rings and beside hydrogen, and marks that mean nothing.
    'CN(C)[C@H]1[C@@H]2C[C@H]3C(=C(O)c4c(O)cccc4[C@@]3(C)O)C(=O)[C@]2(O)C(=O)\\C(=C(/O)NCN5CCCC5)C1=O',
    '[Na+].CO\\N=C(C(=O)N[C@@H]1[C@@H]2SCC(=C(N2C1=O)C([O-])=O)COC(C)=O)\\c3csc(N)n3',
    'C/C=C/C=C\\C',
    'C[S@](=O)c1ccccc1',
  ])('writes %s in other ways, all of which are the same molecule', (smiles) => {
    const texts = Array.from({ length: 20 }, (_, seed) => drawn(smiles, seed));
    for (const text of texts) expect(canonical(text)).toBe(canonical(smiles));
  });

  it('follows from the draw alone, and draws many', () => {
    const penicillin = molecules[1];
    const texts = Array.from({ length: 50 }, (_, seed) => drawn(penicillin, seed));
    expect(new Set(texts).size).toBeGreaterThan(40);
    expect(texts.map((_, seed) => drawn(penicillin, seed))).toEqual(texts);
  });

  it('has no graph of what RDKit refuses', () => {
    expect(moleculeGraph(rdkit, 'C1CC')).toBeUndefined();
    expect(moleculeGraph(rdkit, '')).toBeUndefined();
  });
});
