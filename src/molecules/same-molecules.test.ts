import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalSmiles } from './canonical.js';
import { molecules } from './molecules.case.js';
import { loadRDKit, withMolecule } from './rdkit.js';
import { sameMolecules } from './same-molecules.js';
import { skeletonNumber } from './skeleton.js';

const rdkit = await loadRDKit();

/** Other ways of writing a molecule: in another order, with double bonds instead of aromatic ones, with its hydrogens. */
function writings(smiles: string): string[] {
  return withMolecule(
    rdkit,
    smiles,
    (molecule) => [
      molecule.get_smiles(),
      ...Array.from({ length: 5 }, () => molecule.get_smiles('{"doRandom":true}')),
      molecule.get_smiles('{"doKekule":true}'),
      molecule.get_smiles('{"allHsExplicit":true}'),
      molecule.get_smiles('{"allBondsExplicit":true}'),
      molecule.get_smiles('{"doIsomericSmiles":false}'),
      canonicalSmiles(rdkit, smiles, { stereo: false })!,
      ...withHydrogens(molecule.add_hs()),
    ],
    { complexes: true },
  )!;
}

const withHydrogens = (molblock: string): string[] => {
  const molecule = rdkit.get_mol(molblock, '{"removeHs":false}');
  const smiles = molecule?.get_smiles();
  molecule?.delete();
  return smiles === undefined ? [] : [smiles];
};

describe('skeletonNumber', () => {
  it('is one number for every way of writing a molecule', () => {
    for (const smiles of molecules) {
      const number = skeletonNumber(smiles);
      expect(number).toBeTypeOf('number');
      for (const written of writings(smiles)) expect(skeletonNumber(written), written).toBe(number);
    }
  });

  it('tells skeletons apart, and not what they have in common', () => {
    const numbers = molecules.map(skeletonNumber);
    expect(new Set(numbers).size).toBe(molecules.length);
    expect(skeletonNumber('CC(=O)C')).toBe(skeletonNumber('CC(O)=C'));
    expect(skeletonNumber('c1ccccc1')).toBe(skeletonNumber('C1CCCCC1'));
    expect(skeletonNumber('CC(C)CC')).not.toBe(skeletonNumber('CCCCC'));
    expect(skeletonNumber('CCO')).not.toBe(skeletonNumber('CCN'));
    expect(skeletonNumber('C1CC1.CCC')).not.toBe(skeletonNumber('CCC.CCC'));
    expect(skeletonNumber('CCCl')).not.toBe(skeletonNumber('CCC'));
    expect(skeletonNumber('C[Co]C')).not.toBe(skeletonNumber('CC(O)C'));
  });

  it('reads ring bonds between what a dot parts, numbers used twice, and names', () => {
    expect(skeletonNumber('C1.C1')).toBe(skeletonNumber('CC'));
    expect(skeletonNumber('C1CC1C1CC1')).toBe(skeletonNumber('C1CC1C2CC2'));
    expect(skeletonNumber('C%01CC1')).toBe(skeletonNumber('C1CC1'));
    expect(skeletonNumber('CCO ethanol')).toBe(skeletonNumber('CCO'));
    expect(skeletonNumber('[D]OC')).toBe(skeletonNumber('OC'));
  });

  it('is undefined where it does not know', () => {
    for (const text of [
      '[#6]CC',
      'C%(123)CC%(123)',
      'CCO |$;;R$|',
      ' CC',
      'C{C}',
      '[C',
      'C%1',
      '1CC1',
      '[Uuo]',
    ])
      expect(skeletonNumber(text), text).toBeUndefined();
  });

  it('takes any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'CNOcnl[]()123%=#.@H+- B') }), (text) => {
        const number = skeletonNumber(text);
        expect(number === undefined || Number.isSafeInteger(number)).toBe(true);
        const canonical = canonicalSmiles(rdkit, text);
        if (number !== undefined && canonical) expect(skeletonNumber(canonical)).toBe(number);
      }),
      { numRuns: 300 },
    );
  });
});

describe('sameMolecules', () => {
  it('finds a molecule however it is written, in the order that was given', async () => {
    const known = molecules.filter((_, i) => i % 2 === 0);
    for (let way = 0; way < 6; way++) {
      const written = molecules.map((smiles) => writings(smiles)[way]);
      const expected = molecules.map((_, i) => Number(i % 2 === 0));
      expect([...(await sameMolecules(written, known))]).toEqual(expected);
      expect([...(await sameMolecules(known, written))]).toEqual(known.map(() => 1));
    }
  });

  it('takes mirror images, geometries and isotopes for the same, tautomers, salts and ions not', async () => {
    const known = ['C[C@H](N)C(=O)O', 'F/C=C\\Br', 'CO', 'CC(C)=O'];
    const smiles = ['C[C@@H](N)C(=O)O', 'F/C=C/Br', '[2H]OC', 'CC(O)=C', 'C[C@H](N)C(=O)[O-]', 'CO.Cl', 'CC'];
    expect([...(await sameMolecules(smiles, known))]).toEqual([1, 1, 1, 0, 0, 0, 0]);
  });

  it('compares unusual texts too, and those that are no molecule as they are', async () => {
    expect([
      ...(await sameMolecules(['[#6H3]CO', 'CCO', 'hello', 'C1CC', 'world'], ['OCC', 'hello', 'C1CC'])),
    ]).toEqual([1, 1, 1, 1, 0]);
    expect([...(await sameMolecules(['CCO', '[#6H3]CO'], ['[#6H3]CO']))]).toEqual([1, 1]);
    expect([...(await sameMolecules(['CCO'], []))]).toEqual([0]);
    expect(await sameMolecules([], ['CCO'])).toHaveLength(0);
  });

  it('agrees with comparing every pair', async () => {
    const all = molecules.flatMap((smiles) => writings(smiles).slice(0, 4));
    const some = fc.uniqueArray(fc.constantFrom(...all), { maxLength: 12 });
    const constitution = new Map(
      all.map((smiles) => [smiles, canonicalSmiles(rdkit, smiles, { stereo: false })]),
    );
    await fc.assert(
      fc.asyncProperty(some, some, async (smiles, known) => {
        const expected = smiles.map((a) =>
          Number(known.some((b) => constitution.get(a) === constitution.get(b))),
        );
        expect([...(await sameMolecules(smiles, known))]).toEqual(expected);
      }),
      { numRuns: 20 },
    );
  });
});
