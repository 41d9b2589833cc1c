import { afterEach, describe, expect, it, vi } from 'vitest';
import { ranksHere } from '../cluster/ranks.case.js';
import type { Ranks } from '../cluster/ranks.js';
import { floats, integers, largestDifference } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { LacunaError } from '../errors.js';
import * as g from '../graph/index.js';
import { linear } from '../layers/linear.js';
import { crossEntropy, weightedMean } from '../layers/losses.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import { vectorNorm } from './adamw.js';
import { initializeParameters } from './parameters.js';
import { NonFiniteStep, type Step, type StepBatch, trainingSteps } from './steps.js';
import { Trainer, type TrainerOptions } from './trainer.js';

const engine = await nodeEngine({ threads: 1 });
const { block: irises } = (await realRecords()).fields;

/** Three species of iris told by four measures, from so many rows. A row counts by its weight. */
function irisLoss(rows: number) {
  const x = g.input('x', 'float32', [rows, 4]);
  const body = g.relu(linear('body', x, 5));
  const losses = crossEntropy(linear('head', body, 3), g.input('species', 'int32', [rows]));
  return weightedMean(losses, g.input('weights', 'float32', [rows]));
}

interface IrisBatch extends StepBatch {
  readonly name: string;
}

/** The irises from one on, before another; `tokens` is how many they are. Each counts as much as its place among all is high. */
function irisBatch(name: string, from = 0, to = irises.count): IrisBatch {
  const rows = Array.from({ length: to - from }, (_, i) => from + i);
  const [values, ids] = [irises.values!, irises.ids!];
  return {
    name,
    tokens: rows.length,
    feeds: {
      x: floats(
        [rows.length, 4],
        rows.flatMap((row) => [...values.subarray(row * 5, row * 5 + 4)]),
      ),
      species: integers(
        [rows.length],
        rows.map((row) => Math.max(0, ids[row * 5 + 4] - 2)),
      ),
      weights: floats(
        [rows.length],
        rows.map((row) => 1 + row),
      ),
    },
  };
}

const trainers: Trainer[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const trainer of trainers.splice(0)) await trainer.release();
});

function irisTrainer(more: Partial<TrainerOptions> = {}): Trainer {
  const build = (rows: number) => {
    const { mean: loss, weight } = irisLoss(rows);
    return { loss, weight, parameters: g.parametersOf([loss]), metrics: { weight }, evaluation: { loss } };
  };
  const trainer = new Trainer(engine, { build, weightDecay: 0.1, clipNorm: 1, ...more }, irises.count);
  trainer.begin(initializeParameters(trainer.layout, 2));
  trainers.push(trainer);
  return trainer;
}

/** One parameter, 3 at first, that the loss is the square of, and a target network of it. */
function squareTrainer(restarts = false): Trainer {
  const build = () => {
    const weight = () => g.parameter('weight', [1], { kind: 'constant', value: 3 });
    const [own, target] = [weight(), g.scope('target', weight)];
    const loss = g.reshape(g.multiply(own, own), []);
    const fed = g.reshape(g.add(own, target), []);
    const [parameters, targets] = [g.parametersOf([own]), g.parametersOf([target])];
    return { loss, parameters, targets, metrics: {}, evaluation: { fed } };
  };
  const trainer = new Trainer(engine, { build, weightDecay: 0, clipNorm: 1, restarts }, 1);
  trainer.begin(Float32Array.of(3));
  trainers.push(trainer);
  return trainer;
}

function* named(count = Number.POSITIVE_INFINITY): Generator<IrisBatch> {
  for (let i = 0; i < count; i++) yield irisBatch(`batch ${i}`);
}

function* empty(): Generator<StepBatch> {
  for (;;) yield { tokens: 1, feeds: {} };
}

async function taken<B extends StepBatch>(steps: AsyncIterable<Step<B>>): Promise<Step<B>[]> {
  const all: Step<B>[] = [];
  for await (const step of steps) all.push(step);
  return all;
}

