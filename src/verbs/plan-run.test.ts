import { describe, expect, it } from 'vitest';
import { modelOf } from '../config/defaults.js';
import type { Config, UserConfig } from '../config/schema.js';
import { profileSource, type SourceProfile } from '../records/profile.js';
import type { ColumnValues, DataSource } from '../records/record-batch.js';
import type { Run } from '../runs/folder.js';
import { runHash } from '../runs/recorded-pretraining.js';
import { fields } from '../tokenizers/fields.js';
import { molecules } from '../tokenizers/real-records.case.js';
import { sequence } from '../tokenizers/sequence.js';
import { numbers, records, texts } from '../tokenizers/tokenizer.case.js';
import type { Tokenizer } from '../tokenizers/tokenizer.js';
import { type PlanInputs, planRun, type RunPlan } from './plan-run.js';

/** The same with a methyl or an amine at the first atom: texts that are all different, so that they are no category. */
const rows = ['', 'C', 'N'].flatMap((group) => molecules.map((smiles) => group + smiles));
const smiles = texts(rows);
const mass = numbers(rows.map((_, i) => 100 + 3 * i));
const toxic = numbers(rows.map((_, i) => i % 2));
const split = texts(rows.map((_, i) => (i % 3 === 0 ? 'test' : 'train')));

/** A file that is read for its profile and never again. */
async function known(
  columns: Record<string, ColumnValues>,
): Promise<{ source: DataSource; profile: SourceProfile }> {
  const source: DataSource = {
    path: 'molecules.csv',
    files: ['molecules.csv'],
    format: 'csv',
    bytes: 1000,
    columns: Object.entries(columns).map(([name, { type }]) => ({ name, type })),
    reject() {},
    async *read() {
      yield records(columns, rows.length);
    },
  };
  const profile = await profileSource(source);
  const read = () => {
    throw new Error('a plan reads nothing');
  };
  return { source: Object.freeze({ ...source, read }), profile: Object.freeze(profile) };
}

const labelled = await known({ smiles, toxic });
const divided = await known({ smiles, split, toxic });
const plain = await known({ smiles });

const letters = await sequence.fit([records({ smiles }, rows.length)], {
  columns: ['smiles'],
  maxTokens: 30,
});

const configOf = (plan: RunPlan, tokenizer: Tokenizer = letters): Config =>
  plan.config({ tokenizer, hash: 'sha256:0', records: rows.length, threads: 1, versions: {} });

const plan = (asked: UserConfig, more: Omit<PlanInputs, 'asked'> = labelled) => planRun({ asked, ...more });

const said = ({ messages }: RunPlan) => messages.map(({ message }) => message);

const small: UserConfig = {
  data: { columns: ['smiles'] },
  tokenizer: { max_tokens: 30 },
  encoder: { width: 8, heads: 2, layers: 1, latents: 4 },
  training: { steps: 12 },
};
const first = configOf(plan(small));
const stored = { folder: 'first', config: first, tokenizer: letters };
const origin: Run = { ...stored, model: modelOf(first, letters.spec), step: 12, tensors: {} };
const from: UserConfig = { training: { from: 'first' } };

describe('a plan', () => {
  it.each<[string, PlanInputs]>([
    ['a new run', { asked: small, ...labelled }],
    ['a run from another', { asked: from, origin, ...labelled }],
    ['a resumed run', { asked: {}, stored, source: labelled.source }],
  ])('of %s follows from its inputs alone, of which it changes none', (_, inputs) => {
    const before = JSON.stringify(inputs);
    const [one, two] = [planRun(inputs), planRun(inputs)];
    expect({ ...two, config: configOf(two) }).toEqual({ ...one, config: configOf(one) });
    expect(JSON.stringify(inputs)).toBe(before);
  });

  it('of a new run needs the profile of its records', () => {
    expect(() => planRun({ asked: {}, source: plain.source })).toThrow('from the profile of its records');
  });
});

describe('what is not learned from', () => {
  it('is a warning where it could be data, and else stands in the line on the tokenizer', async () => {
    const file = await known({ smiles, split, toxic });
    const { messages } = plan({}, file);
    expect(messages[0].message).toMatch(/not used: split \(says which records are for training\)$/);
    const warnings = messages.filter(({ type }) => type === 'warning');
    expect(warnings.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^column toxic is left out \(may be a label/),
    ]);
    expect(said(plan({ data: { columns: ['smiles', 'toxic'] } }, file)).join()).not.toContain('left out');
  });
});

