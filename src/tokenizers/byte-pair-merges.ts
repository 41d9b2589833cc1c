/**
 * Byte-pair encoding: the most frequent pair of neighbours becomes a token, again and again (Gage, "A New Algorithm for Data
 * Compression", 1994; Sennrich, Haddow & Birch, "Neural Machine Translation of Rare Words with Subword Units", ACL 2016). It
 * begins with bytes, so there is no text that it cannot write (Radford et al., 2019).
 */
import { PriorityQueue } from './priority-queue.js';

/** Token b < 256 is the byte b, token 256 + k the two tokens of merge k one after the other. */
export type Merge = readonly [left: number, right: number];

const BYTES = 256;
/** Tokens are fewer than this, so that a pair of them is one number. */
const RADIX = 65_536;

const pairOf = (left: number, right: number): number => left * RADIX + right;

/** A pair and how often it stood in the pieces when it was last looked at. */
interface Candidate {
  readonly pair: number;
  readonly count: number;
}

/**
 * Learns merges: the pair that stands most often in the pieces, each as many times as its count, first; of equally
 * frequent ones that whose left, then right token is the smaller, so that the merges follow from the counts alone. It ends
 * with `most` merges, or where no pair stands twice. O(n log n) in the bytes of the pieces: a merge touches its own places
 * alone, and a pair that became rarer is put back into the heap when its turn comes.
 */
export function learnMerges(pieces: ReadonlyMap<string, number>, most: number): Merge[] {
  const texts = Array.from(pieces.keys(), toBytes);
  const total = texts.reduce((sum, { length }) => sum + length, 0);
  // The places of all pieces, one behind the other: the token that begins there, the place behind it and the one before.
  const tokens = new Int32Array(total);
  const next = new Int32Array(total);
  const previous = new Int32Array(total);
  const weights = new Float64Array(total);
  const counts = new Map<number, number>();
  const places = new Map<number, number[]>();
  const add = (pair: number, place: number) => {
    counts.set(pair, (counts.get(pair) ?? 0) + weights[place]);
    const own = places.get(pair);
    if (own) own.push(place);
    else places.set(pair, [place]);
  };
  let start = 0;
  for (const [index, weight] of [...pieces.values()].entries()) {
    const { length } = texts[index];
    const end = start + length;
    tokens.set(texts[index], start);
    weights.fill(weight, start, end);
    for (let place = start; place < end; place++) {
      previous[place] = place > start ? place - 1 : -1;
      next[place] = place + 1 < end ? place + 1 : -1;
    }
    for (let place = start; place + 1 < end; place++) add(pairOf(tokens[place], tokens[place + 1]), place);
    start = end;
  }
  const queue = new PriorityQueue<Candidate>(
    (a, b) => a.count > b.count || (a.count === b.count && a.pair < b.pair),
  );
  for (const [pair, count] of counts) queue.push({ pair, count });
  const merges: Merge[] = [];
  while (merges.length < most) {
    const candidate = queue.pop();
    if (candidate === undefined) break;
    const { pair } = candidate;
    const count = counts.get(pair) ?? 0;
    if (count < candidate.count) {
      if (count > 0) queue.push({ pair, count });
      continue;
    }
    if (count < 2) break;
    const [left, right] = [Math.floor(pair / RADIX), pair % RADIX];
    const merged = BYTES + merges.length;
    merges.push([left, right]);
    const made = new Set<number>();
    const grow = (other: number, place: number) => {
      add(other, place);
      made.add(other);
    };
    for (const place of places.get(pair)!) {
      const behind = next[place];
      // A place that an earlier merge, or this one, has taken.
      if (tokens[place] !== left || behind < 0 || tokens[behind] !== right) continue;
      const [before, after] = [previous[place], next[behind]];
      const weight = weights[place];
      const lose = (other: number) => counts.set(other, counts.get(other)! - weight);
      if (before >= 0) lose(pairOf(tokens[before], left));
      if (after >= 0) lose(pairOf(right, tokens[after]));
      tokens[place] = merged;
      tokens[behind] = -1;
      next[place] = after;
      if (after >= 0) previous[after] = place;
      if (before >= 0) grow(pairOf(tokens[before], merged), before);
      if (after >= 0) grow(pairOf(merged, tokens[after]), place);
    }
    counts.delete(pair);
    places.delete(pair);
    for (const other of made) {
      const own = counts.get(other)!;
      if (own > 0) queue.push({ pair: other, count: own });
    }
  }
  return merges;
}

