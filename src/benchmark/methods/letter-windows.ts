/** One-hot letters with their neighbours, for networks on sequences of letters. */
import {
  concatenate,
  multiply,
  oneHot,
  pad,
  reshape,
  slice,
  staticSize,
  type Value,
} from '../../graph/index.js';
import { realTokens, tokenInputs } from '../../layers/token-embedding.js';
import type { TokenSpec } from '../../records/token-block.js';

export type LetterSpec = TokenSpec & { kind: 'discrete' };

/**
 * The letters around each position, float32[batch, count, width · vocabulary], zeros beyond the ends, and which positions
 * are real, float32[batch, count, 1]. `width` is odd.
 */
export function letterWindows(
  spec: LetterSpec,
  batch: number,
  count: number,
  width: number,
): { windows: Value; real: Value } {
  const tokens = tokenInputs(spec, batch, count);
  const real = reshape(realTokens(tokens), [batch, count, 1]);
  const letters = multiply(oneHot(tokens.ids!, spec.vocabulary), real);
  return { windows: windowsOf(letters, width), real };
}

/** Each position with those around it, `width` of them: float32[batch, count, channels] → float32[batch, count, width · channels]. */
export function windowsOf(x: Value, width: number): Value {
  const count = staticSize(x.shape[1]);
  const padded = pad(x, 1, (width - 1) / 2, (width - 1) / 2);
  return concatenate(
    Array.from({ length: width }, (_, offset) => slice(padded, 1, offset, offset + count)),
    2,
  );
}
