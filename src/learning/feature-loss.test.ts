import { expect, it } from 'vitest';
import { featureTargets } from '../features/feature-targets.js';
import { onRealRecords, smallModel, trainerOf } from '../objectives/objective.case.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import type { ModelConfig } from './model.js';
import { pretrainingGraphFor } from './self-supervision.js';

const real = await realRecords();
const { tokenizer, block } = real.discrete;
const targets = await featureTargets('descriptors', tokenizer, block);
const size = 8;
const records = Array.from({ length: size }, (_, record) => record);

const modelWith = (features?: ModelConfig['features']) =>
  onRealRecords(real.discrete, (spec) => ({ ...smallModel(spec, 'random-masking'), features }));

it('is added to the loss of the objective, falls while it is learned, and is no part of the validation loss', async () => {
  const weight = 3;
  const plain = modelWith();
  const both = modelWith({ dimension: targets.dimension, weight });
  const tokens = both.feedsOf(both.pack(records));
  const feeds = { ...tokens, ...(await targets.of(block, records, size)) };
  const { maxTokens } = tokenizer.spec;
  const trainers = [plain, both].map(({ model }) =>
    trainerOf(model, (tokens) => pretrainingGraphFor(model, size, tokens)),
  );
  const [alone, trainer] = trainers;
  const first = await trainer.gradient(maxTokens, feeds);
  const evaluated = async () => Number((await trainer.evaluate(maxTokens, tokens)).loss.data[0]);
  const objectiveLoss = await evaluated();
  const featureLoss = Number(first.metrics.feature_loss);
  expect(first.loss).toBeCloseTo(objectiveLoss + weight * featureLoss, 4);
  // The parameters of the others are as many, and the head's one linear layer and norm more.
  const width = both.model.encoder.width;
  expect(trainer.layout.length - alone.layout.length).toBe(
    2 * width + width * targets.dimension + targets.dimension,
  );
  for (let step = 0; step < 20; step++) {
    await trainer.gradient(maxTokens, feeds);
    await trainer.update(step + 1, 1e-2, trainer.gradientNorm());
  }
  const { metrics } = await trainer.gradient(maxTokens, feeds);
  expect(Number(metrics.feature_loss)).toBeLessThan(0.7 * featureLoss);
  for (const one of trainers) await one.release();
});

it('does not look at rows without features', async () => {
  const { model, feedsOf, pack } = modelWith({ dimension: targets.dimension, weight: 1 });
  const trainer = trainerOf(model, (tokens) => pretrainingGraphFor(model, size, tokens));
  const given = await targets.of(block, records, size);
  const feeds = { ...feedsOf(pack(records)), ...given };
  const blank = { ...given.described, data: Float32Array.from(records, (row) => Number(row !== 2)) };
  const strange = { ...given.features, data: (given.features.data as Float32Array).slice() };
  const { dimension } = targets;
  const lossWith = async (features: typeof given.features) => {
    const found = await trainer.gradient(tokenizer.spec.maxTokens, { ...feeds, features, described: blank });
    return Number(found.metrics.feature_loss);
  };
  const before = await lossWith(given.features);
  strange.data.fill(5, 2 * dimension, 3 * dimension);
  expect(await lossWith(strange)).toBe(before);
  strange.data.fill(5, 3 * dimension, 4 * dimension);
  expect(await lossWith(strange)).toBeGreaterThan(before);
  await trainer.release();
});