/** The place of each merge among the merges, by its pair. */
export type MergeRanks = ReadonlyMap<number, number>;

export const mergeRanks = (merges: readonly Merge[]): MergeRanks =>
  new Map(merges.map(([left, right], rank) => [pairOf(left, right), rank]));

/** The tokens of some bytes: the merges in their order, each from the left on. O(n log n). */
export function applyMerges(bytes: Uint8Array, ranks: MergeRanks): Int32Array {
  const tokens = Int32Array.from(bytes);
  const { length } = tokens;
  const next = Int32Array.from(tokens, (_, place) => place + 1);
  const previous = Int32Array.from(tokens, (_, place) => place - 1);
  const rankAt = (place: number): number | undefined =>
    next[place] < length ? ranks.get(pairOf(tokens[place], tokens[next[place]])) : undefined;
  // The earlier merge comes first, then the earlier place.
  const queue = new PriorityQueue<number>((a, b) => a < b);
  const propose = (place: number) => {
    const rank = rankAt(place);
    if (rank !== undefined) queue.push(rank * length + place);
  };
  for (let place = 0; place + 1 < length; place++) propose(place);
  let left = length;
  for (let proposal = queue.pop(); proposal !== undefined; proposal = queue.pop()) {
    const [rank, place] = [Math.floor(proposal / length), proposal % length];
    if (tokens[place] < 0 || rankAt(place) !== rank) continue;
    const behind = next[place];
    tokens[place] = BYTES + rank;
    tokens[behind] = -1;
    next[place] = next[behind];
    if (next[place] < length) previous[next[place]] = place;
    left--;
    if (previous[place] >= 0) propose(previous[place]);
    propose(place);
  }
  const kept = new Int32Array(left);
  for (let place = 0, i = 0; place < length; place = next[place]) kept[i++] = tokens[place];
  return kept;
}

/** The bytes of each token: of the 256 bytes, then of each merge. */
export function tokenBytes(merges: readonly Merge[]): Uint8Array[] {
  const bytes = Array.from({ length: BYTES }, (_, byte) => Uint8Array.of(byte));
  for (const [left, right] of merges) bytes.push(Uint8Array.of(...bytes[left], ...bytes[right]));
  return bytes;
}

const continues = (byte: number): boolean => (byte & 0xc0) === 0x80;

/** How many letters begin in some bytes. */
export const lettersBegun = (bytes: Uint8Array): number =>
  bytes.reduce((letters, byte) => letters + Number(!continues(byte)), 0);

/** UTF-8. A surrogate without its partner has the three bytes that its number would have (WTF-8), so that no text is lost. */
export function toBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(3 * text.length);
  let end = 0;
  for (let i = 0; i < text.length; i++) {
    const point = text.codePointAt(i)!;
    if (point < 0x80) bytes[end++] = point;
    else if (point < 0x800) {
      bytes[end++] = 0xc0 | (point >> 6);
      bytes[end++] = 0x80 | (point & 0x3f);
    } else {
      if (point < 0x10000) bytes[end++] = 0xe0 | (point >> 12);
      else {
        bytes[end++] = 0xf0 | (point >> 18);
        bytes[end++] = 0x80 | ((point >> 12) & 0x3f);
        i++;
      }
      bytes[end++] = 0x80 | ((point >> 6) & 0x3f);
      bytes[end++] = 0x80 | (point & 0x3f);
    }
  }
  return bytes.subarray(0, end);
}

/** The text of some bytes; `strange` writes a byte that is no part of a letter there. */
export function fromBytes(bytes: Uint8Array, strange: (byte: number) => string = () => '\ufffd'): string {
  let text = '';
  for (let i = 0; i < bytes.length; ) {
    const point = pointAt(bytes, i);
    text += point === undefined ? strange(bytes[i]) : String.fromCodePoint(point);
    i += point === undefined || point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return text;
}

/** The code point whose bytes begin there; undefined where none do. */
function pointAt(bytes: Uint8Array, start: number): number | undefined {
  const lead = bytes[start];
  if (lead < 0x80) return lead;
  const more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
  if (continues(lead) || lead > 0xf4) return undefined;
  let point = lead & (0x3f >> more);
  for (let i = 1; i <= more; i++) {
    const byte = bytes[start + i];
    if (byte === undefined || !continues(byte)) return undefined;
    point = (point << 6) | (byte & 0x3f);
  }
  // A longer way to write a letter than it needs is none.
  const least = [0x80, 0x800, 0x10000][more - 1];
  return point < least || point > 0x10ffff ? undefined : point;
}
