import { afterEach, describe, expect, it } from 'vitest';
import type { HostTensors } from '../engine/engine.js';
import { floats, largestDifference } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { LacunaError } from '../errors.js';
import * as g from '../graph/index.js';
import { type TrainableGraph, Trainer } from '../learning/trainer.js';
import { type TrainingState, trainToBest } from './train-to-best.js';

const engine = await nodeEngine({ threads: 1 });

const trainers: Trainer[] = [];
afterEach(async () => {
  for (const trainer of trainers.splice(0)) await trainer.release();
});

/** One parameter of an encoder and one of a head, whose loss is the sum of their squares times what is fed. */
function twoNumbers(averaged = false): Trainer {
  const build = (): TrainableGraph => {
    const number = (name: string, value: number) => g.parameter(name, [1], { kind: 'constant', value });
    const [body, head] = [number('encoder.weight', 3), number('head.weight', 2)];
    const squares = g.add(g.multiply(body, body), g.multiply(head, head));
    const loss = g.reshape(g.multiply(squares, g.input('factor', 'float32', [1])), []);
    return { loss, parameters: g.parametersOf([loss]), metrics: {}, evaluation: { loss } };
  };
  const trainer = new Trainer(engine, { build, weightDecay: 0, clipNorm: 1, averaged }, 1);
  trainers.push(trainer);
  return trainer;
}

