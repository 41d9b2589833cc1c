import { describe, expect, it } from 'vitest';
import {
  evaluate,
  floats,
  integers,
  largestDifference,
  normals,
  ordinaryParameters,
} from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { parametersOf } from '../graph/index.js';
import { tokenInputs } from '../layers/token-embedding.js';
import type { TokenSpec } from '../records/token-block.js';
import { residualNetwork } from './residual-network.js';

const engine = await nodeEngine({ threads: 1 });

const config = {
  kind: 'residual-network',
  latents: 1,
  width: 8,
  embed_width: 4,
  layers: 3,
  heads: 1,
  cross_heads: 1,
  widening: 1,
};

const encode = (spec: TokenSpec, batch: number, layers = 3, width = 8) =>
  residualNetwork.encode(spec, tokenInputs(spec, batch, spec.maxTokens), { ...config, layers, width });

describe('a residual network on images', () => {
  const images = 3;
  const imageSpec = (rows: number, columns: number, channels: number, patch = 1): TokenSpec => ({
    kind: 'continuous',
    channels,
    maxTokens: rows * columns,
    grid: { rows, columns, patch },
  });
  const statesOf = async (spec: TokenSpec, values: Float32Array) => {
    const { states, pooled } = encode(spec, images);
    const feeds = {
      values: floats([images, spec.maxTokens, values.length / (images * spec.maxTokens)], values),
      lengths: integers([images], new Array(images).fill(spec.maxTokens)),
    };
    const found = await evaluate(engine, { states, pooled }, { ...feeds, ...ordinaryParameters([pooled]) });
    return { ...found, shape: states.shape };
  };

  it('has a place for each patch, whose pixels are channels, and a quarter of them in each later stage', async () => {
    const values = normals('image', images * 24 * 4);
    const patches = await statesOf(imageSpec(6, 4, 4, 2), values);
    // 6 × 4 patches, then 3 × 2, then 2 × 1.
    expect(patches.shape).toEqual([images, 2, 8]);
    const colours = await statesOf(imageSpec(6, 4, 4), values);
    expect(largestDifference(patches.pooled, colours.pooled)).toBeLessThan(1e-6);
    expect(new Set(patches.pooled.map((value) => value.toFixed(4))).size).toBeGreaterThan(12);
  });

  it('knows rows from columns: a patch changes the places near it in both directions', async () => {
    const [rows, columns, places] = [32, 32, 8];
    const values = normals('image', images * rows * columns);
    const before = await statesOf(imageSpec(rows, columns, 1), values);
    expect(before.shape).toEqual([images, places ** 2, 8]);
    const touched = values.slice();
    touched[0] += 3;
    const after = await statesOf(imageSpec(rows, columns, 1), touched);
    const changed = Array.from({ length: places ** 2 }, (_, place) =>
      before.states
        .slice(place * 8, (place + 1) * 8)
        .some((value, i) => value !== after.states[place * 8 + i]),
    );
    expect(changed[0]).toBe(true);
    // Filters reach no further than five places.
    changed.forEach((value, place) => {
      if (place % places >= 5 || place >= 5 * places) expect(value, `place ${place}`).toBe(false);
    });
    expect(changed[1]).toBe(changed[places]);
  });
});

describe('the blocks of a residual network', () => {
  const spec: TokenSpec = { kind: 'discrete', vocabulary: 5, maxTokens: 9 };
  const filtersOf = (layers: number) =>
    parametersOf([encode(spec, 2, layers).pooled])
      .filter(({ name }) => /layers\.\d+\.convolution\.0\.weight/.test(name))
      .map(({ outputs }) => outputs[0].shape[0]);

  it('are shared out over three stages, the first ahead, and over fewer where there are fewer', () => {
    expect(filtersOf(1)).toEqual([8]);
    expect(filtersOf(2)).toEqual([4, 8]);
    expect(filtersOf(3)).toEqual([2, 4, 8]);
    expect(filtersOf(4)).toEqual([2, 2, 4, 8]);
    expect(filtersOf(8)).toEqual([2, 2, 2, 4, 4, 4, 8, 8]);
  });

  it('name a width that cannot be halved for each stage, and one that can', () => {
    expect(() => encode(spec, 2, 3, 10)).toThrow(
      'encoder.width: expected a multiple of 4 for a residual network of 3 stages, got 10; try 12',
    );
  });
});
