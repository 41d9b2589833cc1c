import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import { profileSource } from '../records/profile.js';
import { openSource } from '../sources/open-source.js';
import { tokenizers } from '../tokenizers/index.js';
import { inspect } from '../verbs/inspect.js';
import { pretrain } from '../verbs/pretrain.js';
import { readLabelledPath } from './labelled-file.case.js';
import { chooseSplit, profileForSplit, type SplitWishes } from './split-columns.js';

/** Sixty peptides, the last twenty of which are the test part, and every fourth of the others validation. */
const letters = 'ACDEFGHIKLMNPQRSTVWY';
const peptides = Array.from({ length: 60 }, (_, i) =>
  Array.from({ length: 12 }, (_, j) => letters[(i * 7 + j * (3 + (i % 5))) % 20]).join(''),
);
const isTest = (i: number) => i >= 40;
const isValid = (i: number) => !isTest(i) && i % 4 === 0;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-split-'));
});
afterAll(() => rm(folder, { recursive: true }));

let written = 0;
async function file(header: string, cells: (i: number) => string): Promise<string> {
  const path = join(folder, `${written++}.csv`);
  const lines = peptides.map((peptide, i) => `${peptide},${(i % 11) / 3},${cells(i)}`);
  await writeFile(path, `sequence,stability,${header}\n${lines.join('\n')}\n`);
  return path;
}

/** What `pretrain` and `finetune` choose of a file, which has to be the same. */
async function chosen(path: string, wishes?: SplitWishes) {
  const source = await openSource(path);
  const choose = (columns: Parameters<typeof chooseSplit>[1]) => {
    try {
      return chooseSplit('file', columns, wishes);
    } catch (error) {
      if (error instanceof InputError) return error.message;
      throw error;
    }
  };
  const evaluation = choose(await profileForSplit(source));
  expect(choose((await profileSource(source)).columns)).toEqual(evaluation);
  return evaluation;
}

describe('chooseSplit', () => {
  it.each(['split', 'set', 'data_set', 'Subset', 'partition', 'phase', 'cv_fold', 'usage'])(
    'honours words in a column called %s',
    async (name) => {
      const path = await file(name, (i) => (isTest(i) ? 'Test' : isValid(i) ? 'eval' : 'train'));
      expect(await chosen(path)).toEqual({ column: name, notes: [] });
    },
  );

  it("takes validation records from a column of flags beside it, as in FLIP's files", async () => {
    const path = await file(
      'set,validation',
      (i) => `${isTest(i) ? 'test' : 'train'},${isValid(i) ? 'True' : 'False'}`,
    );
    expect(await chosen(path)).toMatchObject({ column: 'set', validation: 'validation' });
    const source = await openSource(path);
    const tokenizer = await tokenizers.sequence.fit(source.read(), { columns: ['sequence'] });
    const { part, splitBy } = await readLabelledPath({ path, tokenizer, targets: ['stability'] });
    expect(part).toEqual(peptides.map((_, i) => (isTest(i) ? 'test' : isValid(i) ? 'valid' : 'train')));
    expect(splitBy).toBe('column set and validation');
  });

  it('asks where several columns name parts, unless one is called split or is asked for', async () => {
    const two = (i: number) => `${isTest(i) ? 'test' : 'train'},${i % 3 ? 'train' : 'test'}`;
    const path = await file('set,random_split', two);
    expect(await chosen(path)).toMatch(
      /the columns "set" and "random_split" all name parts; say which with --split-column random_split, or draw parts with --split random/,
    );
    expect(await chosen(path, { column: 'set' })).toMatchObject({ column: 'set' });
    expect(await chosen(path, { drawn: true })).toEqual({ notes: [] });
    expect(await chosen(await file('set,split', two))).toMatchObject({ column: 'split' });
  });

  it.each([
    ['numbers', (i: number) => i % 3],
    ['letters', (i: number) => 'AB'[i % 2]],
  ])('asks where a split column holds %s, and honours another', async (_, cell) => {
    const alone = await chosen(await file('split', (i) => String(cell(i))));
    expect(alone).toMatch(
      /column "split" is called a split, and its values \(.+\) do not say .* --split random/,
    );
    const beside = await file('split,set', (i) => `${cell(i)},${isTest(i) ? 'test' : 'train'}`);
    expect(await chosen(beside)).toMatchObject({ column: 'set' });
  });

  it('asks where only validation records are marked', async () => {
    const path = await file('validation', (i) => String(isValid(i)));
    expect(await chosen(path)).toMatch(
      /"validation" marks validation records.*--split-column.*--split random/,
    );
  });

  it('says that numbered folds are no parts, and what to do', async () => {
    const path = await file('fold', (i) => String(i % 5));
    expect(await chosen(path)).toEqual({
      notes: [expect.stringMatching(/column fold numbers folds .* parts are drawn; .*--split-column fold/)],
    });
    const { tokenizer } = await inspect({ data: path, config: { tokenizer: { kind: 'fields' } } });
    expect(tokenizer.columns).not.toContain('fold');
  });

  it('leaves data alone whose names or words are like those of splits', async () => {
    const path = await file(
      'phase,set,fold',
      (i) => `${i / 7},${i % 3 ? 'dev' : 'garden'},${i % 2 ? 'TIM barrel' : 'Rossmann'}`,
    );
    expect(await chosen(path)).toEqual({ notes: [] });
  });
});

describe('records in no part', () => {
  const cells = (i: number) =>
    isTest(i) ? 'test' : i === 1 ? '' : i === 2 ? 'ood' : isValid(i) ? 'dev' : 'train';

  it('are counted by evaluations and by pretraining, with the words that they have', async () => {
    const path = await file('set', cells);
    const said: string[] = [];
    const config = {
      encoder: { width: 16, heads: 2, layers: 1, latents: 2 },
      training: { steps: 2, batch_size: 8, threads: 1 },
    };
    const onEvent = (event: { type: string; message?: string }) => {
      if (event.type === 'warning') said.push(event.message ?? '');
    };
    await pretrain({ data: path, out: join(folder, 'run'), config }, { onEvent });
    const sentence = '2 records are in no part and left out: column set says empty, "ood" there';
    expect(said).toContain(sentence);
    const tokenizer = await tokenizers.sequence.fit((await openSource(path)).read(), {
      columns: ['sequence'],
    });
    const { notes, unassigned } = await readLabelledPath({ path, tokenizer, targets: ['stability'] });
    expect([unassigned, notes[0]]).toEqual([2, sentence]);
  });

  it('are counted once, those without a label as such', async () => {
    const path = await file('set,label', (i) => `${cells(i)},${i === 2 || i === 5 ? '' : i}`);
    const tokenizer = await tokenizers.sequence.fit((await openSource(path)).read(), {
      columns: ['sequence'],
    });
    const { unassigned, unlabelled, counts } = await readLabelledPath({
      path,
      tokenizer,
      targets: ['label'],
    });
    expect([unassigned, unlabelled]).toEqual([1, 2]);
    expect(counts.train + counts.valid + counts.test).toBe(60 - 3);
  });

  it('inspect tells what is to be asked beside the rest', async () => {
    const { source, tokenizer } = await inspect({ data: await file('split', (i) => String(i % 3)) });
    expect(source.rows).toBe(60);
    expect(tokenizer.warnings).toEqual([expect.stringMatching(/is called a split/)]);
  });
});
