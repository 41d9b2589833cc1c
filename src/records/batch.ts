/** From tokenized records to training batches: length buckets, the order of an epoch, and the arrays a program reads. */

import { LacunaError } from '../errors.js';
import { permutation, random } from '../tensor/random.js';
import type { TokenBlock } from './token-block.js';

/** The arrays that a training step reads: B rows of T tokens. */
export interface Batch {
  /** Real records. Rows from here to `size` are copies of them in turn, to be ignored. */
  readonly rows: number;
  /** B */
  readonly size: number;
  /** T, the bucket's length. */
  readonly tokens: number;
  /** int32[B, T], 0 beyond a record's length. */
  readonly ids?: Int32Array;
  /** float32[B, T, channels], 0 beyond a record's length. */
  readonly values?: Float32Array;
  /** int32[B], at least 1. */
  readonly lengths: Int32Array;
  /** int32[B]: the file row of each record, so that an error can name it. */
  readonly fileRows: Int32Array;
}

/** A batch to be packed: which records of a block it takes, and its bucket. */
export interface BatchPlan {
  /** int32[rows]: record indices in the block, at most a batch of them. */
  readonly records: Int32Array;
  readonly rows: number;
  /** T, the bucket's length. */
  readonly tokens: number;
}

/** Token lengths of a block's records: int32[count]. */
export function blockLengths({ count, offsets }: TokenBlock): Int32Array {
  const lengths = new Int32Array(count);
  for (let record = 0; record < count; record++) lengths[record] = offsets[record + 1] - offsets[record];
  return lengths;
}

/** A further bucket (one more compiled program) must save this share of the tokens that the best choice computes. */
const BUCKET_GAIN = 0.02;

/** Ascending lengths up to `maxTokens`, each at most half as long again as the one before: 16, 24, 32, 48, 64, …. */
export function lengthSteps(maxTokens: number): number[] {
  const steps: number[] = [];
  for (let length = 16; length < maxTokens; length *= 2)
    steps.push(...[length, 1.5 * length].filter((step) => step < maxTokens));
  return [...steps, maxTokens];
}

/**
 * At most `buckets` ascending lengths, multiples of 8 (or `maxTokens`), that minimise the padding of `lengths`;
 * the last one holds the longest record. Exact: a dynamic program over the histogram of lengths.
 * Fewer buckets are returned when more would save less than 2 % of the tokens. Records of one length give one bucket.
 */
export function bucketLengths(lengths: ArrayLike<number>, maxTokens: number, buckets = 4): number[] {
  const histogram = new Float64Array(Math.ceil(maxTokens / 8) + 1);
  for (let record = 0; record < lengths.length; record++) {
    if (lengths[record] > maxTokens) {
      throw new LacunaError(
        `record ${record} has ${lengths[record]} tokens; at most ${maxTokens} were expected`,
      );
    }
    histogram[Math.ceil(lengths[record] / 8)]++;
  }
  const sizes: number[] = [];
  const counts: number[] = [];
  for (let eighth = 1; eighth < histogram.length; eighth++) {
    if (histogram[eighth] === 0) continue;
    sizes.push(Math.min(eighth * 8, maxTokens));
    counts.push(histogram[eighth]);
  }
  if (sizes.length === 0) return [maxTokens];

  // tokens[k][i]: fewest tokens that hold the records of sizes 0 … i in k + 1 buckets, the largest being sizes[i].
  const last = sizes.length - 1;
  const tokens: number[][] = [];
  const previous: number[][] = [];
  for (let k = 0; k < Math.min(buckets, sizes.length); k++) {
    tokens.push(new Array(sizes.length).fill(Number.POSITIVE_INFINITY));
    previous.push(new Array(sizes.length).fill(-1));
    for (let i = 0; i <= last; i++) {
      let records = 0;
      for (let start = i; start >= 0; start--) {
        records += counts[start];
        const below = start === 0 ? 0 : k === 0 ? Number.POSITIVE_INFINITY : tokens[k - 1][start - 1];
        if (below + records * sizes[i] < tokens[k][i]) {
          tokens[k][i] = below + records * sizes[i];
          previous[k][i] = start - 1;
        }
      }
    }
  }
  const enough = tokens[tokens.length - 1][last] * (1 + BUCKET_GAIN);
  const result: number[] = [];
  for (let k = tokens.findIndex((row) => row[last] <= enough), i = last; i >= 0; k--) {
    result.unshift(sizes[i]);
    i = previous[k][i];
  }
  return result;
}

