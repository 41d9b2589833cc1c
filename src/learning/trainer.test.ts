import { describe, expect, it } from 'vitest';
import type { Engine } from '../engine/engine.js';
import {
  evaluate,
  floats,
  integers,
  largestDifference,
  normals,
  ordinaryParameters,
} from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import * as g from '../graph/index.js';
import { reachableNodes } from '../graph/value.js';
import { batchNorm } from '../layers/batch-norm.js';
import { layerNorm } from '../layers/layer-norm.js';
import { linear } from '../layers/linear.js';
import { crossEntropy, squaredError } from '../layers/losses.js';
import { mlp } from '../layers/mlp.js';
import { packBatch } from '../records/batch.js';
import { type HostTensor, hostTensor } from '../tensor/tensor.js';
import { molecules, realRecords } from '../tokenizers/real-records.case.js';
import { initializeParameters } from './parameters.js';
import { type TrainableGraph, Trainer, type TrainerOptions } from './trainer.js';

const engine = await nodeEngine({ threads: 1 });
const real = await realRecords();

/** Convolution along the tokens of float32[batch, tokens, channels], zeros around: a composition of primitives. */
function convolution(name: string, x: g.Value, width: number, kernel: number): g.Value {
  const tokens = g.staticSize(x.shape[1]);
  const around = g.pad(x, 1, kernel >> 1, kernel >> 1);
  const shifted = Array.from({ length: kernel }, (_, offset) => g.slice(around, 1, offset, offset + tokens));
  return linear(name, g.concatenate(shifted, 2), width);
}

const graphOf = (loss: g.Value): TrainableGraph => ({
  loss,
  parameters: g.parametersOf([loss]),
  metrics: {},
  evaluation: { loss },
});

function trainerFor(loss: () => g.Value, more: Partial<TrainerOptions> = {}): Trainer {
  const options = { build: () => graphOf(loss()), weightDecay: 0, clipNorm: 1, ...more };
  const trainer = new Trainer(engine, options, 1);
  trainer.state.parameters.set(initializeParameters(trainer.layout, 2));
  return trainer;
}

async function losses(trainer: Trainer, feeds: Record<string, HostTensor>, rate: number): Promise<number[]> {
  const seen: number[] = [];
  for (let step = 1; step <= 20; step++) {
    const { loss } = await trainer.gradient(1, feeds);
    const norm = trainer.gradientNorm();
    seen.push(loss);
    await trainer.update(step, rate, norm);
  }
  return seen;
}

describe('a convolution made of primitives', () => {
  it('is the naive convolution', async () => {
    const [batch, tokens, channels, width, kernel] = [2, 7, 3, 4, 5];
    const x = g.input('x', 'float32', [batch, tokens, channels]);
    const y = convolution('filter', x, width, kernel);
    const parameters = ordinaryParameters([y]);
    const values = normals('x', batch * tokens * channels);
    const expected: number[] = [];
    for (let row = 0; row < batch; row++)
      for (let token = 0; token < tokens; token++)
        for (let out = 0; out < width; out++) {
          let total: number = parameters['filter.bias'].data[out];
          for (let k = 0; k < kernel; k++) {
            const at = token + k - (kernel >> 1);
            if (at < 0 || at >= tokens) continue;
            for (let c = 0; c < channels; c++)
              total +=
                values[(row * tokens + at) * channels + c] *
                parameters['filter.weight'].data[(k * channels + c) * width + out];
          }
          expected.push(total);
        }
    const computed = await evaluate(
      engine,
      { y },
      { ...parameters, x: floats([batch, tokens, channels], values) },
    );
    expect(largestDifference(computed.y, expected)).toBeLessThan(1e-5);
  });

  it('learns to count the oxygen atoms of molecules', async () => {
    const { tokenizer, block } = real.discrete;
    const { spec } = tokenizer;
    const [size, tokens] = [block.count, spec.maxTokens];
    const vocabulary = spec.kind === 'discrete' ? spec.vocabulary : 0;
    const trainer = trainerFor(() => {
      const letters = g.oneHot(g.input('ids', 'int32', [size, tokens]), vocabulary);
      const hidden = g.relu(convolution('first', letters, 16, 3));
      const pooled = g.maximum(g.relu(convolution('second', hidden, 16, 3)), [1]);
      return g.mean(squaredError(linear('head', pooled, 1), g.input('target', 'float32', [size, 1])), [0]);
    });
    const batch = packBatch(block, [...Array(size).keys()], size, tokens);
    const oxygens = molecules.map((smiles) => smiles.split('O').length - 1);
    const feeds = { ids: integers([size, tokens], batch.ids!), target: floats([size, 1], oxygens) };
    const seen = await losses(trainer, feeds, 1e-2);
    await trainer.release();
    expect(seen[19]).toBeLessThan(0.5 * seen[0]);
  });
});

