import { describe, expect, it } from 'vitest';
import { canonicalSmiles } from './canonical.js';
import { molecules } from './molecules.case.js';
import { loadRDKit, withMolecule } from './rdkit.js';

const rdkit = await loadRDKit();

describe('canonicalSmiles', () => {
  it('is one text for every way of writing a molecule', () => {
    expect(canonicalSmiles(rdkit, 'OCC')).toBe('CCO');
    expect(canonicalSmiles(rdkit, 'C1=CC=CC=C1C')).toBe('Cc1ccccc1');
    expect(canonicalSmiles(rdkit, '[H]OC([H])([H])[H]')).toBe('CO');
    for (const smiles of molecules) {
      for (let i = 0; i < 5; i++) {
        const written = withMolecule(rdkit, smiles, (molecule) => molecule.get_smiles('{"doRandom":true}'), {
          complexes: true,
        })!;
        for (const stereo of [true, false]) {
          expect(canonicalSmiles(rdkit, written, { stereo }), written).toBe(
            canonicalSmiles(rdkit, smiles, { stereo }),
          );
        }
      }
    }
  });

  it('leaves out chirality, geometry and isotopes where stereo is not wanted', () => {
    const constitution = (smiles: string) => canonicalSmiles(rdkit, smiles, { stereo: false });
    expect(canonicalSmiles(rdkit, 'C[C@H](N)C(=O)O')).not.toBe(canonicalSmiles(rdkit, 'C[C@@H](N)C(=O)O'));
    expect(constitution('C[C@H](N)C(=O)O')).toBe('CC(N)C(=O)O');
    expect(constitution('F/C=C\\Br')).toBe(constitution('F/C=C/Br'));
    expect(constitution('[14CH3]O')).toBe('CO');
    expect(constitution('[2H]C([2H])([2H])O[2H]')).toBe('CO');
    // Without its isotope RDKit would not read this one again.
    expect(constitution('[2H]<-[NH4+]')).toMatch(/N/);
  });

  it('is undefined for what is no molecule', () => {
    for (const smiles of ['C1CC', 'hello', 'C(C)(C)(C)(C)C', 'C=[NH]C', 'c1cccc1', 'CO(C)C'])
      expect(canonicalSmiles(rdkit, smiles), smiles).toBeUndefined();
  });

  it('takes complexes with more bonds to a metal than RDKit knows, though not to its non-metals', () => {
    expect(canonicalSmiles(rdkit, 'CC(=O)O[AlH3](O)O')).toBe('CC(=O)[O][AlH3]([OH])[OH]');
    expect(canonicalSmiles(rdkit, 'Cc1ccc([B-2]2(c3ccc(C)cc3)=NCCO2)cc1')).toMatch(/\[B-2\]/);
    expect(canonicalSmiles(rdkit, 'C=[NH](C)O[AlH3](O)O')).toBeUndefined();
  });
});
