import { describe, expect, it } from 'vitest';
import { ranksHere } from '../cluster/ranks.case.js';
import { alone, type Ranks } from '../cluster/ranks.js';
import type { EncoderKind } from '../encoders/index.js';
import type { DeviceEngine } from '../engine/device-engine.js';
import type { HostTensors } from '../engine/engine.js';
import { nodeEngine } from '../engine/node.js';
import { staticSize } from '../graph/index.js';
import { type ObjectiveKind, type ObjectiveOptions, objectives } from '../objectives/index.js';
import { smallModel } from '../objectives/objective.case.js';
import type { Objective } from '../objectives/objective.js';
import { blockLengths, bucketLengths, takeRecords } from '../records/batch.js';
import { zeros } from '../tensor/tensor.js';
import { type RealRecords, realRecords } from '../tokenizers/real-records.case.js';
import { vectorNorm } from './adamw.js';
import { partSize } from './batch-parts.js';
import { marginalPrediction } from './marginal.js';
import { type ModelConfig, restartSteps } from './model.js';
import { initializeParameters } from './parameters.js';
import {
  checkParts,
  monitor,
  type Pretraining,
  pretrainingGraphFor,
  pretrainingSteps,
  validate,
} from './self-supervision.js';
import { subnetworksOf } from './subnetworks.js';
import { trainerOn } from './trainer-on.js';

const engine = await nodeEngine({ threads: 1 });
const real = await realRecords();
type Kind = keyof typeof real;

const STEPS = 6;
const BATCH = 8;

/**
 * At a usual rate AdamW moves what has no gradient but for rounding, such as a bias before a batch norm, as far as the rest:
 * these would then differ as much from themselves with parameters changed by a part in 10⁷.
 */
const rateOf = ({ objective: { kind } }: ModelConfig): number =>
  ['byol', 'myow', 'simclr', 'g-simclr', 'self-distillation'].includes(kind) ? 1e-5 : 3e-3;

/** The CPU, as a device has its programs: what is computed stays there until it is asked for. */
const deviceHere: DeviceEngine = {
  name: 'a device of a test',
  forHost: engine,
  async compile(program) {
    const { run, release } = await engine.compile(program);
    return {
      async run(feeds) {
        const results = Object.fromEntries(
          Object.entries(program.outputs).map(([name, { dtype, shape }]) => [
            name,
            zeros(dtype, shape.map(staticSize)),
          ]),
        );
        await run(feeds as HostTensors, results);
        return Object.fromEntries(
          Object.entries(results).map(([name, tensor]) => [
            name,
            { ...tensor, dims: tensor.shape, dispose: () => {} },
          ]),
        );
      },
      release,
    };
  },
  upload: async (tensor) => ({ ...tensor, dims: tensor.shape, dispose: () => {} }),
  download: async (tensor) => (tensor as unknown as { data: Float32Array }).data,
  release: async () => {},
};

/** What a run may be beside its model. */
interface Special {
  /** Records that are learned from. */
  readonly learned?: number;
  /** The share of the network that the first steps train. */
  readonly subnetworks?: number;
  /** What each rank computes on. */
  readonly device?: DeviceEngine;
}

/** A run on all records of a kind but the last few, which are for validation and fill no batch. */
async function trained(
  model: ModelConfig,
  { block }: RealRecords,
  ranks: Ranks = alone,
  { learned = block.count - 5, subnetworks, device }: Special = {},
) {
  const training = {
    batch_size: BATCH,
    seed: 5,
    steps: STEPS,
    learning_rate: rateOf(model),
    warmup_steps: 1,
  };
  const buckets = bucketLengths(blockLengths(block), model.spec.maxTokens, 2);
  const records = Array.from({ length: block.count }, (_, i) => i);
  const build = (tokens: number) => pretrainingGraphFor(model, partSize(BATCH, ranks), tokens, ranks);
  const restarts = restartSteps(model, STEPS);
  const trainer = trainerOn(
    { ...engine, device },
    {
      build,
      weightDecay: 0.01,
      clipNorm: 0.5,
      ranks,
      restarts: restarts.length > 0,
      ...(subnetworks && {
        substitute: subnetworksOf(model, { ...training, subnetworks }, partSize(BATCH, ranks), ranks),
      }),
    },
    buckets[0],
  );
  trainer.begin(initializeParameters(trainer.layout, 3));
  const learning = takeRecords(block, records.slice(0, learned));
  const run: Pretraining = {
    model,
    training,
    trainer,
    ranks,
    restarts,
    marginal: marginalPrediction(model.spec, learning),
    validation: takeRecords(block, records.slice(-5)),
    buckets,
    blocks: () => [learning],
  };
  const losses: number[] = [];
  let first: { readonly gradient: Float32Array; readonly norm: number } | undefined;
  for await (const { loss, norm } of pretrainingSteps(run)) {
    losses.push(loss);
    first ??= { gradient: trainer.state.gradient.slice(), norm };
  }
  const result = { losses, first: first!, valid: await validate(run), monitors: await monitor(run) };
  await trainer.fetchState();
  const { parameters, firstMoment, secondMoment, average } = structuredClone(trainer.state);
  await trainer.release();
  return { ...result, state: { parameters, firstMoment, secondMoment, average } };
}

const together = (size: number, model: ModelConfig, records: RealRecords, special?: Special) =>
  Promise.all(ranksHere(size).map((ranks) => trained(model, records, ranks, special)));

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

