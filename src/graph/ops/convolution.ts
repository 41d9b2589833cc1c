/**
 * Convolution of images, as neural networks have it (a cross-correlation), and its two gradients. The sum of
 * gradient · convolution is linear in the image, in the filters and in the gradient; each primitive is the derivative by
 * one of the three, so the gradient of each is the other two.
 */
import { type Shape, staticSize } from '../size.js';
import { apply, type Lowering, type Primitive, type Value } from '../value.js';
import { requireDtype } from './elementwise.js';

/** What the primitive is told. */
export interface ConvolutionAttributes {
  /** Steps of the filters, in both directions. */
  readonly stride: number;
  /** Zeros around the image: rows above and below, columns left and right. */
  readonly padding: readonly number[];
  readonly [key: string]: number | readonly number[];
}

/** What the gradient of an operand has to know beside the shapes of the other two. */
export interface SizedAttributes extends ConvolutionAttributes {
  /** Height and width of the result. */
  readonly size: readonly number[];
}

/** Rows of a product that pay for preparing its other operand. */
const PAYING_ROWS = 16;

const sizeOf = (shape: Shape): [height: number, width: number] => [
  staticSize(shape[2]),
  staticSize(shape[3]),
];

/** Height and width of a convolution's result. */
function resultSize(
  [height, width]: readonly number[],
  kernel: readonly number[],
  { stride, padding }: ConvolutionAttributes,
): [height: number, width: number] {
  const along = (size: number, axis: number) =>
    Math.floor((size + 2 * padding[axis] - kernel[axis]) / stride) + 1;
  return [along(height, 0), along(width, 1)];
}

function checkOperands(...operands: readonly Value[]): void {
  for (const value of operands) {
    requireDtype(value, 'float32');
    if (value.shape.length !== 4) throw new Error('both need four axes');
  }
}

function checkAttributes(
  size: readonly number[],
  kernel: readonly number[],
  attributes: ConvolutionAttributes,
): void {
  const { stride, padding } = attributes;
  if (!Number.isInteger(stride) || stride < 1) throw new Error(`a stride of ${stride} is not a whole step`);
  if (padding.length !== 2 || padding.some((zeros) => !Number.isInteger(zeros) || zeros < 0))
    throw new Error(`[${padding.join(', ')}] are not the rows and columns of zeros around an image`);
  if (resultSize(size, kernel, attributes).some((length) => length < 1))
    throw new Error(`filters of ${kernel.join(' × ')} are larger than ${size.join(' × ')} with its padding`);
}

const onnxAttributes = ({ stride, padding: [vertical, horizontal] }: ConvolutionAttributes) => ({
  strides: [stride, stride],
  pads: [vertical, horizontal, vertical, horizontal],
});

/** The elements of each image that meet one place of the filters, float32[batch, channels, places]. */
function lowerShifted(
  lowering: Lowering,
  padded: string,
  [top, left]: readonly number[],
  { stride, channels, size }: { stride: number; channels: number; size: readonly number[] },
): string {
  const last = (start: number, length: number) => start + (length - 1) * stride + 1;
  const bounds = [
    [top, left],
    [last(top, size[0]), last(left, size[1])],
    [2, 3],
    [stride, stride],
  ].map((values) => lowering.int64(values));
  const [part] = lowering.emit('Slice', [padded, ...bounds]);
  return lowering.emit('Reshape', [part, lowering.int64([-1, channels, size[0] * size[1]])])[0];
}

