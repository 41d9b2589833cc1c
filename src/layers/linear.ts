import { add, matmul, parameter, scope, staticSize, type Value } from '../graph/index.js';

/**
 * The weights `NAME.weight` float32[inputs, width] of a linear layer, for products that are taken in another order.
 * They start with deviation 1/√inputs (Glorot & Bengio, 2010), which keeps the size of what flows; the authors' SMA
 * starts all weights at 0.02, as BERT does at width 768, and learns slowly at small widths.
 */
export const linearWeight = (name: string, inputs: number, width: number): Value =>
  scope(name, () =>
    parameter('weight', [inputs, width], { kind: 'normal', deviation: 1 / Math.sqrt(inputs) }),
  );

/** x · W (+ b): float32[…, inputs] → float32[…, width], for any number of values. */
export function linearOf(
  name: string,
  inputs: number,
  width: number,
  { bias = true }: { bias?: boolean } = {},
): (x: Value) => Value {
  const weight = linearWeight(name, inputs, width);
  if (!bias) return (x) => matmul(x, weight);
  const offset = scope(name, () =>
    parameter('bias', [width], { kind: 'constant', value: 0 }, { decay: false }),
  );
  return (x) => add(matmul(x, weight), offset);
}

/** {@link linearOf} for one value: x · W (+ b), float32[…, inputs] → float32[…, width]. */
export const linear = (name: string, x: Value, width: number, options: { bias?: boolean } = {}): Value =>
  linearOf(name, staticSize(x.shape.at(-1)!), width, options)(x);
