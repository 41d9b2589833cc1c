import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { UserConfig } from '../config/schema.js';
import { partition } from '../datasets/partition.js';
import { loadRiskMolecules, type RiskMolecule } from '../demo/molecules.js';
import type { Part } from '../records/split.js';
import { readRunConfig, runFile } from '../runs/folder.js';
import type { Scores } from '../runs/scores.js';
import { openSource } from '../sources/open-source.js';
import { finetune } from './finetune.js';
import { pretrain } from './pretrain.js';
import { probe } from './probe.js';

let folder: string;
let molecules: RiskMolecule[];
const file = (name: string) => join(folder, name);

const write = (name: string, header: string, rows: readonly string[]) =>
  writeFile(file(name), [header, ...rows, ''].join('\n'));

/** Pretrains for two steps into a folder of that name, and gives what was said. */
async function run(name: string, data: string, config: UserConfig = {}): Promise<string[]> {
  const said: string[] = [];
  await pretrain(
    {
      data: file(data),
      out: file(name),
      config: {
        ...config,
        ...(config.training?.from === undefined && {
          encoder: { width: 8, layers: 1, latents: 2, heads: 2 },
        }),
        training: { steps: 2, batch_size: 8, threads: 1, ...config.training },
      },
    },
    {
      onEvent(event) {
        if ('message' in event) said.push(event.message);
      },
    },
  );
  return said;
}

/** What an evaluation of a run says and scores. */
async function evaluate(
  verb: 'finetune' | 'probe',
  { run: name, data = 'labels.csv', strict = false }: { run: string; data?: string; strict?: boolean },
) {
  const warnings: string[] = [];
  const hooks = {
    onEvent(event: { type: string; message?: string }) {
      if (event.type === 'warning') warnings.push(event.message ?? '');
    },
  };
  const asked = { run: file(name), data: file(data), targets: ['mutagenic'] };
  const common = { threads: 1, strict };
  const out = file(`tuned-${name}-${data}-${verb}`);
  await rm(out, { recursive: true, force: true });
  if (verb === 'finetune')
    await finetune({ ...asked, out, config: { ...common, steps: 1, batch_size: 8, seeds: 1 } }, hooks);
  else await probe({ ...asked, config: { ...common, kind: 'nearest-class-mean' } }, hooks);
  const path = runFile(verb === 'finetune' ? out : file(name), 'scores');
  const scores: Scores = JSON.parse(await readFile(path, 'utf8'));
  return { warnings, scores };
}

