import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import { batchShape, pretrainingGraph } from '../learning/model.js';
import type { TokenSpec } from '../records/token-block.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import type { Tokenizer } from '../tokenizers/tokenizer.js';
import { modelOf, resolveConfig } from './defaults.js';
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
    expect(() => resolve({ objective: { kind: 'random-masking', per_query: 2 } }, spec, 100)).toThrow(
      'objective.per_query: is not an option of random-masking',
    );
  });

  it('has what its objective wants of the encoder, unless the configuration says otherwise', () => {
    const spec: TokenSpec = { kind: 'discrete', vocabulary: 30, maxTokens: 64 };
    const kind = (user: UserConfig) => resolve(user, spec, 100).encoder.kind;
    expect(kind({})).toBe('perceiver');
    expect(kind({ objective: { kind: 't-jepa' } })).toBe('transformer');
    // Attention of all tokens to all is for short records.
    const long = resolve({ objective: { kind: 't-jepa' } }, { ...spec, maxTokens: 257 }, 100);
    expect(long.encoder.kind).toBe('perceiver');
    expect(kind({ objective: { kind: 't-jepa' }, encoder: { kind: 'convolution' } })).toBe('convolution');
    expect(kind({ objective: { kind: 't-jepa' }, training: { from: 'runs/first' } })).toBe('perceiver');
    const registers = (user: UserConfig) => {
      const config = resolve(user, spec, 100);
      expect(modelOf(config, spec).encoder.registers).toBe(config.encoder.registers);
      return config.encoder.registers;
    };
    expect(registers({})).toBe(undefined);
    expect(registers({ encoder: { registers: 2 } })).toBe(2);
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