describe('the part that is held out for a later test', () => {
  const testOf = (asked: UserConfig['data'], file = labelled) => {
    const made = plan({ data: asked }, file);
    expect(configOf(made).data.test_fraction).toBe(made.rule.heldOut.test);
    const words = said(made).filter((message) => message.includes('later test'));
    return { fraction: made.rule.heldOut.test, words };
  };

  it('is a tenth where a column may be predicted later, and is said', () => {
    expect(testOf({})).toEqual({
      fraction: 0.1,
      words: [
        '10 % of the records are held out for a later test, since toxic may be predicted later; --test-fraction 0 learns from all',
      ],
    });
  });

  it('is none, without a word, where no column looks like a label', () => {
    expect(testOf({}, plain)).toEqual({ fraction: 0, words: [] });
  });

  it('is there whether the label is learned from or not', async () => {
    const table = await known({ mass, toxic });
    const asked = { columns: ['mass', 'toxic'] };
    expect(plan({ data: asked }, table).rule.heldOut.test).toBe(0.1);
    expect(plan({ data: { columns: ['mass'] } }, table).rule.heldOut.test).toBe(0.1);
  });

  it('is none, without a word, where a column says the parts, whatever is asked for', () => {
    for (const asked of [{}, { test_fraction: 0.3 }])
      expect(testOf(asked, divided)).toEqual({ fraction: 0, words: [] });
    expect(plan({}, divided).rule.column).toBe('split');
  });

  it('is what is asked for', () => {
    expect(testOf({ test_fraction: 0 })).toEqual({ fraction: 0, words: [] });
    expect(testOf({ test_fraction: 0.25 })).toEqual({
      fraction: 0.25,
      words: ['25 % of the records are held out for a later test; --test-fraction 0 learns from all'],
    });
    expect(testOf({ test_fraction: 0.25 }, plain).fraction).toBe(0.25);
  });
});

describe('a new run', () => {
  it('is planned from the profile, and from what the user asks for over it', async () => {
    const made = plan({});
    expect(made.tokenizer).toMatchObject({ choice: { kind: 'sequence', columns: ['smiles'] } });
    expect(made.rule).toEqual({
      column: undefined,
      columns: ['smiles'],
      heldOut: { valid: 0.05, test: 0.1 },
    });
    expect(made).toMatchObject({ start: {}, counts: false });
    const table = await known({ smiles, mass, toxic });
    const other = plan(
      {
        data: { columns: ['mass', 'toxic'], valid_fraction: 0.3 },
        training: { epochs: 2, monitor_target: 'smiles' },
      },
      table,
    );
    expect(other.tokenizer).toMatchObject({ choice: { kind: 'fields', columns: ['mass', 'toxic'] } });
    expect(other.rule.heldOut.valid).toBe(0.3);
    expect(other).toMatchObject({ counts: true, monitorTarget: 'smiles' });
  });
});

describe('a run that starts from another', () => {
  it('has its tokenizer and encoder, whatever the profile would choose, and no other setting', async () => {
    const file = await known({ smiles, mass, toxic });
    const made = plan(
      { training: { from: 'first', steps: 5 }, data: { valid_fraction: 0.2 } },
      { origin, ...file },
    );
    expect(made.tokenizer).toEqual({ ready: letters });
    expect(made.start.origin).toBe(origin);
    expect(made.rule).toMatchObject({ columns: ['smiles'], heldOut: { valid: 0.2, test: 0.1 } });
    const config = configOf(made);
    expect([config.encoder, config.tokenizer]).toEqual([first.encoder, first.tokenizer]);
    expect(config.training).toMatchObject({ steps: 5, from: 'first' });
    expect(said(made)[0]).toBe('tokenizer and encoder of first, as step 12 left it');
  });

  it.each<[string, UserConfig, string]>([
    ['encoder', { encoder: { width: 16 } }, 'that run has encoder.width = 8, not 16; leave the option out'],
    ['tokenizer', { tokenizer: { max_tokens: 20 } }, 'that run has tokenizer.max_tokens = 30, not 20'],
    ['columns', { data: { columns: ['toxic'] } }, 'that run has data.columns = ["smiles"], not ["toxic"]'],
    ['ignored columns', { data: { ignore: ['smiles'] } }, 'not ["without smiles"]'],
  ])('refuses other %s', (_, change, message) => {
    expect(() => plan({ ...from, ...change }, { origin, ...labelled })).toThrow(message);
  });

  it('may be told again what it has', () => {
    const again = { ...small, ...from };
    expect(configOf(plan(again, { origin, ...labelled }))).toEqual(
      configOf(plan(from, { origin, ...labelled })),
    );
  });

  it('refuses data without the columns of that run', async () => {
    const other = await known({ name: smiles, mass });
    expect(() => plan(from, { origin, ...other })).toThrow('no column "smiles"');
  });
});

