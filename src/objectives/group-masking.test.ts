import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encoderNamed, encoders } from '../encoders/index.js';
import { evaluate, ordinaryParameters } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { InputError } from '../errors.js';
import { sharingLeaves } from '../graph/index.js';
import { tokenInputs } from '../layers/token-embedding.js';
import { batchShape, type ModelConfig, pretrainingGraph } from '../learning/model.js';
import { batchFeeds } from '../learning/self-supervision.js';
import { type Batch, packBatch } from '../records/batch.js';
import { PRESENT_ID, type TokenSpec } from '../records/token-block.js';
import { random } from '../tensor/random.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import { drawGroups, groupMasking } from './group-masking.js';
import { hiddenCount } from './masked-autoencoding.js';
import { range, smallModel } from './objective.case.js';

const engine = await nodeEngine({ threads: 1 });
const real = await realRecords();
const kinds = ['discrete', 'fields', 'continuous', 'series'] as const;

const line: TokenSpec = { kind: 'discrete', vocabulary: 5, maxTokens: 60 };
const series: TokenSpec = { kind: 'continuous', channels: 2, maxTokens: 60 };
const gridOf = (rows: number, columns: number): TokenSpec => ({
  kind: 'continuous',
  channels: 4,
  maxTokens: rows * columns,
  grid: { rows, columns, patch: 2 },
});

/** Whether each of the tokens can be reached from the first over neighbours that are among them. */
function isConnected(tokens: readonly number[], neighbours: (a: number, b: number) => boolean): boolean {
  const reached = [tokens[0]];
  for (const token of reached)
    reached.push(...tokens.filter((other) => !reached.includes(other) && neighbours(token, other)));
  return reached.length === tokens.length;
}

const stream = (seed: number) => random(seed, 'groups');
const share = fc.double({ min: 0.05, max: 0.95, noNaN: true });
const seeds = fc.nat(10_000);

describe('groups', () => {
  const spans = fc.record({ length: fc.integer({ min: 2, max: 60 }), size: fc.integer({ min: 1, max: 12 }) });

  it('of a line are runs no longer than asked, and have together the exact share', () => {
    fc.assert(
      fc.property(
        spans,
        share,
        seeds,
        fc.constantFrom(line, series),
        ({ length, size }, ratio, seed, spec) => {
          const count = hiddenCount(spec, length, ratio);
          const groups = drawGroups(spec, length, count, size, stream(seed));
          for (const group of groups) {
            expect(group).toEqual(range(group.length).map((i) => group[0] + i));
            expect(group.length).toBeLessThanOrEqual(size);
          }
          const all = groups.flat();
          expect(new Set(all).size).toBe(count);
          expect(all.every((token) => token >= 0 && token < length)).toBe(true);
        },
      ),
    );
  });

  it('of a grid are connected, within a rectangle, and have together the exact share', () => {
    const sides = fc.tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 2, max: 8 }));
    fc.assert(
      fc.property(
        sides,
        fc.integer({ min: 1, max: 5 }),
        share,
        seeds,
        ([rows, columns], size, ratio, seed) => {
          const spec = gridOf(rows, columns);
          const count = hiddenCount(spec, spec.maxTokens, ratio);
          const groups = drawGroups(spec, spec.maxTokens, count, size, stream(seed));
          const row = (token: number) => Math.floor(token / columns);
          const column = (token: number) => token % columns;
          for (const group of groups) {
            const near = (a: number, b: number) =>
              Math.abs(row(a) - row(b)) + Math.abs(column(a) - column(b)) === 1;
            expect(isConnected(group, near)).toBe(true);
            for (const place of [row, column]) {
              const places = group.map(place);
              expect(Math.max(...places) - Math.min(...places)).toBeLessThan(size);
            }
          }
          expect(new Set(groups.flat()).size).toBe(count);
        },
      ),
    );
  });

  it('of a table are any columns, each in one group', () => {
    const { spec } = real.fields.tokenizer;
    const length = spec.maxTokens;
    const seen = new Set<string>();
    for (const seed of range(200)) {
      const groups = drawGroups(spec, length, 3, 2, stream(seed));
      const all = groups.flat();
      expect([all.length, new Set(all).size]).toEqual([3, 3]);
      expect(groups.every((group) => group.length <= 2)).toBe(true);
      for (const group of groups) if (group.length === 2) seen.add(group.toSorted().join());
    }
    expect(seen.size).toBe((length * (length - 1)) / 2);
  });

  it('corrupt every place of a grid, single tokens all alike', () => {
    const counts = new Float64Array(36);
    for (const seed of range(600))
      for (const token of drawGroups(gridOf(6, 6), 36, 18, 1, stream(seed)).flat()) counts[token]++;
    // Each is corrupted with probability 1/2: 300 times, with a deviation of 12.
    expect(Math.min(...counts)).toBeGreaterThan(240);
    expect(Math.max(...counts)).toBeLessThan(360);
    counts.fill(0);
    for (const seed of range(600))
      for (const token of new Set(drawGroups(gridOf(6, 6), 36, 18, 3, stream(seed)).flat())) counts[token]++;
    expect(Math.min(...counts)).toBeGreaterThan(150);
  });
});

