import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { UserConfig } from '../config/schema.js';
import { openTokenizer } from '../models/tokenize.js';
import { openRun } from '../runs/folder.js';
import { hiddenLetters, hiddenTokens } from '../runs/hidden-tokens.js';
import { embed } from './embed.js';
import { finetune } from './finetune.js';
import { mappedRecords } from './mapped-records.js';
import { predict } from './predict.js';
import { pretrain } from './pretrain.js';

const subjects = ['The sailors', 'The mechanical doll', 'Our friends – née Größe –', 'She', 'The 🐕'];
const verbs = [
  'rode the breeze',
  'wriggled itself loose',
  'bought this analysis',
  'gave it up',
  'were slept',
];
const sentences = subjects.flatMap((subject) => verbs.map((verb) => `${subject} ${verb}.`));

let folder: string;
let data: string;
const at = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-byte-pairs-'));
  data = at('sentences.csv');
  const rows = [...sentences, ...sentences].map((sentence, i) => `"${sentence}",${i % 3 === 0 ? 'a' : 'b'}`);
  await writeFile(data, `sentence,label\n${rows.join('\n')}\n`);
  await pretrain({ data, out: at('run'), config: config() });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const config = (more: UserConfig['tokenizer'] = {}): UserConfig => ({
  data: { columns: ['sentence'], valid_fraction: 0.3 },
  tokenizer: { kind: 'byte-pairs', vocabulary: 300, ...more },
  encoder: { kind: 'transformer', width: 8, heads: 2, layers: 1 },
  objective: { kind: 'sma' },
  training: { steps: 4, batch_size: 8, threads: 1 },
});

describe('a run on byte pairs', () => {
  it('keeps its vocabulary, and reads records in memory as those of the file', async () => {
    const { config: kept, tokenizer, schema } = await openRun(at('run'));
    expect(kept.tokenizer).toEqual({
      kind: 'byte-pairs',
      vocabulary: 300,
      max_tokens: tokenizer.spec.maxTokens,
    });
    const feed = await openTokenizer(tokenizer.toJSON(), schema)([{ sentence: sentences[10] }]);
    const ids = Array.from(feed.ids.data).slice(0, Number(feed.lengths.data[0]));
    expect(tokenizer.text!.read(ids)).toBe(sentences[10]);
  });

  it('marks the letters of hidden tokens', async () => {
    const run = await openRun(at('run'));
    const values = [...sentences];
    const block = run.tokenizer.encode({
      rows: Int32Array.from(values.keys()),
      columns: { sentence: { type: 'text', values } },
    });
    const tokens = (await hiddenTokens(run, block, 0))!;
    const letters = hiddenLetters(run.tokenizer.text!, block, tokens);
    expect(letters.map(({ length }) => length)).toEqual(sentences.map((sentence) => [...sentence].length));
    expect(letters.some((own) => own.includes(true) && own.includes(false))).toBe(true);
    const { hidden, text, columns } = await mappedRecords({ run: at('run'), data }, at('map.html'));
    expect(columns[text!]).toBe('sentence');
    expect(hidden![0]).toHaveLength([...sentences[0]].length);
  });

  it('embeds, is fine-tuned and predicts', async () => {
    await embed({ run: at('run'), data, out: at('e.csv') });
    const options = { steps: 4, seeds: 1, threads: 1 };
    await finetune({ run: at('run'), data, out: at('tuned'), targets: ['label'], config: options });
    await predict({ run: at('tuned'), data, out: at('p.csv') });
    for (const file of ['e.csv', 'p.csv'])
      expect((await readFile(at(file), 'utf8')).trim().split('\n')).toHaveLength(51);
  });

  it('has no labels of single tokens, and is gone on with as it is', async () => {
    const labels = { task: 'per-token' as const, steps: 4, threads: 1 };
    await expect(
      finetune({ run: at('run'), data, out: at('no'), targets: ['label'], config: labels }),
    ).rejects.toThrow("one token for each letter; this run's tokenizer is byte-pairs");
    await expect(
      pretrain({ data, out: at('run'), resume: true, config: config({ vocabulary: 400 }) }),
    ).rejects.toThrow('the run has tokenizer.vocabulary = 300, not 400');
    await expect(pretrain({ data, out: at('other'), config: config({ kind: 'sequence' }) })).rejects.toThrow(
      'is not an option of the sequence tokenizer; leave it out, or choose --tokenizer byte-pairs',
    );
  });
});
