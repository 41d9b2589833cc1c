import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encoderNamed, type encoders } from '../encoders/index.js';
import { evaluate, ordinaryParameters } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { tokenInputs } from '../layers/token-embedding.js';
import { batchShape, pretrainingGraph } from '../learning/model.js';
import { batchFeeds } from '../learning/self-supervision.js';
import { packBatch } from '../records/batch.js';
import type { TokenSpec } from '../records/token-block.js';
import type { HostTensor } from '../tensor/tensor.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import { hiddenCount, roundHalfToEven } from './masked-autoencoding.js';
import { smallModel } from './objective.case.js';
import { type SmaOptions, sma } from './sma.js';

const engine = await nodeEngine({ threads: 1 });
const real = await realRecords();

const rowOf = (data: ArrayLike<number>, row: number, length: number) =>
  Array.from({ length }, (_, i) => data[row * length + i]);

/** Positions of the `count` largest scores among the first `length`, in order of position. */
const largest = (scores: readonly number[], count: number, length: number) =>
  [...Array(length).keys()]
    .sort((a, b) => scores[b] - scores[a] || a - b)
    .slice(0, count)
    .sort((a, b) => a - b);

const placesOf = (mask: readonly number[]) => mask.flatMap((on, place) => (on ? [place] : []));

describe('rounding', () => {
  it('takes halves to the even number', () => {
    expect([0.5, 1.5, 2.5, 3.5, 2.4999, 2.5001].map(roundHalfToEven)).toEqual([0, 2, 2, 4, 2, 3]);
  });
});

describe('how many tokens are hidden', () => {
  const varying: TokenSpec = { kind: 'discrete', vocabulary: 30, maxTokens: 4096 };
  const fixed: TokenSpec = { kind: 'continuous', channels: 1, maxTokens: 4096 };

  it('never is all of them, nor none where there are two, and never falls or gains on rows that get longer', () => {
    const ratio = fc.double({ min: 0.01, max: 0.99, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4096 }), ratio, fc.constantFrom(varying, fixed), (n, r, spec) => {
        const count = hiddenCount(spec, n, r);
        expect(count).toBeGreaterThanOrEqual(n > 1 ? 1 : 0);
        expect(count).toBeLessThan(n);
        expect(hiddenCount(spec, n + 1, r)).toBeGreaterThanOrEqual(count);
        expect(hiddenCount(spec, n + 1, r)).toBeLessThanOrEqual(count + 1);
        expect(Math.abs(count - r * n)).toBeLessThanOrEqual(
          Math.max(0.51, 1.001 - r * n, 1.001 - (1 - r) * n),
        );
      }),
    );
  });

  it('rounds the product in single precision for rows of varying length, as the authors do', () => {
    expect(hiddenCount(varying, 25, 0.3)).toBe(8);
    expect(hiddenCount(fixed, 25, 0.3)).toBe(8);
    expect([hiddenCount(varying, 10, 0.25), hiddenCount(fixed, 10, 0.25)]).toEqual([2, 2]);
  });
});

/** Hidden tokens and the attention map of one batch, and the noise that was drawn for it. */
async function maskedBatch(
  kind: 'discrete' | 'fields' | 'continuous',
  encoder: keyof typeof encoders,
  progress: number,
  more: Partial<SmaOptions> = {},
) {
  const { tokenizer, block } = real[kind];
  const { spec } = tokenizer;
  const small = smallModel(spec, 'sma', { per_query: 3, ...more });
  const model = { ...small, encoder: { ...small.encoder, kind: encoder, cross_heads: 2 } };
  const batch = packBatch(block, [0, 3, 5, 11, 14, 2], 6, spec.maxTokens);
  const shape = batchShape(model, 6, spec.maxTokens);
  const hidden = pretrainingGraph(model, shape).hidden!;
  let attention: typeof hidden | undefined;
  encoderNamed(encoder).encode(spec, tokenInputs(spec, 6, spec.maxTokens), model.encoder, {
    hiding: {
      choose(map) {
        attention = map;
        return hidden;
      },
      visible: spec.maxTokens,
    },
  });
  const noise: Record<string, HostTensor> = batchFeeds(model, batch, {
    seed: 1,
    purpose: 'training',
    step: 4,
    progress,
  });
  const outputs = { hidden, attention: attention! };
  // The map and the mask come from two graphs of one model; their parameters have the same names and values.
  const first = await evaluate(engine, { hidden }, { ...noise, ...ordinaryParameters([hidden]) });
  const map = await evaluate(
    engine,
    { attention: outputs.attention },
    { ...noise, ...ordinaryParameters([outputs.attention]) },
  );
  const [, heads, queries, tokens] = outputs.attention.shape.map(Number);
  const numbers = (name: string) => Array.from(noise[name].data, Number);
  const drawn = numbers('chosen_queries');
  /** Σ over the rows of all heads, each as often as it was drawn. */
  const attended = (row: number) =>
    Array.from({ length: tokens }, (_, token) => {
      let total = 0;
      for (let line = row * heads * queries; line < (row + 1) * heads * queries; line++)
        total += drawn[line] * map.attention[line * tokens + token];
      return total;
    });
  return { spec, model, batch, tokens, heads, queries, hidden: first.hidden, attended, numbers };
}

