/** Filters along the tokens of a record, and the residual layer that is made of them. */
import { add, gelu, multiply, reshape, scope, staticSize, transpose, type Value } from '../graph/index.js';
import { convolution } from './convolution.js';
import { type Dropout, dropped, droppedPath } from './dropout.js';
import { layerNorm } from './layer-norm.js';
import { mlp } from './mlp.js';

/** Tokens that one filter reads. */
const KERNEL = 5;

/** Filters along the tokens: float32[batch, tokens, channels] to float32[batch, tokens, filters]. */
function convolveTokens(name: string, x: Value, filters: number): Value {
  const [batch, tokens, channels] = x.shape;
  // On channels before tokens, with both ways there and back, it is faster than a product with windows laid out.
  const signal = reshape(transpose(x, [0, 2, 1]), [batch, channels, 1, tokens]);
  const found = convolution(name, signal, filters, { kernel: [1, KERNEL] });
  return transpose(reshape(found, [batch, filters, tokens]), [0, 2, 1]);
}

/** What a layer reads, and how wide its MLP is. */
export interface ConvolutionLayerOptions {
  /** Inner width of the MLP, as a multiple of that of the states. */
  readonly widening: number;
  /** float32[batch, tokens, 1]: 1 where a token may be read; the others are 0 before the filters. */
  readonly readable: Value;
  readonly dropout?: Dropout;
}

/**
 * One residual layer in the manner of ByteNet (Kalchbrenner et al., 2016) and CARP (Yang, Fusi & Lu, 2022): layer norm,
 * filters over five tokens, GELU, and an MLP at each token: float32[batch, tokens, width] to the same. Departures: no
 * dilation, so a state reads two tokens further to either side with each layer; filters of full width, and one norm.
 */
export function convolutionLayer(
  name: string,
  states: Value,
  { widening, readable, dropout }: ConvolutionLayerOptions,
): Value {
  return scope(name, () => {
    const drop = (site: string, branch: Value) => dropped(site, branch, dropout?.dropout, dropout);
    const read = multiply(layerNorm('norm', states), readable);
    const found = drop('convolution', gelu(convolveTokens('convolution', read, staticSize(states.shape[2]))));
    const added = drop('mlp', mlp('mlp', found, widening));
    return add(droppedPath('layer', added, dropout), states);
  });
}
