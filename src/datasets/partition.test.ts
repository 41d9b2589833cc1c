import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HELD_OUT } from '../config/defaults.js';
import type { ColumnValues, DataSource, RecordBatch } from '../records/record-batch.js';
import { selectRecords } from '../records/select-records.js';
import { type HeldOut, type Part, partOf, SPLIT_SEED } from '../records/split.js';
import { molecules } from '../tokenizers/real-records.case.js';
import { numbers, records, seriesColumn, texts } from '../tokenizers/tokenizer.case.js';
import { partition } from './partition.js';

const batch: RecordBatch = {
  rows: Int32Array.of(4, 5, 6),
  columns: {
    series: seriesColumn(
      [
        [1, 2, 3, 4],
        [5, 6],
        [7, 8, 9, 10, 11, 12],
      ],
      2,
    ),
    label: texts(['a', 'b', 'c']),
  },
};

/** A file of one batch. */
const sourceOf = (batch: RecordBatch): DataSource => ({
  path: 'set',
  files: [],
  format: 'ts',
  bytes: 0,
  columns: Object.entries(batch.columns).map(([name, { type }]) => ({ name, type })),
  reject() {},
  async *read() {
    yield batch;
  },
});

/** The parts that are drawn for a file of these columns. */
async function drawn(
  columns: Record<string, ColumnValues>,
  rule: { readonly columns: readonly string[]; readonly heldOut: HeldOut },
): Promise<(Part | undefined)[]> {
  const [{ values }] = Object.values(columns);
  const batch = records(columns, values.length);
  return (await partition(sourceOf(batch), rule))(batch);
}

describe('selected records', () => {
  it('keep their series, of whatever length', () => {
    expect(selectRecords(batch, [0, 2])).toEqual({
      rows: Int32Array.of(4, 6),
      columns: {
        series: seriesColumn(
          [
            [1, 2, 3, 4],
            [7, 8, 9, 10, 11, 12],
          ],
          2,
        ),
        label: texts(['a', 'c']),
      },
    });
    const { series } = selectRecords(batch, []).columns;
    expect([series.type, series.values.length]).toEqual(['series', 0]);
  });
});

describe('a split column with training and test records alone', () => {
  it('gives validation some of the training records, and keeps every test record', async () => {
    const named = Array.from({ length: 400 }, (_, row) => (row < 300 ? 'train' : 'test'));
    const batch = records({ split: texts(named), row: numbers(named.map((_, row) => row)) }, 400);
    const source = sourceOf(batch);
    const options = { column: 'split', columns: ['split', 'row'], heldOut: { valid: 0.1, test: 0.5 } };
    const parts = (await partition(source, options))(batch);
    expect(parts.slice(300).every((part) => part === 'test')).toBe(true);
    const valid = parts.slice(0, 300).filter((part) => part === 'valid').length;
    expect(parts.slice(0, 300).filter((part) => part === 'train').length).toBe(300 - valid);
    // Within four standard deviations of 30.
    expect(Math.abs(valid - 30)).toBeLessThan(21);
  });
});

