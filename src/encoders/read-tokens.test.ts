import { describe, expect, it } from 'vitest';
import { evaluate, floats, largestDifference, normals, ordinaryParameters } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { constant, input, parametersOf } from '../graph/index.js';
import type { Encoding } from './encoder.js';
import { readTokens } from './read-tokens.js';

const [ROWS, COUNT, LATENTS, WIDTH] = [2, 5, 3, 4];
const embedded = input('embedded', 'float32', [ROWS, COUNT, 6]);
const states = input('states', 'float32', [ROWS, LATENTS, WIDTH]);
const encoding: Encoding = {
  embedded,
  states,
  pooled: constant(floats([ROWS, WIDTH], new Float32Array(ROWS * WIDTH))),
  positions: constant(floats([COUNT, 6], new Float32Array(COUNT * 6))),
};

describe('reading the states of an encoder token by token', () => {
  it('takes those that there are', () => {
    expect(readTokens({ ...encoding, tokenStates: states }, { heads: 2 })).toBe(states);
  });

  it('asks with the embedded tokens where there are none, each by itself, or with other queries', async () => {
    const engine = await nodeEngine({ threads: 1 });
    const read = readTokens(encoding, { heads: 2 });
    const queries = input('queries', 'float32', [ROWS, 2, 6]);
    const others = readTokens({ ...encoding, tokenStates: states }, { heads: 2 }, queries);
    expect([read.shape, others.shape]).toEqual([
      [ROWS, COUNT, 6],
      [ROWS, 2, 6],
    ]);
    expect(parametersOf([read]).map(({ name }) => name)).toContain('states_norm.scale');
    const tokens = normals('embedded', ROWS * COUNT * 6);
    const feeds = {
      ...ordinaryParameters([read]),
      embedded: floats([ROWS, COUNT, 6], tokens),
      states: floats([ROWS, LATENTS, WIDTH], normals('states', ROWS * LATENTS * WIDTH)),
      queries: floats(
        [ROWS, 2, 6],
        [0, 1].flatMap((row) => [...tokens.slice((row * COUNT + 2) * 6, (row * COUNT + 4) * 6)]),
      ),
    };
    const { all } = await evaluate(engine, { all: read }, feeds);
    const { some } = await evaluate(engine, { some: others }, feeds);
    for (const row of [0, 1])
      expect(
        largestDifference(
          some.slice(row * 12, (row + 1) * 12),
          all.slice((row * COUNT + 2) * 6, (row * COUNT + 4) * 6),
        ),
      ).toBeLessThan(1e-5);
    // Every latent is read.
    const changed = {
      ...feeds,
      states: floats([ROWS, LATENTS, WIDTH], normals('other', ROWS * LATENTS * WIDTH)),
    };
    expect(largestDifference((await evaluate(engine, { all: read }, changed)).all, all)).toBeGreaterThan(
      1e-3,
    );
  });
});