describe('a training that validates', () => {
  const higher = (value: number, best: number) => value > best;
  const one = { factor: floats([1], [1]) };
  const plan = { records: Int32Array.of(0), rows: 1, tokens: 1 };

  /** Trains two numbers; the validations give these values in turn. `seen` are the parameters at each. */
  async function trained(
    values: readonly number[],
    options: Partial<Parameters<typeof trainToBest>[1]> = {},
    feeds: (step: number) => HostTensors = () => one,
  ) {
    const trainer = twoNumbers(options.weightAverage !== undefined);
    const seen: Float32Array[] = [];
    let fed = 0;
    const result = await trainToBest(
      trainer,
      { steps: 20, learningRate: 0.1, seed: 4, ...options },
      {
        plans: () => [plan, plan, plan],
        feeds: () => feeds(fed++),
        validate: async () => values[seen.push(trainer.state.parameters.slice()) - 1],
        isBetter: higher,
      },
    );
    return { result, seen, trainer };
  }

  it('keeps the parameters of the best validation, wherever it was, not those of the last', async () => {
    const values = [1, 2, 7, 3, 6, 5, 4, 0, 1, 2];
    const { result, seen, trainer } = await trained(values);
    expect(seen).toHaveLength(10);
    expect(result).toEqual({ parameters: seen[2], valid: 7, step: 6 });
    expect(result.parameters).not.toEqual(trainer.state.parameters);
    const first = await trained([...values].map((value) => -value));
    expect(first.result).toEqual({ parameters: first.seen[7], valid: -0, step: 16 });
    const last = await trained(values.map((_, i) => i));
    expect(last.result).toEqual({ parameters: last.trainer.state.parameters, valid: 9, step: 20 });
  });

  it('ends when so many validations in a row were no better, and validates as often as it is told', async () => {
    const values = [1, 5, 4, 6, 5, 5, 9, 9, 9, 9];
    const { result, seen } = await trained(values, { patience: 2 });
    expect(seen).toHaveLength(6);
    expect(result).toEqual({ parameters: seen[3], valid: 6, step: 8 });
    expect((await trained(new Array(20).fill(0), { validations: 20 })).seen).toHaveLength(20);
  });

  it('validates the running average of the parameters beside them, and goes on from the parameters', async () => {
    const plain = await trained(new Array(20).fill(0), { validations: 20 });
    // Every second validation is that of the average.
    const averaged = await trained([...new Array(39).fill(0), 1], { validations: 20, weightAverage: 0.5 });
    averaged.seen.forEach((own, i) => {
      if (i % 2 === 0) expect(own).toEqual(plain.seen[i / 2]);
    });
    const start = Float32Array.of(3, 2);
    const expected = start.map((value, k) =>
      plain.seen.reduce((average, own, i) => {
        const decay = Math.min(0.5, (2 + i) / (11 + i));
        return Math.fround(decay * average + (1 - decay) * own[k]);
      }, value),
    );
    expect(averaged.result).toEqual({ parameters: averaged.seen[39], valid: 1, step: 20 });
    expect(largestDifference(averaged.result.parameters, expected)).toBeLessThan(1e-5);
  });

  it('goes on from a state to the same parameters, validations and end', async () => {
    const values = [1, 5, 4, 6, 5, 5, 9, 9, 9, 9];
    const options = { patience: 2, weightAverage: 0.9 };
    const twice = values.flatMap((value) => [value, value - 0.5]);
    const whole = await trained(twice, options);
    for (let last = 1; last < whole.seen.length; last++) {
      const stop = new AbortController();
      let state: TrainingState | undefined;
      const stopped = trained(twice, {
        ...options,
        signal: stop.signal,
        onStep: ({ step }) => step === last && stop.abort(new Error('enough')),
        keep: async (own) => {
          state = structuredClone(own);
        },
      });
      await expect(stopped).rejects.toThrow('enough');
      expect(state?.step).toBe(last);
      const left = twice.slice(2 * Math.floor(last / 2));
      const { result, trainer } = await trained(left, { ...options, state });
      expect(result).toEqual(whole.result);
      expect(trainer.state).toEqual(whole.trainer.state);
    }
  });

  it('keeps the first of equally good ones, as whoever asks means good', async () => {
    const { result } = await trained([1, 5, 2, 5, 5, 1, 1, 1, 1, 1]);
    expect(result.step).toBe(4);
  });

  it('validates at most ten times, and always after the last step', async () => {
    for (const [steps, times] of [
      [1, 1],
      [9, 9],
      [10, 10],
      [25, 9],
      [31, 8],
    ]) {
      const { result, seen } = await trained(
        Array.from({ length: 10 }, (_, i) => i),
        { steps },
      );
      expect([seen.length, result.step]).toEqual([times, steps]);
    }
  });

  it('tells each step, its epoch and its rate, which rises for a tenth of the steps and falls to 0', async () => {
    const steps: { step: number; epoch: number; loss: number; lr: number }[] = [];
    await trained(new Array(10).fill(0), { onStep: (step) => steps.push(step) });
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(steps.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 20 }, (_, i) => Math.floor(i / 3)));
    expect(steps[0].loss).toBe(13);
    expect(steps.slice(0, 3).map(({ lr }) => lr)).toEqual([0.05, 0.1, 0.1]);
    // Eighteen steps of half a cosine: the tenth of them is in its middle.
    expect(steps[11].lr).toBeCloseTo(0.05, 12);
    expect(steps[19].lr).toBeLessThan(0.001);
  });

  it('tells with each step the best validation so far, from the step after it on', async () => {
    const told: (readonly [step: number, valid?: number, at?: number])[] = [];
    await trained([5, 7, 6, 7, 8], {
      validations: 5,
      onStep: ({ step, best_valid, best_step }) => told.push([step, best_valid, best_step]),
    });
    const best = (step: number) => (step <= 4 ? [] : step <= 8 ? [5, 4] : [7, 8]);
    expect(told).toEqual(
      Array.from({ length: 20 }, (_, i) => {
        const [valid, at] = best(i + 1);
        return [i + 1, valid, at];
      }),
    );
  });

  it('begins with the encoder that it is given and a fresh head, at each training anew', async () => {
    const start = { tensors: { 'encoder.weight': floats([1], [9]) }, folder: 'runs/one' };
    const trainer = twoNumbers();
    const losses: number[] = [];
    const options = { steps: 1, learningRate: 0.1, seed: 4, start };
    const data = { plans: () => [plan], feeds: () => one, validate: async () => 0, isBetter: higher };
    const onStep = ({ loss }: { loss: number }) => losses.push(loss);
    for (let run = 0; run < 2; run++) await trainToBest(trainer, { ...options, onStep }, data);
    await trainToBest(trainer, { ...options, onStep, start: undefined }, data);
    expect(losses).toEqual([9 ** 2 + 2 ** 2, 9 ** 2 + 2 ** 2, 3 ** 2 + 2 ** 2]);
    const unfit = { tensors: {}, folder: 'runs/two' };
    await expect(trainToBest(trainer, { ...options, start: unfit }, data)).rejects.toThrow('runs/two');
  });

  it('says of which step the loss is not finite, and to try a lower rate', async () => {
    const spoilt = (step: number) => (step === 3 ? { factor: floats([1], [Number.NaN]) } : one);
    const training = trained(new Array(10).fill(0), {}, spoilt);
    await expect(training).rejects.toThrow(LacunaError);
    await expect(training).rejects.toThrow(
      'fine-tuning step 4: the loss is not finite; try a lower learning rate than 0.1',
    );
  });

  it('hands on what goes wrong in a validation, and gives the reason of a stop', async () => {
    const stop = new AbortController();
    const stopping = trained(new Array(10).fill(0), {
      signal: stop.signal,
      onStep: ({ step }) => step === 5 && stop.abort(new Error('enough')),
    });
    await expect(stopping).rejects.toThrow('enough');
    const trainer = twoNumbers();
    const failing = trainToBest(
      trainer,
      { steps: 2, learningRate: 0.1, seed: 1 },
      {
        plans: () => [plan],
        feeds: () => one,
        validate: () => Promise.reject(new RangeError('no score')),
        isBetter: higher,
      },
    );
    await expect(failing).rejects.toThrow(RangeError);
  });
});
