import { expect, it } from 'vitest';
import { evaluate, floats } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { input, parametersOf } from '../graph/index.js';
import { tokenInputs } from '../layers/token-embedding.js';
import { batchShape, type ModelConfig, pretrainingGraph } from '../learning/model.js';
import { initializeParameters, parameterLayout, parameterViews } from '../learning/parameters.js';
import type { TokenBlock } from '../records/token-block.js';
import { random } from '../tensor/random.js';
import { hostTensor } from '../tensor/tensor.js';
import { MaskedErrors, mosaic } from './masked-errors.js';

const model: ModelConfig = {
  spec: { kind: 'discrete', vocabulary: 9, maxTokens: 12 },
  encoder: { kind: 'transformer', width: 8, embed_width: 8, layers: 2, heads: 2, widening: 2 },
  objective: { kind: 'random-masking', masking_ratio: 0.3, decoder_heads: 2, tied_output: true },
};

function untrained(config: ModelConfig) {
  const { parameters, loss } = pretrainingGraph(config, batchShape(config, 1, 12));
  const layout = parameterLayout(parameters.length > 0 ? parameters : parametersOf([loss]));
  return parameterViews(layout, initializeParameters(layout, 1));
}

const { integer } = random(4, 'tokens');
const texts = [12, 1, 5, 7, 2].map((length) => Array.from({ length }, () => 1 + integer(8)));
const blockOf = (records: readonly number[][]): TokenBlock => ({
  count: records.length,
  offsets: Int32Array.from([0, ...records.map((_, i) => records.slice(0, i + 1).flat().length)]),
  ids: Int32Array.from(records.flat()),
  rows: Int32Array.from(records.keys()),
});

it('scores each token once, the same whichever records are beside it', async () => {
  const errors = MaskedErrors.of(await nodeEngine({ threads: 1 }), { model, tensors: untrained(model) })!;
  const block = blockOf(texts);
  const together = await errors.tokenErrors(block);
  const attended = (await errors.attendedErrors(block))!;
  for (const [record, text] of texts.entries()) {
    const own = together.subarray(block.offsets[record], block.offsets[record + 1]);
    // Nothing is left to see of a single token when it is hidden.
    expect(own.every((error) => (text.length === 1 ? Number.isNaN(error) : error > 0))).toBe(true);
    expect(Number.isNaN(attended[record])).toBe(text.length === 1);
    const alone = await errors.tokenErrors(blockOf([text]));
    own.forEach((error, i) => {
      if (text.length > 1) expect(alone[i]).toBeCloseTo(error, 4);
    });
  }
  await errors.release();
});

it('predicts a token without having seen it', async () => {
  const errors = MaskedErrors.of(await nodeEngine({ threads: 1 }), { model, tensors: untrained(model) })!;
  const [text] = texts;
  const before = await errors.tokenErrors(blockOf([text]));
  // An untrained network gives each letter its own logit, so that the softmax over them adds up whatever stands there.
  let total = 0;
  for (let letter = 0; letter < 9; letter++) {
    const [error] = await errors.tokenErrors(blockOf([[letter, ...text.slice(1)]]));
    total += Math.exp(-error);
  }
  expect(total).toBeCloseTo(1, 4);
  expect(before[0]).toBeGreaterThan(0);
  await errors.release();
});

it('is not of an objective that decodes nothing', async () => {
  const other = { ...model, objective: { kind: 'byol' } } as ModelConfig;
  expect(MaskedErrors.of(await nodeEngine({ threads: 1 }), { model: other, tensors: {} })).toBeUndefined();
});

it('shows a hidden patch in its mean colour, channel by channel, and the others as they are', async () => {
  // Two patches of 2 × 2 pixels in two colours.
  const grid = { rows: 1, columns: 2, patch: 2 };
  const spec = { kind: 'continuous', channels: 8, maxTokens: 2, grid } as ModelConfig['spec'];
  const tokens = tokenInputs(spec, 1, 2);
  const { out } = await evaluate(
    await nodeEngine({ threads: 1 }),
    { out: mosaic(spec, tokens, input('hidden', 'bool', [1, 2])) },
    {
      values: floats([1, 2, 8], [1, 10, 2, 20, 3, 30, 6, 60, 9, 8, 7, 6, 5, 4, 3, 2]),
      hidden: hostTensor('bool', [1, 2], Uint8Array.of(1, 0)),
    },
  );
  expect([...out]).toEqual([3, 30, 3, 30, 3, 30, 3, 30, 9, 8, 7, 6, 5, 4, 3, 2]);
});
