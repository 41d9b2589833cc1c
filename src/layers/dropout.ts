/**
 * Dropout (Srivastava et al., JMLR 2014) and drop-path (Huang et al., "Deep Networks with Stochastic Depth", ECCV 2016), whose
 * draws are a function of one number per record: whoever feeds the same numbers drops the same, on any number of threads.
 *
 * The generator is made of products, sums and quotients of int32 alone, which wrap around, so that it computes the same
 * wherever such a graph runs. A hash gives each row and each column of a map a key, with few operations, since these are few;
 * an element is the square of the sum of its two keys, of which the high bits decide.
 */
import { z } from 'zod';
import {
  add,
  constant,
  divide,
  iota,
  less,
  multiply,
  reshape,
  type Shape,
  scalar,
  staticSize,
  type Value,
  where,
} from '../graph/index.js';
import type { OptionsOf } from '../options.js';
import { hashString } from '../tensor/random.js';
import { hostTensor } from '../tensor/tensor.js';

/** What share is dropped where, by the names of the configuration; nothing by default. */
export interface DropoutRates {
  /** Of the attention map, after its softmax. */
  readonly attention_dropout?: number;
  /** Of the embedded tokens, the result of each attention and of each MLP. */
  readonly dropout?: number;
  /** Of whole records, for which a layer's attention or MLP adds nothing. */
  readonly drop_path?: number;
}

/** Their declarations. */
export const dropoutOptions: OptionsOf<Required<DropoutRates>> = {
  attention_dropout: {
    type: z.number().min(0).lt(1),
    description: 'part of the attention weights that is dropped in training',
    example: 0.1,
  },
  dropout: {
    type: z.number().min(0).lt(1),
    description:
      'part of the embedded tokens and of the results of attention and MLPs that is dropped in training',
    example: 0.1,
  },
  drop_path: {
    type: z.number().min(0).lt(1),
    description: 'part of the records for which a layer adds nothing in training',
    example: 0.1,
  },
};

/** The rates among other options. */
export const dropoutRates = ({ attention_dropout, dropout, drop_path }: DropoutRates): DropoutRates => ({
  ...(attention_dropout !== undefined && { attention_dropout }),
  ...(dropout !== undefined && { dropout }),
  ...(drop_path !== undefined && { drop_path }),
});

/** Whether anything is dropped. */
export const dropsAny = (rates: DropoutRates | undefined): rates is DropoutRates =>
  Object.values(rates ?? {}).some((rate) => rate > 0);

/** The rates, and int32[batch]: a number for each record, from which all that is dropped of it follows. */
export interface Dropout extends DropoutRates {
  readonly seeds: Value;
}

const integer = (value: number): Value => constant(hostTensor('int32', [], Int32Array.of(value)));

/** Factors of the hash, from those of lowbias32 (Wellons) and MurmurHash3 (Appleby), and by how many bits it then shifts. */
const ROUNDS = [
  [0x7feb352d, 15],
  [0x846ca68b, 16],
  [0x9e3779b1, 15],
  [0x85ebca6b, 16],
  [0xc2b2ae35, 15],
] as const;

/** An int32 all of whose bits depend on all bits of another: rounds of a product and of its high bits added to the low ones. */
const mix = (x: Value): Value =>
  ROUNDS.reduce((bits, [factor, shift]) => {
    const product = multiply(bits, integer(factor));
    return add(product, divide(product, integer(1 << shift)));
  }, x);

/** int32[batch, …shape]: what {@link mix} makes of a record's number and a place within it. */
function keys(seeds: Value, salt: number, shape: readonly number[]): Value {
  const count = shape.reduce((product, size) => product * size, 1);
  const own = mix(add(seeds, integer(salt)));
  const [batch] = seeds.shape;
  const places = multiply(reshape(iota(count), [1, count]), integer(0x3c6ef372 | 1));
  return reshape(mix(add(reshape(own, [batch, 1]), places)), [batch, ...shape]);
}

/**
 * float32[batch, …]: 0 with probability `rate`, else 1 / (1 − rate), independently for each element of a shape whose first
 * axis is that of the records. Sites of different names draw differently.
 */
export function dropoutMask(
  site: string,
  shape: Shape,
  rate: number,
  { seeds }: Pick<Dropout, 'seeds'>,
): Value {
  const sizes = shape.slice(1).map(staticSize);
  const salt = hashString(site);
  const rows = keys(seeds, salt, [...sizes.slice(0, -1), 1]);
  const columns = keys(seeds, ~salt, [...sizes.slice(0, -1).fill(1), sizes.at(-1)!]);
  const sum = add(rows, columns);
  const limit = Math.min(2 ** 31 - 1, Math.round((1 - rate) * 2 ** 32 - 2 ** 31));
  return where(less(multiply(sum, sum), integer(limit)), scalar(1 / (1 - rate)), scalar(0));
}

/** x float32[batch, …] with elements dropped, as it is without a rate. The site's name is that of the open scope, too. */
export function dropped(
  site: string,
  x: Value,
  rate: number | undefined,
  dropout: Dropout | undefined,
): Value {
  if (!rate || !dropout) return x;
  return multiply(x, dropoutMask(`${x.node.scope} ${site}`, x.shape, rate, dropout));
}

/** x float32[batch, n, width], in which a record is dropped as a whole. */
export function droppedPath(site: string, x: Value, dropout: Dropout | undefined): Value {
  if (!dropout?.drop_path) return x;
  const shape = [x.shape[0], 1, 1];
  return multiply(x, dropoutMask(`${x.node.scope} ${site} path`, shape, dropout.drop_path, dropout));
}