function modelOn(kind: (typeof kinds)[number], encoder: keyof typeof encoders = 'perceiver') {
  const { tokenizer, block } = real[kind];
  const { spec } = tokenizer;
  const model = smallModel(spec, 'group-masking', { masking_ratio: 0.4 }, encoder);
  const batch = packBatch(block, range(12), 12, spec.maxTokens);
  const feeds = (step: number, from: Batch = batch) =>
    batchFeeds(model, from, { seed: 2, purpose: 'training', step, progress: 0 });
  return { spec, model, batch, feeds, block };
}

describe('a corrupted batch', () => {
  it.each(kinds)('differs from the batch where it says alone: %s tokens', (kind) => {
    const { batch, feeds } = modelOn(kind);
    const { corrupted, corrupted_ids, corrupted_values } = feeds(0);
    const channels = (batch.values?.length ?? 0) / corrupted.data.length;
    let changed = 0;
    for (let i = 0; i < corrupted.data.length; i++) {
      const values = range(channels).map((c) => i * channels + c);
      const same =
        corrupted_ids?.data[i] === batch.ids?.[i] &&
        values.every((at) => corrupted_values.data[at] === batch.values![at]);
      if (!corrupted.data[i]) expect(same, `token ${i}`).toBe(true);
      else if (!same) changed++;
    }
    expect(changed).toBeGreaterThan(0);
  });

  it.each(kinds)('holds tokens of the batch, or noise for vectors: %s tokens', (kind) => {
    const { spec, batch, feeds } = modelOn(kind);
    const { tokens } = batch;
    const channels = (batch.values?.length ?? 0) / (batch.size * tokens);
    const contents = (from: Pick<Batch, 'ids' | 'values'>, i: number) =>
      [from.ids?.[i], ...range(channels).map((c) => from.values![i * channels + c])].join();
    const places = range(batch.size * tokens).filter(
      (i) => i % tokens < batch.lengths[Math.floor(i / tokens)],
    );
    let noise: number[] = [];
    let replaced = 0;
    for (const step of range(5)) {
      const { corrupted, corrupted_ids, corrupted_values } = feeds(step);
      const after = {
        ids: corrupted_ids?.data as Int32Array,
        values: corrupted_values?.data as Float32Array,
      };
      for (const i of places.filter((place) => corrupted.data[place])) {
        const known = places.filter((place) => kind === 'discrete' || place % tokens === i % tokens);
        replaced++;
        if (known.some((place) => contents(batch, place) === contents(after, i))) continue;
        expect(spec.kind).toBe('continuous');
        noise = noise.concat(...after.values.subarray(i * channels, (i + 1) * channels));
      }
    }
    if (spec.kind !== 'continuous') return;
    const [share, n] = [noise.length / channels / replaced, noise.length];
    expect(Math.abs(share - 0.5)).toBeLessThan(0.2);
    const mean = noise.reduce((a, b) => a + b) / n;
    const variance = noise.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n;
    expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(n));
    expect(Math.abs(variance - 1)).toBeLessThan(8 / Math.sqrt(n));
  });

  it('takes a whole group from one record, each of the others as likely as another, or half of the time noise', () => {
    // A value tells the record it comes from; what is no whole number is noise.
    const [rows, tokens] = [5, 36];
    const spec = { ...gridOf(6, 6), channels: 1, grid: { rows: 6, columns: 6, patch: 1 } } as const;
    const values = Float32Array.from({ length: rows * tokens }, (_, i) => Math.floor(i / tokens));
    const lengths = new Int32Array(rows).fill(tokens);
    const batch = { rows, size: rows, tokens, values, lengths, fileRows: new Int32Array(rows) };
    const model = smallModel(spec, 'group-masking', { masking_ratio: 0.3, group_size: 3 });
    const counts = new Float64Array(rows);
    let [noisy, whole] = [0, 0];
    for (const step of range(100)) {
      const feeds = batchFeeds(model, batch, { seed: 1, purpose: 'training', step, progress: 0 });
      for (const row of range(rows)) {
        const count = hiddenCount(spec, tokens, 0.3);
        const groups = drawGroups(spec, tokens, count, 3, random(1, 'training groups', step, row));
        for (const [g, group] of groups.entries()) {
          const later = groups.slice(g + 1).flat();
          const kept = group.filter((token) => !later.includes(token));
          if (kept.length === 0) continue;
          const found = kept.map((token) => Number(feeds.corrupted_values.data[row * tokens + token]));
          whole++;
          if (!found.some(Number.isInteger)) noisy++;
          else {
            expect(found.every((value) => value === found[0] && value !== row)).toBe(true);
            counts[found[0]]++;
          }
        }
      }
    }
    expect(Math.abs(noisy / whole - 0.5)).toBeLessThan(0.05);
    for (const count of counts) expect(Math.abs(count / (whole - noisy) - 0.2)).toBeLessThan(0.04);
  });

  it('of one record holds noise in place of another', () => {
    const { spec, feeds, block } = modelOn('series');
    const alone = feeds(0, packBatch(block, [3], 1, spec.maxTokens));
    const { corrupted, corrupted_values, values } = alone;
    const channels = values.data.length / corrupted.data.length;
    for (let i = 0; i < values.data.length; i++)
      expect(corrupted_values.data[i] === values.data[i]).toBe(!corrupted.data[Math.floor(i / channels)]);
  });
});