describe('a resumed run', () => {
  const resumed = (asked: UserConfig, config: Config = first) =>
    planRun({ asked, stored: { ...stored, config }, source: labelled.source });

  it('may go on on another device', () => {
    const onDevice = { ...first, training: { ...first.training, device: 'webgpu' as const } };
    expect(configOf(resumed({}, onDevice)).training.device).toBe('webgpu');
    expect(configOf(resumed({ training: { device: 'cpu' } }, onDevice)).training.device).toBe('cpu');
    expect(runHash(configOf(resumed({ training: { device: 'auto' } })))).toBe(runHash(first));
  });

  it('does what it did: its configuration, tokenizer and parts, and starts from nothing', () => {
    const made = resumed({});
    expect(configOf(made)).toBe(first);
    expect(made.tokenizer).toEqual({ ready: letters });
    expect(made.rule).toEqual({
      column: undefined,
      columns: ['smiles'],
      heldOut: { valid: 0.05, test: 0.1 },
    });
    expect(made).toMatchObject({ start: {}, counts: false, messages: [] });
    // The stored run is above an origin, which is not asked.
    const other: Run = { ...origin, config: { ...first, encoder: { ...first.encoder, width: 64 } } };
    const both = planRun({ asked: {}, stored, origin: other, source: labelled.source });
    expect(configOf(both)).toBe(first);
    expect(both.start).toEqual({});
  });

  it('may be told again what it has, in any order of columns, and what is no key of a run', async () => {
    const columns = ['mass', 'toxic'];
    const file = await known({ mass, toxic });
    const cells = await fields.fit([records({ mass, toxic }, rows.length)], { columns });
    const config = configOf(plan({ data: { columns } }, file), cells);
    const asked: UserConfig = {
      data: { columns: ['toxic', 'mass'] },
      finetune: { steps: 3 },
      plugins: ['own.mjs'],
    };
    const made = planRun({
      asked,
      stored: { folder: 'table', config, tokenizer: cells },
      source: file.source,
    });
    expect(configOf(made, cells)).toBe(config);
  });

  it('may be asked again for test records that a column of parts left it no say in', () => {
    const config = { ...first, data: { ...first.data, split_column: 'split', test_fraction: 0 } };
    expect(configOf(resumed({ data: { test_fraction: 0.1 } }, config))).toBe(config);
  });

  it.each<[string, UserConfig, string]>([
    ['steps', { training: { steps: 13 } }, 'first: the run has training.steps = 12, not 13'],
    ['widths', { encoder: { width: 16 } }, 'first: the run has encoder.width = 8, not 16'],
    ['columns', { data: { columns: ['toxic'] } }, 'the run has data.columns = ["smiles"], not ["toxic"]'],
    ['test parts', { data: { test_fraction: 0 } }, 'the run has data.test_fraction = 0.1, not 0'],
    ['origins', { training: { from: 'other' } }, 'the run has training.from = undefined, not "other"'],
  ])('refuses other %s', (_, change, message) => {
    expect(() => resumed(change)).toThrow(message);
    expect(() => resumed(change)).toThrow('a resumed run keeps its configuration');
  });

  it('is refused where it was begun when parts were drawn by places in the file, unless a column says them', () => {
    const { test_fraction: _, ...data } = first.data;
    expect(() => resumed({}, { ...first, data })).toThrow('first: was begun by an earlier version');
    const made = resumed({}, { ...first, data: { ...data, split_column: 'split' } });
    expect(made.rule).toMatchObject({ column: 'split', heldOut: { test: 0 } });
  });
});