describe('the steps of a training', () => {
  it('are given one by one, each after it was taken and before the next batch is asked for', async () => {
    const trainer = irisTrainer();
    let asked = 0;
    function* counted() {
      for (const batch of named()) {
        asked++;
        yield batch;
      }
    }
    let before = trainer.state.parameters.slice();
    let seen = 0;
    for await (const { step, batch } of trainingSteps(trainer, {
      batches: counted(),
      steps: 3,
      rate: () => 0.01,
    })) {
      seen++;
      expect([step, batch.name, asked]).toEqual([seen, `batch ${seen - 1}`, seen]);
      expect(trainer.state.parameters).not.toEqual(before);
      before = trainer.state.parameters.slice();
    }
    expect([seen, asked]).toEqual([3, 3]);
    expect(trainer.state.parameters).toEqual(before);
  });

  it('tell the loss and the norm of the gradient before them, the rate and the metrics', async () => {
    const [trainer, other] = [irisTrainer({ clipNorm: 1e-3 }), irisTrainer()];
    const { loss } = await other.gradient(irises.count, irisBatch('').feeds);
    const [first] = await taken(
      trainingSteps(trainer, {
        batches: named(),
        steps: 1,
        rate: (step, steps) => 0.01 * (1 + step + steps),
      }),
    );
    expect(first).toMatchObject({ step: 1, loss, norm: other.gradientNorm(), learningRate: 0.02 });
    expect(first.metrics).toEqual({ weight: (irises.count * (irises.count + 1)) / 2 });
  });

  it('count the time that a batch is waited for, but not what is done between two of them', async () => {
    let clock = 1000;
    vi.spyOn(performance, 'now').mockImplementation(() => clock);
    function* slow() {
      for (const batch of named()) {
        clock += 30;
        yield batch;
      }
    }
    const rate = () => {
      clock += 5;
      return 0.01;
    };
    for await (const { milliseconds } of trainingSteps(irisTrainer(), { batches: slow(), steps: 2, rate })) {
      expect(milliseconds).toEqual({ total: 35, waited: 30, summed: 0 });
      clock += 400;
    }
  });

  it('end with the batches, and go on from where they are told', async () => {
    const rates: [number, number][] = [];
    const rate = (...at: [number, number]) => {
      rates.push(at);
      return 0.01;
    };
    const options = { steps: 9, start: 5, rate };
    const steps = await taken(trainingSteps(irisTrainer(), { ...options, batches: named(2) }));
    expect(steps.map(({ step }) => step)).toEqual([6, 7]);
    expect(rates).toEqual([
      [5, 9],
      [6, 9],
    ]);
    expect(await taken(trainingSteps(irisTrainer(), { ...options, batches: named(0) }))).toEqual([]);
  });

  it('are none, and no batch is asked for, where all were taken or a stop was asked for before', async () => {
    const forbidden = () => {
      throw new Error('asked for');
    };
    const batches = { [Symbol.iterator]: forbidden };
    const options = { batches, rate: () => 0.01 };
    expect(await taken(trainingSteps(irisTrainer(), { ...options, steps: 4, start: 4 }))).toEqual([]);
    expect(await taken(trainingSteps(irisTrainer(), { ...options, steps: 4, start: 5 }))).toEqual([]);
    const signal = AbortSignal.abort();
    expect(await taken(trainingSteps(irisTrainer(), { ...options, steps: 4, signal }))).toEqual([]);
  });

  it('end before the next one when the signal aborts, which leaves the last as it was taken', async () => {
    const stop = new AbortController();
    const trainer = irisTrainer();
    const options = { batches: named(), steps: 9, rate: () => 0.01, signal: stop.signal };
    const seen: number[] = [];
    let after = new Float32Array();
    for await (const { step } of trainingSteps(trainer, options)) {
      seen.push(step);
      after = trainer.state.parameters.slice();
      if (step === 2) stop.abort();
    }
    expect(seen).toEqual([1, 2]);
    expect(trainer.state.parameters).toEqual(after);
  });

  it('end where the signal aborts while a batch is made, which is not trained on', async () => {
    const stop = new AbortController();
    function* stopping() {
      let made = 0;
      for (const batch of named()) {
        if (++made === 3) stop.abort();
        yield batch;
      }
    }
    const options = { batches: stopping(), steps: 9, rate: () => 0.01, signal: stop.signal };
    expect((await taken(trainingSteps(irisTrainer(), options))).map(({ step }) => step)).toEqual([1, 2]);
  });

  it('have the target network follow by the momentum of the share that was done before each', async () => {
    const trainer = squareTrainer();
    const shares: number[] = [];
    const momentum = (step: number, steps: number) => {
      const progress = step / steps;
      shares.push(progress);
      return 0.5 + progress / 2;
    };
    let expected = 3;
    for await (const { step } of trainingSteps(trainer, {
      batches: empty(),
      steps: 4,
      start: 1,
      rate: () => 0.1,
      momentum,
    })) {
      const by = 0.5 + (step - 1) / 8;
      expected = Math.fround(by * expected + (1 - by) * trainer.state.parameters[0]);
      expect(trainer.state.average).toEqual(Float32Array.of(expected));
    }
    expect(shares).toEqual([0.25, 0.5, 0.75]);
  });
});

