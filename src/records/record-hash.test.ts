import { describe, expect, it } from 'vitest';
import { molecules } from '../tokenizers/real-records.case.js';
import { numbers, records, seriesColumn, texts } from '../tokenizers/tokenizer.case.js';
import type { ColumnValues } from './record-batch.js';
import { recordHashes } from './record-hash.js';
import { selectRecords } from './select-records.js';

/** The hashes of records as hexadecimal numbers. */
function hashes(columns: Record<string, ColumnValues>, count: number, names?: readonly string[]): string[] {
  const { low, high } = recordHashes(records(columns, count), names);
  return Array.from(low, (word, i) => [high[i], word].map((half) => half.toString(16)).join(':'));
}

/** Whether records of one column of their own all have another hash. */
const allDiffer = (column: ColumnValues, count: number) => new Set(hashes({ column }, count)).size === count;

const pixels = (images: readonly (readonly number[])[]): ColumnValues => ({
  type: 'pixels',
  values: Uint8Array.from(images.flat()),
  shape: [1, images[0].length, 1],
});

describe('the hash of a record', () => {
  const count = molecules.length;
  const whole = records(
    {
      smiles: texts(molecules),
      length: numbers(molecules.map(({ length }) => length)),
      letters: seriesColumn(molecules.map((smiles) => Array.from(smiles, (letter) => letter.charCodeAt(0)))),
      ends: {
        type: 'pixels',
        values: Uint8Array.from(molecules.flatMap((smiles) => [smiles.charCodeAt(0), smiles.length])),
        shape: [1, 2, 1],
      },
    },
    count,
  );

  it('is the same in any batch, order and place in a file', () => {
    const { low, high } = recordHashes(whole);
    const order = Array.from({ length: count }, (_, i) => (7 * i + 3) % count);
    expect(new Set(order).size).toBe(count);
    const turned = recordHashes({
      ...selectRecords(whole, order),
      rows: Int32Array.from(order, (i) => 9 + i),
    });
    expect([...turned.low]).toEqual(order.map((i) => low[i]));
    expect([...turned.high]).toEqual(order.map((i) => high[i]));
    for (const i of [0, 5, count - 1]) {
      const alone = recordHashes(selectRecords(whole, [i]));
      expect([alone.low[0], alone.high[0]]).toEqual([low[i], high[i]]);
    }
    // A series of a part of a batch begins within the values of all.
    const column = whole.columns.letters as Extract<ColumnValues, { type: 'series' }>;
    const later = { ...column, offsets: column.offsets.subarray(3) };
    expect(hashes({ later }, count - 3)).toEqual(hashes({ column }, count).slice(3));
  });

  it('is of the columns that are asked for, and of the first records where so many are', () => {
    const { smiles, length } = whole.columns;
    const more = { other: length, smiles, length };
    expect(hashes(more, count, ['smiles', 'length'])).toEqual(hashes({ smiles, length }, count));
    expect(hashes(more, count, ['smiles'])).not.toEqual(hashes(more, count, ['length']));
    const first = recordHashes(whole, undefined, 3);
    expect(first.low).toEqual(recordHashes(whole).low.slice(0, 3));
    expect(first.high).toEqual(recordHashes(whole).high.slice(0, 3));
  });

  it('differs where a cell does', () => {
    expect(new Set(hashes(whole.columns, count)).size).toBe(new Set(molecules).size);
    expect(allDiffer(texts([null, '', ' ', 'a', 'b', 'ab', 'ba', 'aa', '0', 'é', '\u{1f600}']), 11)).toBe(
      true,
    );
    expect(allDiffer(numbers([Number.NaN, 0, 1, -1, 2, 1 + Number.EPSILON, 5e-324, Infinity]), 8)).toBe(true);
    expect(allDiffer(pixels([[0, 0], [0, 1], [1, 0], [255, 255]]), 4)).toBe(true); // biome-ignore format: pictures
  });

  it('tells characters of one text from those of the next', () => {
    const [first, second, third, fourth] = hashes(
      { a: texts(['ab', 'a', 'abc', '']), b: texts(['c', 'bc', '', 'abc']) },
      4,
    );
    expect(new Set([first, second, third, fourth]).size).toBe(4);
    const [missing, empty] = hashes({ a: texts([null, '']), b: texts(['', null]) }, 2);
    expect(missing).not.toBe(empty);
  });

  it('is the same for both zeros and for every missing number', () => {
    const payload = new Float64Array(1);
    new Uint32Array(payload.buffer).set([1, 0xfff80000]);
    expect(payload[0]).toBeNaN();
    const [zero, negative, missing, other] = hashes({ x: numbers([0, -0, Number.NaN, payload[0]]) }, 4);
    expect(negative).toBe(zero);
    expect(other).toBe(missing);
    expect(missing).not.toBe(zero);
  });

  it('is the same for both zeros and for every missing step of a series', () => {
    const column = seriesColumn([[0], [-0], [Number.NaN], [Number.NaN]]);
    const { values } = column as Extract<ColumnValues, { type: 'series' }>;
    new Uint32Array(values.buffer)[3] = 0xffc00001;
    expect(values[3]).toBeNaN();
    const [zero, negative, missing, other] = hashes({ column }, 4);
    expect(negative).toBe(zero);
    expect(other).toBe(missing);
    expect(missing).not.toBe(zero);
  });

  it('tells series of other lengths and orders', () => {
    expect(allDiffer(seriesColumn([[], [0], [0, 0], [0, 1], [1, 0], [0, 0, 0]]), 6)).toBe(true);
    const steps = { a: seriesColumn([[1, 2], [1]]), b: seriesColumn([[3], [2, 3]]) };
    expect(new Set(hashes(steps, 2)).size).toBe(2);
  });
});

describe('the hashes of 200,000 small records', () => {
  const count = 200_000;
  const at = (divisor: number, size: number) => (_: unknown, i: number) => Math.floor(i / divisor) % size;
  it.each<[string, Record<string, ColumnValues>]>([
    [
      'two small integers',
      {
        x: numbers(Array.from({ length: count }, at(1, 400))),
        y: numbers(Array.from({ length: count }, at(400, 500))),
      },
    ],
    [
      'two short texts',
      {
        a: texts(Array.from({ length: count }, at(1, 400)).map((n) => n.toString(36))),
        b: texts(Array.from({ length: count }, at(400, 500)).map((n) => n.toString(2))),
      },
    ],
    [
      'a series of two steps',
      {
        s: seriesColumn(Array.from({ length: count }, (_, i) => [at(1, 400)(_, i), at(400, 500)(_, i)])),
      },
    ],
    [
      'three pixels',
      {
        image: pixels(
          Array.from({ length: count }, (_, i) => [at(1, 40)(_, i), at(40, 50)(_, i), at(2000, 100)(_, i)]),
        ),
      },
    ],
  ])('of %s do not collide, and each half draws one in ten', (_, columns) => {
    const { low, high } = recordHashes(records(columns, count));
    const seen = new Set<bigint>();
    for (let i = 0; i < count; i++) seen.add((BigInt(high[i]) << 32n) | BigInt(low[i]));
    expect(seen.size).toBe(count);
    const deviation = Math.sqrt(count * 0.1 * 0.9);
    for (const half of [low, high]) {
      for (const [from, to] of [
        [0, 0.1],
        [0.1, 0.2],
        [0.9, 1],
      ]) {
        const drawn = half.filter((word) => word >= from * 2 ** 32 && word < to * 2 ** 32).length;
        expect(Math.abs(drawn - 0.1 * count), `${from}`).toBeLessThan(4 * deviation);
      }
    }
  });
});
