import { InputError } from '../errors.js';
import {
  add,
  cast,
  constant,
  divide,
  iota,
  less,
  logicalNot,
  logicalOr,
  mean,
  multiply,
  pad,
  relu,
  reshape,
  scope,
  staticSize,
  sum,
  transpose,
  type Value,
} from '../graph/index.js';
import { batchNorm } from '../layers/batch-norm.js';
import { convolution } from '../layers/convolution.js';
import { embedTokens, type Tokens } from '../layers/token-embedding.js';
import type { GridSpec } from '../records/token-block.js';
import { hostTensor } from '../tensor/tensor.js';
import { type Encoder, refuseAttention, refuseDropout } from './encoder.js';
import { readableOf } from './readable-states.js';

/** Resolutions, each half the one before. */
const STAGES = 3;

/** What is convolved: an image, or tokens in order as an image of height 1. */
interface FeatureMap {
  /** float32[batch, channels, height, width] */
  readonly values: Value;
  readonly kernel: readonly [height: number, width: number];
  /** float32[batch, 1, height, width] for a map that is so many times smaller: 1 = real, 0 = padding; all if undefined. */
  readonly realAt?: (reduction: number) => Value;
}

/** The image float32[batch, channels, rows, columns] of whose places the patches float32[batch, tokens, channels] are one each. */
function imageOf(patches: Value, { rows, columns }: GridSpec): Value {
  const [batch, count, channels] = patches.shape;
  // A batch may be cropped to its longest record.
  const all = pad(patches, 1, 0, rows * columns - staticSize(count));
  return transpose(reshape(all, [batch, rows, columns, channels]), [0, 3, 1, 2]);
}

/** Tokens float32[batch, tokens, channels] as a signal; one that is shorter than the batch stays so in smaller maps. */
function signalOf(values: Value, { batch, count, lengths }: Tokens): FeatureMap {
  const integer = (value: number) => constant(hostTensor('int32', [], Int32Array.of(value)));
  return {
    values: reshape(transpose(values, [0, 2, 1]), [batch, values.shape[2], 1, count]),
    kernel: [1, 3],
    realAt(reduction) {
      const places = multiply(iota(Math.ceil(count / reduction)), integer(reduction));
      const real = less(reshape(places, [1, 1, 1, -1]), reshape(lengths, [batch, 1, 1, 1]));
      return cast(real, 'float32');
    },
  };
}

interface BlockOptions {
  readonly kernel: FeatureMap['kernel'];
  readonly filters: number;
  readonly stride: number;
  readonly training: boolean;
  readonly real?: Value;
}

/** Two convolutions, added to what came in, which is projected where its size is another. */
function residualBlock(name: string, x: Value, { kernel, filters, stride, ...norm }: BlockOptions): Value {
  return scope(name, () => {
    const first = convolution('convolution.0', x, filters, { kernel, stride });
    const inner = relu(batchNorm('norm.0', first, norm));
    const second = batchNorm('norm.1', convolution('convolution.1', inner, filters, { kernel }), norm);
    if (stride === 1 && x.shape[1] === filters) return relu(add(second, x));
    const projected = convolution('shortcut', x, filters, { kernel: [1, 1], stride });
    return relu(add(second, batchNorm('shortcut_norm', projected, norm)));
  });
}

/** Channels of each stage, the last of `width`, and half as many in each before it. */
function stageWidths(width: number, layers: number): number[] {
  const stages = Math.min(STAGES, layers);
  const divisor = 2 ** (stages - 1);
  if (width % divisor !== 0) {
    const fitting = Math.ceil(width / divisor) * divisor;
    throw new InputError(
      `encoder.width: expected a multiple of ${divisor} for a residual network of ${stages} stages, got ${width}; try ${fitting}`,
    );
  }
  return Array.from({ length: stages }, (_, stage) => width / 2 ** (stages - 1 - stage));
}

/**
 * A residual network as He et al. (CVPR 2016) have it for CIFAR-10: filters of 3 × 3 with batch norm and ReLU, three
 * stages of residual blocks, of which the second and third have half the resolution and twice the channels of the one
 * before, and the mean over the last map. `layers` counts the blocks, shared out evenly with the first stages ahead;
 * fewer than three make fewer stages. A shortcut between stages is projected, as for ImageNet. A patch of an image is one place
 * of the first map, with its pixels as channels: patches of 1 are the network of the paper, larger ones a first layer with that
 * stride. Other tokens, embedded, are a signal of height 1. Hidden tokens are 0, which is the mean of a standardised pixel.
 */
export const residualNetwork: Encoder = {
  encode(spec, tokens, config, options = {}) {
    refuseDropout(config, options);
    refuseAttention(config, options);
    const { hiding, training = false } = options;
    const { embedded, positions, table } = embedTokens(spec, tokens, config.embed_width, options);
    return scope('encoder', () => {
      const unreadable = hiding ? logicalOr(tokens.padding, hiding.choose(undefined)) : tokens.padding;
      const visible = readableOf(unreadable);
      const grid = spec.kind === 'continuous' ? spec.grid : undefined;
      const { values, kernel, realAt }: FeatureMap = grid
        ? { values: imageOf(multiply(tokens.values!, visible), grid), kernel: [3, 3] }
        : signalOf(multiply(embedded, visible), tokens);

      const { width, layers } = config;
      const widths = stageWidths(width, layers);
      const reals = widths.map((_, stage) => realAt?.(2 ** stage));
      const stem = convolution('stem', values, widths[0], { kernel });
      let map = relu(batchNorm('stem_norm', stem, { training, real: reals[0] }));
      let stage = 0;
      for (let layer = 0; layer < layers; layer++) {
        const before = stage;
        stage = Math.floor((widths.length * layer) / layers);
        map = residualBlock(`layers.${layer}`, map, {
          kernel,
          filters: widths[stage],
          stride: stage === before ? 1 : 2,
          training,
          real: reals[stage],
        });
      }

      const [batch, , rows, columns] = map.shape;
      const places = staticSize(rows) * staticSize(columns);
      const states = transpose(reshape(map, [batch, width, places]), [0, 2, 1]);
      const encoding = { embedded, states, positions, table };
      const real = reals.at(-1);
      if (!real) return { ...encoding, pooled: mean(map, [2, 3]) };
      return {
        ...encoding,
        unreadable: logicalNot(cast(reshape(real, [batch, places]), 'bool')),
        // What is not real is 0.
        pooled: divide(sum(map, [2, 3]), sum(real, [2, 3])),
      };
    });
  },
};
