import { layerNorm as normalize, parameter, scope, staticSize, type Value } from '../graph/index.js';

/** Layer normalisation over the last axis with a learned scale and bias (Ba et al., 2016). */
export function layerNorm(name: string, x: Value, { epsilon = 1e-5 }: { epsilon?: number } = {}): Value {
  return scope(name, () => {
    const width = staticSize(x.shape.at(-1)!);
    const scale = parameter('scale', [width], { kind: 'constant', value: 1 }, { decay: false });
    const bias = parameter('bias', [width], { kind: 'constant', value: 0 }, { decay: false });
    return normalize(x, scale, bias, epsilon);
  });
}