/** The sum of the ranks' gradients points where that of one process does, and is as long once it is divided by the weights. */
function expectGradient(
  ranks: readonly Awaited<ReturnType<typeof trained>>[],
  whole: { gradient: Float32Array; norm: number },
) {
  const sum = whole.gradient.map((_, i) => ranks.reduce((total, { first }) => total + first.gradient[i], 0));
  const length = vectorNorm(sum);
  const difference = sum.map((value, i) => value / length - whole.gradient[i] / whole.norm);
  expect(vectorNorm(difference)).toBeLessThan(3e-5);
  for (const { first } of ranks) expect(Math.abs(first.norm / whole.norm - 1)).toBeLessThan(1e-5);
}

describe('ranks, each with a part of every batch, learn what one process does', () => {
  it.each(cases)('$kind on $tokens tokens', async ({ kind, tokens }) => {
    const records = real[tokens];
    const model = smallModel(records.tokenizer.spec, kind);
    const whole = await trained(model, records);
    const ranks = await together(tokens === 'discrete' ? 4 : 2, model, records);
    expectGradient(ranks, whole.first);
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

  it.each<[ObjectiveKind, Kind, ObjectiveOptions]>([
    ['sma', 'fields', { singular_value_weight: 0.1, diffusive_weight: 0.1 }],
    ['t-jepa', 'discrete', { singular_value_weight: 0.1 }],
    ['simclr', 'continuous', { diffusive_weight: 0.1, centroid_weight: 0.1 }],
    ['byol', 'discrete', { singular_value_weight: 0.1, centroid_weight: 0.1 }],
    ['myow', 'fields', { neighbors: 3, mining_start: 0, mining_ramp: 0 }],
  ])('%s on %s tokens with %o', async (kind, tokens, options) => {
    const records = real[tokens];
    const model = smallModel(records.tokenizer.spec, kind, options);
    const whole = await trained(model, records);
    const ranks = await together(2, model, records);
    expectGradient(ranks, whole.first);
    for (const { losses, valid, state } of ranks) {
      for (const [i, loss] of losses.entries()) expectClose(loss, whole.losses[i]);
      expectClose(valid.val_loss, whole.valid.val_loss);
      expect(state).toEqual(ranks[0].state);
    }
  });

  it.each<[ObjectiveKind, Kind]>([
    ['sma', 'fields'],
    ['byol', 'discrete'],
  ])('%s on %s tokens with a device each', async (kind, tokens) => {
    const records = real[tokens];
    const model = smallModel(records.tokenizer.spec, kind);
    const whole = await trained(model, records);
    const ranks = await together(2, model, records, { device: deviceHere });
    expectGradient(ranks, whole.first);
    for (const { losses, valid, state } of ranks) {
      for (const [i, loss] of losses.entries()) expectClose(loss, whole.losses[i]);
      expectClose(valid.val_loss, whole.valid.val_loss);
      expect(state).toEqual(ranks[0].state);
    }
  });

  // simclr shares the rows of a batch, which a part of the network has computed as well.
  it.each<ObjectiveKind>(['random-masking', 'simclr'])(
    '%s where the first steps train a part of the network',
    async (kind) => {
      const records = real.fields;
      const small = smallModel(records.tokenizer.spec, kind, {}, 'transformer');
      const model = { ...small, encoder: { ...small.encoder, layers: 3 } };
      const special = { subnetworks: 0.5 };
      const whole = await trained(model, records, alone, special);
      const ranks = await together(2, model, records, special);
      expectGradient(ranks, whole.first);
      for (const { losses, state } of ranks) {
        for (const [i, loss] of losses.entries()) expectClose(loss, whole.losses[i]);
        expect(state).toEqual(ranks[0].state);
      }
      const { losses } = await trained(model, records);
      expect(Math.abs(losses[0] / whole.losses[0] - 1)).toBeGreaterThan(1e-4);
    },
  );

  it('where dropout drops, and where there are fewer records than a batch has rows, or ranks', async () => {
    const records = real.fields;
    const model = { ...smallModel(records.tokenizer.spec, 'random-masking'), dropout: { dropout: 0.2 } };
    const whole = await trained(model, records, alone, { learned: 5 });
    // Of eight rows the third rank has one that is a record, and the fourth none.
    const [first] = await together(4, model, records, { learned: 5 });
    for (const [i, loss] of first.losses.entries()) expectClose(loss, whole.losses[i]);
  });
});

it('a device that is not right at the first step is refused by its rank', async () => {
  const records = real.fields;
  const download: DeviceEngine['download'] = async (tensor) =>
    (await deviceHere.download(tensor)).map((value) => 1.01 * value);
  const device = { ...deviceHere, download };
  const model = smallModel(records.tokenizer.spec, 'sma');
  const ranks = ranksHere(2).map((one) => trained(model, records, one, { device }));
  for (const { status, ...rest } of await Promise.allSettled(ranks)) {
    expect(status).toBe('rejected');
    expect(String((rest as PromiseRejectedResult).reason)).toContain('of the first step is');
  }
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

  it('is a loss that says nothing of ranks', () => {
    const { byRecord } = objectives.sma;
    objectives.sma.byRecord = undefined;
    try {
      expect(() => check('sma')).toThrow(
        'objective.kind: sma, with these options and records, looks at all records of a batch at once',
      );
    } finally {
      objectives.sma.byRecord = byRecord;
    }
  });

  it('is batch norm in the encoder', () => {
    expect(() => check('random-masking', 8, {}, 'residual-network')).toThrow(
      'encoder.kind: residual-network',
    );
  });
});
