/** What every objective promises, on tokens of every kind; `objectives.test.ts` runs it on each in the table. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { largestDifference, normals } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import * as g from '../graph/index.js';
import { type Batch, blockLengths, packBatch } from '../records/batch.js';
import { MISSING_ID, type TokenSpec } from '../records/token-block.js';
import { elementCount, type HostTensor, zeros } from '../tensor/tensor.js';
import { type RealRecords, realRecords } from '../tokenizers/real-records.case.js';
import { marginalPrediction } from '../training/marginal.js';
import { batchShape, type ModelConfig, objectiveOf, pretrainingGraph } from '../training/model.js';
import { initializeParameters } from '../training/parameters.js';
import { batchFeeds } from '../training/pretraining-loop.js';
import { Trainer } from '../training/trainer.js';
import { type ObjectiveKind, type ObjectiveOptions, objectives, ownOptions } from './index.js';
import { decode, roundHalfToEven } from './masked-autoencoding.js';
import type { Objective } from './objective.js';

const engine = await nodeEngine({ threads: 1 });
const real = await realRecords();

/** A model small enough to train in a test. */
export function smallModel(spec: TokenSpec, kind: ObjectiveKind, more: ObjectiveOptions = {}): ModelConfig {
  const encoder: ModelConfig['encoder'] = {
    kind: 'perceiver',
    latents: 6,
    width: 16,
    embedWidth: 16,
    layers: 1,
    heads: 2,
    crossHeads: 1,
    widening: 2,
  };
  const chosen = ownOptions(kind, { masking_ratio: 0.3, per_query: 6, schedule_fraction: 0.5, ...more });
  const objective: Objective = objectives[kind];
  return { spec, encoder, objective: { kind, ...objective.defaults(spec, encoder, chosen) } };
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/** A trainer whose evaluation also gives what was hidden, and the loss when every position is decoded. */
function trainerOf(model: ModelConfig, size: number, recompute = false) {
  const { spec } = model;
  const trainer = new Trainer(
    engine,
    {
      build(tokens) {
        const graph = pretrainingGraph(model, batchShape(model, size, tokens));
        const everywhere = g.expand(g.reshape(g.cast(g.iota(tokens), 'int64'), [1, tokens]), [size, tokens]);
        const { decoder_heads: heads = 0, tied_output: tied = true } = model.objective;
        const predicted = decode(spec, graph.encodings[0], everywhere, { heads, tied });
        const { loss, weight, marginalLoss, hidden, parameters } = graph;
        return {
          loss,
          parameters,
          metrics: {},
          evaluation: { loss, weight, marginal_loss: marginalLoss, hidden, predicted },
        };
      },
      weightDecay: 0.01,
      clipNorm: 1,
      recompute,
    },
    spec.maxTokens,
  );
  trainer.state.parameters.set(initializeParameters(trainer.layout, 3));
  return trainer;
}

/** The mean loss over hidden tokens that can be scored, from predictions float[rows, tokens, outputs], by the book. */
function lossByHand(
  spec: TokenSpec,
  batch: Batch,
  hidden: ArrayLike<number>,
  prediction: (i: number) => ArrayLike<number>,
) {
  let [total, count] = [0, 0];
  for (let i = 0; i < batch.rows * batch.tokens; i++) {
    if (!hidden[i]) continue;
    const predicted = prediction(i);
    if (spec.kind === 'continuous') {
      const { channels } = spec;
      for (let c = 0; c < channels; c++)
        total += (predicted[c] - batch.values![i * channels + c]) ** 2 / channels;
    } else if (spec.kind === 'discrete') {
      total += crossEntropy(Array.from(predicted), batch.ids![i]);
    } else {
      if (batch.ids![i] === MISSING_ID) continue;
      const field = spec.fields[i % batch.tokens];
      const start = 1 + field.firstId;
      total +=
        field.type === 'numeric'
          ? (predicted[0] - batch.values![i]) ** 2
          : crossEntropy(
              Array.from(predicted).slice(start, start + field.size),
              batch.ids![i] - field.firstId,
            );
    }
    count++;
  }
  return { loss: count === 0 ? 0 : total / count, count };
}

function crossEntropy(logits: readonly number[], target: number): number {
  const top = Math.max(...logits);
  return Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - top), 0)) + top - logits[target];
}

