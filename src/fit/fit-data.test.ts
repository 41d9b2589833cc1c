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

/** Rows of width, length and kind of iris flowers (Fisher 1936), each with its part. */
async function fitData(rows: readonly string[]) {
  const path = join(folder, `${rows.length}.csv`);
  await writeFile(path, `petal_length,petal_width,setosa,split\n${rows.join('\n')}\n`);
  const columns = ['petal_length', 'petal_width'];
  const tokenizer = await tokenizers.fields.fit((await openSource(path)).read({ columns }), { columns });
  const labelled = await readLabelledPath({ path, tokenizer, targets: ['setosa'] });
  // Nothing is computed, so there is no engine.
  const { folds } = await fitDataOf(labelled, { metric: 'accuracy', engine: {} as Engine });
  const own = [...labelled.members.train, ...labelled.members.valid];
  return folds.map(({ train, held }) => {
    const contents = (records: Int32Array) =>
      new Set(Array.from(records, (record) => rows[own[record]].split(',', 2).join()));
    const [known, judged] = [contents(train), contents(held)];
    return [...judged].filter((content) => known.has(content)).length;
  });
}

const flowers = ['1.4,0.2,yes', '4.7,1.4,no', '1.5,0.2,yes', '4.5,1.5,no', '1.3,0.2,yes'];
const twice = (part: string) => [...flowers, ...flowers].map((flower) => `${flower},${part}`);

describe('folds of a fit', () => {
  it('hold no record whose equal is learned from, where the test part has none', async () => {
    const others = ['6,2.5,no,test', '1.7,0.4,yes,test'];
    expect(await fitData([...twice('train'), ...twice('valid'), ...others])).toEqual([0, 0, 0, 0, 0]);
  });

  it('part equal records as the given parts do', async () => {
    const shared = await fitData([...twice('train'), ...twice('valid'), ...twice('test')]);
    expect(shared.length).toBe(5);
    for (const both of shared) expect(both).toBeGreaterThan(0);
  });
});