export const convolutions = {
  convolution: {
    name: 'convolution',
    infer: ([x, weights], attributes) => {
      checkOperands(x, weights);
      if (x.shape[1] !== weights.shape[1])
        throw new Error(`filters of ${weights.shape[1]} channels meet ${x.shape[1]}`);
      const [size, kernel] = [sizeOf(x.shape), sizeOf(weights.shape)];
      checkAttributes(size, kernel, attributes);
      const shape = [x.shape[0], weights.shape[0], ...resultSize(size, kernel, attributes)];
      return [{ dtype: 'float32', shape }];
    },
    lower: (lowering, operands, results, { attributes }) => {
      lowering.emit('Conv', operands, onnxAttributes(attributes), results);
    },
    gradient: ({ inputs: [x, weights], attributes }, [g]) => [
      transposedConvolution(g!, weights, attributes, sizeOf(x.shape)),
      shiftedProducts(x, g!, attributes, sizeOf(weights.shape)),
    ],
  } satisfies Primitive<ConvolutionAttributes>,
  /** By the image: each element of g is spread over the places of the image that its filters read. */
  transposedConvolution: {
    name: 'transposedConvolution',
    infer: ([g, weights], { size, ...attributes }) => {
      checkOperands(g, weights);
      const [filters, channels] = weights.shape;
      const expected = resultSize(size, sizeOf(weights.shape), attributes);
      if (g.shape[1] !== filters || sizeOf(g.shape).join() !== expected.join())
        throw new Error(`the first must be float32[batch, ${filters}, ${expected.join(', ')}]`);
      return [{ dtype: 'float32', shape: [g.shape[0], channels, ...size] }];
    },
    lower: (lowering, operands, results, { inputs: [g, weights], attributes }) => {
      const { stride, padding, size } = attributes;
      // What the stride leaves over at the end of the image.
      const rest = [0, 1].map(
        (axis) =>
          size[axis] +
          2 * padding[axis] -
          Number(weights.shape[axis + 2]) -
          stride * (Number(g.shape[axis + 2]) - 1),
      );
      lowering.emit(
        'ConvTranspose',
        operands,
        { ...onnxAttributes(attributes), output_padding: rest },
        results,
      );
    },
    gradient: ({ inputs: [g, weights], attributes: { size: _, ...attributes } }, [ofImage]) => [
      convolution(ofImage!, weights, attributes),
      shiftedProducts(ofImage!, g, attributes, sizeOf(weights.shape)),
    ],
  } satisfies Primitive<SizedAttributes>,
  /**
   * By the filters: for each of their places the product of g with the elements of the image that meet it. One matrix
   * product a place is over twice as fast as ONNX Runtime's Conv with the axes swapped.
   */
  shiftedProducts: {
    name: 'shiftedProducts',
    infer: ([x, g], { size, ...attributes }) => {
      checkOperands(x, g);
      checkAttributes(sizeOf(x.shape), size, attributes);
      const expected = resultSize(sizeOf(x.shape), size, attributes);
      if (g.shape[0] !== x.shape[0] || sizeOf(g.shape).join() !== expected.join())
        throw new Error(`the second must be float32[${x.shape[0]}, filters, ${expected.join(', ')}]`);
      return [{ dtype: 'float32', shape: [g.shape[1], x.shape[1], ...size] }];
    },
    lower: (lowering, [x, g], results, { inputs, attributes }) => {
      const { stride, padding, size: kernel } = attributes;
      const [channels, filters] = inputs.map((value) => Number(value.shape[1]));
      const size = inputs[1].shape.slice(2).map(Number);
      const pads = [0, 0, ...padding, 0, 0, ...padding];
      const padded = pads.some((zeros) => zeros > 0) ? lowering.emit('Pad', [x, lowering.int64(pads)])[0] : x;
      const [places] = lowering.emit('Reshape', [g, lowering.int64([-1, filters, size[0] * size[1]])]);
      const [turned] = lowering.emit('Transpose', [places], { perm: [0, 2, 1] });
      const shifted = Array.from({ length: kernel[0] * kernel[1] }, (_, place) => {
        const shift = [Math.floor(place / kernel[1]), place % kernel[1]];
        return lowerShifted(lowering, padded, shift, { stride, channels, size });
      });
      // Few channels are laid out together for several places.
      const together = Math.ceil(PAYING_ROWS / channels);
      const sums: string[] = [];
      for (let first = 0; first < shifted.length; first += together) {
        const group = shifted.slice(first, first + together);
        const rows = group.length === 1 ? group[0] : lowering.emit('Concat', group, { axis: 1 })[0];
        const [products] = lowering.emit('MatMul', [rows, turned]);
        sums.push(lowering.emit('ReduceSum', [products, lowering.int64([0])], { keepdims: 0 })[0]);
      }
      const all = sums.length === 1 ? sums[0] : lowering.emit('Concat', sums, { axis: 0 })[0];
      const byPlace = lowering.emit('Reshape', [all, lowering.int64([...kernel, channels, filters])]);
      lowering.emit('Transpose', byPlace, { perm: [3, 2, 0, 1] }, results);
    },
    gradient: ({ inputs: [x, g], attributes: { size: _, ...attributes } }, [ofWeights]) => [
      transposedConvolution(g, ofWeights!, attributes, sizeOf(x.shape)),
      convolution(x, ofWeights!, attributes),
    ],
  } satisfies Primitive<SizedAttributes>,
};

/** How filters move over an image. */
export interface ConvolutionOptions {
  /** Steps of the filters in both directions; 1 by default. */
  readonly stride?: number;
  /** Zeros around the image: rows above and below, columns left and right; none by default. */
  readonly padding?: readonly number[];
}

/**
 * Filters slid over images: float32[batch, channels, height, width] and float32[filters, channels, h, w] →
 * float32[batch, filters, (height + 2 · padding − h) / stride + 1, likewise]. A signal is an image of height 1.
 */
export const convolution = (
  x: Value,
  weights: Value,
  { stride = 1, padding = [0, 0] }: ConvolutionOptions = {},
): Value => apply(convolutions.convolution, [x, weights], { stride, padding })[0];

/** The gradient of a convolution with respect to an image of this height and width. */
const transposedConvolution = (
  g: Value,
  weights: Value,
  attributes: ConvolutionAttributes,
  size: readonly number[],
): Value => apply(convolutions.transposedConvolution, [g, weights], { ...attributes, size })[0];

/** The gradient of a convolution with respect to filters of this height and width. */
const shiftedProducts = (
  x: Value,
  g: Value,
  attributes: ConvolutionAttributes,
  size: readonly number[],
): Value => apply(convolutions.shiftedProducts, [x, g], { ...attributes, size })[0];
