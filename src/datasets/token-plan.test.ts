import { describe, expect, it } from 'vitest';
import type { DataSource, RecordBatch } from '../records/record-batch.js';
import { PARTS, type Part } from '../records/split.js';
import { numbers, records, texts } from '../tokenizers/tokenizer.case.js';
import { FIT_RECORDS } from '../tokenizers/tokenizer.js';
import { fitTokenizer, PLANNING_RECORDS } from './token-plan.js';

const BATCH = 2000;

/** Records with their row as number, half of it, and the part that `named` gives for it; counts how often, and how far, it is read. */
function counted(count: number, named: (row: number) => string, size = BATCH) {
  const counts = { begun: 0, batches: 0, closed: 0 };
  const batchAt = (first: number): RecordBatch => {
    const rows = Array.from({ length: Math.min(size, count - first) }, (_, i) => first + i);
    const half = rows.map((row) => row / 2);
    return records(
      { row: numbers(rows), half: numbers(half), split: texts(rows.map(named)) },
      rows.length,
      first,
    );
  };
  const source: DataSource = {
    path: 'set',
    files: [],
    format: 'csv',
    bytes: 0,
    columns: [
      { name: 'row', type: 'number' },
      { name: 'half', type: 'number' },
      { name: 'split', type: 'text' },
    ],
    reject() {},
    async *read() {
      counts.begun++;
      try {
        for (let first = 0; first < count; first += size) {
          counts.batches++;
          yield batchAt(first);
        }
      } finally {
        counts.closed++;
      }
    },
  };
  return { source, counts, batchAt };
}

const choice = {
  kind: 'fields' as const,
  columns: ['row', 'half'],
  why: '',
  otherwise: '',
  reasons: {},
  unused: [],
  warnings: [],
};
const heldOut = { valid: 0.2, test: 0 };
const byColumn = { column: 'split', columns: ['row', 'half'], heldOut };
const fitted = (
  { source }: ReturnType<typeof counted>,
  rule: Parameters<typeof fitTokenizer>[2] = byColumn,
) => fitTokenizer(source, choice, rule);

/** Number and mean of rows. */
const moments = (rows: readonly number[]) => ({
  records: rows.length,
  mean: rows.reduce((sum, row) => sum + row, 0) / rows.length,
});

/** What a tokenizer was fitted on. */
async function seen({ tokenizer }: { tokenizer: Awaited<ReturnType<typeof fitTokenizer>>['tokenizer'] }) {
  const { fields } = JSON.parse(JSON.stringify(tokenizer));
  return { records: tokenizer.fitted.records, mean: fields[0].mean };
}

const rowsUpTo = (count: number) => [...Array(count).keys()];
const close = (a: { records: number; mean: number }, b: { records: number; mean: number }) => {
  expect(a.records).toBe(b.records);
  expect(a.mean).toBeCloseTo(b.mean, 6);
};

describe('a tokenizer of a file with a split column', () => {
  const count = 3 * PLANNING_RECORDS;

  it('is fitted in one reading where the first records name all parts', async () => {
    const named = (row: number) => PARTS[row % 3];
    const file = counted(count, named);
    const { tokenizer, parts } = await fitted(file);
    expect(file.counts).toEqual({ begun: 1, batches: count / BATCH, closed: 1 });
    close(await seen({ tokenizer }), moments(rowsUpTo(count).filter((row) => named(row) === 'train')));
    expect(parts(file.batchAt(0))).toEqual(rowsUpTo(BATCH).map(named));
  });

  it('is fitted in one reading where no record names a validation part, of which some training records become one', async () => {
    const named = (row: number) => (row % 5 === 0 ? 'test' : 'train');
    const file = counted(count, named);
    const { tokenizer, parts } = await fitted(file);
    expect(file.counts.begun).toBe(1);
    const all: (Part | undefined)[] = [];
    for (let first = 0; first < count; first += BATCH) all.push(...parts(file.batchAt(first)));
    const of = (part: Part) => rowsUpTo(count).filter((row) => all[row] === part);
    expect(of('test')).toEqual(rowsUpTo(count).filter((row) => row % 5 === 0));
    expect(Math.abs(of('valid').length - 0.16 * count)).toBeLessThan(4 * Math.sqrt(count * 0.8 * 0.2 * 0.8));
    close(await seen({ tokenizer }), moments(of('train')));
  });

  it('is fitted anew, on the training records alone, where only a later record names a validation part', async () => {
    const named = (row: number) => (row < PLANNING_RECORDS + BATCH ? 'train' : row % 2 ? 'valid' : 'train');
    const file = counted(count, named);
    const { tokenizer, parts } = await fitted(file);
    expect(file.counts).toEqual({ begun: 2, batches: (2 * count) / BATCH, closed: 2 });
    close(await seen({ tokenizer }), moments(rowsUpTo(count).filter((row) => named(row) === 'train')));
    for (const first of [0, 2 * PLANNING_RECORDS])
      expect(parts(file.batchAt(first))).toEqual(rowsUpTo(BATCH).map((i) => named(first + i)));
  });

  it('is fitted on training records that come after all others', async () => {
    for (const before of ['valid', 'test']) {
      for (const first of [BATCH, PLANNING_RECORDS + BATCH]) {
        const named = (row: number) => (row < first ? before : 'train');
        const file = counted(count, named);
        const { tokenizer, parts } = await fitted(file);
        expect(parts(file.batchAt(0))).toEqual(Array(BATCH).fill(before));
        const last = rowsUpTo(BATCH).map((i) => count - BATCH + i);
        const told = parts(file.batchAt(count - BATCH));
        if (before === 'valid') {
          expect(told).toEqual(last.map(named));
          close(await seen({ tokenizer }), moments(rowsUpTo(count).slice(first)));
        } else expect(new Set(told)).toEqual(new Set(['train', 'valid']));
        expect(file.counts.closed).toBe(file.counts.begun);
      }
    }
  });

  it('is refused where no record is named as one for training, however many there are', async () => {
    for (const named of [() => 'test', () => 'valid', () => 'other']) {
      const file = counted(PLANNING_RECORDS + BATCH, named);
      await expect(fitted(file)).rejects.toThrow('set: column "split" marks no record as train');
      expect(file.counts.closed).toBe(file.counts.begun);
    }
  });

  it('sees the parts that come after the last record that fitting needs', async () => {
    const size = 10_000;
    const all = FIT_RECORDS + 5 * size;
    const file = counted(all, (row) => (row < all - 10 ? 'train' : 'valid'), size);
    const { tokenizer, parts } = await fitted(file);
    expect(file.counts.begun).toBe(2);
    close(await seen({ tokenizer }), moments(rowsUpTo(FIT_RECORDS)));
    expect(new Set(parts(file.batchAt(0)))).toEqual(new Set(['train']));
  });
});

describe('a tokenizer of a file without a split column', () => {
  it('is fitted in one reading on the records that are drawn for training', async () => {
    const count = PLANNING_RECORDS + BATCH;
    const file = counted(count, () => 'train');
    const { tokenizer, parts } = await fitted(file, { columns: ['row', 'half'], heldOut });
    expect(file.counts.begun).toBe(1);
    const train: number[] = [];
    for (let first = 0; first < count; first += BATCH)
      parts(file.batchAt(first)).forEach((part, i) => {
        if (part === 'train') train.push(first + i);
      });
    expect(train.length).toBeLessThan(count);
    close(await seen({ tokenizer }), moments(train));
  });
});
