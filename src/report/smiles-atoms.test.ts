import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadRDKit, withMolecule } from '../molecules/rdkit.js';
import { smilesAtoms } from './smiles-atoms.js';

const atomsOf = (smiles: string) => [...smilesAtoms(smiles)];

/** Caffeine, nicotine, penicillin G, a salt, a boronic acid, selenium in a ring, explicit hydrogens, isotopes, two-digit rings, … */
const REAL = [
  'Cn1c(=O)c2c(ncn2C)n(C)c1=O',
  'CN1CCC[C@H]1c1cccnc1',
  'CC1(C)S[C@@H]2[C@H](NC(=O)Cc3ccccc3)C(=O)N2[C@H]1C(=O)O',
  '[Na+].[Na+].O=C([O-])c1ccccc1S(=O)(=O)[O-]',
  'OB(O)c1ccc(Br)cc1I',
  'c1cc[se]c1',
  '[H]C([H])=O',
  '[2H]OC',
  'C1CC[14CH2]CC1',
  'F/C=C\\Br',
  'c1ccc2c(c1)cc1ccc3cccc4ccc2c1c34',
  'C%10CCCCC%10Cl',
  'FS(F)(F)(F)(F)F',
  'CP(=O)(OC)SCCN(C(C)C)C(C)C',
  '[Pt+2].[Cl-].[Cl-].N.N',
  'C#N',
  'C',
];

describe('smilesAtoms', () => {
  it('counts atoms and leaves out bonds, branches, ring digits and dots', () => {
    expect(atomsOf('CC(=O)O')).toEqual([0, 1, -1, -1, 2, -1, 3]);
    expect(atomsOf('c1cc1')).toEqual([0, -1, 1, 2, -1]);
    expect(atomsOf('C%12CC%12')).toEqual([0, -1, -1, -1, 1, 2, -1, -1, -1]);
  });

  it('keeps both letters of Cl and Br, and all of a bracket, together', () => {
    expect(atomsOf('ClCBr')).toEqual([0, 0, 1, 2, 2]);
    expect(atomsOf('C[N+](=O)[O-].[Na+]')).toEqual([
      0, 1, 1, 1, 1, -1, -1, 2, -1, 3, 3, 3, 3, -1, 4, 4, 4, 4, 4,
    ]);
  });

  it('stops at a name, and takes an unclosed bracket to the end', () => {
    expect(atomsOf('CO methanol')).toEqual([0, 1, ...Array(9).fill(-1)]);
    expect(atomsOf('C[nH')).toEqual([0, 1, 1, 1]);
    expect(atomsOf('')).toEqual([]);
  });

  it('numbers the atoms of real molecules as RDKit does, element by element', async () => {
    const rdkit = await loadRDKit();
    for (const smiles of REAL) {
      const symbols = withMolecule(rdkit, smiles, (molecule) => elements(molecule.get_v3Kmolblock()), {
        keepHydrogens: true,
      });
      expect([smiles, elementsOfText(smiles)]).toEqual([smiles, symbols]);
    }
  });

  it('gives any text one entry per character, ascending where there are atoms', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (text) => {
        const atoms = atomsOf(text);
        expect(atoms.length).toBe(text.length);
        const owned = atoms.filter((atom) => atom >= 0);
        expect(owned).toEqual([...owned].sort((a, b) => a - b));
        expect(new Set(owned).size).toBe(owned.length === 0 ? 0 : owned.at(-1)! + 1);
      }),
    );
  });
});

/** Element symbols in a V3000 mol block, in order: "M  V30 1 C 0.1 0.2 0 0". */
function elements(molblock: string): string[] {
  const atoms = molblock.slice(molblock.indexOf('BEGIN ATOM'), molblock.indexOf('END ATOM'));
  return [...atoms.matchAll(/^M {2}V30 \d+ (\S+) /gm)].map((match) => (match[1] === 'D' ? 'H' : match[1]!));
}

function elementsOfText(smiles: string): string[] {
  const texts: string[] = [];
  for (const [i, atom] of smilesAtoms(smiles).entries())
    if (atom >= 0) texts[atom] = (texts[atom] ?? '') + smiles[i];
  return texts.map((text) => {
    const symbol = text.replace(/^\[\d*/, '').match(/^(Cl|Br|se|[A-Z][a-z]?|[a-z])/)?.[0] ?? text;
    return symbol[0]!.toUpperCase() + symbol.slice(1);
  });
}