/** How an epoch is ordered and cut. */
export interface EpochOptions {
  readonly seed: number;
  readonly epoch: number;
  /** Which block of the stream this is, so that no two blocks share an order. */
  readonly blockIndex: number;
  readonly batchSize: number;
  /** Ascending lengths (see `bucketLengths`); the last one must hold the longest record. */
  readonly buckets: readonly number[];
  /** Whether a final batch of fewer than `batchSize` records is left out, or kept with fewer rows. */
  readonly dropLast: boolean;
  /** int32[count]: the group of each record, where no batch may hold two of one group. */
  readonly groups?: Int32Array;
}

/** Records in order, cut into batches. */
function consecutive(records: readonly number[], size: number): number[][] {
  return Array.from({ length: Math.ceil(records.length / size) }, (_, batch) =>
    records.slice(batch * size, (batch + 1) * size),
  );
}

/** Each record goes to the first batch that is not full and has none of its group. */
function distinct(records: readonly number[], size: number, groups: Int32Array): number[][] {
  const batches: number[][] = [];
  /** The first batch that has no record of a group. */
  const next = new Map<number, number>();
  /** The first batch that is not full. */
  let open = 0;
  for (const record of records) {
    let at = Math.max(open, next.get(groups[record]) ?? 0);
    while (batches[at]?.length === size) at++;
    batches[at] ??= [];
    batches[at].push(record);
    next.set(groups[record], at + 1);
    while (batches[open]?.length === size) open++;
  }
  return batches;
}

/**
 * One epoch over a block: its records in an order drawn from (seed, epoch, blockIndex), grouped by bucket.
 * What is left of a bucket moves up to the next larger one, so at most one batch is not full.
 * Batches of different buckets come in random order. Every record appears once (but for `dropLast`).
 *
 * With `groups` batches are filled record by record, and several may not be full; under `dropLast` their records wait for the
 * next epoch, whose order is another. Throws LacunaError for a record that the longest bucket does not hold.
 */
export function epochOrder(block: TokenBlock, options: EpochOptions): BatchPlan[] {
  const { seed, epoch, blockIndex, batchSize, buckets, dropLast, groups } = options;
  const batchesOf = (records: readonly number[]) =>
    groups ? distinct(records, batchSize, groups) : consecutive(records, batchSize);
  const source = random(seed, 'epoch order', epoch, blockIndex);
  const order = permutation(block.count, source);
  const lengths = blockLengths(block);
  const members = buckets.map((): number[] => []);
  for (const record of order) {
    let bucket = 0;
    while (lengths[record] > buckets[bucket]) bucket++;
    if (bucket === buckets.length) {
      throw new LacunaError(
        `file row ${block.rows[record]} has ${lengths[record]} tokens; the longest bucket holds ${buckets[bucket - 1]}`,
      );
    }
    members[bucket].push(record);
  }
  const plans: BatchPlan[] = [];
  const add = (records: readonly number[], tokens: number) =>
    plans.push({ records: Int32Array.from(records), rows: records.length, tokens });
  let moved: number[] = [];
  for (const [bucket, tokens] of buckets.entries()) {
    const batches = batchesOf(moved.concat(members[bucket]));
    for (const batch of batches) if (batch.length === batchSize) add(batch, tokens);
    moved = batches.filter(({ length }) => length < batchSize).flat();
  }
  for (const batch of dropLast ? [] : batchesOf(moved)) {
    const longest = Math.max(...batch.map((record) => lengths[record]));
    add(batch, buckets.find((bucket) => longest <= bucket)!);
  }
  return Array.from(permutation(plans.length, source), (index) => plans[index]);
}

