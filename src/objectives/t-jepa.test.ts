import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type EncoderKind, encoderNamed, encoders } from '../encoders/index.js';
import { evaluate, largestDifference, ordinaryParameters } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { InputError } from '../errors.js';
import { input, outerScope, sharingLeaves, staticSize, type Value } from '../graph/index.js';
import { tokenFeeds, tokenInputs } from '../layers/token-embedding.js';
import { batchShape, pretrainingGraph } from '../learning/model.js';
import { batchFeeds } from '../learning/self-supervision.js';
import { type Batch, packBatch } from '../records/batch.js';
import type { TokenSpec } from '../records/token-block.js';
import { random } from '../tensor/random.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import { hiddenCount } from './masked-autoencoding.js';
import { smallModel } from './objective.case.js';
import { predictStates, questions, tJepa } from './t-jepa.js';

const engine = await nodeEngine({ threads: 1 });
const real = await realRecords();
const ROWS = 4;

const kinds = ['discrete', 'fields', 'continuous'] as const;
const encoderKinds = Object.keys(encoders) as EncoderKind[];
const kindsAndEncoders = kinds.flatMap((kind) => encoderKinds.map((encoder) => [kind, encoder] as const));

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const sizes = {
  kind: 'perceiver',
  latents: 4,
  width: 8,
  embed_width: 8,
  layers: 1,
  heads: 2,
  cross_heads: 1,
  widening: 2,
};

function modelOn(kind: (typeof kinds)[number], encoder: EncoderKind) {
  const { tokenizer, block } = real[kind];
  const { spec } = tokenizer;
  const small = smallModel(spec, 't-jepa', { target_masks: 3 }, encoder);
  const model = { ...small, encoder: { ...small.encoder, registers: 1 } };
  const options = tJepa.defaults(spec, model.encoder, model.objective);
  const batch = packBatch(block, [1, 7, 3], ROWS, spec.maxTokens);
  const shape = batchShape(model, ROWS, spec.maxTokens);
  const graph = pretrainingGraph(model, shape);
  const { encode } = encoderNamed(encoder);
  const built = sharingLeaves(() => {
    const tokens = tokenInputs(spec, ROWS, spec.maxTokens);
    const noise = Object.fromEntries(
      Object.entries(tJepa.noise(options, spec, shape)).map(([name, { dtype, shape }]) => [
        name,
        input(name, dtype, shape),
      ]),
    );
    const { hidden, target_positions, target_used } = noise;
    const hiding = { choose: () => hidden, visible: spec.maxTokens };
    const context = encode(spec, tokens, model.encoder, { hiding, training: true });
    const whole = outerScope('target', () => encode(spec, tokens, model.encoder, { training: true }));
    const rows = input('rows', 'float32', [ROWS]);
    const asked = questions(whole, { target_positions, target_used }, rows, spec, options);
    return {
      predicted: predictStates(context, asked, options, model.encoder),
      states: whole.states,
      byToken: whole.tokenStates !== undefined,
      unreadable: whole.unreadable,
    };
  });
  const feeds = batchFeeds(model, batch, { seed: 2, purpose: 'training', step: 0, progress: 0 });
  return { spec, model, options, batch, graph, built, feeds, parameters: ordinaryParameters([graph.loss]) };
}

