import { convolution as convolve, parameter, scope, staticSize, type Value } from '../graph/index.js';

/** The size of the filters, and how far they move at a time; 1 by default. */
export interface ConvolutionOptions {
  /** Height and width of the filters, both odd. */
  readonly kernel: readonly [height: number, width: number];
  readonly stride?: number;
}

/**
 * Filters `NAME.weight` without biases over float32[batch, channels, height, width], with so many zeros around that a
 * stride of 1 keeps the size: float32[batch, filters, ⌈height / stride⌉, ⌈width / stride⌉]. They start with deviation
 * √(2/inputs) (He et al., ICCV 2015), as a ReLU is to follow.
 */
export function convolution(
  name: string,
  x: Value,
  filters: number,
  { kernel, stride = 1 }: ConvolutionOptions,
): Value {
  return scope(name, () => {
    const [height, width] = kernel;
    const channels = staticSize(x.shape[1]);
    const deviation = Math.sqrt(2 / (channels * height * width));
    const weight = parameter('weight', [filters, channels, height, width], { kind: 'normal', deviation });
    return convolve(x, weight, { stride, padding: [(height - 1) / 2, (width - 1) / 2] });
  });
}
