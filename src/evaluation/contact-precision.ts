import { InputError } from '../errors.js';

/**
 * Sequence separations |i − j| of residue pairs, both ends included, as CASP bins them (predictioncenter.org,
 * "RR help") and as TAPE's analysis of its contact predictions does (songlab-cal/tape-neurips2019).
 */
const separations = {
  medium: [12, 23],
  long: [24, Number.POSITIVE_INFINITY],
  'medium-long': [12, Number.POSITIVE_INFINITY],
} as const;

export type ContactRange = keyof typeof separations;

/** Å. */
const contactDistance = 8;

/** One entry per residue; false or 0 where the structure does not show it. */
type ResidueMask = ArrayLike<boolean | number>;

/**
 * Which residues touch: 1 where two are less than `threshold` apart, a residue with itself included; 0 elsewhere and
 * wherever either is unresolved. CASP measures between C-beta atoms (C-alpha of glycine); the structures of TAPE and
 * ProteinNet have backbone atoms alone, and TAPE measures between C-alpha atoms.
 * @param coordinates float[length, 3] of one atom per residue, in Å; those of unresolved residues are not read
 * @param mask [length]
 * @returns uint8[length, length], symmetric
 * @throws InputError when a resolved residue has a coordinate that is not a finite number
 */
export function contactMap(
  coordinates: ArrayLike<number>,
  mask: ResidueMask,
  threshold = contactDistance,
): Uint8Array {
  const length = mask.length;
  if (coordinates.length !== 3 * length)
    throw new Error(`contactMap: expected coordinates [${length}, 3], got ${coordinates.length} numbers`);
  const resolved = resolvedResidues(mask);
  for (const residue of resolved) {
    const position = [0, 1, 2].map((axis) => coordinates[3 * residue + axis]);
    if (!position.every(Number.isFinite)) {
      throw new InputError(
        `residue ${residue} (from 0) has the coordinates ${position.join(', ')}: expected three finite numbers in Å; mark the residue as unresolved if it has none`,
      );
    }
  }
  const contacts = new Uint8Array(length * length);
  const limit = threshold * threshold;
  for (const i of resolved) {
    for (const j of resolved) {
      if (j > i) break;
      const dx = coordinates[3 * i] - coordinates[3 * j];
      const dy = coordinates[3 * i + 1] - coordinates[3 * j + 1];
      const dz = coordinates[3 * i + 2] - coordinates[3 * j + 2];
      if (dx * dx + dy * dy + dz * dz < limit) {
        contacts[i * length + j] = 1;
        contacts[j * length + i] = 1;
      }
    }
  }
  return contacts;
}

/**
 * Precision at L/5 of one protein: of the ⌊length / divisor⌋ residue pairs with the highest scores, the share that are
 * contacts. Each pair counts once, from i < j. Where fewer pairs are in the range, all of them count.
 * NaN when no pair is to be chosen (fewer residues than `divisor`, or none resolved in the range), or when a pair in
 * the range has the score NaN.
 *
 * TAPE (Rao et al., NeurIPS 2019, "Evaluating Protein Transfer Learning with TAPE") reports L/5 over medium and long
 * range, the default here; L is the whole chain, unresolved residues included. Its code departs from that in ways not
 * followed: the metric of its training loops takes all pairs at least 6 apart and adds up the proteins of a batch, and
 * its analysis script chooses a fifth of the pairs and divides by the contacts among them. Where scores are equal at
 * the cut, its choice is the order that the sort happens to leave; here each of the equals is chosen to the same
 * share, which is the mean over all orders.
 * @param scores float[length, length], higher for more likely contacts; only i < j is read, so symmetrize before
 * @param contacts uint8[length, length], 1 for a contact, 0 for none, as {@link contactMap} gives
 * @param mask [length]; pairs with an unresolved residue are left out
 * @param length residues of the protein, L
 */
export function precisionAtLength(
  scores: ArrayLike<number>,
  contacts: ArrayLike<number>,
  mask: ResidueMask,
  length: number,
  { range = 'medium-long', divisor = 5 }: { range?: ContactRange; divisor?: number } = {},
): number {
  if (scores.length !== length ** 2 || contacts.length !== length ** 2 || mask.length !== length) {
    throw new Error(
      `precisionAtLength: expected scores and contacts [${length}, ${length}] and mask [${length}], got ${scores.length}, ${contacts.length} and ${mask.length} numbers`,
    );
  }
  if (!(divisor > 0)) throw new Error(`precisionAtLength: expected a positive divisor, got ${divisor}`);
  const pairs = pairsInRange(mask, range);
  const chosen = Math.min(Math.floor(length / divisor), pairs.length);
  if (chosen === 0) return Number.NaN;

  const sorted = new Float64Array(pairs.length);
  for (let pair = 0; pair < pairs.length; pair++) {
    const contact = contacts[pairs[pair]];
    if (contact !== 0 && contact !== 1)
      throw new Error(`precisionAtLength: contact ${contact} is neither 0 nor 1`);
    sorted[pair] = scores[pairs[pair]];
    if (Number.isNaN(sorted[pair])) return Number.NaN;
  }
  const cut = sorted.sort()[pairs.length - chosen];

  let above = 0;
  let contactsAbove = 0;
  let equal = 0;
  let contactsEqual = 0;
  for (const pair of pairs) {
    if (scores[pair] > cut) {
      above++;
      contactsAbove += contacts[pair];
    } else if (scores[pair] === cut) {
      equal++;
      contactsEqual += contacts[pair];
    }
  }
  return (contactsAbove + ((chosen - above) * contactsEqual) / equal) / chosen;
}

/** Flat positions i · length + j of the resolved pairs i < j of a range. */
function pairsInRange(mask: ResidueMask, range: ContactRange): Int32Array {
  const [nearest, farthest] = separations[range];
  const length = mask.length;
  const resolved = resolvedResidues(mask);
  const pairs = new Int32Array((resolved.length * (resolved.length - 1)) / 2);
  let count = 0;
  for (const i of resolved) {
    for (const j of resolved) {
      if (j - i >= nearest && j - i <= farthest) pairs[count++] = i * length + j;
    }
  }
  return pairs.subarray(0, count);
}

function resolvedResidues(mask: ResidueMask): Int32Array {
  const residues = new Int32Array(mask.length);
  let count = 0;
  for (let residue = 0; residue < mask.length; residue++) if (mask[residue]) residues[count++] = residue;
  return residues.subarray(0, count);
}