describe('the masks of T-JEPA', () => {
  const share = fc.tuple(
    fc.double({ min: 0.05, max: 0.5, noNaN: true }),
    fc.double({ min: 0.05, max: 0.5, noNaN: true }),
  );

  it('are disjoint from the context, with shares within their bounds, and distinct tokens in each', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 25 }), { minLength: 1, maxLength: 5 }),
        share,
        share,
        fc.integer({ min: 1, max: 4 }),
        fc.nat(),
        (lengths, context, target, target_masks, seed) => {
          const spec: TokenSpec = { kind: 'continuous', channels: 1, maxTokens: 25 };
          const options = tJepa.defaults(spec, sizes, {
            context_min_ratio: Math.min(...context),
            context_max_ratio: Math.max(...context),
            target_min_ratio: Math.min(...target),
            target_max_ratio: Math.max(...target),
            target_masks,
          });
          tJepa.check!(options, { spec, encoder: sizes, from: false });
          const [size, tokens] = [lengths.length + 1, Math.max(...lengths)];
          const batch: Batch = {
            rows: lengths.length,
            size,
            tokens,
            lengths: Int32Array.from([...lengths, lengths[0]]),
            fileRows: new Int32Array(size),
          };
          const shape = { size, tokens, width: 8 };
          const source = (purpose: string, row: number) => random(seed, purpose, 0, row);
          const drawn = tJepa.draw(options, spec, shape, batch, 0, source);
          const [hidden, positions, used] = ['hidden', 'target_positions', 'target_used'].map((name) =>
            Array.from(drawn[name].data, Number),
          );
          const k = drawn.target_used.shape[1];
          const atMost = (length: number, ratio: number) => hiddenCount(spec, length, ratio);
          for (const [row, length] of lengths.entries()) {
            const outside = hidden.slice(row * tokens, (row + 1) * tokens);
            expect(outside.slice(length).some(Boolean)).toBe(false);
            const visible = length - outside.reduce((a, b) => a + b);
            expect(visible).toBeGreaterThanOrEqual(Math.max(1, atMost(length, options.context_min_ratio)));
            expect(visible).toBeLessThanOrEqual(Math.max(1, atMost(length, options.context_max_ratio)));
            for (let mask = 0; mask < target_masks; mask++) {
              const start = (mask * size + row) * k;
              const targets = positions.slice(start, start + k).filter((_, i) => used[start + i] === 1);
              expect(new Set(targets).size).toBe(targets.length);
              expect(targets.every((token) => outside[token] === 1)).toBe(true);
              expect(targets.length).toBeLessThanOrEqual(atMost(length, options.target_max_ratio));
              const least = Math.min(length - visible, atMost(length, options.target_min_ratio));
              expect(targets.length).toBeGreaterThanOrEqual(least);
            }
          }
          expect(hidden.slice(lengths.length * tokens).some(Boolean)).toBe(false);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('differ from mask to mask and take every share between their bounds', () => {
    const spec: TokenSpec = { kind: 'continuous', channels: 1, maxTokens: 40 };
    const options = tJepa.defaults(spec, sizes, {});
    const [size, tokens] = [200, 40];
    const batch: Batch = {
      rows: size,
      size,
      tokens,
      lengths: new Int32Array(size).fill(40),
      fileRows: new Int32Array(size),
    };
    const shape = { size, tokens, width: 8 };
    const { hidden, target_used } = tJepa.draw(options, spec, shape, batch, 0, (purpose, row) =>
      random(1, purpose, 0, row),
    );
    const counts = ({ data, shape: [rows, columns] }: typeof hidden) =>
      new Set(
        range(rows).map((row) =>
          Array.from(data.subarray(row * columns, (row + 1) * columns), Number).reduce((a, b) => a + b),
        ),
      );
    // A context of 12 to 20 tokens, masks of 6 to 14.
    expect([...counts(hidden)].sort((a, b) => a - b)).toEqual(range(9).map((i) => 20 + i));
    expect([...counts(target_used)].sort((a, b) => a - b)).toEqual(range(9).map((i) => 6 + i));
  });
});

