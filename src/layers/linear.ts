import { add, matmul, parameter, scope, staticSize, type Value } from '../graph/index.js';

/** Standard deviation of fresh weights, as in BERT and in the authors' SMA. */
export const WEIGHT_DEVIATION = 0.02;

/** x · W (+ b): float32[…, inputs] → float32[…, width]. Weights are stored `[inputs, width]`. */
export function linear(
  name: string,
  x: Value,
  width: number,
  { bias = true }: { bias?: boolean } = {},
): Value {
  return scope(name, () => {
    const inputs = staticSize(x.shape.at(-1)!);
    const weight = parameter('weight', [inputs, width], { kind: 'normal', deviation: WEIGHT_DEVIATION });
    const product = matmul(x, weight);
    if (!bias) return product;
    return add(product, parameter('bias', [width], { kind: 'constant', value: 0 }, { decay: false }));
  });
}