describe('group masking', () => {
  it.each(kinds)('takes nothing from a token that was replaced: %s tokens', async (kind) => {
    // What stood there is what is predicted; the encoder has not seen it.
    for (const encoder of Object.keys(encoders) as (keyof typeof encoders)[]) {
      const { spec, model, feeds, batch } = modelOn(kind, encoder);
      const { encodings, loss } = pretrainingGraph(model, batchShape(model, batch.size, spec.maxTokens));
      expect(encodings).toHaveLength(1);
      const built = { pooled: encodings[0].pooled };
      const parameters = ordinaryParameters([loss, built.pooled]);
      const given = { ...parameters, ...feeds(0) };
      const before = await evaluate(engine, built, given);
      expect(await evaluate(engine, built, { ...given, ...shifted(given) })).toEqual(before);
      expect(await evaluate(engine, built, { ...given, ...plain(given) })).not.toEqual(before);
      const direct = sharingLeaves(() => {
        const tokens = tokenInputs(spec, batch.size, spec.maxTokens, 'corrupted_');
        return encoderNamed(encoder).encode(spec, tokens, model.encoder, { training: true });
      });
      expect(await evaluate(engine, { pooled: direct.pooled }, given)).toEqual(before);
    }
  });

  it('by default has groups of the size of a quarter of an image, and corrupts half of it', () => {
    const { encoder } = smallModel(line, 'group-masking');
    const defaults = (spec: TokenSpec) => {
      const model: ModelConfig = smallModel(spec, 'group-masking', { masking_ratio: undefined });
      expect(model.encoder).toEqual(encoder);
      const { masking_ratio, group_size } = model.objective;
      return [masking_ratio, group_size];
    };
    expect(defaults(line)).toEqual([0.2, 8]);
    expect(defaults(real.fields.tokenizer.spec)).toEqual([0.2, 4]);
    expect(defaults(gridOf(7, 8))).toEqual([0.5, 2]);
    expect(defaults(gridOf(24, 24))).toEqual([0.5, 6]);
  });

  it('refuses heads that do not divide the widths', () => {
    const { encoder } = smallModel(line, 'group-masking');
    const options = groupMasking.defaults(line, encoder, { decoder_heads: 3 });
    const check = () => groupMasking.check!(options, { spec: line, encoder, from: false });
    expect(check).toThrow(InputError);
    expect(check).toThrow('objective.decoder_heads');
  });
});

type Feeds = ReturnType<typeof batchFeeds>;

/** The batch's own tokens changed, all of them. */
const shifted = ({ ids, values }: Feeds) => ({
  ...(ids && { ids: { ...ids, data: Int32Array.from(ids.data as Int32Array, () => PRESENT_ID) } }),
  ...(values && {
    values: { ...values, data: Float32Array.from(values.data as Float32Array, (x) => x + 1) },
  }),
});

/** The batch's own tokens in place of the corrupted ones. */
const plain = ({ ids, values }: Feeds) => ({
  ...(ids && { corrupted_ids: ids }),
  ...(values && { corrupted_values: values }),
});
