import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Part } from '../records/split.js';
import { molecules } from './molecules.case.js';
import { loadRDKit, withMolecule } from './rdkit.js';
import { balancedScaffoldSplits, murckoScaffold, scaffoldSplit } from './scaffold.js';

const rdkit = await loadRDKit();

describe('murckoScaffold', () => {
  it.each([
    // What `MurckoScaffoldSmiles` of RDKit 2026.9.1 in Python gives.
    ['OCC3OC(OCC2OC(OC(C#N)c1ccccc1)C(O)C(O)C2O)C(O)C(O)C3O', 'c1ccc(COC2CCCC(COC3CCCCO3)O2)cc1'],
    ['CC1(C)S[C@@H]2[C@H](NC(=O)Cc3ccccc3)C(=O)N2[C@H]1C(=O)O', 'O=C(Cc1ccccc1)NC1C(=O)N2CCSC12'],
    ['CN1CCC[C@H]1c1cccnc1', 'c1cncc(C2CCCN2)c1'],
    ['Cn1c(=O)c2c(ncn2C)n(C)c1=O', 'O=c1[nH]c(=O)c2[nH]cnc2[nH]1'],
    ['C[n+]1ccc(-c2cc[n+](C)cc2)cc1', 'c1cc(-c2cc[nH+]cc2)cc[nH+]1'],
    ['[O-][n+]1ccccc1S[Zn]Sc1cccc[n+]1[O-]', 'c1ccc([S][Zn][S]c2cccc[nH+]2)[nH+]c1'],
    ['CN(C)C1=CC2=C(C=C1)N=C3C=CC(=[N+](C)C)C=C3S2', '[N+]=c1ccc2nc3ccccc3sc-2c1'],
    ['[N-]=[N+]=C1C=Cc2c(cccc2S(=O)(=O)[O-])C1=O', '[N+]=C1C=Cc2ccccc2C1=O'],
    ['CSC[c-]1nc2ccccc2c(C)[n+]1=O', 'O=[n+]1[c-]nc2ccccc2c1'],
    ['C[n+]1nc2ccccc2[c-]1C', '[c-]1[nH+]nc2ccccc12'],
    ['C[c+]1cccccc1', 'c1ccc[cH+]cc1'],
    ['O=C(O)CC[PH](c1ccccc1)(c1ccccc1)c1ccccc1', 'c1ccc(P(c2ccccc2)c2ccccc2)cc1'],
    ['CCOP(=S)(OCC)OC(=O)C(C)SSC.CCOP1(OCC)(SSC)OC(=O)C(C)S1', 'O=C1CSPO1'],
    ['O[Sn](c1ccccc1)(c1ccccc1)c1ccccc1', 'c1cc[c]([SnH]([c]2ccccc2)[c]2ccccc2)cc1'],
    ['N[Pt]1(N)OC(=O)C2(CCC2)C(=O)O1', 'O=C1[O][Pt][O]C(=O)C12CCC2'],
    ['C[Si]1(C)CCC1', 'C1C[SiH2]C1'],
    ['CC[B-]1(CC)OCCO1', '[BH2-]1OCCO1'],
    ['CN=C1CC1', 'N=C1CC1'],
    ['N/C=C1/CC1', 'C=C1CC1'],
    ['CC1CC1=C=C', 'C=C1CC1'],
    ['O=C(Nc1ccccc1)C1CCCCC1.Cl', 'O=C(Nc1ccccc1)C1CCCCC1'],
    ['C1CC1.C1CC1C', 'C1CC1.C1CC1'],
    ['[2H]c1ccccc1', 'c1ccccc1'],
    ['CCC(O)=NC=C(C)C#N', ''],
  ])('of %s is %s', (smiles, scaffold) => {
    expect(murckoScaffold(rdkit, smiles)).toBe(scaffold);
  });

  it('does not depend on how a molecule is written, and is its own scaffold', () => {
    for (const smiles of molecules) {
      const scaffold = murckoScaffold(rdkit, smiles)!;
      if (scaffold !== '') expect(murckoScaffold(rdkit, scaffold), smiles).toBe(scaffold);
      for (let i = 0; i < 5; i++) {
        const written = withMolecule(rdkit, smiles, (molecule) => molecule.get_smiles('{"doRandom":true}'), {
          complexes: true,
        })!;
        expect(murckoScaffold(rdkit, written), written).toBe(scaffold);
      }
    }
  });

  it('is undefined for what is no molecule', () => {
    for (const smiles of ['C1CC', 'c1cccc1', ''])
      expect(murckoScaffold(rdkit, smiles), smiles).toBeUndefined();
  });
});

