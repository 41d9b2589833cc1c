import { layerNorm as normalize, parameter, scope, staticSize, type Value } from '../graph/index.js';

/** Layer normalisation over the last axis with a learned scale and bias (Ba et al., 2016), for any number of values. */
export function layerNormOf(
  name: string,
  width: number,
  { epsilon = 1e-5 }: { epsilon?: number } = {},
): (x: Value) => Value {
  return scope(name, () => {
    const scale = parameter('scale', [width], { kind: 'constant', value: 1 }, { decay: false });
    const bias = parameter('bias', [width], { kind: 'constant', value: 0 }, { decay: false });
    return (x) => normalize(x, scale, bias, epsilon);
  });
}

/** {@link layerNormOf} for one value: float32[…, width] → float32[…, width]. `epsilon` is 1e-5 by default. */
export const layerNorm = (name: string, x: Value, options: { epsilon?: number } = {}): Value =>
  layerNormOf(name, staticSize(x.shape.at(-1)!), options)(x);
