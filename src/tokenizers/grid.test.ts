import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ColumnValues, PixelShape } from '../records/record-batch.js';
import { grid } from './grid.js';
import { numbers, records, tokenizerCases } from './tokenizer.case.js';

const images = (values: ArrayLike<number>, shape: PixelShape): ColumnValues => ({
  type: 'pixels',
  values: Uint8Array.from(values),
  shape,
});

/** Twenty handwritten threes of MNIST, which the package gives as grey values from 0 to 1. */
const { data } = createRequire(import.meta.url)('mnist/src/digits/3.json') as { data: number[] };
const threes = data.slice(0, 20 * 28 * 28).map((grey) => Math.round(grey * 255));
const options = { columns: ['image'] };

tokenizerCases('grid', {
  family: grid,
  options,
  batch: records({ image: images(threes, [28, 28, 1]) }, 20, 3),
  empty: records({ image: images([], [28, 28, 1]) }, 0),
});

const fitOn = (values: ArrayLike<number>, shape: PixelShape, more = {}) => {
  const count = values.length / (shape[0] * shape[1] * shape[2]);
  return grid.fit([records({ image: images(values, shape) }, count)], { ...options, ...more });
};
const blank = ([height, width, channels]: PixelShape) => new Uint8Array(height * width * channels);

describe('grid', () => {
  it('cuts 28 x 28 digits into 196 patches of 2 x 2 with mean 0 and variance 1', async () => {
    const tokenizer = await fitOn(threes, [28, 28, 1]);
    expect(tokenizer.spec).toEqual({
      kind: 'continuous',
      channels: 4,
      maxTokens: 196,
      grid: { rows: 14, columns: 14, patch: 2 },
    });
    const { values } = tokenizer.encode(records({ image: images(threes, [28, 28, 1]) }, 20));
    const mean = values!.reduce((a, b) => a + b) / values!.length;
    expect(mean).toBeCloseTo(0, 5);
    expect(values!.reduce((sum, z) => sum + z * z, 0) / values!.length).toBeCloseTo(1, 5);
    expect(tokenizer.tokenLabel(15)).toBe('patch 1,1');
  });

  it('puts every pixel in its place, and decode gives it back', async () => {
    const shapes = fc.record({
      rows: fc.integer({ min: 1, max: 3 }),
      columns: fc.integer({ min: 1, max: 3 }),
      patch: fc.integer({ min: 1, max: 3 }),
      channels: fc.integer({ min: 1, max: 3 }),
      seed: fc.nat({ max: 250 }),
    });
    await fc.assert(
      fc.asyncProperty(shapes, async ({ rows, columns, patch, channels, seed }) => {
        const shape: PixelShape = [rows * patch, columns * patch, channels];
        const [height, width] = shape;
        const pixels = blank(shape).map((_, i) => (i * 37 + seed * 11) % 256);
        const tokenizer = await fitOn(pixels, shape, { patch });
        const { values, offsets } = tokenizer.encode(records({ image: images(pixels, shape) }, 1));
        expect([...offsets]).toEqual([0, rows * columns]);
        for (let y = 0; y < height; y++) {
          for (let x = 0; x < width; x++) {
            for (let colour = 0; colour < channels; colour++) {
              const token = Math.floor(y / patch) * columns + Math.floor(x / patch);
              const channel = ((y % patch) * patch + (x % patch)) * channels + colour;
              const value = values![token * patch * patch * channels + channel];
              expect(tokenizer.decode!(token, channel, value)).toBeCloseTo(
                pixels[(y * width + x) * channels + colour],
                3,
              );
            }
          }
        }
      }),
    );
  });

  it('standardises each channel on its own, and keeps sd 1 for a constant one', async () => {
    const pixels = [0, 7, 255, 7, 0, 7, 255, 7];
    const { values } = (await fitOn(pixels, [2, 2, 2])).encode(
      records({ image: images(pixels, [2, 2, 2]) }, 1),
    );
    expect([...values!].map((z) => Math.round(z * 1e6) / 1e6)).toEqual([-1, 0, 1, 0, -1, 0, 1, 0]);
  });

  it('chooses the smallest patch that gives at most maxTokens', async () => {
    const tokens = async (shape: PixelShape, more = {}) =>
      (await fitOn(blank(shape), shape, more)).spec.maxTokens;
    expect(await tokens([32, 32, 3])).toBe(256);
    expect(await tokens([8, 8, 1])).toBe(64);
    expect(await tokens([224, 224, 3])).toBe(256);
    expect(await tokens([28, 28, 1], { maxTokens: 49 })).toBe(49);
    expect(await tokens([28, 28, 1], { patch: 7 })).toBe(16);
    await expect(tokens([31, 37, 1])).rejects.toThrow(
      'set tokenizer.patch to one of 1 (1147 tokens), or resize',
    );
    await expect(tokens([28, 28, 1], { patch: 3 })).rejects.toThrow('one of 1, 2, 4, 7, 14, 28, not 3');
  });

  it('refuses images of another shape, and columns without images', async () => {
    const tokenizer = await fitOn(threes, [28, 28, 1]);
    const other = records({ image: images(blank([28, 28, 3]), [28, 28, 3]) }, 1);
    expect(() => tokenizer.encode(other)).toThrow(
      'images of 28 x 28 x 1 (height, width, channels) were expected, not 28 x 28 x 3',
    );
    const table = records({ image: numbers([1]) }, 1);
    await expect(grid.fit([table], options)).rejects.toThrow(
      'holds number values; the grid tokenizer reads images',
    );
  });
});
