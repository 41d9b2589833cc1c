/** The header of NumPy's NPY files, versions 1 to 3 (NEP 1): which numbers follow, in which shape and order. */

/** What an NPY file says of itself. */
export interface NpyHeader {
  /** As NumPy writes it: `<f4`, `|u1`, `<U12`; of a structured array the text of its list. */
  readonly descr: string;
  /** Whether the first index runs fastest. */
  readonly columnMajor: boolean;
  readonly shape: readonly number[];
  /** Where the elements begin. */
  readonly dataAt: number;
}

/** Whether the first bytes of a file are those of an NPY file. */
export const isNpy = (head: Uint8Array): boolean =>
  head[0] === 0x93 && String.fromCharCode(...head.subarray(1, 6)) === 'NUMPY';

/** No header of an array needs as much. */
export const NPY_HEADER_BYTES = 1 << 16;

/** The header in the first bytes of a file, or in words what is wrong with it. */
export function parseNpyHeader(head: Uint8Array): NpyHeader | string {
  if (!isNpy(head) || head.length < 12) return 'it does not begin as an NPY file';
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const start = head[6] === 1 ? 10 : 12;
  const length = head[6] === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (start + length > Math.min(head.length, NPY_HEADER_BYTES)) return 'its header is truncated or too long';
  const text = new TextDecoder().decode(head.subarray(start, start + length));
  const descr = /'descr':\s*(?:'([^']*)'|(\[.*\]))\s*,\s*'fortran_order'/s.exec(text);
  const order = /'fortran_order':\s*(True|False)/.exec(text);
  const shape = /'shape':\s*\(([\d\sL,]*)\)/.exec(text);
  if (!descr || !order || !shape) return 'its header is not one that NumPy writes';
  const sizes = shape[1]
    .split(',')
    .map((size) => size.trim().replace(/L$/, ''))
    .filter((size) => size !== '')
    .map(Number);
  if (!sizes.every((size) => Number.isSafeInteger(size) && size >= 0)) return 'its shape is impossible';
  return {
    descr: descr[1] ?? descr[2],
    columnMajor: order[1] === 'True',
    shape: sizes,
    dataAt: start + length,
  };
}

/** How the elements of a dtype are read from bytes: numbers, or text of a fixed length. */
export type NpyElement = { readonly bytes: number } & (
  | {
      readonly kind: 'number';
      /** The value at a place; an integer beyond 2^53 comes as the nearest number. */
      read(view: DataView, at: number): number;
      /** Whether all values lie in 0 … 255. */
      readonly byte: boolean;
      /** Whether values may lie beyond what a number holds exactly. */
      readonly large: boolean;
    }
  | { readonly kind: 'text'; read(view: DataView, at: number): string }
);

/** The elements of a dtype, or undefined where they are neither numbers nor text. */
export function npyElement(descr: string): NpyElement | undefined {
  const [, order, kind, digits] = /^([<>|=]?)([a-zA-Z])(\d+)$/.exec(descr) ?? [];
  if (kind === undefined) return undefined;
  const little = order !== '>';
  const width = Number(digits);
  if (kind === 'U') return { kind: 'text', bytes: 4 * width, read: utf32Reader(width, little) };
  if (kind === 'S') return { kind: 'text', bytes: width, read: bytesReader(width) };
  const read = numberReaders[`${kind}${digits}`]?.(little);
  return (
    read && {
      kind: 'number',
      bytes: width,
      read,
      byte: descr.endsWith('u1'),
      large: /^[iu]8$/.test(`${kind}${digits}`),
    }
  );
}

type NumberAt = (view: DataView, at: number) => number;

const numberReaders: Readonly<Record<string, ((little: boolean) => NumberAt) | undefined>> = {
  b1: () => (view, at) => (view.getUint8(at) === 0 ? 0 : 1),
  i1: () => (view, at) => view.getInt8(at),
  u1: () => (view, at) => view.getUint8(at),
  i2: (little) => (view, at) => view.getInt16(at, little),
  u2: (little) => (view, at) => view.getUint16(at, little),
  i4: (little) => (view, at) => view.getInt32(at, little),
  u4: (little) => (view, at) => view.getUint32(at, little),
  i8: (little) => (view, at) => Number(view.getBigInt64(at, little)),
  u8: (little) => (view, at) => Number(view.getBigUint64(at, little)),
  f2: (little) => (view, at) => halfNumber(view.getUint16(at, little)),
  f4: (little) => (view, at) => view.getFloat32(at, little),
  f8: (little) => (view, at) => view.getFloat64(at, little),
};

/**
 * The value of a half-precision float (IEEE 754 binary16).
 * @internal
 */
export function halfNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Text padded with zeros, four bytes a character. What Unicode has not becomes U+FFFD. */
const utf32Reader =
  (characters: number, little: boolean) =>
  (view: DataView, at: number): string => {
    let text = '';
    let zeros = '';
    for (let i = 0; i < characters; i++) {
      const point = view.getUint32(at + 4 * i, little);
      if (point === 0) zeros += '\0';
      else {
        text += zeros + (point > 0x10ffff ? '\uFFFD' : String.fromCodePoint(point));
        zeros = '';
      }
    }
    return text;
  };

const utf8 = new TextDecoder();

const bytesReader =
  (width: number) =>
  (view: DataView, at: number): string =>
    utf8.decode(new Uint8Array(view.buffer, view.byteOffset + at, width)).replace(/\0+$/, '');
