import { expect, it } from 'vitest';
import { evaluate, integers, largestDifference, ordinaryParameters } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { tokenInputs } from '../layers/token-embedding.js';
import type { TokenSpec } from '../records/token-block.js';
import { convolution } from './convolution.js';

const engine = await nodeEngine({ threads: 1 });

it.each([1, 3])('a state of %i layers reads two tokens to either side for each of them', async (layers) => {
  const tokens = 20;
  const spec: TokenSpec = { kind: 'discrete', vocabulary: 5, maxTokens: tokens };
  const sizes = { latents: 1, width: 8, embed_width: 6, heads: 1, cross_heads: 1, widening: 2 };
  const config = { kind: 'convolution', layers, ...sizes };
  const { states } = convolution.encode(spec, tokenInputs(spec, 1, tokens), config);
  const parameters = ordinaryParameters([states]);
  const statesOf = async (ids: readonly number[]) => {
    const feeds = { ids: integers([1, tokens], ids), lengths: integers([1], [tokens]) };
    return (await evaluate(engine, { states }, { ...feeds, ...parameters })).states;
  };
  const ids = Array.from({ length: tokens }, (_, token) => token % 5);
  const before = await statesOf(ids);
  const changed = 9;
  const after = await statesOf(ids.with(changed, 0));
  for (let token = 0; token < tokens; token++) {
    const [start, end] = [token * 8, (token + 1) * 8];
    const difference = largestDifference(after.slice(start, end), before.slice(start, end));
    expect(difference > 0, `token ${token}`).toBe(Math.abs(token - changed) <= 2 * layers);
  }
});
