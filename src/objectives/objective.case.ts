/** What every objective promises, on tokens of every kind; `objectives.test.ts` runs it on each in the table. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type EncoderKind, encoderNamed } from '../encoders/index.js';
import { largestDifference, normals } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { trackedOf } from '../graph/index.js';
import { tokenInputs } from '../layers/token-embedding.js';
import { marginalPrediction } from '../learning/marginal.js';
import { batchShape, type ModelConfig, objectiveOf } from '../learning/model.js';
import { initializeParameters } from '../learning/parameters.js';
import { batchFeeds, pretrainingGraphFor } from '../learning/self-supervision.js';
import { type TrainableGraph, Trainer } from '../learning/trainer.js';
import { type Batch, packBatch } from '../records/batch.js';
import type { TokenSpec } from '../records/token-block.js';
import { restoreTrainer, trainerTensors } from '../runs/trainer-state.js';
import { elementCount, type HostTensor } from '../tensor/tensor.js';
import { type RealRecords, realRecords } from '../tokenizers/real-records.case.js';
import { type ObjectiveKind, type ObjectiveOptions, objectives, ownOptions } from './index.js';
import type { Objective } from './objective.js';

const engine = await nodeEngine({ threads: 1 });
const real = await realRecords();

/** A model small enough to train in a test. */
export function smallModel(
  spec: TokenSpec,
  kind: ObjectiveKind,
  more: ObjectiveOptions = {},
  encoderKind: EncoderKind = 'perceiver',
): ModelConfig {
  const encoder: ModelConfig['encoder'] = {
    kind: encoderKind,
    latents: 6,
    width: 16,
    embed_width: 16,
    layers: 1,
    heads: 2,
    cross_heads: 1,
    widening: 2,
  };
  const chosen = ownOptions(kind, { masking_ratio: 0.3, per_query: 6, schedule_fraction: 0.5, ...more });
  const objective: Objective = objectives[kind];
  return { spec, encoder, objective: { kind, ...objective.defaults(spec, encoder, chosen) } };
}

export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** A trainer at fresh parameters. */
export function trainerOf(
  { spec }: ModelConfig,
  build: (tokens: number) => TrainableGraph,
  recompute = false,
): Trainer {
  const trainer = new Trainer(engine, { build, weightDecay: 0.01, clipNorm: 1, recompute }, spec.maxTokens);
  trainer.begin(initializeParameters(trainer.layout, 3));
  return trainer;
}

/** A model on real records of one kind, and how batches of them are fed to it. */
export function onRealRecords({ tokenizer, block }: RealRecords, make: (spec: TokenSpec) => ModelConfig) {
  const { spec } = tokenizer;
  const model = make(spec);
  const marginal = marginalPrediction(spec, block);
  return {
    spec,
    model,
    block,
    marginal,
    feedsOf: (batch: Batch, step = 0, purpose = 'training', seed = 7): Record<string, HostTensor> => ({
      ...batchFeeds(model, batch, { seed, purpose, step, progress: 0.1 }),
      marginal,
    }),
    pack: (records: ArrayLike<number>, size = records.length) =>
      packBatch(block, records, size, spec.maxTokens),
  };
}

/** Describes the cases once for each kind of tokens. */
export const describeOnRealRecords = (name: string, cases: (records: RealRecords) => void): void =>
  describe.each(Object.entries(real))(`${name} on %s tokens`, (_, records) => cases(records));

