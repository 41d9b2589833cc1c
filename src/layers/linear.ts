import { add, matmul, parameter, scope, staticSize, type Value } from '../graph/index.js';

/**
 * x · W (+ b): float32[…, inputs] → float32[…, width]. Weights are stored `[inputs, width]` and start with deviation
 * 1/√inputs (Glorot & Bengio, 2010), which keeps the size of what flows; the authors' SMA starts all weights at 0.02,
 * as BERT does at width 768, and learns slowly at small widths.
 */
export function linear(
  name: string,
  x: Value,
  width: number,
  { bias = true }: { bias?: boolean } = {},
): Value {
  return scope(name, () => {
    const inputs = staticSize(x.shape.at(-1)!);
    const weight = parameter('weight', [inputs, width], { kind: 'normal', deviation: 1 / Math.sqrt(inputs) });
    const product = matmul(x, weight);
    if (!bias) return product;
    return add(product, parameter('bias', [width], { kind: 'constant', value: 0 }, { decay: false }));
  });
}