describe('parts that are drawn', () => {
  const count = 2000;
  const heldOut = { valid: 0.2, test: 0.3 };
  const mass = Array.from({ length: count }, (_, row) => Math.floor(row / molecules.length));
  const smiles = Array.from({ length: count }, (_, row) => molecules[row % molecules.length]);
  const ids = Array.from({ length: count }, (_, row) => `patient-${row % 500}`);

  it('follow from the id where there is one, whatever the other cells', async () => {
    const rule = { columns: ['smiles', 'mass'], heldOut };
    const parts = await drawn({ id: texts(ids), smiles: texts(smiles), mass: numbers(mass) }, rule);
    expect(parts).toEqual(ids.map((id) => partOf(id, SPLIT_SEED, heldOut)));
    expect(new Set(parts)).toEqual(new Set(['train', 'valid', 'test']));
    const others = await drawn({ id: texts(ids), smiles: texts(ids) }, { columns: ['smiles'], heldOut });
    expect(others).toEqual(parts);
  });

  it('follow from the cells of the columns of the rule, in whatever order they are given', async () => {
    const columns = { smiles: texts(smiles), mass: numbers(mass), note: texts(ids) };
    const parts = await drawn(columns, { columns: ['smiles', 'mass'], heldOut });
    expect(await drawn(columns, { columns: ['mass', 'smiles'], heldOut })).toEqual(parts);
    const { note, mass: last, smiles: first } = columns;
    expect(
      await drawn({ note, mass: last, smiles: first }, { columns: ['mass', 'smiles'], heldOut }),
    ).toEqual(parts);
    expect(await drawn(columns, { columns: ['smiles', 'mass', 'note'], heldOut })).not.toEqual(parts);
    // Other records are drawn for otherwise: so many parts do not agree by chance.
    expect(new Set(parts)).toEqual(new Set(['train', 'valid', 'test']));
  });

  it('hold all copies of a record', async () => {
    const parts = await drawn({ mass: numbers(mass) }, { columns: ['mass'], heldOut });
    const partsOf = new Map<number, Set<Part | undefined>>();
    parts.forEach((part, row) => {
      partsOf.set(mass[row], (partsOf.get(mass[row]) ?? new Set()).add(part));
    });
    expect(partsOf.size).toBe(count / molecules.length);
    for (const found of partsOf.values()) expect(found.size).toBe(1);
    expect(new Set(parts)).toEqual(new Set(['train', 'valid', 'test']));
  });

  it('have the same test part, and no fewer validation records, where validation is given more', async () => {
    const files: Record<string, ColumnValues>[] = [
      { smiles: texts(smiles), mass: numbers(mass) },
      { id: texts(ids) },
    ];
    for (const columns of files) {
      const rowsOf = async (wanted: Part, valid: number) => {
        const parts = await drawn(columns, { columns: Object.keys(columns), heldOut: { valid, test: 0.3 } });
        return [...parts.keys()].filter((row) => parts[row] === wanted);
      };
      const test = await rowsOf('test', 0);
      expect(test.length).toBeGreaterThan(0.2 * count);
      for (const valid of [0.05, 0.1, 0.7]) expect(await rowsOf('test', valid)).toEqual(test);
      expect(await rowsOf('valid', 0.4)).toEqual(expect.arrayContaining(await rowsOf('valid', 0.1)));
    }
  });

  const pretraining = { valid: HELD_OUT.pretrainingValid, test: HELD_OUT.laterTest };
  const evaluation = { valid: HELD_OUT.valid, test: HELD_OUT.test };

  it('keep the test part of a pretraining in a file that has labels and another order, too', async () => {
    const cell = fc.record({
      a: fc.oneof(fc.double(), fc.constantFrom(0, -0, Number.NaN, 1)),
      b: fc.option(fc.string({ maxLength: 3 }), { nil: null }),
    });
    let tests = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(cell, { minLength: 1, maxLength: 60 }),
        fc.infiniteStream(fc.nat()),
        async (cells, keys) => {
          const a = numbers(cells.map((record) => record.a));
          const b = texts(cells.map((record) => record.b));
          const before = await drawn({ a, b }, { columns: ['a', 'b'], heldOut: pretraining });
          const order = [...cells.keys()]
            .map((row) => ({ row, key: keys.next().value }))
            .sort((x, y) => x.key - y.key)
            .map(({ row }) => row);
          const turned = selectRecords(records({ a, b }, cells.length), order).columns;
          const labels = texts(order.map(String));
          const after = await drawn(
            { label: labels, b: turned.b, a: turned.a },
            { columns: ['b', 'a'], heldOut: evaluation },
          );
          order.forEach((row, place) => {
            expect(after[place] === 'test').toBe(before[row] === 'test');
            if (before[row] === 'valid') expect(after[place]).toBe('valid');
          });
          tests += before.filter((part) => part === 'test').length;
        },
      ),
    );
    expect(tests).toBeGreaterThan(50);
  });

  it('are not of fractions that sum to more than the whole', async () => {
    const asked = drawn({ mass: numbers(mass) }, { columns: ['mass'], heldOut: { valid: 0.6, test: 0.6 } });
    await expect(asked).rejects.toThrow('sum to at most 1');
  });
});