/** A multilayer perceptron that tells three species of iris by four measures. */
const { block: irises } = real.fields;
const rows = irises.count;
const measures = Float32Array.from({ length: rows * 4 }, (_, i) => irises.values![(i >> 2) * 5 + (i & 3)]);
const species = Int32Array.from({ length: rows }, (_, row) => Math.max(0, irises.ids![row * 5 + 4] - 2));
const irisFeeds = { x: floats([rows, 4], measures), species: integers([rows], species) };
const irisLoss = () => {
  const x = linear('input', g.input('x', 'float32', [rows, 4]), 8);
  const body = g.scope('body', () => layerNorm('norm', g.add(x, mlp('mlp', x, 2))));
  return g.mean(crossEntropy(linear('head', body, 3), g.input('species', 'int32', [rows])), [0]);
};

/** Mean and unbiased variance of each column. */
function columnMoments(values: Float32Array, columns: number) {
  const rows = values.length / columns;
  const of = (column: number) => Array.from({ length: rows }, (_, row) => values[row * columns + column]);
  const all = Array.from({ length: columns }, (_, column) => {
    const mean = of(column).reduce((sum, value) => sum + value / rows, 0);
    return [mean, of(column).reduce((sum, value) => sum + (value - mean) ** 2, 0) / (rows - 1)];
  });
  return { mean: all.map(([mean]) => mean), variance: all.map(([, variance]) => variance) };
}

describe('tracked parameters', () => {
  const normedLoss = () => {
    const x = batchNorm('norm', g.input('x', 'float32', [rows, 4]), { training: true });
    return g.mean(crossEntropy(linear('head', x, 3), g.input('species', 'int32', [rows])), [0]);
  };
  const { mean, variance } = columnMoments(measures, 4);
  const running = (trainer: Trainer) =>
    ['norm.running_mean', 'norm.running_variance'].map((name) => Array.from(trainer.parameters[name].data));

  it('move a tenth of the way to the batch at an update, and not before it', async () => {
    const trainer = trainerFor(normedLoss, { weightDecay: 0.1 });
    await trainer.gradient(1, irisFeeds);
    const norm = trainer.gradientNorm();
    expect(running(trainer)).toEqual([
      [0, 0, 0, 0],
      [1, 1, 1, 1],
    ]);
    await trainer.update(1, 1e-2, norm);
    const [first, second] = running(trainer);
    expect(
      largestDifference(
        first,
        mean.map((value) => 0.1 * value),
      ),
    ).toBeLessThan(1e-6);
    expect(
      largestDifference(
        second,
        variance.map((value) => 0.9 + 0.1 * value),
      ),
    ).toBeLessThan(1e-5);
    await trainer.release();
  });

  it('come to the mean over batches, and nothing else moves them', async () => {
    const trainer = trainerFor(normedLoss, { weightDecay: 0.1 });
    // Two batches in turn: the measures, and twice the measures.
    const doubled = hostTensor(
      'float32',
      [rows, 4],
      measures.map((value) => 2 * value),
    );
    for (let step = 1; step <= 120; step++) {
      const feeds = step % 2 === 0 ? irisFeeds : { ...irisFeeds, x: doubled };
      await trainer.gradient(1, feeds);
      const norm = trainer.gradientNorm();
      await trainer.update(step, 1e-2, norm);
    }
    const [first, second] = running(trainer);
    // Where they swing between, weighed by the last batch a tenth more.
    const between = (value: number, factor: number) => (value * (1 + 0.9 * factor)) / 1.9;
    expect(
      largestDifference(
        first,
        mean.map((value) => between(value, 2)),
      ),
    ).toBeLessThan(1e-3);
    expect(
      largestDifference(
        second,
        variance.map((value) => between(value, 4)),
      ),
    ).toBeLessThan(1e-3);
    await trainer.release();
  });
});