/** The parts that are drawn for a file without an id. */
async function partsOf(data: string, heldOut: { valid: number; test: number }) {
  const source = await openSource(file(data));
  const parts = await partition(source, { columns: ['smiles'], heldOut });
  const all: (Part | undefined)[] = [];
  for await (const batch of source.read()) all.push(...parts(batch));
  return all;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-labelled-'));
  molecules = (await loadRiskMolecules())
    .filter(({ smiles }) => /^[CcNnOoSFl()=123]+$/.test(smiles))
    .filter((_, i) => i % 8 === 0);
  await write(
    'labels.csv',
    'smiles,mutagenic',
    molecules.map(({ smiles, mutagenic }) => `${smiles},${mutagenic}`),
  );
  // The same molecules from the last to the first, with another label and the columns in another order.
  await write(
    'turned.csv',
    'irritant,mutagenic,smiles',
    molecules.map(({ smiles, mutagenic, irritant }) => `${irritant},${mutagenic},${smiles}`).reverse(),
  );
  await write(
    'molecules.csv',
    'smiles',
    molecules.map(({ smiles }) => smiles),
  );
  await write(
    'split.csv',
    'smiles,split,mutagenic',
    molecules.map(({ smiles, mutagenic }, i) => `${smiles},${i % 5 === 0 ? 'test' : 'train'},${mutagenic}`),
  );
  await run('whole', 'labels.csv', { data: { test_fraction: 0 } });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it.each(['finetune', 'probe'] as const)('%s tells what was found in the labelled file', async (verb) => {
  await run(`plain-${verb}`, 'molecules.csv');
  const words = ['yes', 'no', 'yes', 'no', 'NA'];
  await write(
    'words.csv',
    'smiles,mutagenic',
    molecules.map(({ smiles }, i) => `${smiles},${words[i % words.length]}`),
  );
  const { warnings } = await evaluate(verb, { run: `plain-${verb}`, data: 'words.csv' });
  expect(warnings).toContainEqual(expect.stringMatching(/^column mutagenic: "NA" \(\d+\) read as missing/));
});

describe('a run that learned from the whole file', () => {
  let expected: { records: number; of: number };
  beforeAll(async () => {
    const learned = await partsOf('labels.csv', { valid: 0.05, test: 0 });
    const evaluated = await partsOf('labels.csv', { valid: 0.1, test: 0.1 });
    const test = [...evaluated.keys()].filter((row) => evaluated[row] === 'test');
    expected = { records: test.filter((row) => learned[row] === 'train').length, of: test.length };
    expect(expected.records).toBeGreaterThan(5);
  });

  it.each(['finetune', 'probe'] as const)(
    'is told of by %s, whatever the order of the labelled file',
    async (verb) => {
      for (const data of ['labels.csv', 'turned.csv']) {
        const { warnings, scores } = await evaluate(verb, { run: 'whole', data });
        expect(warnings).toEqual([
          `pretraining learned from ${expected.records} of the ${expected.of} test records, without their labels, so the score may be too good`,
        ]);
        expect(scores.split.testLearned).toEqual({ ...expected, exact: true });
        expect(scores.split.test).toBe(expected.of);
      }
    },
  );

  it.each(['finetune', 'probe'] as const)('is refused by a strict %s', async (verb) => {
    await expect(evaluate(verb, { run: 'whole', strict: true })).rejects.toThrow(
      `labels.csv: pretraining learned from ${expected.records} of the ${expected.of} test records`,
    );
  });

  it('is told of by a run that started from it, which learned from none of them itself', async () => {
    await run('on', 'labels.csv', { training: { from: file('whole') } });
    const { scores } = await evaluate('probe', { run: 'on' });
    expect(scores.split.testLearned).toEqual({ ...expected, exact: true });
  });
});

describe('a run that held out what may be tested later', () => {
  it('says so, and learned from no test record of any labelled file of the same records', async () => {
    const said = await run('usual', 'labels.csv');
    expect(said.join('\n')).toContain(
      '10 % of the records are held out for a later test, since mutagenic may be predicted later; --test-fraction 0 learns from all',
    );
    expect((await readRunConfig(file('usual'))).data.test_fraction).toBe(0.1);
    for (const [verb, data] of [
      ['finetune', 'labels.csv'],
      ['probe', 'labels.csv'],
      ['probe', 'turned.csv'],
    ] as const) {
      const { warnings, scores } = await evaluate(verb, { run: 'usual', data, strict: true });
      expect(warnings).toEqual([]);
      expect(scores.split.testLearned).toEqual({ records: 0, of: scores.split.test, exact: true });
    }
  });

  it('has none where a column says the parts, or where nothing looks like a label', async () => {
    for (const data of ['split.csv', 'molecules.csv']) {
      const said = await run(`of ${data}`, data, { data: { valid_fraction: 0.2 } });
      expect(said.join('\n')).not.toContain('later test');
      expect((await readRunConfig(file(`of ${data}`))).data.test_fraction).toBe(0);
    }
    // The split column is honoured by the evaluation, too.
    const { scores } = await evaluate('probe', { run: 'of split.csv', data: 'split.csv', strict: true });
    expect(scores.split).toMatchObject({
      by: 'column split',
      test: Math.ceil(molecules.length / 5),
      testLearned: { records: 0, exact: true },
    });
  });
});

describe('a run that does not tell what it learned from', () => {
  it('is scored without a word of it, refused where that is asked for, and makes no other run tell', async () => {
    await run('silent', 'labels.csv', { data: { test_fraction: 0 } });
    await rm(runFile(file('silent'), 'learned'));
    await run('from silent', 'labels.csv', { training: { from: file('silent') } });
    for (const name of ['silent', 'from silent']) {
      const { warnings, scores } = await evaluate('probe', { run: name });
      expect(warnings).toEqual([]);
      expect(scores.split).not.toHaveProperty('testLearned');
      await expect(evaluate('probe', { run: name, strict: true })).rejects.toThrow(
        'the run does not tell which records it learned from',
      );
    }
  });
});

describe('a run of an earlier version, which drew its parts by places in the file', () => {
  it('is not gone on with', async () => {
    const path = runFile(file('whole'), 'config');
    const text = await readFile(path, 'utf8');
    const { data, ...config } = JSON.parse(text);
    const { test_fraction: _, ...earlier } = data;
    // Which had no manifest either.
    await rm(join(file('whole'), 'SHA256SUMS'));
    await writeFile(path, JSON.stringify({ ...config, data: earlier }));
    const asked = pretrain({ data: file('labels.csv'), out: file('whole'), resume: true });
    await expect(asked).rejects.toThrow('was begun by an earlier version');
    await writeFile(path, text);
  });
});