describe.each(kindsAndEncoders)('T-JEPA on %s tokens, %s', (kind, encoder) => {
  it('is the squared distance to the normalised states of the target network, and predicts nothing it has seen', async () => {
    const { spec, options, batch, graph, built, feeds, parameters } = modelOn(kind, encoder);
    const { predicted, states, unreadable, byToken } = built;
    const given = { ...feeds, ...parameters };
    const seen = await evaluate(engine, { loss: graph.loss, weight: graph.weight }, given);
    const outputs: Record<string, Value> = { predicted, states, ...(unreadable && { unreadable }) };
    const values = await evaluate(engine, outputs, given);
    const [, count, width] = states.shape.map(staticSize);
    const [rows, k] = predicted.shape.map(staticSize);
    expect(rows).toBe(ROWS * (byToken ? options.target_masks : 1));
    expect(byToken).toBe(encoder !== 'perceiver' && encoder !== 'residual-network');
    let [total, weight] = [0, 0];
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < k; i++) {
        const record = row % ROWS;
        const place = byToken ? Number(feeds.target_positions.data[row * k + i]) : i;
        const used = byToken
          ? feeds.target_used.data[row * k + i]
          : !values.unreadable?.[record * count + place];
        if (!used || record >= batch.rows) continue;
        if (byToken) expect(feeds.hidden.data[record * spec.maxTokens + place]).toBe(1);
        const start = (record * count + place) * width;
        const state = values.states.slice(start, start + width);
        const mean = state.reduce((a, b) => a + b) / width;
        const variance = state.reduce((sum, x) => sum + (x - mean) ** 2, 0) / width;
        const squares = state.map(
          (x, c) =>
            (values.predicted[(row * k + i) * width + c] - (x - mean) / Math.sqrt(variance + 1e-5)) ** 2,
        );
        total += squares.reduce((a, b) => a + b) / width;
        weight++;
      }
    }
    expect(seen.weight[0]).toBe(weight);
    expect(seen.loss[0]).toBeCloseTo(total / weight, 4);

    // What is outside the context has no part in a prediction.
    const changed = structuredClone({ ids: batch.ids, values: batch.values });
    for (const [token, outside] of feeds.hidden.data.entries()) {
      if (!outside) continue;
      if (changed.ids) changed.ids[token] = changed.ids[token] === 2 ? 3 : 2;
      const channels = (changed.values?.length ?? 0) / feeds.hidden.data.length;
      changed.values?.fill(7, token * channels, (token + 1) * channels);
    }
    const other = { ...given, ...tokenFeeds({ ...batch, ...changed }) };
    const after = await evaluate(engine, { predicted, states }, other);
    expect(largestDifference(after.predicted, values.predicted)).toBe(0);
    expect(largestDifference(after.states, values.states)).toBeGreaterThan(1e-3);
  });

  it('has a target for the whole encoder and for nothing of the predictor', () => {
    const { graph } = modelOn(kind, encoder);
    const names = graph.parameters.map(({ name }) => name);
    const targets = graph.targets.map(({ name }) => name.replace(/^target\./, ''));
    expect(targets.sort()).toEqual(names.filter((name) => !name.startsWith('predictor.')).sort());
    expect(names.includes('encoder.registers')).toBe(encoder === 'transformer');
  });
});

describe('the options of T-JEPA', () => {
  const spec: TokenSpec = { kind: 'discrete', vocabulary: 9, maxTokens: 20 };
  const check = (chosen: Parameters<typeof tJepa.defaults>[2]) =>
    tJepa.check!(tJepa.defaults(spec, sizes, chosen), { spec, encoder: sizes, from: false });

  it.each([
    [
      { context_min_ratio: 0.4, context_max_ratio: 0.2 },
      'objective.context_min_ratio: expected at most context_max_ratio = 0.2, got 0.4; try 0.2',
    ],
    [
      { target_min_ratio: 0.4, target_max_ratio: 0.2 },
      'objective.target_min_ratio: expected at most target_max_ratio = 0.2, got 0.4; try 0.2',
    ],
    [
      { context_max_ratio: 0.8 },
      'objective.target_max_ratio: expected at most 1 - context_max_ratio = 0.2, since targets are outside the context, got 0.35; lower one of the two',
    ],
  ])('are refused where they contradict each other: %j', (chosen, message) => {
    expect(() => check(chosen)).toThrow(new InputError(message));
  });

  it('follow one another where one is given', () => {
    expect(() => check({ context_max_ratio: 0.1, target_min_ratio: 0.4 })).not.toThrow();
    expect(() => check({ context_max_ratio: 0.7, target_max_ratio: 0.3 })).not.toThrow();
  });
});