describe('a restart', () => {
  const rates: [number, number][] = [];
  const options = {
    batches: empty(),
    steps: 7,
    restarts: [3],
    rate: (...at: [number, number]) => {
      rates.push(at);
      return 0.1;
    },
  };
  /** What a parameter is after each of so many steps from 3, with moments that begin at zero. */
  async function fromTheBeginning(steps: number) {
    const trainer = squareTrainer();
    const values: number[] = [];
    for await (const _ of trainingSteps(trainer, { batches: empty(), steps, rate: () => 0.1 }))
      values.push(trainer.state.parameters[0]);
    return values;
  }

  it('sends the parameters back to where they began, with zero moments, and the rate begins again', async () => {
    const trainer = squareTrainer(true);
    const values: number[] = [];
    for await (const _ of trainingSteps(trainer, options)) values.push(trainer.state.parameters[0]);
    const expected = await fromTheBeginning(4);
    expect(values).toEqual([...expected.slice(0, 3), ...expected]);
    expect(rates).toEqual([
      [0, 3],
      [1, 3],
      [2, 3],
      [0, 4],
      [1, 4],
      [2, 4],
      [3, 4],
    ]);
    // Nothing but a restart has made the target network anything else than it was.
    expect(trainer.state.average).toEqual(Float32Array.of(expected[2]));
  });

  it('of several is made each time from the same beginning, and what was learned last is the target', async () => {
    const trainer = squareTrainer(true);
    const values: number[] = [];
    const thrice = { ...options, batches: empty(), restarts: [2, 5] };
    for await (const _ of trainingSteps(trainer, thrice)) values.push(trainer.state.parameters[0]);
    const expected = await fromTheBeginning(3);
    expect(values).toEqual([...expected.slice(0, 2), ...expected, ...expected.slice(0, 2)]);
    expect(trainer.state.average).toEqual(Float32Array.of(expected[2]));
  });

  it('is not made again by a run that goes on behind it', async () => {
    const trainer = squareTrainer(true);
    trainer.state.parameters.set([5]);
    const [first] = await taken(trainingSteps(trainer, { ...options, batches: empty(), start: 4, steps: 5 }));
    expect(first.loss).toBe(25);
  });

  it('needs the parameters of the beginning', async () => {
    await expect(taken(trainingSteps(squareTrainer(), { ...options, batches: empty() }))).rejects.toThrow(
      'the parameters at the beginning were not kept',
    );
  });
});

describe('two ranks, each with a part of every batch', () => {
  function* always(from?: number, to?: number) {
    for (;;) yield irisBatch('part', from, to);
  }
  const run = async (trainer: Trainer, batches: Iterable<IrisBatch>, signal?: AbortSignal) => {
    const gradients: Float32Array[] = [];
    const steps: Step<IrisBatch>[] = [];
    for await (const step of trainingSteps(trainer, { batches, steps: 5, rate: () => 0.02, signal })) {
      gradients.push(trainer.state.gradient.slice());
      steps.push(step);
    }
    await trainer.fetchState();
    return { trainer, gradients, steps };
  };
  /** What a rank has beside its own part of the gradient. */
  const shared = ({ trainer }: { readonly trainer: Trainer }) => ({ ...trainer.state, gradient: undefined });

  it('take the steps that one takes with the whole batch, to rounding', async () => {
    // The gradient is longer than that, so that each step is clipped by the norm of all.
    const clipNorm = 0.05;
    const whole = await run(irisTrainer({ clipNorm }), always());
    const [one, other] = ranksHere(2);
    const parts = await Promise.all([
      run(irisTrainer({ clipNorm, ranks: one }), always(0, 6)),
      run(irisTrainer({ clipNorm, ranks: other }), always(6)),
    ]);
    // The second part has more than five times the weight of the first; a metric is the mean by weight.
    const mean = (21 * 21 + 115 * 115) / 136;
    for (const { steps } of parts) expect(steps[0].metrics.weight).toBeCloseTo(mean, 3);
    for (const [i, gradient] of whole.gradients.entries()) {
      const { norm, loss } = whole.steps[i];
      const summed = gradient.map((_, at) => (parts[0].gradients[i][at] + parts[1].gradients[i][at]) / 136);
      expect(largestDifference(summed, gradient)).toBeLessThan(1e-5 * norm);
      expect(norm).toBeGreaterThan(clipNorm);
      for (const { steps } of parts) {
        expect(steps[i].norm / norm).toBeCloseTo(1, 5);
        expect(steps[i].loss).toBeCloseTo(loss, 5);
      }
    }
    for (const name of ['parameters', 'firstMoment', 'secondMoment'] as const)
      expect(largestDifference(parts[0].trainer.state[name], whole.trainer.state[name])).toBeLessThan(1e-5);
    // One rank has, to the last bit, what the other has.
    expect(shared(parts[0])).toEqual(shared(parts[1]));
  });

  it('stop at the same step when one is asked to', async () => {
    const controller = new AbortController();
    const [one, other] = ranksHere(2);
    function* aborting() {
      for (let step = 1; ; step++) {
        if (step === 3) controller.abort();
        yield irisBatch('part', 0, 6);
      }
    }
    const [first, second] = await Promise.all([
      run(irisTrainer({ ranks: one }), aborting(), controller.signal),
      run(irisTrainer({ ranks: other }), always(6), new AbortController().signal),
    ]);
    expect(first.steps.length).toBe(second.steps.length);
    expect(first.steps.length).toBe(3);
    expect(shared(first)).toEqual(shared(second));
  });

  it('do not count what has no weight, even if it is not a number', async () => {
    function* weightless() {
      for (;;) {
        const { feeds, ...batch } = irisBatch('nothing', 0, 6);
        const x = floats([6, 4], Array(24).fill(Number.NaN));
        yield { ...batch, feeds: { ...feeds, x, weights: floats([6], Array(6).fill(0)) } };
      }
    }
    const [one, other] = ranksHere(2);
    const [part] = await Promise.all([
      run(irisTrainer({ ranks: one }), always()),
      run(irisTrainer({ ranks: other }), weightless()),
    ]);
    const whole = await run(irisTrainer(), always());
    for (const [i, { loss, norm }] of whole.steps.entries()) {
      expect(part.steps[i].loss).toBeCloseTo(loss, 5);
      expect(part.steps[i].norm).toBeCloseTo(norm, 5);
    }
  });

  it('scale the sum of gradients, not each its own, down to the clip norm', async () => {
    const [one] = ranksHere(2);
    let first = 0;
    const ranks: Ranks = {
      ...one,
      sumPieces: async (_, own) => {
        own.fill(0);
        own.set([300, 400]);
      },
      sum: async (numbers) => {
        const [weight, stop, square, loss] = numbers;
        expect([weight, stop, square, loss > 0]).toEqual([136, 0, 250_000, true]);
        // The other rank adds nothing to the gradient, but counts, and its loss is 0.
        first = loss;
        numbers[0] = 200;
      },
      sharePieces: async () => {},
    };
    const trainer = irisTrainer({ clipNorm: 1, ranks });
    const [{ loss, norm }] = await taken(
      trainingSteps(trainer, { batches: named(), steps: 1, rate: () => 0.01 }),
    );
    expect([loss, norm]).toEqual([first / 200, 2.5]);
    // A tenth of the gradient (0.6, 0.8).
    expect(vectorNorm(trainer.state.firstMoment)).toBeCloseTo(0.1, 6);
    expect(trainer.state.firstMoment[1]).toBeCloseTo(0.08, 6);
  });
});