describe('SMA hides what the drawn rows of the attention map attend to most', () => {
  it.each([
    ['discrete', 'perceiver'],
    ['fields', 'perceiver'],
    ['continuous', 'perceiver'],
    ['discrete', 'transformer'],
    ['continuous', 'transformer'],
  ] as const)('%s tokens, %s', async (kind, encoder) => {
    const { spec, model, batch, tokens, heads, queries, hidden, attended, numbers } = await maskedBatch(
      kind,
      encoder,
      0.1,
    );
    const { masking_ratio: maskingRatio = 0, per_query: perQuery = 0 } = model.objective;
    for (let row = 0; row < batch.rows; row++) {
      const length = batch.lengths[row];
      const expected = largest(attended(row), hiddenCount(spec, length, maskingRatio), length);
      expect(placesOf(rowOf(hidden, row, tokens))).toEqual(expected);
      const asking = encoder === 'transformer' ? length : queries;
      const padded = encoder === 'transformer' ? length : tokens;
      const drawn = Math.min(asking, Math.max(1, roundHalfToEven((padded * maskingRatio) / perQuery)));
      const chosen = rowOf(numbers('chosen_queries'), row, heads * queries);
      expect(chosen.reduce((a, b) => a + b)).toBeCloseTo(drawn, 5);
      // Each row that was drawn is so in all heads, and none is a row of padding.
      const rows = Array.from({ length: heads }, (_, head) =>
        placesOf(chosen.slice(head * queries, (head + 1) * queries)),
      );
      for (const own of rows) expect(own).toEqual(rows[0]);
      expect(rows[0].length).toBe(drawn);
      expect(Math.max(...rows[0])).toBeLessThan(asking);
    }
  });
});

describe('SMA where tokens ask', () => {
  it('takes for each drawn row one head, each as often', async () => {
    const { batch, heads, queries, numbers } = await maskedBatch('discrete', 'transformer', 1, {
      attention_heads: 'random-mix',
      masking_ratio: 0.9,
      per_query: 1,
    });
    const perHead = new Array<number>(heads).fill(0);
    for (let row = 0; row < batch.rows; row++) {
      const chosen = rowOf(numbers('chosen_queries').slice(row * heads * queries), 0, heads * queries);
      const rows = placesOf(chosen).map((place) => place % queries);
      expect(new Set(rows).size).toBe(rows.length);
      expect(rows.length).toBe(Math.max(1, roundHalfToEven(batch.lengths[row] * 0.9)));
      for (const place of placesOf(chosen)) {
        expect(chosen[place]).toBe(1);
        perHead[Math.floor(place / queries)]++;
      }
    }
    const all = perHead.reduce((a, b) => a + b);
    for (const count of perHead) expect(Math.abs(count / all - 1 / heads)).toBeLessThan(0.25);
  });

  it('hides the tokens whose rows were drawn, where it masks them, then what they attend to', async () => {
    const more = { attention_heads: 'random-mix', mask_self: true } as const;
    const { batch, spec, model, tokens, heads, queries, hidden, attended, numbers } = await maskedBatch(
      'discrete',
      'transformer',
      1,
      more,
    );
    for (let row = 0; row < batch.rows; row++) {
      const chosen = rowOf(numbers('chosen_queries').slice(row * heads * queries), 0, heads * queries);
      const asking = new Set(placesOf(chosen).map((place) => place % queries));
      const scores = attended(row).map((score, place) => (asking.has(place) ? heads : score));
      const count = hiddenCount(spec, batch.lengths[row], model.objective.masking_ratio!);
      expect(placesOf(rowOf(hidden, row, tokens))).toEqual(largest(scores, count, batch.lengths[row]));
    }
  });

  it('refuses to mask the asking tokens where latents ask', () => {
    const { spec } = real.discrete.tokenizer;
    const { encoder, objective } = smallModel(spec, 'sma', { mask_self: true });
    const refused = () => sma.check?.(objective as unknown as SmaOptions, { spec, encoder, from: false });
    expect(refused).toThrow('objective.mask_self: the rows');
    expect(refused).toThrow('use --encoder transformer');
  });
});

