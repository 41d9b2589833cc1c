/** What every masked autoencoder promises beside what all objectives do, on tokens of every kind. */
import { expect, it } from 'vitest';
import { normals } from '../engine/evaluate.case.js';
import * as g from '../graph/index.js';
import { batchShape, type ModelConfig, objectiveOf, pretrainingGraph } from '../learning/model.js';
import type { Trainer } from '../learning/trainer.js';
import { type Batch, blockLengths } from '../records/batch.js';
import { MISSING_ID, type TokenSpec } from '../records/token-block.js';
import { elementCount, zeros } from '../tensor/tensor.js';
import { decode, roundHalfToEven } from './masked-autoencoding.js';
import { describeOnRealRecords, onRealRecords, range, trainerOf } from './objective.case.js';

/** A trainer whose evaluation also gives what was hidden, and the prediction at every position. */
const decodingTrainer = (model: ModelConfig, size: number): Trainer =>
  trainerOf(model, (tokens) => {
    const { loss, weight, marginalLoss, hidden, encodings, parameters } = pretrainingGraph(
      model,
      batchShape(model, size, tokens),
    );
    const everywhere = g.expand(g.reshape(g.iota(tokens), [1, tokens]), [size, tokens]);
    const { decoder_heads: heads = 0, tied_output: tied = true } = model.objective;
    const predicted = decode(model.spec, encodings[0], everywhere, { heads, tied });
    const evaluation = { loss, weight, marginal_loss: marginalLoss!, hidden: hidden!, predicted };
    return { loss, parameters, metrics: {}, evaluation };
  });

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

/** `mixing`: whether a row's noise is drawn from other rows, too. */
export function maskedObjectiveCases(
  name: string,
  make: (spec: TokenSpec) => ModelConfig,
  { mixing = false }: { mixing?: boolean } = {},
): void {
  describeOnRealRecords(name, (records) => {
    const { spec, model, block, marginal, feedsOf, pack } = onRealRecords(records, make);

    it('hides round(ratio · length) of the real tokens, one at least, and leaves one', async () => {
      const trainer = decodingTrainer(model, block.count);
      const batch = pack(range(block.count));
      for (const step of [0, 1, 2]) {
        const { hidden } = await trainer.evaluate(spec.maxTokens, feedsOf(batch, step));
        blockLengths(block).forEach((length, row) => {
          const places = Array.from(
            hidden.data.subarray(row * spec.maxTokens, (row + 1) * spec.maxTokens),
            Number,
          );
          const expected = roundHalfToEven(Math.fround(Math.fround(model.objective.masking_ratio!) * length));
          const hiddenThere = places.reduce((a, b) => a + b);
          // A schedule rounds the tokens that are picked and those that are drawn apart.
          const off =
            spec.kind !== 'continuous' && model.objective.select_initial_ratio !== undefined ? 1 : 0;
          expect(Math.abs(hiddenThere - Math.min(length - 1, Math.max(1, expected)))).toBeLessThanOrEqual(
            off,
          );
          expect(hiddenThere).toBeLessThan(length);
          expect(
            places.slice(length).every((place) => place === 0),
            'padding is hidden',
          ).toBe(true);
        });
      }
      await trainer.release();
    });

    it('scores the hidden tokens alone, as a computation by hand from a decoding of all positions', async () => {
      const trainer = decodingTrainer(model, block.count);
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

    it('has nothing to learn from a record of one token, and says so by a weight of 0', async () => {
      const batch = pack([0], 1);
      batch.lengths[0] = 1;
      const trainer = decodingTrainer(model, 1);
      const { loss } = await trainer.gradient(spec.maxTokens, feedsOf(batch));
      const norm = trainer.gradientNorm();
      const { weight, hidden } = await trainer.evaluate(spec.maxTokens, feedsOf(batch));
      expect([loss, norm, Number(weight.data[0])]).toEqual([0, 0, 0]);
      expect(hidden.data).toEqual(zeros('bool', hidden.shape).data);
      await trainer.release();
    });

    it.skipIf(mixing)('draws for each row what depends on no other', () => {
      const declared = objectiveOf(model).noise(model.objective, spec, batchShape(model, 4, spec.maxTokens));
      const [all, fewer] = [feedsOf(pack([0, 1, 2, 3])), feedsOf(pack([0, 1], 4))];
      for (const [noise, { shape }] of Object.entries(declared)) {
        const rows = elementCount(shape) / 2;
        expect(fewer[noise].data.subarray(0, rows), noise).toEqual(all[noise].data.subarray(0, rows));
      }
    });
  });
}