/**
 * The arrays of one batch: `size` rows of `tokens` tokens, of which the first `records.length` are those records of the
 * block and the rest copies of them in turn, so that moments of the whole batch are nearly theirs.
 * Throws LacunaError for no record, more than `size`, or one of more than `tokens` tokens.
 */
export function packBatch(
  block: TokenBlock,
  records: ArrayLike<number>,
  size: number,
  tokens: number,
): Batch {
  const rows = records.length;
  if (rows === 0 || rows > size)
    throw new LacunaError(`a batch of ${size} takes 1 to ${size} records, not ${rows}`);
  const { offsets } = block;
  const channels = block.values && block.values.length / offsets[block.count];
  const ids = block.ids && new Int32Array(size * tokens);
  const values = channels === undefined ? undefined : new Float32Array(size * tokens * channels);
  const lengths = new Int32Array(size);
  const fileRows = new Int32Array(size);
  for (let row = 0; row < size; row++) {
    const record = records[row % rows];
    const start = offsets[record];
    const end = offsets[record + 1];
    if (end - start > tokens) {
      throw new LacunaError(
        `file row ${block.rows[record]} has ${end - start} tokens; its batch holds ${tokens}`,
      );
    }
    lengths[row] = end - start;
    fileRows[row] = block.rows[record];
    if (ids) ids.set(block.ids!.subarray(start, end), row * tokens);
    if (values)
      values.set(block.values!.subarray(start * channels!, end * channels!), row * tokens * channels!);
  }
  return { rows, size, tokens, ids, values, lengths, fileRows };
}

/** The records of several blocks of one tokenizer, in order, as one block. */
export function concatenateBlocks(blocks: readonly TokenBlock[]): TokenBlock {
  if (blocks.length === 1) return blocks[0];
  let count = 0;
  let tokens = 0;
  let scalars = 0;
  for (const block of blocks) {
    count += block.count;
    tokens += block.offsets[block.count];
    scalars += block.values?.length ?? 0;
  }
  if (tokens > 2 ** 31 - 1) {
    throw new LacunaError(`${tokens} tokens do not fit one block; at most ${2 ** 31 - 1} do`);
  }
  const offsets = new Int32Array(count + 1);
  const rows = new Int32Array(count);
  const ids = blocks.some((block) => block.ids) ? new Int32Array(tokens) : undefined;
  const values = blocks.some((block) => block.values) ? new Float32Array(scalars) : undefined;
  let record = 0;
  let token = 0;
  let scalar = 0;
  for (const block of blocks) {
    for (let r = 0; r <= block.count; r++) offsets[record + r] = token + block.offsets[r];
    rows.set(block.rows, record);
    if (block.ids) ids!.set(block.ids, token);
    if (block.values) values!.set(block.values, scalar);
    record += block.count;
    token += block.offsets[block.count];
    scalar += block.values?.length ?? 0;
  }
  return { count, offsets, ids, values, rows };
}

/** Records `from` … `to - 1` of a block; ids and values are views of it. */
export function sliceBlock(block: TokenBlock, from: number, to: number): TokenBlock {
  if (to - from === block.count) return block;
  const start = block.offsets[from];
  const end = block.offsets[to];
  const channels = (block.values?.length ?? 0) / block.offsets[block.count];
  return {
    count: to - from,
    offsets: block.offsets.slice(from, to + 1).map((offset) => offset - start),
    ids: block.ids?.subarray(start, end),
    values: block.values?.subarray(start * channels, end * channels),
    rows: block.rows.subarray(from, to),
  };
}