describe('scaffoldSplit', () => {
  it('gives large groups to training, and of groups as large those with a later first molecule before', async () => {
    // Benzenes (4), cyclopropanes (2), cyclobutane, furan, no ring: 9 molecules, of which training may have 4.5, and
    // training and validation together 6.75. After the benzenes no group but one of one more molecule would not fit.
    const smiles = [
      'c1ccccc1',
      'CC1CC1',
      'Cc1ccccc1',
      'C1CCC1',
      'C1CC1',
      'Oc1ccccc1',
      'CCO',
      'Nc1ccccc1',
      'c1ccoc1',
    ];
    expect(await scaffoldSplit(smiles, { valid: 0.25, test: 0.25 })).toEqual([
      'train',
      'valid',
      'train',
      'test',
      'valid',
      'train',
      'test',
      'train',
      'test',
    ]);
  });

  it('fills training with small groups when a large one did not fit', async () => {
    const smiles = ['c1ccccc1', 'Cc1ccccc1', 'Oc1ccccc1', 'CC1CC1', 'CCO'];
    // Training may have 2.5 of 5: not the 3 benzenes, which fit nowhere but in the test.
    expect(await scaffoldSplit(smiles, { valid: 0, test: 0.5 })).toEqual([
      'test',
      'test',
      'test',
      'train',
      'train',
    ]);
  });

  it('counts only what RDKit reads', async () => {
    const ten = [
      'C1CC1',
      'C1CCC1',
      'C1CCCC1',
      'C1CCCCC1',
      'c1ccccc1',
      'C1CO1',
      'C1CCO1',
      'C1CN1',
      'C1CCN1',
      'C1CS1',
    ];
    const parts: (Part | undefined)[] = ['test', 'valid', ...Array.from({ length: 8 }, (): Part => 'train')];
    expect(await scaffoldSplit(ten)).toEqual(parts);
    const unreadable = ['C1CC', 'c1cccc1', 'nonsense', 'C=[NH]C'];
    expect(await scaffoldSplit([...unreadable, ...ten])).toEqual([
      ...unreadable.map(() => undefined),
      ...parts,
    ]);
    expect(await scaffoldSplit([])).toEqual([]);
  });

  it('keeps scaffolds together, training within its fraction and validation within what the test leaves', async () => {
    const substituents = ['C', 'O', 'N', 'F', 'Cl'];
    const rings = ['c1ccccc1', 'C1CC1', 'C1CCC1', 'c1ccoc1', 'c1ccncc1', ''];
    const molecule = fc.tuple(fc.constantFrom(...substituents), fc.constantFrom(...rings));
    const fraction = fc.double({ min: 0, max: 0.4, noNaN: true });
    await fc.assert(
      fc.asyncProperty(
        fc.array(molecule, { maxLength: 30 }),
        fraction,
        fraction,
        async (drawn, valid, test) => {
          const parts = await scaffoldSplit(
            drawn.map(([substituent, ring]) => substituent + ring),
            { valid, test },
          );
          for (const ring of rings) {
            const ofRing = parts.filter((_, i) => drawn[i][1] === ring);
            expect(new Set(ofRing).size).toBeLessThanOrEqual(1);
          }
          const training = parts.filter((part) => part === 'train').length;
          const validation = parts.filter((part) => part === 'valid').length;
          expect(training).toBeLessThanOrEqual((1 - valid - test) * drawn.length);
          // A large group may go to validation before smaller ones fill training, so only this holds of it.
          expect(validation).toBeLessThanOrEqual((1 - test) * drawn.length);
        },
      ),
      { numRuns: 20 },
    );
  });
});

describe('balancedScaffoldSplits', () => {
  const substituents = ['C', 'O', 'N', 'F', 'Cl', 'Br'];
  const rings = [
    'C1CC1',
    'C1CCC1',
    'c1ccoc1',
    'c1ccncc1',
    'C1CCCC1',
    'C1CO1',
    'C1CCO1',
    'C1CN1',
    'C1CCN1',
    'C1CS1',
  ];
  /** Six benzenes, ten others of a ring each, and what is no molecule. */
  const smiles = [...substituents.map((substituent) => `${substituent}c1ccccc1`), 'nonsense', ...rings];

  it('puts a group larger than half of a held-out part before the others, which fall by the seed', async () => {
    const fractions = { valid: 0.25, test: 0.25 };
    const seeds = Array.from({ length: 12 }, (_, seed) => seed);
    const splits = await balancedScaffoldSplits(smiles, fractions, seeds);
    for (const parts of splits) {
      // Of 16 molecules a held-out part has 4, and the benzenes are more than 2.
      expect(parts.slice(0, 6)).toEqual(Array(6).fill('train'));
      expect(parts[6]).toBeUndefined();
      const counts = ['train', 'valid', 'test'].map((name) => parts.filter((part) => part === name).length);
      expect(counts).toEqual([8, 4, 4]);
    }
    expect(new Set(splits.map((parts) => parts.join())).size).toBeGreaterThan(6);
    expect(await balancedScaffoldSplits(smiles, fractions, [7])).toEqual([splits[7]]);
  });

  it('keeps scaffolds together, and no part but the test above its fraction', async () => {
    const molecule = fc.tuple(fc.constantFrom(...substituents), fc.constantFrom('c1ccccc1', ...rings, ''));
    const fraction = fc.double({ min: 0, max: 0.4, noNaN: true });
    await fc.assert(
      fc.asyncProperty(
        fc.array(molecule, { maxLength: 30 }),
        fraction,
        fraction,
        fc.nat(),
        async (drawn, valid, test, seed) => {
          const texts = drawn.map(([substituent, ring]) => substituent + ring);
          const [parts] = await balancedScaffoldSplits(texts, { valid, test }, [seed]);
          for (const ring of new Set(drawn.map(([, ring]) => ring)))
            expect(new Set(parts.filter((_, i) => drawn[i][1] === ring)).size).toBe(1);
          const share = (name: Part) => parts.filter((part) => part === name).length;
          expect(share('train')).toBeLessThanOrEqual((1 - valid - test) * drawn.length);
          expect(share('valid')).toBeLessThanOrEqual(valid * drawn.length);
        },
      ),
      { numRuns: 30 },
    );
  });
});