describe('a step whose loss or gradient is not finite', () => {
  /** The second of three batches has one measure that is none. */
  function* spoilt(): Generator<IrisBatch> {
    yield irisBatch('sound');
    const { tokens, feeds } = irisBatch('');
    const x = Float32Array.from(feeds.x.data, Number);
    x[13] = Number.NaN;
    yield { name: 'spoilt', tokens, feeds: { ...feeds, x: floats([tokens, 4], x) } };
    yield irisBatch('never asked for');
  }

  async function failure(batches: Iterable<IrisBatch>, ranks?: Ranks) {
    const trainer = irisTrainer({ ranks });
    let state = structuredClone(trainer.state);
    try {
      for await (const _ of trainingSteps(trainer, { batches, start: 10, steps: 20, rate: () => 0.01 }))
        state = structuredClone(trainer.state);
    } catch (error) {
      const { parameters, firstMoment, secondMoment } = trainer.state;
      expect({ parameters, firstMoment, secondMoment }).toEqual({
        parameters: state.parameters,
        firstMoment: state.firstMoment,
        secondMoment: state.secondMoment,
      });
      return error;
    }
    throw new Error('nothing was thrown');
  }

  it('leaves everything as it was before, and says of which step and batch it is', async () => {
    const error = await failure(spoilt());
    expect(error).toBeInstanceOf(NonFiniteStep);
    expect(error).toBeInstanceOf(LacunaError);
    expect(error).toMatchObject({ what: 'loss', step: 12, batch: { name: 'spoilt' } });
    expect((error as Error).message).toBe('step 12: the loss is not finite');
  });

  it('is told by the gradient where the loss is finite, and by the sum over ranks', async () => {
    const [one] = ranksHere(2);
    const ranks: Ranks = { ...one, sumPieces: async () => {}, sum: async () => {} };
    const poisoned: Ranks = {
      ...ranks,
      sumPieces: async (_, own) => {
        own[3] = Number.POSITIVE_INFINITY;
      },
    };
    const error = await failure(named(), poisoned);
    expect(error).toMatchObject({ what: 'gradient', step: 11, batch: { name: 'batch 0' } });
    expect((error as Error).message).toBe('step 11: the gradient is not finite');
    const lost: Ranks = {
      ...ranks,
      sum: async (numbers) => {
        numbers[3] = Number.NaN;
      },
    };
    expect(await failure(named(), lost)).toMatchObject({ what: 'loss', step: 11 });
  });
});