describe('a target network', () => {
  const weight = (size = 1) => g.parameter('weight', [size], { kind: 'constant', value: 3 });
  const build = (targetSize = 1) => {
    const [own, target] = [weight(), g.scope('target', () => weight(targetSize))];
    const loss = g.reshape(g.multiply(own, g.slice(target, 0, 0, 1)), []);
    const [parameters, targets] = [g.parametersOf([own]), g.parametersOf([target])];
    return { loss, parameters, targets, metrics: { own: g.reshape(own, []) }, evaluation: { loss } };
  };
  const options = { weightDecay: 0, clipNorm: 1 };

  it('is fed the average, which begins at the parameters and follows them', async () => {
    const trainer = new Trainer(engine, { ...options, build: () => build() }, 1);
    trainer.begin(Float32Array.of(2));
    trainer.state.parameters.set([10]);
    expect(await trainer.gradient(1, {})).toMatchObject({ loss: 20, metrics: { own: 10 } });
    expect(trainer.state.gradient[0]).toBe(2);
    trainer.follow(0.75);
    expect(trainer.state.average).toEqual(Float32Array.of(4));
    expect((await trainer.evaluate(1, {})).loss.data[0]).toBe(40);
    trainer.follow(1);
    expect(trainer.state.average).toEqual(Float32Array.of(4));
    trainer.follow(0);
    expect(trainer.state.average).toEqual(Float32Array.of(10));
    await trainer.release();
  });

  it('is the average of what is trained, or of nothing', () => {
    expect(() => new Trainer(engine, { ...options, build: () => build(2) }, 1)).toThrow(
      'target.weight: expected a trained parameter weight of shape [2] to average, found float32[1]',
    );
    const alone = () => ({ ...build(), parameters: [] });
    expect(() => new Trainer(engine, { ...options, build: alone }, 1)).toThrow('to average, found nothing');
    const trainer = trainerFor(irisLoss);
    expect(trainer.state.average).toBeUndefined();
    expect(() => trainer.follow(0.5)).toThrow('no average is kept');
    expect(() => trainer.exchangeAverage()).toThrow('no average is kept');
  });
});

describe('a trainer of a graph with batch norm in its target network', () => {
  it('follows the moments of what is trained, not those of the target', async () => {
    const normed = (name: string) =>
      g.sumAll(batchNorm(name, g.input('x', 'float32', [rows, 4]), { training: true }));
    const trainer = trainerFor(() =>
      g.add(normed('norm'), g.stopGradient(g.scope('target', () => normed('norm')))),
    );
    const own = trainer.layout.slots.map(({ name }) => name);
    expect(own).toContain('target.norm.running_mean');
    await trainer.release();
    const build = () => {
      const loss = g.add(normed('norm'), g.stopGradient(g.scope('target', () => normed('norm'))));
      const all = g.parametersOf([loss]);
      const isTarget = ({ name }: { name: string }) => name.startsWith('target.');
      const targets = all.filter(isTarget);
      return { ...graphOf(loss), parameters: all.filter((node) => !isTarget(node)), targets };
    };
    const outputs: string[][] = [];
    const watched: Engine = {
      compile(program) {
        outputs.push(Object.keys(program.outputs));
        return engine.compile(program);
      },
    };
    const apart = new Trainer(watched, { build, weightDecay: 0, clipNorm: 1 }, 1);
    apart.begin(initializeParameters(apart.layout, 2));
    await apart.gradient(1, irisFeeds);
    const tracked = outputs[0].filter((name) => name.startsWith('tracked.'));
    expect(tracked.sort()).toEqual(['tracked.norm.running_mean', 'tracked.norm.running_variance']);
    await apart.release();
  });
});

/** An engine that tells what is compiled and not yet freed, and of what size. */
function watchedEngine() {
  const programs: { name: string; nodes: number; freed: boolean }[] = [];
  const watched: Engine = {
    async compile(program, options) {
      const { run, release } = await engine.compile(program, options);
      const nodes = reachableNodes(Object.values(program.outputs)).length;
      const entry = { name: program.name, nodes, freed: false };
      programs.push(entry);
      return {
        run,
        async release() {
          entry.freed = true;
          await release();
        },
      };
    },
  };
  return { watched, programs };
}

