import { describe, expect, it } from 'vitest';
import type { TokenBlock, TokenSpec } from '../records/token-block.js';
import { positionOneHot, rawValues } from './features.js';
import type { Session } from './suite.js';

/** A session that knows nothing but one part's tokens. */
const sessionOf = (spec: TokenSpec, block: TokenBlock) =>
  ({ tokenizer: { spec }, labelled: { train: { records: block } } }) as unknown as Session;

const rows = Int32Array.of(0, 1);

describe('features without an encoder', () => {
  it('are the columns of a table: values, categories one-hot, a missing cell the mean or NaN', async () => {
    const spec: TokenSpec = {
      kind: 'fields',
      vocabulary: 4,
      maxTokens: 2,
      fields: [
        { name: 'age', type: 'numeric', firstId: 0, size: 0 },
        { name: 'kind', type: 'categorical', firstId: 2, size: 2 },
      ],
    };
    // Present 1.5 and the second category; missing and missing.
    const block = {
      count: 2,
      offsets: Int32Array.of(0, 2, 4),
      ids: Int32Array.of(0, 3, 1, 1),
      values: Float32Array.of(1.5, 0, 0, 0),
      rows,
    };
    const session = sessionOf(spec, block);
    expect(rawValues.dimension(session)).toBe(3);
    expect(await rawValues.of(session, 'train')).toEqual(Float32Array.of(1.5, 0, 1, Number.NaN, 0, 0));
  });

  it('are the shares of letters and of pairs of neighbours in a text', async () => {
    const spec: TokenSpec = { kind: 'discrete', vocabulary: 2, maxTokens: 4 };
    const block = {
      count: 2,
      offsets: Int32Array.of(0, 4, 5),
      ids: Int32Array.of(0, 1, 1, 0, 1),
      rows,
    };
    // Letters 0 and 1, then pairs 00, 01, 10, 11.
    expect(await rawValues.of(sessionOf(spec, block), 'train')).toEqual(
      Float32Array.of(0.5, 0.5, 0, 0.25, 0.25, 0.25, 0, 1, 0, 0, 0, 0),
    );
  });

  it('are the letter at each position', async () => {
    const spec: TokenSpec = { kind: 'discrete', vocabulary: 3, maxTokens: 2 };
    const block = { count: 2, offsets: Int32Array.of(0, 2, 3), ids: Int32Array.of(2, 0, 1), rows };
    const session = sessionOf(spec, block);
    expect(positionOneHot.dimension(session)).toBe(6);
    expect(await positionOneHot.of(session, 'train')).toEqual({
      offsets: Int32Array.of(0, 2, 3),
      columns: Int32Array.of(2, 3, 1),
    });
  });
});
