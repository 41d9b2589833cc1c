import { describe, expect, it } from 'vitest';
import { evaluate, floats, largestDifference, normals, ordinaryParameters } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import * as g from '../graph/index.js';
import { batchNorm } from './batch-norm.js';

const engine = await nodeEngine({ threads: 1 });

const shape = [4, 3, 2, 5];
const [BATCH, CHANNELS, HEIGHT, WIDTH] = shape;
const PLACES = HEIGHT * WIDTH;
const x = g.input('x', 'float32', shape);
const real = g.input('real', 'float32', [BATCH, 1, HEIGHT, WIDTH]);
const values = normals('x', BATCH * CHANNELS * PLACES).map((value, i) => 3 * value + (i % 7));
const feeds = {
  x: floats(shape, values),
  // Rows of 10, 7, 1 and 4 real places.
  real: floats(
    [BATCH, 1, HEIGHT, WIDTH],
    [10, 7, 1, 4].flatMap((count) => Array.from({ length: PLACES }, (_, place) => (place < count ? 1 : 0))),
  ),
};

/** The normalised elements, and mean and unbiased variance of each channel, by the book in double precision. */
function byHand(weights: ArrayLike<number>, scale: ArrayLike<number>, bias: ArrayLike<number>) {
  const y = new Float64Array(values.length);
  const statistics = { mean: [] as number[], variance: [] as number[] };
  for (let channel = 0; channel < CHANNELS; channel++) {
    const places = Array.from({ length: BATCH * PLACES }, (_, i) => i).filter((i) => weights[i] === 1);
    const at = (i: number) => (Math.floor(i / PLACES) * CHANNELS + channel) * PLACES + (i % PLACES);
    const mean = places.reduce((sum, i) => sum + values[at(i)], 0) / places.length;
    const squares = places.reduce((sum, i) => sum + (values[at(i)] - mean) ** 2, 0);
    statistics.mean.push(mean);
    statistics.variance.push(squares / (places.length - 1));
    for (const i of places)
      y[at(i)] =
        ((values[at(i)] - mean) / Math.sqrt(squares / places.length + 1e-5)) * scale[channel] + bias[channel];
  }
  return { y, ...statistics };
}

const ones = new Float32Array(BATCH * PLACES).fill(1);

describe.each([
  ['all places', undefined, ones],
  ['real places alone', real, feeds.real.data as Float32Array],
])('batch normalisation over %s', (_, mask, weights) => {
  const y = batchNorm('norm', x, { training: true, real: mask });
  const parameters = ordinaryParameters([y]);
  const [scale, bias] = ['norm.scale', 'norm.bias'].map((name) => parameters[name].data);
  const tracked: Record<string, g.Value> = Object.fromEntries(
    g.trackedOf([y]).map(({ name, value }) => [`batch ${name}`, value]),
  );

  it('has the moments of the batch in training, and tracks them with the unbiased variance', async () => {
    const expected = byHand(weights, scale, bias);
    const outputs: Record<string, g.Value> = { y, ...tracked };
    const computed = await evaluate(engine, outputs, { ...feeds, ...parameters });
    expect(largestDifference(computed.y, expected.y)).toBeLessThan(1e-5);
    expect(largestDifference(computed['batch norm.running_mean'], expected.mean)).toBeLessThan(1e-5);
    expect(largestDifference(computed['batch norm.running_variance'], expected.variance)).toBeLessThan(1e-4);
  });

  it('has the running moments in evaluation, and each row alone', async () => {
    const evaluated = batchNorm('norm', x, { training: false, real: mask });
    expect(g.trackedOf([evaluated])).toEqual([]);
    const computed = await evaluate(engine, { y: evaluated }, { ...feeds, ...parameters });
    const [mean, variance] = ['norm.running_mean', 'norm.running_variance'].map((n) => parameters[n].data);
    const expected = Array.from(values, (value, i) => {
      const channel = Math.floor(i / PLACES) % CHANNELS;
      const place = Math.floor(i / PLACES / CHANNELS) * PLACES + (i % PLACES);
      const normalized = (value - mean[channel]) / Math.sqrt(variance[channel] + 1e-5);
      return weights[place] * (normalized * scale[channel] + bias[channel]);
    });
    expect(largestDifference(computed.y, expected)).toBeLessThan(1e-5);
  });

  it('has the gradient of its finite difference, none of it for the running moments', async () => {
    const nodes = g.parametersOf([y]);
    const targets = [x, ...nodes.map(({ outputs: [value] }) => value)];
    const names = ['x', ...nodes.map(({ name }) => name)];
    const along = Object.fromEntries(
      targets.map(({ shape }, i) => [
        names[i],
        normals(
          `along ${names[i]}`,
          shape.reduce<number>((n, size) => n * Number(size), 1),
        ),
      ]),
    );
    const slope = g.constant({ dtype: 'float32', shape, data: normals('slope', values.length) });
    const loss = g.sumAll(g.multiply(g.tanh(y), slope));
    const slopes = Object.fromEntries(
      g.gradients(loss, targets).map((value, i) => [`gradient ${names[i]}`, value]),
    );
    const all: Record<string, ReturnType<typeof floats>> = { ...feeds, ...parameters };
    const found = await evaluate(engine, slopes, all);
    for (const name of ['norm.running_mean', 'norm.running_variance'])
      expect(found[`gradient ${name}`].every((value) => value === 0)).toBe(true);
    for (const name of ['x', 'norm.scale', 'norm.bias']) {
      const derivative = found[`gradient ${name}`].reduce((sum, value, i) => sum + value * along[name][i], 0);
      const lossAt = async (by: number) => {
        const { dtype, shape, data } = all[name];
        const moved = Float32Array.from(along[name], (value, i) => Number(data[i]) + by * value);
        return (await evaluate(engine, { loss }, { ...all, [name]: { dtype, shape, data: moved } })).loss[0];
      };
      const difference = ((await lossAt(1e-2)) - (await lossAt(-1e-2))) / 2e-2;
      expect(Math.abs(derivative - difference)).toBeLessThan(3e-3 * Math.max(1, Math.abs(difference)));
    }
  });
});

it('is finite for a channel that is constant, and for one element', async () => {
  for (const size of [
    [4, 2, 3],
    [1, 2, 1],
  ]) {
    const same = g.input('same', 'float32', size);
    const y = batchNorm('norm', same, { training: true });
    const [slope] = g.gradients(g.sumAll(g.multiply(y, y)), [same]);
    const tracked: Record<string, g.Value> = Object.fromEntries(
      g.trackedOf([y]).map(({ name, value }) => [`batch ${name}`, value]),
    );
    const parameters = ordinaryParameters([y]);
    const outputs: Record<string, g.Value> = { y, slope, ...tracked };
    const computed = await evaluate(engine, outputs, {
      ...parameters,
      same: floats(size, new Float32Array(24).fill(100).slice(0, size[0] * 2 * size[2])),
    });
    expect(Object.values(computed).flat().every(Number.isFinite)).toBe(true);
    expect(Math.max(...computed['batch norm.running_variance'])).toBeLessThan(0.01);
  }
});