describe('the programs of a trainer', () => {
  it('are compiled once for each length and use, when they are wanted, and freed with it', async () => {
    const { watched, programs } = watchedEngine();
    const built: number[] = [];
    const build = (tokens: number) => {
      built.push(tokens);
      const loss = irisLoss();
      return { ...graphOf(loss), embedding: g.reshape(loss, [1, 1]) };
    };
    const trainer = new Trainer(watched, { build, weightDecay: 0, clipNorm: 1 }, 1);
    trainer.begin(initializeParameters(trainer.layout, 2));
    expect([built, programs]).toEqual([[1], []]);
    for (let time = 0; time < 2; time++) {
      await trainer.gradient(1, irisFeeds);
      await trainer.evaluate(1, irisFeeds);
      await trainer.embed(1, irisFeeds);
      await trainer.update(1, 0.01, 1);
    }
    await trainer.evaluate(2, irisFeeds);
    expect(built).toEqual([1, 2]);
    expect(programs.map(({ name }) => name)).toEqual(['gradient', 'evaluation', 'embedding', 'evaluation']);
    await trainer.release();
    expect(programs.every(({ freed }) => freed)).toBe(true);
  });

  it('have the layers of an encoder twice where it was asked to compute them again', async () => {
    const sizes: number[] = [];
    for (const recompute of [false, true, undefined]) {
      const { watched, programs } = watchedEngine();
      const build = () => graphOf(g.scope('encoder', () => g.scope('layers', () => g.scope('0', irisLoss))));
      const trainer = new Trainer(watched, { build, weightDecay: 0, clipNorm: 1, recompute }, 1);
      await trainer.gradient(1, irisFeeds);
      sizes.push(programs[0].nodes);
      await trainer.release();
    }
    expect(sizes[1]).toBeGreaterThan(sizes[0]);
    expect(sizes[2]).toBe(sizes[0]);
  });

  it('give an embedding where the graph has one', async () => {
    const doubled = () => g.multiply(g.input('x', 'float32', [rows, 4]), g.scalar(2));
    const build = () => ({ ...graphOf(irisLoss()), embedding: doubled() });
    const trainer = new Trainer(engine, { build, weightDecay: 0, clipNorm: 1 }, 1);
    const embedded = await trainer.embed(1, irisFeeds);
    expect(embedded).toEqual(measures.map((value) => 2 * value));
    await trainer.release();
    await expect(trainerFor(irisLoss).embed(1, irisFeeds)).rejects.toThrow('built without an embedding');
  });

  it('give the weight of a batch beside its loss, 1 where the graph says nothing of it', async () => {
    const weight = () => g.sumAll(g.input('x', 'float32', [rows, 4]));
    const weighted = trainerFor(irisLoss, { build: () => ({ ...graphOf(irisLoss()), weight: weight() }) });
    const plain = trainerFor(irisLoss);
    const total = measures.reduce((sum, value) => sum + value, 0);
    const found = await weighted.gradient(1, irisFeeds);
    expect(found.weight).toBeCloseTo(total, 3);
    expect(await plain.gradient(1, irisFeeds)).toEqual({ ...found, weight: 1 });
    for (const trainer of [weighted, plain]) await trainer.release();
  });
});

describe('a restart', () => {
  it('goes back to the beginning, with zero moments, also where there is no target network', async () => {
    const trainer = trainerFor(irisLoss, { restarts: true });
    const start = initializeParameters(trainer.layout, 2);
    trainer.begin(start);
    await losses(trainer, irisFeeds, 1e-2);
    expect(trainer.state.parameters).not.toEqual(start);
    trainer.restart();
    const zeros = new Float32Array(start.length);
    expect(trainer.state).toMatchObject({
      parameters: start,
      start,
      firstMoment: zeros,
      secondMoment: zeros,
    });
    expect(trainer.state.average).toBeUndefined();
    await trainer.release();
  });
});

describe('a trainer', () => {
  it('trains a multilayer perceptron on real rows', async () => {
    const trainer = trainerFor(irisLoss);
    const seen = await losses(trainer, irisFeeds, 3e-2);
    expect(seen[0]).toBeCloseTo(Math.log(3), 0);
    expect(seen[19]).toBeLessThan(0.4 * seen[0]);
    await trainer.release();
  });

  it('gives the same losses and parameters, bit for bit, when it is run again', async () => {
    const runs = [];
    for (let run = 0; run < 2; run++) {
      const trainer = trainerFor(irisLoss);
      runs.push({ seen: await losses(trainer, irisFeeds, 3e-2), state: trainer.state });
      await trainer.release();
    }
    expect(runs[1]).toEqual(runs[0]);
  });

  it('touches no parameter while it computes a gradient or evaluates', async () => {
    const trainer = trainerFor(irisLoss);
    const before = trainer.state.parameters.slice();
    const { loss } = await trainer.gradient(1, irisFeeds);
    const norm = trainer.gradientNorm();
    const evaluated = await trainer.evaluate(1, irisFeeds);
    expect(Number(evaluated.loss.data[0])).toBeCloseTo(loss, 6);
    expect(trainer.state.parameters).toEqual(before);
    expect(norm).toBeCloseTo(Math.hypot(...trainer.state.gradient), 6);
    await trainer.release();
  });

  it('scales a gradient that is too long down to the clip norm, and leaves a shorter one', async () => {
    const momentAfter = async (clipNorm: number) => {
      const trainer = trainerFor(irisLoss, { clipNorm });
      await trainer.gradient(1, irisFeeds);
      const norm = trainer.gradientNorm();
      await trainer.update(1, 1e-3, norm);
      await trainer.release();
      return { norm, moment: 10 * Math.hypot(...trainer.state.firstMoment) };
    };
    const { norm, moment } = await momentAfter(0.01);
    expect(norm).toBeGreaterThan(0.01);
    expect(moment).toBeCloseTo(0.01, 6);
    expect((await momentAfter(100)).moment).toBeCloseTo(norm, 5);
  });
});
