/** NumPy's arrays, scalars and dtypes, from the bytes and shapes that a pickle has of them. */
import { damagedAt, PickleError } from './pickle-error.js';

export type NumpyData =
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

/** A NumPy array in row-major order. */
export class NumpyArray {
  /** As NumPy calls it: `float32`, `int64`, `bool` … */
  dtype = 'uint8';
  shape: readonly number[] = [0];
  /** Of booleans, bytes that are 0 or 1. */
  data: NumpyData = new Uint8Array(0);
}

/** A NumPy dtype. Its byte order comes with its state. */
export class DType {
  bigEndian = false;
  /** Such as `f4`. */
  constructor(readonly code: string) {}
}

/** Names and elements by code. */
const arrayTypes = new Map<string, [name: string, array: new (bytes: ArrayBuffer) => NumpyData]>([
  ['b1', ['bool', Uint8Array]],
  ['i1', ['int8', Int8Array]],
  ['i2', ['int16', Int16Array]],
  ['i4', ['int32', Int32Array]],
  ['i8', ['int64', BigInt64Array]],
  ['u1', ['uint8', Uint8Array]],
  ['u2', ['uint16', Uint16Array]],
  ['u4', ['uint32', Uint32Array]],
  ['u8', ['uint64', BigUint64Array]],
  ['f4', ['float32', Float32Array]],
  ['f8', ['float64', Float64Array]],
]);

/**
 * Fills an array from the bytes of its elements; `columnMajor` where the first index runs fastest. Throws PickleError for a
 * dtype that is not read, and for a shape that does not fit the bytes.
 */
export function fillArray(
  array: NumpyArray,
  dtype: unknown,
  shape: unknown,
  columnMajor: boolean,
  bytes: Buffer,
): NumpyArray {
  if (!(dtype instanceof DType)) throw damagedAt('an array without a dtype');
  const type = arrayTypes.get(dtype.code);
  if (!type)
    throw new PickleError(
      `a NumPy array of dtype ${JSON.stringify(dtype.code.slice(0, 40))}, which is not read`,
    );
  const [name, Elements] = type;
  const sizes: unknown[] = Array.isArray(shape) ? shape : [shape];
  if (
    sizes.length > 64 ||
    !sizes.every((size): size is number => Number.isInteger(size) && Number(size) >= 0)
  ) {
    throw damagedAt('an array of impossible shape');
  }
  const width = Number(dtype.code.slice(1));
  const count = sizes.reduce((product, size) => product * size, 1);
  if (count * width !== bytes.length) {
    throw damagedAt(`${bytes.length} bytes for an array ${name}[${sizes.join(', ')}]`);
  }
  const data = new Elements(nativeBytes(bytes, width, dtype.bigEndian));
  array.dtype = name;
  array.shape = sizes;
  array.data = columnMajor && sizes.length > 1 ? rowMajor(data, sizes) : data;
  return array;
}

/** A copy that begins where any typed array may begin, in the byte order of this machine. */
function nativeBytes(bytes: Buffer, width: number, bigEndian: boolean): ArrayBuffer {
  const copy = Buffer.from(new ArrayBuffer(bytes.length));
  bytes.copy(copy);
  if (bigEndian && width === 2) copy.swap16();
  else if (bigEndian && width === 4) copy.swap32();
  else if (bigEndian && width === 8) copy.swap64();
  return copy.buffer;
}

/** Reorders elements whose first index runs fastest. */
function rowMajor(data: NumpyData, shape: readonly number[]): NumpyData {
  const result = data.slice();
  const index = shape.map(() => 0);
  for (let to = 0; to < data.length; to++) {
    let from = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) from = from * shape[axis] + index[axis];
    result[to] = data[from];
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis] === shape[axis]; axis--) index[axis] = 0;
  }
  return result;
}

/** A NumPy scalar as a plain value. Throws PickleError for a dtype that is not read. */
export function numpyScalar(dtype: unknown, bytes: Buffer): boolean | number | bigint | string | Buffer {
  if (!(dtype instanceof DType)) throw damagedAt('a scalar without a dtype');
  if (/^S\d/.test(dtype.code)) return bytes;
  if (/^U\d/.test(dtype.code)) return utf32(bytes, dtype.bigEndian);
  const { dtype: name, data } = fillArray(new NumpyArray(), dtype, [], false, bytes);
  const value = data[0];
  if (name === 'bool') return value !== 0;
  return typeof value === 'bigint' ? narrowed(value) : value;
}

/** Text of fixed length, padded with zeros. */
function utf32(bytes: Buffer, bigEndian: boolean): string {
  const points: number[] = [];
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    const point = bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
    if (point > 0x10ffff) throw damagedAt('a character that Unicode has not');
    points.push(point);
  }
  while (points.at(-1) === 0) points.pop();
  return points.map((point) => String.fromCodePoint(point)).join('');
}

/** A number where a double holds the integer exactly. */
export function narrowed(integer: bigint): number | bigint {
  const number = Number(integer);
  return Number.isSafeInteger(number) ? number : integer;
}