describe('the randomness schedule of SMA', () => {
  const initial = 0.6;

  it.each([0, 0.2, 0.5, 1])('rows of varying length, %s of the run done', async (progress) => {
    const run = await maskedBatch('discrete', 'perceiver', progress, { select_initial_ratio: initial });
    const { masking_ratio: maskingRatio = 0, schedule_fraction: scheduleFraction = 0 } = run.model.objective;
    const noise =
      progress < scheduleFraction ? (1 + Math.cos((Math.PI * progress) / scheduleFraction)) / 2 : 0;
    for (let row = 0; row < run.batch.rows; row++) {
      const length = run.batch.lengths[row];
      // The two parts are rounded apart.
      const attentive = roundHalfToEven(maskingRatio * (1 - initial * noise) * length);
      const count = attentive + roundHalfToEven(maskingRatio * initial * noise * length);
      expect(Math.abs(count - hiddenCount(run.spec, length, maskingRatio))).toBeLessThanOrEqual(1);
      const picked = largest(run.attended(row), attentive, length);
      const places = rowOf(run.numbers('stage_one'), row, run.numbers('stage_one').length / 6);
      expect(places.reduce((a, b) => a + b)).toBe(attentive);
      const scores = rowOf(run.numbers('scores'), row, run.tokens).map((score, place) =>
        picked.includes(place) ? 1 + score : score,
      );
      expect(placesOf(rowOf(run.hidden, row, run.tokens))).toEqual(largest(scores, count, length));
      if (noise === 0) expect(count).toBe(attentive);
      else expect(attentive).toBeLessThan(count);
    }
  });

  it.each([0, 0.2, 0.5, 1])('rows of one length, %s of the run done', async (progress) => {
    const run = await maskedBatch('continuous', 'perceiver', progress, { select_initial_ratio: initial });
    const { masking_ratio: maskingRatio = 0, schedule_fraction: scheduleFraction = 0 } = run.model.objective;
    const noise =
      progress < scheduleFraction ? (1 + Math.cos((Math.PI * progress) / scheduleFraction)) / 2 : 0;
    const count = hiddenCount(run.spec, run.tokens, maskingRatio);
    const pool = roundHalfToEven((maskingRatio + (initial - maskingRatio) * noise) * run.tokens);
    expect(progress === 0 ? pool > count : noise > 0 || pool === count).toBe(true);
    for (let row = 0; row < run.batch.rows; row++) {
      const picked = largest(run.attended(row), pool, run.tokens);
      const scores = rowOf(run.numbers('scores'), row, run.tokens).map((score, place) =>
        picked.includes(place) ? score : -1,
      );
      expect(placesOf(rowOf(run.hidden, row, run.tokens))).toEqual(largest(scores, count, run.tokens));
    }
  });
});

describe('random masking', () => {
  it('hides every token equally often, and every pair', () => {
    const { tokenizer, block } = real.fields;
    const { spec } = tokenizer;
    const model = smallModel(spec, 'random-masking', { masking_ratio: 0.4 });
    const batch = packBatch(block, [...Array(16).keys()], 16, spec.maxTokens);
    const [steps, n] = [250, spec.maxTokens];
    const pairs = new Map<string, number>();
    const single = new Array<number>(n).fill(0);
    for (let step = 0; step < steps; step++) {
      const feeds = batchFeeds(model, batch, { seed: 3, purpose: 'training', step, progress: 0 });
      for (let row = 0; row < batch.rows; row++) {
        const places = largest(rowOf(feeds.scores.data as Float32Array, row, n), 2, n);
        for (const place of places) single[place]++;
        pairs.set(`${places}`, (pairs.get(`${places}`) ?? 0) + 1);
      }
    }
    const chiSquare = (counts: readonly number[]) => {
      const expected = counts.reduce((a, b) => a + b) / counts.length;
      return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    };
    // The 99.99 % points for 4 and 9 degrees of freedom are 23.5 and 33.7.
    expect(chiSquare(single)).toBeLessThan(23.5);
    expect(pairs.size).toBe(10);
    expect(chiSquare([...pairs.values()])).toBeLessThan(33.7);
  });
});