/**
 * Consecutive blocks of at most `capacity` tokens from a stream of them, so that a file larger than memory is learned
 * from block by block. Where the blocks end depends on the records only, not on how the stream was cut.
 * A single record longer than the capacity is a block of its own.
 */
export async function* gatherBlocks(
  stream: AsyncIterable<TokenBlock>,
  capacity: number,
): AsyncGenerator<TokenBlock> {
  let held = new GatheredBlock();
  for await (const block of stream) {
    for (let from = 0; from < block.count; ) {
      let to = from;
      while (to < block.count && held.tokens + block.offsets[to + 1] - block.offsets[from] <= capacity) to++;
      if (to === from && held.count === 0) to++;
      held.add(sliceBlock(block, from, to));
      if (to < block.count) {
        yield held.block();
        held = new GatheredBlock(held);
      }
      from = to;
    }
  }
  if (held.count > 0) yield held.block();
}

/** Records that are copied behind each other, into as much room as the block before them took. */
class GatheredBlock {
  count = 0;
  tokens = 0;
  private scalars = 0;
  private offsets: Int32Array;
  private rows: Int32Array;
  private ids?: Int32Array;
  private values?: Float32Array;

  constructor(before?: GatheredBlock) {
    this.offsets = new Int32Array(before?.offsets.length ?? 1);
    this.rows = new Int32Array(before?.rows.length ?? 0);
    this.ids = before?.ids && new Int32Array(before.ids.length);
    this.values = before?.values && new Float32Array(before.values.length);
  }

  add({ count, offsets, rows, ids, values }: TokenBlock): void {
    this.offsets = roomFor(this.offsets, this.count + 1 + count);
    for (let r = 1; r <= count; r++) this.offsets[this.count + r] = this.tokens + offsets[r];
    this.rows = roomFor(this.rows, this.count + count);
    this.rows.set(rows, this.count);
    if (ids) {
      this.ids = roomFor(this.ids ?? new Int32Array(0), this.tokens + ids.length);
      this.ids.set(ids, this.tokens);
    }
    if (values) {
      this.values = roomFor(this.values ?? new Float32Array(0), this.scalars + values.length);
      this.values.set(values, this.scalars);
      this.scalars += values.length;
    }
    this.count += count;
    this.tokens += offsets[count];
  }

  block(): TokenBlock {
    return {
      count: this.count,
      offsets: fitted(this.offsets, this.count + 1),
      rows: fitted(this.rows, this.count),
      ids: this.ids && fitted(this.ids, this.tokens),
      values: this.values && fitted(this.values, this.scalars),
    };
  }
}

type Numbers = Int32Array | Float32Array;

/** The numbers in an array that has room for `length` of them: twice as much as before where it has to be another. */
function roomFor<A extends Numbers>(numbers: A, length: number): A {
  if (length <= numbers.length) return numbers;
  const larger = new (numbers.constructor as new (length: number) => A)(Math.max(length, 2 * numbers.length));
  larger.set(numbers);
  return larger;
}

/** The first numbers of an array, without the rest of its memory where that is much. */
const fitted = <A extends Numbers>(numbers: A, length: number): A =>
  (2 * length > numbers.length ? numbers.subarray(0, length) : numbers.slice(0, length)) as A;

/** The first records of a block, in memory of their own. */
export const firstRecords = (block: TokenBlock, count: number): TokenBlock => {
  const { offsets, rows, ids, values } = sliceBlock(block, 0, Math.min(count, block.count));
  return {
    count: rows.length,
    offsets: offsets.slice(),
    rows: rows.slice(),
    ids: ids?.slice(),
    values: values?.slice(),
  };
};

/** The given records of a block, in that order. */
export function takeRecords(block: TokenBlock, records: ArrayLike<number>): TokenBlock {
  return concatenateBlocks(Array.from(records, (record) => sliceBlock(block, record, record + 1)));
}
