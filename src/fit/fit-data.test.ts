import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readLabelledPath } from '../datasets/labelled-file.case.js';
import type { Engine } from '../engine/engine.js';
import { openSource } from '../sources/open-source.js';
import { tokenizers } from '../tokenizers/index.js';
import { fitDataOf } from './fit-data.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-fit-data-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** The folds of a table, and the records of its training and validation parts. */
async function foldsOf(header: string, rows: readonly string[]) {
  const path = join(folder, `${header}-${rows.length}.csv`);
  await writeFile(path, `${header}\n${rows.join('\n')}\n`);
  const columns = ['petal_length', 'petal_width'];
  const tokenizer = await tokenizers.fields.fit((await openSource(path)).read({ columns }), { columns });
  const labelled = await readLabelledPath({ path, tokenizer, targets: ['setosa'] });
  // Nothing is computed, so there is no engine.
  const { folds, note } = await fitDataOf(labelled, { metric: 'accuracy', engine: {} as Engine });
  return { folds, note, own: [...labelled.members.train, ...labelled.members.valid] };
}

/** How many records of each held fold share what `same` takes of a row with a record that is learned from. */
async function sharedInFolds(header: string, rows: readonly string[], same: (row: string) => string) {
  const { folds, own } = await foldsOf(header, rows);
  return folds.map(({ train, held }) => {
    const known = new Set(Array.from(train, (record) => same(rows[own[record]])));
    return held.filter((record) => known.has(same(rows[own[record]]))).length;
  });
}

describe('folds of a fit', () => {
  // Iris (Fisher 1936): petal length and width, and whether the flower is a setosa.
  const flowers = ['1.4,0.2,yes', '4.7,1.4,no', '1.5,0.2,yes', '4.5,1.5,no', '1.3,0.2,yes'];
  const header = 'petal_length,petal_width,setosa,split';
  const twice = (part: string) => [...flowers, ...flowers].map((flower) => `${flower},${part}`);
  const content = (row: string) => row.split(',', 2).join();

  it('hold no record whose equal is learned from, where the test part has none', async () => {
    const rows = [...twice('train'), ...twice('valid'), '6,2.5,no,test', '1.7,0.4,yes,test'];
    expect(await sharedInFolds(header, rows, content)).toEqual([0, 0, 0, 0, 0]);
  });

  it('part equal records as the given parts do', async () => {
    const shared = await sharedInFolds(
      header,
      [...twice('train'), ...twice('valid'), ...twice('test')],
      content,
    );
    expect(shared.length).toBe(5);
    for (const both of shared) expect(both).toBeGreaterThan(0);
  });

  it('are the validation part where all records share one id, and fewer where there are few, which is told', async () => {
    const places = (ids: readonly string[]) =>
      ['train', 'train', 'train', 'valid', 'valid', 'test', 'test'].map((part, i) => {
        const flower = flowers[i % flowers.length];
        return `${part === 'test' ? 'elsewhere' : ids[i % ids.length]},${flower},${part}`;
      });
    const one = await foldsOf(`id,${header}`, places(['here']));
    expect(one.folds.map(({ train, held }) => [[...train], [...held]])).toEqual([
      [
        [0, 1, 2],
        [3, 4],
      ],
    ]);
    expect(one.note).toContain('5 folds cannot be made');
    const two = await foldsOf(`id,${header}`, [...places(['here', 'there']), '-,6,2.5,no,test']);
    expect(two.folds).toHaveLength(2);
    expect(two.note).toContain('2 folds instead of 5');
  });

  it('keep records of one id together, which differ in what is read', async () => {
    const rows = Array.from(
      { length: 240 },
      (_, i) => `plant ${i % 80},${1 + i / 50},${i / 99},${i % 3 ? 'no' : 'yes'}`,
    );
    const shared = await sharedInFolds(
      'id,petal_length,petal_width,setosa',
      rows,
      (row) => row.split(',')[0],
    );
    expect(shared).toEqual([0, 0, 0, 0, 0]);
  });
});
