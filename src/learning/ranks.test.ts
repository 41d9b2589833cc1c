import { describe, expect, it } from 'vitest';
import { ranksHere } from '../cluster/ranks.case.js';
import { alone, type Ranks } from '../cluster/ranks.js';
import type { EncoderKind } from '../encoders/index.js';
import { nodeEngine } from '../engine/node.js';
import { type ObjectiveKind, type ObjectiveOptions, objectives } from '../objectives/index.js';
import { smallModel } from '../objectives/objective.case.js';
import type { Objective } from '../objectives/objective.js';
import { blockLengths, bucketLengths, takeRecords } from '../records/batch.js';
import { type RealRecords, realRecords } from '../tokenizers/real-records.case.js';
import { partSize } from './batch-parts.js';
import { marginalPrediction } from './marginal.js';
import type { ModelConfig } from './model.js';
import { initializeParameters } from './parameters.js';
import {
  checkParts,
  monitor,
  type Pretraining,
  pretrainingGraphFor,
  pretrainingSteps,
  validate,
} from './self-supervision.js';
import { Trainer } from './trainer.js';

const engine = await nodeEngine({ threads: 1 });
const real = await realRecords();
type Kind = keyof typeof real;

const STEPS = 6;
const BATCH = 8;

/** A run on all records of a kind but the last few, which are for validation and fill no batch. */
async function trained(
  model: ModelConfig,
  { block }: RealRecords,
  ranks: Ranks = alone,
  learned = block.count - 5,
) {
  const training = { batch_size: BATCH, seed: 5, steps: STEPS, learning_rate: 0.003, warmup_steps: 1 };
  const buckets = bucketLengths(blockLengths(block), model.spec.maxTokens, 2);
  const records = Array.from({ length: block.count }, (_, i) => i);
  const build = (tokens: number) => pretrainingGraphFor(model, partSize(BATCH, ranks), tokens);
  const trainer = new Trainer(engine, { build, weightDecay: 0.01, clipNorm: 0.5, ranks }, buckets[0]);
  trainer.begin(initializeParameters(trainer.layout, 3));
  const first = takeRecords(block, records.slice(0, learned));
  const run: Pretraining = {
    model,
    training,
    trainer,
    ranks,
    marginal: marginalPrediction(model.spec, first),
    validation: takeRecords(block, records.slice(-5)),
    buckets,
    blocks: () => [first],
  };
  const losses: number[] = [];
  for await (const { loss } of pretrainingSteps(run)) losses.push(loss);
  const result = { losses, valid: await validate(run), monitors: await monitor(run) };
  await trainer.fetchState();
  const { parameters, firstMoment, secondMoment, average } = structuredClone(trainer.state);
  await trainer.release();
  return { ...result, state: { parameters, firstMoment, secondMoment, average } };
}

const together = (size: number, ...[model, records, , learned]: Parameters<typeof trained>) =>
  Promise.all(ranksHere(size).map((ranks) => trained(model, records, ranks, learned)));

const claim = (kind: ObjectiveKind, records: RealRecords, more?: ObjectiveOptions) => {
  const model = smallModel(records.tokenizer.spec, kind, more);
  const objective: Objective = objectives[kind];
  return objective.byRecord?.(model.objective, model.spec);
};

const cases = (Object.keys(objectives) as ObjectiveKind[]).flatMap((kind) =>
  (Object.keys(real) as Kind[])
    // Patches of a series are as other vectors.
    .filter((tokens) => claim(kind, real[tokens]) && (tokens !== 'series' || kind === 'sma'))
    .map((tokens) => ({ kind, tokens })),
);

/** Within a part in 10⁵, as rounding is. */
function expectClose(value: number, expected: number) {
  expect(Math.abs(value - expected)).toBeLessThan(1e-5 * Math.abs(expected));
}

describe('ranks, each with a part of every batch, learn what one process does', () => {
  it.each(cases)('$kind on $tokens tokens', async ({ kind, tokens }) => {
    const records = real[tokens];
    const model = smallModel(records.tokenizer.spec, kind);
    const whole = await trained(model, records);
    const ranks = await together(tokens === 'discrete' ? 4 : 2, model, records);
    for (const { losses, valid, monitors, state } of ranks) {
      expect(losses.length).toBe(STEPS);
      for (const [i, loss] of losses.entries()) expectClose(loss, whole.losses[i]);
      expectClose(valid.val_loss, whole.valid.val_loss);
      expectClose(valid.val_loss_marginal ?? 1, whole.valid.val_loss_marginal ?? 1);
      expect(monitors.effective_rank).toBeCloseTo(whole.monitors.effective_rank, 3);
      expect(state).toEqual(ranks[0].state);
    }
  });

  it.each<[EncoderKind, Kind]>([
    ['transformer', 'discrete'],
    ['convolution', 'fields'],
  ])('with the encoder %s on %s tokens', async (encoder, tokens) => {
    const records = real[tokens];
    const model = smallModel(records.tokenizer.spec, 'random-masking', {}, encoder);
    const whole = await trained(model, records);
    const [first] = await together(2, model, records);
    for (const [i, loss] of first.losses.entries()) expectClose(loss, whole.losses[i]);
  });

  it('where dropout drops, and where there are fewer records than a batch has rows, or ranks', async () => {
    const records = real.fields;
    const model = { ...smallModel(records.tokenizer.spec, 'random-masking'), dropout: { dropout: 0.2 } };
    const whole = await trained(model, records, alone, 5);
    // Of eight rows the third rank has one that is a record, and the fourth none.
    const [first] = await together(4, model, records, alone, 5);
    for (const [i, loss] of first.losses.entries()) expectClose(loss, whole.losses[i]);
  });
});

describe('what ranks cannot divide', () => {
  const [two] = ranksHere(2);
  const check = (kind: ObjectiveKind, batch_size = 8, more: ObjectiveOptions = {}, encoder?: EncoderKind) =>
    checkParts(smallModel(real.fields.tokenizer.spec, kind, more, encoder), { batch_size }, two);

  it('is a batch of another size', () => {
    expect(() => check('sma', 8)).not.toThrow();
    expect(() => check('sma', 9)).toThrow(
      'training.batch_size: expected a multiple of the 2 ranks, of which each has a part of the batch, got 9; try 8 or 10',
    );
    expect(() => check('sma', 1)).toThrow('got 1; try 2');
  });

  it.each(['byol', 'myow', 'msbreg', 'simclr', 'g-simclr', 'self-distillation', 'selfie'] as const)(
    'is a loss over all records of a batch, as of %s',
    (kind) => {
      expect(() => check(kind)).toThrow(
        `objective.kind: ${kind}, with these options and records, looks at all`,
      );
    },
  );

  it('is a regularizer, which is of all embeddings', () => {
    expect(() => check('sma', 8, { singular_value_weight: 0.1 })).toThrow('looks at all records');
  });

  it('is batch norm in the encoder', () => {
    expect(() => check('random-masking', 8, {}, 'residual-network')).toThrow(
      'encoder.kind: residual-network',
    );
  });
});
