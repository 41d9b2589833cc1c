import { gelu, scope, staticSize, type Value } from '../graph/index.js';
import { linear } from './linear.js';

/**
 * linear → GELU → linear back to the input's width, without biases: float32[…, width] → float32[…, width], within
 * `widening` times as wide.
 */
export function mlp(name: string, x: Value, widening: number): Value {
  return scope(name, () => {
    const width = staticSize(x.shape.at(-1)!);
    const inner = gelu(linear('expand', x, widening * width, { bias: false }));
    return linear('contract', inner, width, { bias: false });
  });
}
