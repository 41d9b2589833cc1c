import { describe, expect, it } from 'vitest';
import {
  evaluate,
  floats,
  integers,
  largestDifference,
  ordinaryParameters,
} from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { parametersOf } from '../graph/index.js';
import { tokenInputs } from '../layers/token-embedding.js';
import type { TokenSpec } from '../records/token-block.js';
import { random } from '../tensor/random.js';
import { grid } from '../tokenizers/grid.js';
import { records } from '../tokenizers/tokenizer.case.js';
import { residualNetwork } from './residual-network.js';

const engine = await nodeEngine({ threads: 1 });

const config = {
  kind: 'residual-network',
  latents: 1,
  width: 8,
  embedWidth: 4,
  layers: 3,
  heads: 1,
  crossHeads: 1,
  widening: 1,
};

const encode = (spec: TokenSpec, batch: number, layers = 3, width = 8) =>
  residualNetwork.encode(spec, tokenInputs(spec, batch, spec.maxTokens), { ...config, layers, width });

describe('a residual network on images', () => {
  it('sees the same image however it was cut into patches', async () => {
    const [images, shape] = [3, [6, 4, 2] as const];
    const { integer } = random(1, 'pixels');
    const pixels = Uint8Array.from({ length: images * 48 }, () => integer(256));
    const batch = records({ image: { type: 'pixels', values: pixels, shape: [...shape] } }, images);
    const embeddings: number[][] = [];
    for (const patch of [1, 2]) {
      const { spec, encode: tokens } = await grid.fit([batch], { columns: ['image'], patch });
      const { maxTokens } = spec;
      const { pooled, states } = encode(spec, images);
      // 6 × 4, then 3 × 2, then 2 × 1.
      expect(states.shape).toEqual([images, 2, 8]);
      const feeds = {
        values: floats([images, maxTokens, 2 * patch ** 2], tokens(batch).values!),
        lengths: integers([images], new Array(images).fill(maxTokens)),
      };
      const { embedding } = await evaluate(
        engine,
        { embedding: pooled },
        { ...feeds, ...ordinaryParameters([pooled]) },
      );
      embeddings.push(embedding);
    }
    expect(largestDifference(embeddings[0], embeddings[1])).toBeLessThan(1e-5);
    expect(new Set(embeddings[0].map((value) => value.toFixed(4))).size).toBeGreaterThan(12);
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
