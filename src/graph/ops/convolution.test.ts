import { describe, expect, it } from 'vitest';
import { evaluate, floats, largestDifference, normals } from '../../engine/evaluate.case.js';
import { nodeEngine } from '../../engine/node.js';
import { elementCount, hostTensor } from '../../tensor/tensor.js';
import * as g from '../index.js';

const engine = await nodeEngine({ threads: 1 });

interface Sizes {
  batch: number;
  channels: number;
  filters: number;
  size: [height: number, width: number];
  kernel: [height: number, width: number];
  stride: number;
  padding: [vertical: number, horizontal: number];
}

const cases: Record<string, Sizes> = {
  'odd sizes': {
    batch: 2,
    channels: 3,
    filters: 4,
    size: [5, 7],
    kernel: [3, 3],
    stride: 1,
    padding: [1, 1],
  },
  'stride 2 on odd sizes': {
    batch: 2,
    channels: 3,
    filters: 4,
    size: [5, 7],
    kernel: [3, 3],
    stride: 2,
    padding: [1, 1],
  },
  'stride 2 that leaves a row over': {
    batch: 2,
    channels: 17,
    filters: 2,
    size: [6, 8],
    kernel: [3, 3],
    stride: 2,
    padding: [1, 1],
  },
  'single places, stride 2': {
    batch: 3,
    channels: 2,
    filters: 5,
    size: [4, 5],
    kernel: [1, 1],
    stride: 2,
    padding: [0, 0],
  },
  'a signal': { batch: 2, channels: 3, filters: 2, size: [1, 9], kernel: [1, 5], stride: 1, padding: [0, 2] },
  'more padding than filters': {
    batch: 2,
    channels: 2,
    filters: 3,
    size: [3, 4],
    kernel: [1, 2],
    stride: 1,
    padding: [1, 2],
  },
  'filters of two sides': {
    batch: 1,
    channels: 1,
    filters: 3,
    size: [4, 6],
    kernel: [2, 3],
    stride: 1,
    padding: [0, 1],
  },
};

/** Every product of the convolution: result, element of the image, weight, as places in their arrays. */
function* products({ batch, channels, filters, size, kernel, stride, padding }: Sizes, result: number[]) {
  for (let n = 0; n < batch; n++)
    for (let f = 0; f < filters; f++)
      for (let y = 0; y < result[0]; y++)
        for (let x = 0; x < result[1]; x++)
          for (let c = 0; c < channels; c++)
            for (let i = 0; i < kernel[0]; i++)
              for (let j = 0; j < kernel[1]; j++) {
                const [row, column] = [y * stride + i - padding[0], x * stride + j - padding[1]];
                if (row < 0 || row >= size[0] || column < 0 || column >= size[1]) continue;
                yield [
                  ((n * filters + f) * result[0] + y) * result[1] + x,
                  ((n * channels + c) * size[0] + row) * size[1] + column,
                  ((f * channels + c) * kernel[0] + i) * kernel[1] + j,
                ];
              }
}

describe.each(Object.entries(cases))('a convolution of %s', (_, sizes) => {
  const { batch, channels, filters, size, kernel, stride, padding } = sizes;
  const shapes = { x: [batch, channels, ...size], weights: [filters, channels, ...kernel] };
  const x = g.input('x', 'float32', shapes.x);
  const weights = g.input('weights', 'float32', shapes.weights);
  const y = g.convolution(x, weights, { stride, padding });
  const result = y.shape.map(g.staticSize);
  const values = {
    x: normals('x', elementCount(shapes.x)),
    weights: normals('weights', elementCount(shapes.weights)),
    slope: normals('slope', elementCount(result)),
  };
  const feeds = { x: floats(shapes.x, values.x), weights: floats(shapes.weights, values.weights) };

  it('is the plain loop, and so are its gradients', async () => {
    const slope = g.constant(hostTensor('float32', result, values.slope));
    const [ofX, ofWeights] = g.gradients(g.sumAll(g.multiply(y, slope)), [x, weights]);
    const expected = {
      y: new Float64Array(values.slope.length),
      ofX: new Float64Array(values.x.length),
      ofWeights: new Float64Array(values.weights.length),
    };
    for (const [place, element, weight] of products(sizes, result.slice(2))) {
      expected.y[place] += values.x[element] * values.weights[weight];
      expected.ofX[element] += values.slope[place] * values.weights[weight];
      expected.ofWeights[weight] += values.slope[place] * values.x[element];
    }
    const computed = await evaluate(engine, { y, ofX, ofWeights }, feeds);
    expect(largestDifference(computed.y, expected.y)).toBeLessThan(1e-4);
    expect(largestDifference(computed.ofX, expected.ofX)).toBeLessThan(1e-4);
    expect(largestDifference(computed.ofWeights, expected.ofWeights)).toBeLessThan(1e-4);
  });

  it('is the same for a batch whose size is only known when it runs', async () => {
    const rows = g.input('x', 'float32', ['batch', ...shapes.x.slice(1)]);
    const symbolic = g.convolution(rows, weights, { stride, padding });
    expect(symbolic.shape).toEqual(['batch', ...result.slice(1)]);
    const computed = { y: floats(result, new Float32Array(values.slope.length)) };
    const executable = await engine.compile({ name: 'symbolic', outputs: { y: symbolic } });
    await executable.run(feeds, computed);
    await executable.release();
    expect(Array.from(computed.y.data, Number)).toEqual((await evaluate(engine, { y }, feeds)).y);
  });
});

describe('a convolution refuses', () => {
  const image = g.input('image', 'float32', ['batch', 3, 5, 5]);
  const filters = (...shape: number[]) => g.input('filters', 'float32', shape);

  it('filters of other channels', () => {
    expect(() => g.convolution(image, filters(4, 2, 3, 3))).toThrow('filters of 2 channels meet 3');
  });

  it('filters larger than the image', () => {
    expect(() => g.convolution(image, filters(4, 3, 3, 7))).toThrow('filters of 3 × 7 are larger than 5 × 5');
    expect(g.convolution(image, filters(4, 3, 3, 7), { padding: [0, 1] }).shape).toEqual(['batch', 4, 3, 1]);
  });

  it('steps and zeros that are no whole numbers', () => {
    expect(() => g.convolution(image, filters(4, 3, 3, 3), { stride: 0 })).toThrow('a stride of 0');
    expect(() => g.convolution(image, filters(4, 3, 3, 3), { padding: [1] })).toThrow(
      '[1] are not the rows and columns',
    );
  });
});
