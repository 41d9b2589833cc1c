// @ts-nocheck: plain JavaScript that runs what is built
/** Damaged files: a pure function of (seed, parser, number), so that any input can be made again. */

/** Uniform whole numbers from 0 to `below` - 1 (xorshift32). */
function drawsOf(seed, name, number) {
  let state = 0x811c9dc5;
  for (const character of `${seed} ${name} ${number}`)
    state = Math.imul(state ^ character.charCodeAt(0), 0x01000193);
  state = state >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Longer inputs would say more of the time that a parser takes than of what it does. */
const MOST_BYTES = 1 << 16;

const LENGTHS = [
  0,
  1,
  2,
  7,
  255,
  256,
  1023,
  32767,
  32768,
  65535,
  65536,
  2 ** 24,
  2 ** 28,
  2 ** 30,
  2 ** 31 - 1,
];
const LARGE = [2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40, 2 ** 53 - 1, 2 ** 53, 2 ** 63, 2 ** 64 - 1];
const WORDS = [
  '-1',
  '1e308',
  '1e309',
  '-0',
  'NaN',
  'Infinity',
  'null',
  '99999999999999999999',
  '0x10',
  '1_000',
  '',
];
const NESTED = ['[', '{', '{"a":', '- ', '(', '<', '"', ':', '&a ', '*a'];
const BYTES = [
  0, 1, 9, 10, 13, 32, 34, 39, 44, 46, 58, 62, 64, 91, 92, 123, 125, 127, 128, 192, 237, 254, 255,
];

const joined = (...parts) => Buffer.concat(parts).subarray(0, MOST_BYTES);

/** Each gives other bytes; `draw` decides where and what, `other` is another valid file of the format. */
const mutations = [
  function bitFlip(bytes, draw) {
    bytes[draw(bytes.length)] ^= 1 << draw(8);
    return bytes;
  },
  function byte(bytes, draw) {
    bytes[draw(bytes.length)] = draw(2) ? BYTES[draw(BYTES.length)] : draw(256);
    return bytes;
  },
  function cutOff(bytes, draw) {
    return bytes.subarray(0, draw(bytes.length));
  },
  function cutOut(bytes, draw) {
    const from = draw(bytes.length);
    return joined(
      bytes.subarray(0, from),
      bytes.subarray(from + 1 + draw(Math.min(64, bytes.length - from))),
    );
  },
  function lengthField(bytes, draw) {
    const width = [1, 2, 4, 8][draw(4)];
    const near = [bytes.length, bytes.length - 1, bytes.length + 1, draw(1 << 16)];
    const all = [...LENGTHS, ...LARGE, ...near];
    const value = BigInt.asUintN(8 * width, BigInt(all[draw(all.length)]));
    const at = draw(bytes.length);
    const little = draw(2) === 1;
    for (let i = 0; i < width && at + i < bytes.length; i++)
      bytes[at + i] = Number((value >> BigInt(8 * (little ? i : width - 1 - i))) & 255n);
    return bytes;
  },
  function spliceIn(bytes, draw, other) {
    const from = draw(other.length);
    const piece = other.subarray(from, from + 1 + draw(200));
    const at = draw(bytes.length + 1);
    return joined(bytes.subarray(0, at), piece, bytes.subarray(at + (draw(2) ? piece.length : 0)));
  },
  function repeated(bytes, draw) {
    const from = draw(bytes.length);
    const piece = bytes.subarray(from, from + 1 + draw(32));
    const times = [2, 3, 10, 100, 2000][draw(5)];
    return joined(bytes.subarray(0, from), ...Array(times).fill(piece), bytes.subarray(from));
  },
  /** A number of a text. */
  function writtenNumber(bytes, draw) {
    const text = bytes.toString('latin1');
    const numbers = [...text.matchAll(/-?\d+(\.\d+)?/g)];
    if (numbers.length === 0) return bytes;
    const { index, 0: found } = numbers[draw(numbers.length)];
    const value = draw(2) ? WORDS[draw(WORDS.length)] : String([...LENGTHS, ...LARGE][draw(20)]);
    return joined(Buffer.from(text.slice(0, index) + value + text.slice(index + found.length), 'latin1'));
  },
  /** A word or value of a text by one from another place. */
  function word(bytes, draw, other) {
    const wordsOf = (buffer) => [...buffer.toString('latin1').matchAll(/[^\s,:;"'=()[\]{}]+|"[^"\n]*"/g)];
    const [own, theirs] = [wordsOf(bytes), wordsOf(other)];
    if (own.length === 0 || theirs.length === 0) return bytes;
    const { index, 0: found } = own[draw(own.length)];
    const [value] = theirs[draw(theirs.length)];
    const text = bytes.toString('latin1');
    return joined(Buffer.from(text.slice(0, index) + value + text.slice(index + found.length), 'latin1'));
  },
  function nested(bytes, draw) {
    const piece = Buffer.from(NESTED[draw(NESTED.length)].repeat([1, 2, 50, 5000][draw(4)]));
    const at = draw(bytes.length + 1);
    return joined(bytes.subarray(0, at), piece, bytes.subarray(at));
  },
];

/** Bytes at random, in one of three after the beginning of a valid file. */
function noise(draw, seedFile) {
  const bytes = Buffer.from(Array.from({ length: draw(200) }, () => draw(256)));
  return draw(3) === 0 ? joined(seedFile.subarray(0, 1 + draw(16)), bytes) : bytes;
}

/** The input `number` of a parser, which has valid `seeds` and may `repair` checksums. */
export function inputOf({ name, seeds, repair }, seed, number) {
  const draw = drawsOf(seed, name, number);
  // The first numbers of a stream are alike.
  for (let i = 0; i < 4; i++) draw(2);
  const given = seeds[draw(seeds.length)];
  if (draw(20) === 0) return noise(draw, given);
  const other = seeds[draw(seeds.length)];
  let bytes = Buffer.from(given);
  for (let left = 1 + draw(4); left > 0 && bytes.length > 0; left--)
    bytes = mutations[draw(mutations.length)](Buffer.from(bytes), draw, other);
  return repair && draw(2) ? repair(bytes) : bytes;
}
