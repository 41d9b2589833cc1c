import { describe, expect, it } from 'vitest';
import { MISSING_ID, PRESENT_ID, type TokenSpec } from '../records/token-block.js';
import type { LabelSpec } from '../scoring/labels.js';
import { random } from '../tensor/random.js';
import { describeTelltales } from './telltales.js';

const COUNT = 400;
const { normal, uniform } = random(5, 'telltales');
const records = Array.from({ length: COUNT }, (_, i) => i);
const noise = records.map(normal);
const died = records.map(() => Number(uniform() < 0.3));
const price = records.map(() => Math.exp(2 * normal()));

type Column =
  | { readonly numbers: readonly (number | undefined)[] }
  | { readonly categories: readonly number[] };

/** A table of these columns, of which the last 50 records are the test part. */
function table(columns: Readonly<Record<string, Column>>) {
  const entries = Object.entries(columns);
  const width = entries.length;
  const [ids, values] = [new Int32Array(COUNT * width), new Float32Array(COUNT * width)];
  entries.forEach(([, column], position) => {
    for (const record of records) {
      const at = record * width + position;
      if ('categories' in column) ids[at] = 2 + column.categories[record];
      else {
        ids[at] = column.numbers[record] === undefined ? MISSING_ID : PRESENT_ID;
        values[at] = column.numbers[record] ?? 0;
      }
    }
  });
  const spec: TokenSpec = {
    kind: 'fields',
    fields: entries.map(([name, column]) =>
      'categories' in column
        ? { name, type: 'categorical', firstId: 2, size: COUNT }
        : { name, type: 'numeric', firstId: 0, size: 0 },
    ),
    vocabulary: COUNT + 2,
    maxTokens: width,
  };
  const offsets = Int32Array.from({ length: COUNT + 1 }, (_, i) => i * width);
  return { spec, block: { count: COUNT, offsets, ids, values, rows: Int32Array.from(records) } };
}

function found(
  columns: Readonly<Record<string, Column>>,
  labels: readonly number[],
  task: 'binary' | 'regression',
): string[] {
  const { spec, block } = table(columns);
  const names = Object.keys(columns).map((name) => name.split(': ')[0]);
  const labelSpec: LabelSpec = { task, columns: ['y'], targets: 1, outputs: 1, classes: [[]], reason: '' };
  const members = {
    train: Int32Array.from(records.slice(0, -50)),
    valid: new Int32Array(),
    test: Int32Array.from(records.slice(-50)),
  };
  return describeTelltales(
    { spec, columns: names },
    { spec: labelSpec, block, labels: Float64Array.from(labels), members },
  );
}

const yes = (column: string) =>
  `column ${column} tells y alone; if a new record does not have it before y is known, learn without it: --ignore where columns are chosen, in pretrain or fit`;

describe('a telltale', () => {
  it('is a column that is there only where the label is 1, or a category of each label', () => {
    const cause = { numbers: died.map((dead, i) => (dead ? noise[i] : undefined)) };
    const state = { categories: died.map((dead, i) => dead * 3 + (i % 3)) };
    expect(found({ age: { numbers: noise }, cause }, died, 'binary')).toEqual([yes('cause')]);
    expect(found({ 'cause: month': cause }, died, 'binary')).toEqual([yes('cause')]);
    expect(found({ age: { numbers: noise }, cause, state }, died, 'binary')).toEqual([
      'each of the columns cause, state tells y alone; if a new record does not have them before y is known, learn without them: --ignore where columns are chosen, in pretrain or fit',
    ]);
  });

  it('is the target in another scale, or one number for each of its values', () => {
    expect(
      found({ noise: { numbers: noise }, log: { numbers: price.map(Math.log) } }, price, 'regression'),
    ).toEqual([yes('log')]);
    const grades = records.map((i) => i % 7);
    expect(found({ grade: { categories: grades } }, grades, 'regression')).toEqual([yes('grade')]);
  });

  it('is a number that a class was cut from', () => {
    const low = noise.map((value) => Number(value < 0.7));
    expect(found({ weight: { numbers: noise }, price: { numbers: price } }, low, 'binary')).toEqual([
      yes('weight'),
    ]);
  });

  it('is no column that predicts well, and none that is different in each record', () => {
    const nearly = died.map((dead, i) => (i % 10 === 0 ? 1 - dead : dead));
    expect(found({ nearly: { numbers: nearly } }, died, 'binary')).toEqual([]);
    expect(found({ name: { categories: records } }, died, 'binary')).toEqual([]);
    expect(found({ name: { categories: records } }, price, 'regression')).toEqual([]);
    const close = price.map((y, i) => Math.log(y) + 0.1 * noise[i]);
    expect(found({ close: { numbers: close } }, price, 'regression')).toEqual([]);
  });

  it('is looked for in the training records alone', () => {
    const copied = { numbers: died.map((dead, i) => (i < 350 ? noise[i] : dead)) };
    expect(found({ copied }, died, 'binary')).toEqual([]);
    const other = died.map((dead, i) => (i < 350 ? dead : 1 - dead));
    expect(found({ other: { numbers: other } }, died, 'binary')).toEqual([yes('other')]);
  });
});
