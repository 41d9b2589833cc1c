/**
 * Atom of each character of a SMILES text: int32[characters], −1 where the character is a bond, ring digit, branch or dot.
 * Atoms are numbered in the order of the text, as RDKit numbers them. All characters of a bracket atom, and both letters of
 * Cl and Br, belong to their atom. A name after white space has no atoms. The text is not checked beyond that: RDKit decides
 * whether it is a molecule.
 */
export function smilesAtoms(smiles: string): Int32Array {
  const atoms = new Int32Array(smiles.length).fill(-1);
  let atom = 0;
  for (let i = 0; i < smiles.length && smiles[i] !== ' ' && smiles[i] !== '\t'; ) {
    const end = endOfAtom(smiles, i);
    if (end > i) {
      atoms.fill(atom, i, end);
      atom += 1;
      i = end;
    } else {
      // "%12" is ring bond 12: the digits after % are no atoms either, and neither is any other character here.
      i += 1;
    }
  }
  return atoms;
}

/** One past the atom that starts at character i; i itself when none starts there. */
function endOfAtom(smiles: string, i: number): number {
  const character = smiles[i] as string;
  if (character === '[') {
    const close = smiles.indexOf(']', i);
    return close < 0 ? smiles.length : close + 1;
  }
  if (smiles.startsWith('Cl', i) || smiles.startsWith('Br', i)) return i + 2;
  return 'BCNOPSFIbcnops*'.includes(character) ? i + 1 : i;
}
