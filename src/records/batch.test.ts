import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  blockLengths,
  bucketLengths,
  concatenateBlocks,
  epochOrder,
  gatherBlocks,
  packBatch,
} from './batch.js';
import type { TokenBlock } from './token-block.js';

/** A block whose every id and value tells its record: record r of file row r + firstRow has ids 10r, 10r + 1, …. */
function block(lengths: readonly number[], firstRow = 0): TokenBlock {
  const offsets = Int32Array.from([
    0,
    ...lengths.map((_, r) => lengths.slice(0, r + 1).reduce((a, b) => a + b)),
  ]);
  const ids = Int32Array.from(
    lengths.flatMap((length, r) => Array.from({ length }, (_, i) => 10 * (firstRow + r) + i)),
  );
  return {
    count: lengths.length,
    offsets,
    ids,
    values: Float32Array.from([...ids].flatMap((id) => [id, -id])),
    rows: Int32Array.from(lengths, (_, r) => firstRow + r),
  };
}

const padding = (lengths: readonly number[], buckets: readonly number[]) =>
  lengths.reduce((sum, length) => sum + buckets.find((bucket) => length <= bucket)! - length, 0);

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

async function* streamOf<T>(items: readonly T[]) {
  yield* items;
}

describe('bucketLengths', () => {
  it('gives one bucket to records of one length', () => {
    expect(bucketLengths([28, 28, 28], 28)).toEqual([28]);
    expect(bucketLengths([50, 50], 64)).toEqual([56]);
    expect(bucketLengths([], 64)).toEqual([64]);
  });

  it('separates clusters of lengths', () => {
    const lengths = [...Array(100).fill(10), ...Array(100).fill(60), ...Array(10).fill(200)];
    expect(bucketLengths(lengths, 256)).toEqual([16, 64, 200]);
  });

  it('pads no more than any other choice', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 30 }), (lengths) => {
        const buckets = bucketLengths(lengths, 64, 2);
        const most = Math.ceil(Math.max(...lengths) / 8) * 8;
        expect(buckets[buckets.length - 1]).toBe(most);
        const tokens = (choice: number[]) => padding(lengths, choice) + lengths.reduce((a, b) => a + b);
        for (let first = 8; first <= most; first += 8) {
          expect(tokens(buckets)).toBeLessThanOrEqual(tokens([first, most]) * 1.02);
        }
      }),
    );
  });

  it('refuses a record longer than the maximum', () => {
    expect(() => bucketLengths([8, 65], 64)).toThrow('record 1 has 65 tokens; at most 64 were expected');
  });
});

describe('epochOrder', () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 60 });
  const options = { seed: 1, epoch: 0, blockIndex: 0, buckets: [8, 24, 40] };

  it('takes every record once, in batches that hold them, all full but one', () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 9 }), (sizes, batchSize) => {
        const plans = epochOrder(block(sizes), { ...options, batchSize, dropLast: false });
        const seen = plans.flatMap((plan) => [...plan.records]);
        expect(seen.sort((a, b) => a - b)).toEqual(sizes.map((_, record) => record));
        for (const plan of plans) {
          expect(plan.rows).toBe(plan.records.length);
          for (const record of plan.records) expect(sizes[record]).toBeLessThanOrEqual(plan.tokens);
        }
        expect(plans.filter((plan) => plan.rows < batchSize).length).toBe(sizes.length % batchSize ? 1 : 0);
      }),
    );
  });

  it('drops less than one batch when asked', () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 9 }), (sizes, batchSize) => {
        const plans = epochOrder(block(sizes), { ...options, batchSize, dropLast: true });
        expect(plans.length).toBe(Math.floor(sizes.length / batchSize));
        expect(plans.every((plan) => plan.rows === batchSize)).toBe(true);
      }),
    );
  });

  it('is a pure function of seed, epoch and block', () => {
    const records = block(Array.from({ length: 50 }, (_, i) => 1 + (i % 40)));
    const order = (change: object) =>
      epochOrder(records, { ...options, batchSize: 4, dropLast: true, ...change }).map((plan) => [
        ...plan.records,
      ]);
    expect(order({})).toEqual(order({}));
    for (const change of [{ seed: 2 }, { epoch: 1 }, { blockIndex: 1 }])
      expect(order(change)).not.toEqual(order({}));
  });

  it('mixes the buckets', () => {
    const records = block(Array.from({ length: 200 }, (_, i) => (i < 100 ? 8 : 40)));
    const tokens = epochOrder(records, { ...options, batchSize: 4, dropLast: true }).map(
      (plan) => plan.tokens,
    );
    const changes = tokens.filter((length, i) => i > 0 && length !== tokens[i - 1]).length;
    expect(changes).toBeGreaterThan(10);
  });

  it('puts no two records of one group into a batch', () => {
    const group = fc.integer({ min: 0, max: 6 });
    const records = fc.array(fc.record({ size: fc.integer({ min: 1, max: 40 }), group }), {
      minLength: 1,
      maxLength: 60,
    });
    fc.assert(
      fc.property(records, fc.integer({ min: 1, max: 6 }), fc.boolean(), (all, batchSize, dropLast) => {
        const sizes = all.map(({ size }) => size);
        const groups = Int32Array.from(all, (record) => record.group);
        const plan = () => epochOrder(block(sizes), { ...options, batchSize, dropLast, groups });
        const plans = plan();
        expect(plan()).toEqual(plans);
        const seen = plans.flatMap((batch) => [...batch.records]);
        expect(new Set(seen).size).toBe(seen.length);
        if (!dropLast) expect(seen).toHaveLength(all.length);
        for (const batch of plans) {
          const own = Array.from(batch.records, (record) => groups[record]);
          expect(new Set(own).size).toBe(own.length);
          if (dropLast) expect(batch.rows).toBe(batchSize);
          for (const record of batch.records) expect(sizes[record]).toBeLessThanOrEqual(batch.tokens);
        }
        // What is left could not fill a batch: fewer groups than it has places.
        const left = all.flatMap((_, record) => (seen.includes(record) ? [] : [groups[record]]));
        expect(new Set(left).size).toBeLessThan(batchSize);
      }),
    );
  });

  it('with a group for each record is as without groups', () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 9 }), fc.boolean(), (sizes, batchSize, dropLast) => {
        const groups = Int32Array.from(sizes, (_, record) => record);
        const plain = { ...options, batchSize, dropLast };
        expect(epochOrder(block(sizes), { ...plain, groups })).toEqual(epochOrder(block(sizes), plain));
      }),
    );
  });

  it('uses nearly all records where groups are many, and another part of them each epoch', () => {
    const count = 400;
    const records = block(Array.from({ length: count }, () => 8));
    const groups = Int32Array.from({ length: count }, (_, record) => record % 40);
    const used = (epoch: number) =>
      epochOrder(records, { ...options, epoch, batchSize: 16, dropLast: true, groups }).flatMap((plan) => [
        ...plan.records,
      ]);
    expect(used(0).length).toBeGreaterThan(0.9 * count);
    const ever = new Set([0, 1, 2, 3].flatMap(used));
    expect(ever.size).toBeGreaterThan(0.99 * count);
  });

  it('names a record that no bucket holds', () => {
    expect(() => epochOrder(block([3, 41], 70), { ...options, batchSize: 2, dropLast: false })).toThrow(
      'file row 71 has 41 tokens; the longest bucket holds 40',
    );
  });
});