export function objectiveCases(name: string, make: (spec: TokenSpec) => ModelConfig): void {
  describe.each(Object.entries(real))(`${name} on %s tokens`, (_, { tokenizer, block }: RealRecords) => {
    const { spec } = tokenizer;
    const model = make(spec);
    const marginal = marginalPrediction(spec, block);
    const feedsOf = (batch: Batch, step = 0, purpose = 'training', seed = 7) => ({
      ...batchFeeds(model, batch, { seed, purpose, step, progress: 0.1 }),
      marginal,
    });
    const pack = (records: ArrayLike<number>, size = records.length) =>
      packBatch(block, records, size, spec.maxTokens);

    it('learns: twenty steps on eight records lower their loss beside that of the marginal', async () => {
      const trainer = trainerOf(model, 8);
      const feeds = feedsOf(pack(range(8)));
      // What is hidden may move while the model learns, to tokens that are harder for any model.
      const relativeLoss = async () => {
        const { loss, marginal_loss } = await trainer.evaluate(spec.maxTokens, feeds);
        return Number(loss.data[0]) / Number(marginal_loss.data[0]);
      };
      const before = await relativeLoss();
      for (let step = 1; step <= 20; step++) {
        const { norm } = await trainer.gradient(spec.maxTokens, feeds);
        await trainer.update(step, 1e-2, norm);
      }
      expect(await relativeLoss()).toBeLessThan(0.98 * before);
      await trainer.release();
    });

    it('hides round(ratio · length) of the real tokens, one at least, and leaves one', async () => {
      const trainer = trainerOf(model, block.count);
      const batch = pack(range(block.count));
      for (const step of [0, 1, 2]) {
        const { hidden } = await trainer.evaluate(spec.maxTokens, feedsOf(batch, step));
        blockLengths(block).forEach((length, row) => {
          const places = Array.from(
            hidden.data.subarray(row * spec.maxTokens, (row + 1) * spec.maxTokens),
            Number,
          );
          const expected = roundHalfToEven(Math.fround(Math.fround(model.objective.masking_ratio!) * length));
          expect(places.reduce((a, b) => a + b)).toBe(Math.min(length - 1, Math.max(1, expected)));
          expect(
            places.slice(length).every((place) => place === 0),
            'padding is hidden',
          ).toBe(true);
        });
      }
      await trainer.release();
    });

    it('has the same gradient, bit for bit, when layers are computed a second time for it', async () => {
      const feeds = feedsOf(pack(range(4)));
      const gradients: Float32Array[] = [];
      for (const recompute of [false, true]) {
        const trainer = trainerOf(model, 4, recompute);
        await trainer.gradient(spec.maxTokens, feeds);
        gradients.push(trainer.state.gradient);
        await trainer.release();
      }
      expect(gradients[0].some((value) => value !== 0)).toBe(true);
      expect(gradients[1]).toEqual(gradients[0]);
    });

    it('scores the hidden tokens alone, as a computation by hand from a decoding of all positions', async () => {
      const trainer = trainerOf(model, block.count);
      trainer.state.parameters.set(normals('parameters', trainer.layout.length, 0.3));
      const batch = pack(range(block.count));
      const results = await trainer.evaluate(spec.maxTokens, feedsOf(batch));
      const hidden = results.hidden.data as Uint8Array;
      const predicted = results.predicted.data as Float32Array;
      const outputs = results.predicted.shape[2];
      const byHand = lossByHand(spec, batch, hidden, (i) =>
        predicted.subarray(i * outputs, (i + 1) * outputs),
      );
      expect(Number(results.weight.data[0])).toBe(byHand.count);
      expect(Number(results.loss.data[0]) / byHand.loss).toBeCloseTo(1, 4);

      const table = marginal.data;
      const baseline = lossByHand(spec, batch, hidden, (i) =>
        table.subarray((i % batch.tokens) * outputs, ((i % batch.tokens) + 1) * outputs),
      );
      expect(Number(results.marginal_loss.data[0]) / baseline.loss).toBeCloseTo(1, 4);
      await trainer.release();
    });

    it('gives rows that only fill the batch up no part in loss or gradient', async () => {
      const [full, filled] = [trainerOf(model, 3), trainerOf(model, 8)];
      const gradients = [];
      for (const trainer of [full, filled]) {
        const batch = pack([4, 9, 2], trainer === full ? 3 : 8);
        const { loss } = await trainer.gradient(spec.maxTokens, feedsOf(batch));
        gradients.push({ loss, gradient: trainer.state.gradient });
        await trainer.release();
      }
      expect(gradients[1].loss).toBeCloseTo(gradients[0].loss, 5);
      const scale = gradients[0].gradient.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      expect(largestDifference(gradients[1].gradient, gradients[0].gradient)).toBeLessThan(1e-4 * scale);
    });

    it('draws noise that depends on seed, purpose, step and row alone', () => {
      const shape = batchShape(model, 4, spec.maxTokens);
      const declared = objectiveOf(model).noise(model.objective, spec, shape);
      const noiseOf = (batch: Batch, ...key: [number?, string?, number?]) => {
        const feeds: Record<string, HostTensor> = feedsOf(batch, ...key);
        return Object.fromEntries(Object.keys(declared).map((noise) => [noise, feeds[noise]]));
      };
      fc.assert(
        fc.property(fc.nat(1000), fc.nat(1000), (step, seed) => {
          const once = noiseOf(pack([0, 1, 2, 3]), step, 'training', seed);
          expect(noiseOf(pack([0, 1, 2, 3]), step, 'training', seed)).toEqual(once);
          for (const [noise, { dtype, shape: declaredShape }] of Object.entries(declared)) {
            expect([once[noise].dtype, once[noise].shape]).toEqual([dtype, declaredShape]);
            // The rows before it do not change what a row is given.
            const fewer = noiseOf(pack([0, 1], 4), step, 'training', seed)[noise];
            const rows = (2 * elementCount(declaredShape)) / 4;
            expect(fewer.data.subarray(0, rows)).toEqual(once[noise].data.subarray(0, rows));
          }
        }),
        { numRuns: 20 },
      );
      const text = (...key: [number?, string?, number?]) =>
        JSON.stringify(
          Object.values(noiseOf(pack(range(4)), ...key)).map(({ data }) => [...data].map(Number)),
        );
      const keys: [number, string, number][] = [
        [0, 'training', 7],
        [1, 'training', 7],
        [0, 'validation', 7],
        [0, 'training', 8],
      ];
      expect(new Set(keys.map((key) => text(...key))).size).toBe(keys.length);
    });

    it('has nothing to learn from a record of one token, and says so by a weight of 0', async () => {
      const batch = pack([0], 1);
      batch.lengths[0] = 1;
      const trainer = trainerOf(model, 1);
      const { loss, norm } = await trainer.gradient(spec.maxTokens, feedsOf(batch));
      const { weight, hidden } = await trainer.evaluate(spec.maxTokens, feedsOf(batch));
      expect([loss, norm, Number(weight.data[0])]).toEqual([0, 0, 0]);
      expect(hidden.data).toEqual(zeros('bool', hidden.shape).data);
      await trainer.release();
    });

    it('is finite where every value is the same', async () => {
      const batch = pack([0, 0, 0]);
      batch.values?.fill(0);
      batch.ids?.fill(0);
      const trainer = trainerOf(model, 3);
      trainer.state.parameters.fill(0);
      const { loss, norm } = await trainer.gradient(spec.maxTokens, feedsOf(batch));
      expect(Number.isFinite(loss) && Number.isFinite(norm)).toBe(true);
      await trainer.release();
    });
  });
}
