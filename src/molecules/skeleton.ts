/**
 * A number that follows from the skeleton of a molecule: which elements its atoms are, without hydrogen, and which of them
 * are bonded. One molecule has one number, however it is written; molecules of one skeleton share it (tautomers, ions,
 * saturated and unsaturated). It takes microseconds where RDKit takes a third of a millisecond. Undefined where the text is
 * not read with certainty, which does not say whether it is a molecule.
 *
 * It is the sum over all atoms of a hash of the atom and of what is up to three bonds away, as Weisfeiler and Lehman (1968)
 * tell graphs apart, so that no order matters. At most 2^53.
 */
export function skeletonNumber(smiles: string): number | undefined {
  const skeleton = readSkeleton(smiles);
  if (skeleton === undefined) return undefined;
  const { elements, bonds } = skeleton;
  let hashes = Int32Array.from(elements);
  for (let round = 0; round < 3; round++) {
    const next = new Int32Array(hashes.length);
    for (let bond = 0; bond < bonds.length; bond += 2) {
      next[bonds[bond]] += scatter(hashes[bonds[bond + 1]]);
      next[bonds[bond + 1]] += scatter(hashes[bonds[bond]]);
    }
    for (let atom = 0; atom < next.length; atom++)
      next[atom] = scatter(next[atom] ^ Math.imul(hashes[atom], 0x9e3779b1));
    hashes = next;
  }
  let low = 0;
  let high = 0;
  for (let atom = 0; atom < hashes.length; atom++) {
    if (elements[atom] === HYDROGEN) continue;
    low += hashes[atom] >>> 0;
    high += scatter(hashes[atom]) >>> 0;
  }
  return (high % 2 ** 21) * 2 ** 32 + (low % 2 ** 32);
}

/** 32 bits to 32 bits, one to one (the finalizer of MurmurHash3). */
function scatter(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

const HYDROGEN = 0;
const elementNumbers = new Map<string, number>();

/** A number for an element by its symbol in either case: what it spells in base 32. */
function elementNumber(symbol: string): number {
  let number = elementNumbers.get(symbol);
  if (number === undefined) {
    number = 0;
    for (const letter of symbol) number = number * 32 + (letter.charCodeAt(0) & 31);
    // Deuterium and tritium are hydrogen.
    if (/^[HDT]$/.test(symbol)) number = HYDROGEN;
    elementNumbers.set(symbol, number);
  }
  return number;
}

interface Skeleton {
  /** The element of each atom of the text. */
  readonly elements: readonly number[];
  /** Places of bonded atoms, two by two; hydrogen is bonded to none. */
  readonly bonds: readonly number[];
}

/** Isotope and symbol of an atom in brackets, and the rest of it. */
const BRACKET = /\[\d*(\*|[A-Z][a-z]?|[a-z][a-z]?)(?![a-z])[^[\]]*\]/y;

function readSkeleton(smiles: string): Skeleton | undefined {
  const elements: number[] = [];
  const bonds: number[] = [];
  const branches: number[] = [];
  const rings = new Map<string, number>();
  let last = -1;
  const bond = (a: number, b: number) => {
    if (elements[a] !== HYDROGEN && elements[b] !== HYDROGEN) bonds.push(a, b);
  };
  const addAtom = (symbol: string) => {
    const atom = elements.push(elementNumber(symbol)) - 1;
    if (last >= 0) bond(last, atom);
    last = atom;
  };
  for (let i = 0; i < smiles.length; i++) {
    const character = smiles[i];
    switch (character) {
      case 'C':
      case 'B': {
        const halogen = smiles[i + 1] === (character === 'C' ? 'l' : 'r');
        addAtom(halogen ? smiles.slice(i, i + 2) : character);
        if (halogen) i++;
        break;
      }
      case '[': {
        BRACKET.lastIndex = i;
        const bracket = BRACKET.exec(smiles);
        if (bracket === null) return undefined;
        addAtom(bracket[1]);
        i = BRACKET.lastIndex - 1;
        break;
      }
      case '(':
        branches.push(last);
        break;
      case ')':
        last = branches.pop() ?? -1;
        break;
      case '.':
        last = -1;
        break;
      case ' ':
      case '\t':
        // A name has no atoms, but what stands between bars may change them.
        return last < 0 || smiles.includes('|', i) ? undefined : { elements, bonds };
      default:
        if (ATOMS.includes(character)) addAtom(character);
        else if (RING_DIGITS.includes(character)) {
          const number = character === '%' ? smiles.slice(i + 1, i + 3) : `0${character}`;
          const opened = rings.get(number);
          if (last < 0 || !/^\d\d$/.test(number)) return undefined;
          if (opened === undefined) rings.set(number, last);
          else {
            bond(opened, last);
            rings.delete(number);
          }
          if (character === '%') i += 2;
        } else if (!BONDS.includes(character)) return undefined;
    }
  }
  return { elements, bonds };
}

const ATOMS = 'NOPSFIbcnops*';
const RING_DIGITS = '0123456789%';
const BONDS = '-=#$:~/\\<>';