describe('packBatch', () => {
  it('pads tokens with zeros and rows with copies of the records', () => {
    const batch = packBatch(block([2, 1, 3], 5), [1, 0], 3, 4);
    expect(batch).toEqual({
      rows: 2,
      size: 3,
      tokens: 4,
      ids: Int32Array.from([60, 0, 0, 0, 50, 51, 0, 0, 60, 0, 0, 0]),
      values: Float32Array.from([
        60, -60, 0, 0, 0, 0, 0, 0, 50, -50, 51, -51, 0, 0, 0, 0, 60, -60, 0, 0, 0, 0, 0, 0,
      ]),
      lengths: Int32Array.from([1, 2, 1]),
      fileRows: Int32Array.from([6, 5, 6]),
    });
  });

  it('has no array that the block has not', () => {
    const { values, ...discrete } = block([2, 1]);
    expect(packBatch(discrete, [0], 1, 2).values).toBeUndefined();
    const { ids, ...continuous } = block([2, 1]);
    expect(packBatch(continuous, [0], 1, 2)).toMatchObject({
      ids: undefined,
      values: Float32Array.from([0, -0, 1, -1]),
    });
  });

  it('refuses what does not fit', () => {
    expect(() => packBatch(block([5], 9), [0], 1, 4)).toThrow('file row 9 has 5 tokens; its batch holds 4');
    expect(() => packBatch(block([5]), [], 2, 8)).toThrow('a batch of 2 takes 1 to 2 records, not 0');
    expect(() => packBatch(block([5]), [0, 0, 0], 2, 8)).toThrow('not 3');
  });
});

describe('gatherBlocks', () => {
  it('fills blocks to the capacity and loses nothing, however the stream was cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 40 }),
        fc.array(fc.nat({ max: 40 }), { maxLength: 6 }),
        fc.integer({ min: 1, max: 30 }),
        async (lengths, cuts, capacity) => {
          const whole = block(lengths);
          const edges = [
            0,
            ...cuts.filter((cut) => cut <= lengths.length).sort((a, b) => a - b),
            lengths.length,
          ];
          const parts = edges.slice(1).map((end, i) => block(lengths.slice(edges[i], end), edges[i]));
          const gathered = await collect(gatherBlocks(streamOf(parts), capacity));
          expect(concatenateBlocks(gathered)).toEqual(whole);
          expect(gathered).toEqual(await collect(gatherBlocks(streamOf([whole]), capacity)));
          for (const [i, { count, offsets }] of gathered.entries()) {
            if (count > 1) expect(offsets[count]).toBeLessThanOrEqual(capacity);
            if (i > 0) {
              const before = gathered[i - 1];
              expect(before.offsets[before.count] + offsets[1]).toBeGreaterThan(capacity);
            }
          }
        },
      ),
    );
  });

  it('gives nothing for a stream of empty blocks', async () => {
    expect(await collect(gatherBlocks(streamOf([block([]), block([])]), 10))).toEqual([]);
  });
});

it('blockLengths are the differences of the offsets', () => {
  expect(blockLengths(block([3, 1, 7]))).toEqual(Int32Array.from([3, 1, 7]));
});
