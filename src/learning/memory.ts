/** What a training takes at least, told before it is taken. */
import { InputError } from '../errors.js';
import { type Node, reachableNodes, type Value } from '../graph/index.js';

/** Primitives whose results the gradient needs, or others as large in their place. */
const KEPT = new Set(['matmul', 'attend', 'convolution', 'transposedConvolution', 'shiftedProducts']);

const FLOAT_BYTES = 4;

export interface TrainingMemory {
  /** Bytes of parameters, gradient, moments and averages: so many vectors of the parameters' length. */
  readonly vectors: number;
  /** Bytes of what a step keeps for its gradient: the results of products and attention, or with `recompute` the largest. */
  readonly activations: number;
}

/**
 * An estimate from the graph of a loss, whose sizes are numbers; names count as 1. Below what is taken, by a half to a third where
 * activations count most, so that nothing is refused that fits.
 */
export function trainingMemory(
  loss: Value,
  { parameters, vectors, recompute = false }: { parameters: number; vectors: number; recompute?: boolean },
): TrainingMemory {
  const kept = reachableNodes([loss])
    .filter((node) => node.kind === 'operation' && KEPT.has(node.primitive.name))
    .map(bytesOf);
  return {
    vectors: parameters * vectors * FLOAT_BYTES,
    activations: kept.reduce((total, bytes) => (recompute ? Math.max(total, bytes) : total + bytes), 0),
  };
}

const bytesOf = ({ outputs }: Node): number =>
  outputs.reduce((total, { shape }) => total + FLOAT_BYTES * shape.reduce<number>(times, 1), 0);

const times = (product: number, size: Value['shape'][number]): number =>
  typeof size === 'number' ? product * size : product;

/** Throws InputError where that is more than `limit`, the bytes that the machine has. */
export function refuseTooLarge({ vectors, activations }: TrainingMemory, limit: number): void {
  if (vectors + activations <= limit) return;
  throw new InputError(
    `training: needs at least ${gibibytes(vectors + activations)} of memory, ${gibibytes(vectors)} for the parameters with their moments and ${gibibytes(activations)} for a step, and this machine has ${gibibytes(limit)}; try ${
      vectors > activations
        ? 'a smaller --width or fewer --layers'
        : 'a smaller --batch-size, fewer --latents, shorter records (--max-tokens) or --set training.recompute=true'
    }`,
  );
}

const gibibytes = (bytes: number): string =>
  `${Number((bytes / 2 ** 30).toPrecision(3)).toLocaleString('en-US', { maximumSignificantDigits: 3 })} GiB`;