export function objectiveCases(name: string, make: (spec: TokenSpec) => ModelConfig): void {
  describeOnRealRecords(name, (records) => {
    const { spec, model, feedsOf, pack } = onRealRecords(records, make);
    const objective = objectiveOf(model);
    const trainerFor = (size: number, recompute = false) =>
      trainerOf(model, (tokens) => pretrainingGraphFor(model, size, tokens), recompute);
    const lossOf = async (trainer: Trainer, feeds: Record<string, HostTensor>) =>
      Number((await trainer.evaluate(spec.maxTokens, feeds)).loss.data[0]);

    /** Steps `from` to `to` − 1 of twenty, as the loop of a run takes them. */
    async function train(trainer: Trainer, feeds: Record<string, HostTensor>, from: number, to: number) {
      for (let step = from; step < to; step++) {
        await trainer.gradient(spec.maxTokens, feeds);
        const norm = trainer.gradientNorm();
        await trainer.update(step + 1, 1e-2, norm);
        if (objective.momentum) trainer.follow(objective.momentum(model.objective, step / 20));
      }
    }

    it('learns: twenty steps on eight records lower their loss', async () => {
      const trainer = trainerFor(8);
      const feeds = feedsOf(pack(range(8)));
      // What is hidden may move while the model learns, to tokens that are harder for any model.
      const relativeLoss = async () => {
        const { loss } = await trainer.gradient(spec.maxTokens, feeds);
        const { marginal_loss } = await trainer.evaluate(spec.maxTokens, feeds);
        return loss / Number(marginal_loss?.data[0] ?? 1);
      };
      const before = await relativeLoss();
      await train(trainer, feeds, 0, 20);
      expect(await relativeLoss()).toBeLessThan(0.98 * before);
      await trainer.release();
    });

    it('goes on from what a checkpoint holds as if it had not stopped, bit for bit', async () => {
      const feeds = feedsOf(pack(range(4)));
      const [whole, first, second] = [trainerFor(4), trainerFor(4), trainerFor(4)];
      await train(whole, feeds, 0, 4);
      await train(first, feeds, 0, 2);
      const tensors = structuredClone(trainerTensors(first));
      const metadata = { epoch: 0, position: 2, config_hash: '', version: '' };
      restoreTrainer(second, { path: 'memory', step: 2, metadata, tensors });
      await train(second, feeds, 2, 4);
      expect(second.state).toEqual(whole.state);
      expect(first.state.parameters).not.toEqual(whole.state.parameters);
      for (const trainer of [whole, first, second]) await trainer.release();
    });

    it('has the same gradient, bit for bit, when layers are computed a second time for it', async () => {
      const feeds = feedsOf(pack(range(4)));
      const gradients: Float32Array[] = [];
      for (const recompute of [false, true]) {
        const trainer = trainerFor(4, recompute);
        await trainer.gradient(spec.maxTokens, feeds);
        gradients.push(trainer.state.gradient);
        await trainer.release();
      }
      expect(gradients[0].some((value) => value !== 0)).toBe(true);
      expect(gradients[1]).toEqual(gradients[0]);
    });

    it('is evaluated by its loss of training, but for the moments of batch norm and for what is dropped', async () => {
      const [trainer, feeds] = [trainerFor(4), feedsOf(pack(range(4)))];
      const { loss } = await trainer.gradient(spec.maxTokens, feeds);
      const { loss: trained } = pretrainingGraphFor(model, 4, spec.maxTokens);
      const tracks = trackedOf([trained]).length > 0 || model.dropout !== undefined;
      const difference = Math.abs((await lossOf(trainer, feeds)) - loss) / Math.max(1, Math.abs(loss));
      if (tracks) expect(difference).toBeGreaterThan(1e-5);
      else expect(difference).toBeLessThan(1e-5);
      await trainer.release();
    });

    it('has the gradient of its loss, in which a target network is a constant', async () => {
      const feeds = feedsOf(pack(range(4)));
      const trainer = trainerFor(4);
      const { parameters, gradient, average } = trainer.state;
      // A target network that differs from the trained one, as it does after some steps.
      average?.set(normals('average', average.length, 0.1).map((value, i) => parameters[i] + value));
      const { loss } = await trainer.gradient(spec.maxTokens, feeds);
      const norm = trainer.gradientNorm();
      const direction = gradient.map((value) => value / norm);
      const start = parameters.slice();
      // The loss of training: that of an evaluation is by running moments, where there are such.
      const lossAt = async (distance: number) => {
        parameters.set(start.map((value, i) => value + distance * direction[i]));
        return (await trainer.gradient(spec.maxTokens, feeds)).loss;
      };
      // A step short enough to meet hardly any corner of a ReLU, of which a batch norm of few rows makes many.
      const step = Math.min(5e-3, 2e-3 / norm);
      const slope = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
      expect(Math.abs(slope / norm - 1)).toBeLessThan(0.03);
      if (average) {
        average.set(start);
        expect(Math.abs((await lossAt(0)) - loss)).toBeGreaterThan(1e-4);
      }
      await trainer.release();
    });

    if (objective.momentum)
      it('moves its target network as it says, from a copy of the parameters', async () => {
        const trainer = trainerFor(4);
        const { parameters, average = new Float32Array() } = trainer.state;
        expect(average).toEqual(parameters);
        const expected = Float32Array.from(average);
        const feeds = feedsOf(pack(range(4)));
        for (let step = 0; step < 3; step++) {
          await train(trainer, feeds, step, step + 1);
          const momentum = objective.momentum!(model.objective, step / 20);
          for (let i = 0; i < expected.length; i++)
            expected[i] = momentum * expected[i] + (1 - momentum) * parameters[i];
        }
        expect(average).toEqual(expected);
        for (const progress of [0, 0.3, 0.5, 1]) {
          const momentum = objective.momentum!(model.objective, progress);
          expect(momentum >= 0 && momentum <= 1, `${progress}`).toBe(true);
        }
        await trainer.release();
      });

    describe('rows that only fill the batch up', () => {
      const seen = async (size: number) => {
        const trainer = trainerFor(size);
        const feeds = feedsOf(pack([4, 9, 2], size));
        const evaluated = await trainer.evaluate(spec.maxTokens, feeds);
        const numbers = Object.values(evaluated).map(({ data }) => Number(data[0]));
        const { loss, metrics } = await trainer.gradient(spec.maxTokens, feeds);
        await trainer.release();
        return { evaluated: numbers, trained: [loss, ...Object.values(metrics)], trainer };
      };

      it('have no part in what is evaluated', async () => {
        const [full, filled] = [await seen(3), await seen(8)];
        expect(largestDifference(full.evaluated, filled.evaluated)).toBeLessThan(1e-5);
      });

      // They are copies of real rows, and the moments of an encoder's batch norm cannot tell them from those.
      const { states } = encoderNamed(model.encoder.kind).encode(
        spec,
        tokenInputs(spec, 2, spec.maxTokens),
        model.encoder,
        { training: true },
      );
      it.skipIf(trackedOf([states]).length > 0)('have no part in loss, metrics or gradient', async () => {
        const [full, filled] = [await seen(3), await seen(8)];
        expect(largestDifference(full.trained, filled.trained)).toBeLessThan(1e-5);
        const [gradient, other] = [full, filled].map(({ trainer }) => trainer.state.gradient);
        const scale = gradient.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
        expect(largestDifference(gradient, other)).toBeLessThan(1e-4 * scale);
      });
    });

    it('draws the noise it declares, by seed, purpose and step alone', () => {
      const shape = batchShape(model, 4, spec.maxTokens);
      const declared = objective.noise(model.objective, spec, shape);
      const noiseOf = (...key: [number?, string?, number?]) => {
        const feeds = feedsOf(pack([0, 1, 2], 4), ...key);
        return Object.fromEntries(Object.keys(declared).map((noise) => [noise, feeds[noise]]));
      };
      fc.assert(
        fc.property(fc.nat(1000), fc.nat(1000), (step, seed) => {
          const once = noiseOf(step, 'training', seed);
          expect(noiseOf(step, 'training', seed)).toEqual(once);
          for (const [noise, type] of Object.entries(declared)) {
            const { dtype, shape, data } = once[noise];
            expect({ dtype, shape }).toEqual(type);
            expect(data.length).toBe(elementCount(shape));
          }
        }),
        { numRuns: 20 },
      );
      const text = (...key: [number, string, number]) =>
        JSON.stringify(Object.values(noiseOf(...key)).map(({ data }) => [...data].map(Number)));
      const keys: [number, string, number][] = [
        [0, 'training', 7],
        [1, 'training', 7],
        [0, 'validation', 7],
        [0, 'training', 8],
      ];
      expect(new Set(keys.map((key) => text(...key))).size).toBe(keys.length);
    });

    it('is finite where all values and all parameters are the same', async () => {
      const batch = pack([0, 0, 0]);
      batch.values?.fill(0);
      batch.ids?.fill(0);
      const trainer = trainerFor(3);
      for (const parameters of [trainer.state.parameters.slice(), new Float32Array(trainer.layout.length)]) {
        trainer.begin(parameters);
        const { loss } = await trainer.gradient(spec.maxTokens, feedsOf(batch));
        const norm = trainer.gradientNorm();
        expect([loss, norm].every(Number.isFinite), `loss ${loss}, norm ${norm}`).toBe(true);
      }
      await trainer.release();
    });
  });
}
