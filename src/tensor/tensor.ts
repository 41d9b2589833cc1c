/** Values at rest: a dtype, a shape and a typed array. */

/** The array that holds the elements of each dtype; bool is one byte an element, 0 or 1. */
export interface DTypeArrays {
  float32: Float32Array;
  int32: Int32Array;
  int64: BigInt64Array;
  bool: Uint8Array;
}

/** The kinds of element. */
export type DType = keyof DTypeArrays;

/** A tensor on the host. `data` is row-major and may be a view into a larger buffer. */
export interface HostTensor<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: DTypeArrays[D];
}

const constructors = {
  float32: Float32Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
} as const;

/** Number of elements of a shape; the empty product is 1. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Wraps existing data. Throws when the length and the shape disagree. */
export function hostTensor<D extends DType>(
  dtype: D,
  shape: readonly number[],
  data: DTypeArrays[D],
): HostTensor<D> {
  if (data.length !== elementCount(shape)) {
    throw new Error(
      `hostTensor: ${dtype}[${shape.join(', ')}] holds ${elementCount(shape)} elements, got ${data.length}`,
    );
  }
  return { dtype, shape, data };
}

/** A tensor of zeros. */
export function zeros<D extends DType>(dtype: D, shape: readonly number[]): HostTensor<D> {
  return { dtype, shape, data: new constructors[dtype](elementCount(shape)) as DTypeArrays[D] };
}
