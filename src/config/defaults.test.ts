import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import { batchShape, pretrainingGraph } from '../learning/model.js';
import type { TokenSpec } from '../records/token-block.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import type { Tokenizer } from '../tokenizers/tokenizer.js';
import { modelOf, resolveConfig, resolveFinetuning } from './defaults.js';
import { parseRunConfig } from './parse.js';
import type { UserConfig } from './schema.js';

const { discrete } = await realRecords();

/** A tokenizer of which nothing but the specification matters here. */
const tokenizerOf = (spec: TokenSpec): Tokenizer => ({ ...discrete.tokenizer, spec });

const resolve = (user: UserConfig, spec: TokenSpec, records: number) =>
  resolveConfig(user, {
    path: 'data.csv',
    format: 'csv',
    heldOut: { valid: 0.05, test: 0 },
    hash: 'sha256:0',
    tokenizer: tokenizerOf(spec),
    records,
    threads: 2,
    versions: {},
  });

const tokens = fc.integer({ min: 1, max: 4096 });
const specs: fc.Arbitrary<TokenSpec> = fc.oneof(
  fc.record({
    kind: fc.constant('discrete' as const),
    vocabulary: fc.integer({ min: 2, max: 300 }),
    maxTokens: tokens,
  }),
  fc.record({
    kind: fc.constant('continuous' as const),
    channels: fc.integer({ min: 1, max: 64 }),
    maxTokens: tokens,
  }),
);
const users = fc.record(
  {
    encoder: fc.record(
      { width: fc.integer({ min: 1, max: 200 }), embed_width: fc.integer({ min: 1, max: 200 }) },
      { requiredKeys: [] },
    ),
    training: fc.record({ epochs: fc.double({ min: 0.01, max: 50, noNaN: true }) }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
);

describe('the resolved configuration', () => {
  it('is valid for any data and any widths, and describes a model that can be built', () => {
    fc.assert(
      fc.property(users, specs, fc.integer({ min: 1, max: 10_000_000 }), (user, spec, records) => {
        const config = resolve(user, spec, records);
        expect(parseRunConfig(JSON.parse(JSON.stringify(config)), 'config.json')).toEqual(config);
        const { encoder, objective, training } = config;
        expect(encoder.width % encoder.heads).toBe(0);
        expect(encoder.width % objective.decoder_heads!).toBe(0);
        expect(encoder.embed_width % objective.decoder_heads!).toBe(0);
        expect(training.batch_size).toBeLessThanOrEqual(Math.max(1, records));
        expect(training.warmup_steps).toBeLessThanOrEqual(training.steps);
        expect(training.checkpoint_steps).toBeLessThanOrEqual(training.steps);
        const model = modelOf({ ...config, encoder: { ...encoder, layers: 1 } }, spec);
        const count = Math.min(spec.maxTokens, 12);
        expect(() => pretrainingGraph(model, batchShape(model, training.batch_size, count))).not.toThrow();
      }),
      { numRuns: 60 },
    );
  });

  it('goes with the size of the data', () => {
    const spec: TokenSpec = { kind: 'discrete', vocabulary: 30, maxTokens: 64 };
    const [tiny, large] = [resolve({}, spec, 20).training, resolve({}, spec, 1_000_000).training];
    expect([tiny.batch_size, large.batch_size]).toEqual([4, 128]);
    expect([tiny.steps, large.steps]).toEqual([500, 10_000]);
    expect(resolve({ training: { epochs: 2 } }, spec, 1_000_000).training.steps).toBe(2 * 7812);
  });

  it('has sizes that grow with the records, and pauses that grow with the run', () => {
    const at = (maxTokens: number) => resolve({}, { kind: 'discrete', vocabulary: 30, maxTokens }, 1_000_000);
    const sizes = (maxTokens: number) => {
      const { encoder, training } = at(maxTokens);
      return [encoder.width, encoder.embed_width, encoder.latents, training.batch_size];
    };
    expect(sizes(16)).toEqual([128, 128, undefined, 128]);
    expect(sizes(129)).toEqual([128, 128, 64, 32]);
    expect(sizes(256)).toEqual([128, 128, 128, 32]);
    expect(sizes(257)).toEqual([256, 256, 128, 16]);
    expect(sizes(4096)).toEqual([256, 256, 128, 16]);
    const pauses = (steps: number) => {
      const { valid_steps, checkpoint_steps, warmup_steps, log_steps } = resolve(
        { training: { steps } },
        { kind: 'discrete', vocabulary: 30, maxTokens: 16 },
        100,
      ).training;
      return [log_steps, warmup_steps, valid_steps, checkpoint_steps];
    };
    expect(pauses(1)).toEqual([1, 1, 10, 1]);
    expect(pauses(500)).toEqual([1, 25, 10, 50]);
    expect(pauses(4000)).toEqual([1, 200, 40, 400]);
    expect(pauses(50_000)).toEqual([1, 500, 100, 500]);
  });

  it('has the keys that are said, and no others without a value', () => {
    const spec: TokenSpec = { kind: 'discrete', vocabulary: 30, maxTokens: 64 };
    const user: UserConfig = {
      data: { ignore: ['id'], format: 'tsv', on_bad_record: 'skip', valid_fraction: 0.2 },
      tokenizer: { patch: 3 },
      encoder: { registers: 2, kind: 'transformer' },
      training: { from: 'runs/first', recompute: true, monitor_target: 'label', epochs: 2, threads: 3 },
    };
    const inputs = {
      path: 'data.csv',
      format: 'csv',
      heldOut: { valid: 0.2, test: 0.1 },
      hash: 'sha256:0',
      tokenizer: tokenizerOf(spec),
      records: 100,
      threads: 2,
      splitColumn: 'part',
      versions: { node: '20' },
    };
    const whole = resolveConfig(user, inputs);
    expect(whole).toMatchObject(user);
    expect(whole.data).toMatchObject({ path: 'data.csv', hash: 'sha256:0', split_column: 'part' });
    expect(whole.versions).toEqual({ lacuna: expect.stringMatching(/^\d+\./), node: '20' });
    const least = resolve({ training: { recompute: false } }, spec, 100);
    // What is written is what is read. Objectives have keys without a value.
    for (const { objective: _, ...sections } of [whole, least])
      expect(JSON.parse(JSON.stringify(sections))).toStrictEqual(sections);
    expect(Object.keys(least.data)).not.toContain('ignore');
    expect(Object.keys(least.training)).not.toContain('recompute');
    expect(Object.keys(modelOf(least, spec).encoder)).not.toContain('registers');
    expect(modelOf(whole, spec).encoder.registers).toBe(2);
  });

  it('has the keys of the infinite schedule with it alone', () => {
    const spec: TokenSpec = { kind: 'discrete', vocabulary: 30, maxTokens: 64 };
    const schedule = (training: UserConfig['training']) => {
      const { schedule, cooldown_steps, constant_rate, anneal_steps } = resolve(
        { training: { steps: 200, ...training } },
        spec,
        100,
      ).training;
      return { schedule, cooldown_steps, constant_rate, anneal_steps };
    };
    expect(schedule({})).toEqual({ schedule: 'cosine' });
    expect(schedule({ schedule: 'cosine' })).toEqual({ schedule: 'cosine' });
    const usual = {
      schedule: 'infinite',
      cooldown_steps: 50,
      constant_rate: 0.25,
      anneal_steps: 20,
    } as const;
    expect(schedule({ schedule: 'infinite' })).toEqual(usual);
    const own = { schedule: 'infinite', cooldown_steps: 0, constant_rate: 0.5, anneal_steps: 200 } as const;
    expect(schedule(own)).toEqual(own);
    expect(() => schedule({ ...own, anneal_steps: 201 })).toThrow(
      new InputError('training.anneal_steps: expected at most the 200 steps of the run, got 201; try 20'),
    );
    for (const key of ['cooldown_steps', 'constant_rate', 'anneal_steps'] as const)
      for (const kind of [undefined, 'cosine'] as const)
        expect(() => schedule({ schedule: kind, [key]: 0 })).toThrow(
          `training.${key}: the schedule cosine has no such key`,
        );
  });

  it('asks the objective whether its options go with the run', () => {
    const spec: TokenSpec = { kind: 'discrete', vocabulary: 30, maxTokens: 64 };
    const taught = (training: UserConfig['training']) =>
      resolve({ objective: { kind: 'self-distillation' }, training }, spec, 100).objective.kind;
    expect(taught({ from: 'runs/first' })).toBe('self-distillation');
    expect(() => taught({})).toThrow('self-distillation goes on from another run');
    // One that has nothing to check.
    expect(resolve({ objective: { kind: 'mp3' } }, spec, 100).objective).toEqual({
      kind: 'mp3',
      context_ratio: 0.5,
    });
  });

  it('keeps what the user asked for, so that it can be asked for again', () => {
    const user: UserConfig = {
      tokenizer: { max_tokens: 100 },
      encoder: { width: 24, heads: 3, cross_heads: 2, latents: 5 },
      objective: { kind: 'random-masking', masking_ratio: 0.4, decoder_heads: 6, tied_output: false },
      training: { epochs: 3, batch_size: 7, seed: 9, clip_norm: 0.5 },
    };
    const config = resolve(user, { kind: 'continuous', channels: 3, maxTokens: 64 }, 1000);
    expect(config).toMatchObject(user);
  });

  it('has the options of its objective, and refuses those of another', () => {
    const spec: TokenSpec = { kind: 'discrete', vocabulary: 30, maxTokens: 64 };
    const { objective } = resolve({ objective: { kind: 'random-masking', masking_ratio: 0.5 } }, spec, 100);
    expect(objective).toEqual({
      kind: 'random-masking',
      masking_ratio: 0.5,
      decoder_heads: 8,
      tied_output: true,
    });
    expect(() =>
      resolve(
        // @ts-expect-error: an option of another objective does not compile
        { objective: { kind: 'random-masking', per_query: 2 } },
        spec,
        100,
      ),
    ).toThrow('objective.per_query: is not an option of random-masking');
  });

  it('has what its objective wants of the encoder, unless the configuration says otherwise', () => {
    const spec: TokenSpec = { kind: 'discrete', vocabulary: 30, maxTokens: 64 };
    const kind = (user: UserConfig) => resolve(user, spec, 100).encoder.kind;
    expect(kind({})).toBe('transformer');
    expect(kind({ encoder: { latents: 8 } })).toBe('perceiver');
    expect(kind({ encoder: { registers: 1 } })).toBe('transformer');
    expect(resolve({}, { ...spec, maxTokens: 129 }, 100).encoder.kind).toBe('perceiver');
    expect(kind({ objective: { kind: 't-jepa' } })).toBe('transformer');
    // Attention of all tokens to all is for short records.
    const long = resolve({ objective: { kind: 't-jepa' } }, { ...spec, maxTokens: 257 }, 100);
    expect(long.encoder.kind).toBe('perceiver');
    expect(kind({ objective: { kind: 't-jepa' }, encoder: { kind: 'convolution' } })).toBe('convolution');
    const registers = (user: UserConfig) => {
      const config = resolve(user, spec, 100);
      expect(modelOf(config, spec).encoder.registers).toBe(config.encoder.registers);
      return config.encoder.registers;
    };
    expect(registers({})).toBe(undefined);
    expect(registers({ encoder: { kind: 'transformer', registers: 2 } })).toBe(2);
    expect(() => registers({ encoder: { latents: 4, registers: 2 } as UserConfig['encoder'] })).toThrow(
      'encoder.registers: is not an option of perceiver, which has width,',
    );
    expect(registers({ objective: { kind: 't-jepa' } })).toBe(1);
    expect(registers({ objective: { kind: 't-jepa' }, encoder: { registers: 0 } })).toBe(0);
    expect(registers({ objective: { kind: 't-jepa' }, encoder: { kind: 'perceiver' } })).toBe(undefined);
    expect(registers({ objective: { kind: 't-jepa' }, training: { from: 'runs/first' } })).toBe(undefined);
  });

  it.each<[UserConfig, string]>([
    [{ encoder: { heads: 3 } }, 'encoder.heads: expected a divisor of encoder.width = 128, got 3; try 2'],
    [
      { encoder: { width: 10, cross_heads: 4 } },
      'encoder.cross_heads: expected a divisor of encoder.width = 10, got 4; try 2',
    ],
    [
      { encoder: { embed_width: 12 }, objective: { decoder_heads: 8 } },
      'objective.decoder_heads: expected a divisor of encoder.width = 128 and encoder.embed_width = 12, got 8; try 4',
    ],
  ])('refuses heads that do not divide their width: %j', (user, message) => {
    const spec: TokenSpec = { kind: 'discrete', vocabulary: 30, maxTokens: 64 };
    expect(() => resolve(user, spec, 100)).toThrow(new InputError(message));
  });
});

describe('the settings of a fine-tuning', () => {
  it('follow from the number of labelled records', () => {
    const usual = {
      learningRate: 1e-3,
      weightDecay: 0.01,
      clipNorm: 1,
      layerDecay: 1,
      seeds: 3,
      head: 'mean',
      tuning: { kind: 'full' },
    };
    // A quarter of the records, as a power of two of at most 32; 30 passes, of at least 100 and at most 2000 steps.
    for (const [records, batchSize, steps] of [
      [1, 1, 100],
      [3, 1, 100],
      [20, 4, 150],
      [100, 16, 180],
      [1000, 32, 930],
      [100_000, 32, 2000],
    ])
      expect(resolveFinetuning({}, records)).toEqual({
        ...usual,
        batchSize,
        steps,
        validations: records === 100_000 ? 20 : 10,
      });
  });

  it('are those that are asked for', () => {
    const asked = {
      steps: 7,
      batch_size: 64,
      learning_rate: 0.1,
      weight_decay: 0,
      clip_norm: 2,
      layer_decay: 0.5,
      seeds: 1,
      head: 'attention',
      validations: 3,
      patience: 2,
      weight_average: 0.9,
      drop_path: 0.1,
    } as const;
    expect(resolveFinetuning(asked, 10)).toEqual({
      steps: 7,
      batchSize: 64,
      learningRate: 0.1,
      weightDecay: 0,
      clipNorm: 2,
      layerDecay: 0.5,
      seeds: 1,
      head: 'attention',
      validations: 3,
      patience: 2,
      weightAverage: 0.9,
      dropout: { drop_path: 0.1 },
      tuning: { kind: 'full' },
    });
    const steps = (epochs: number, records: number, batch_size: number) =>
      resolveFinetuning({ epochs, batch_size }, records).steps;
    expect(steps(2, 100, 10)).toBe(20);
    expect(steps(0.01, 100, 10)).toBe(1);
    expect(steps(3, 5, 10)).toBe(3);
  });

  it('follow from the ways to learn from few labels, and refuse what another one has', () => {
    expect(resolveFinetuning({ tuning: 'lora' }, 10)).toMatchObject({
      tuning: { kind: 'lora', lora_rank: 8 },
      learningRate: 0.003,
    });
    expect(resolveFinetuning({ regularizer: 'look', look_neighbors: 3 }, 50)).toMatchObject({
      regularizer: { kind: 'look', look_neighbors: 3, regularizer_weight: 0.1 },
      // Records are compared with each other: as many as there are, to 64.
      batchSize: 32,
    });
    expect(resolveFinetuning({ self_training: 'future' }, 50)).toMatchObject({
      selfTraining: 'future',
      teacher: { kind: 'future', unlabelled_weight: 0.5 },
      weightAverage: 0.99,
    });
    expect(resolveFinetuning({ self_training: 'pseudo-labels' }, 50)).not.toHaveProperty('teacher');
    expect(resolveFinetuning({ soup: 'greedy' }, 50).soup).toEqual({ kind: 'greedy', ingredients: 4 });
    expect(() => resolveFinetuning({ tuning: 'frozen', lora_rank: 4 }, 50)).toThrow(
      'finetune.lora_rank: has no meaning with tuning frozen; leave it out, or choose another --tuning',
    );
  });
});
