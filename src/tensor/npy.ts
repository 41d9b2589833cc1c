/** The NPY format of NumPy (NEP 1, version 1.0): a short text header and row-major numbers. Written as a stream of rows. */

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0];

/** A multiple of 64 as the format asks, and long enough for any shape, so that a header can be replaced in place. */
const HEADER_BYTES = 128;

/**
 * The header of a little-endian float32[rows, columns] in row-major order: always 128 bytes.
 * @internal
 */
export function npyHeader(rows: number, columns: number): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES).fill(0x20);
  header.set(MAGIC);
  new DataView(header.buffer).setUint16(8, HEADER_BYTES - 10, true);
  const dictionary = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${columns}), }`;
  header.set(new TextEncoder().encode(dictionary), 10);
  header[HEADER_BYTES - 1] = 0x0a;
  return header;
}

/**
 * A float32[rows, columns] file as chunks, from blocks of whole rows that arrive one after the other. How many rows came
 * is known only at the end: `header()` then gives the bytes that replace the file's first ones.
 */
export function encodeNpy(
  columns: number,
  blocks: Iterable<Float32Array> | AsyncIterable<Float32Array>,
): { chunks: AsyncGenerator<Uint8Array>; header: () => Uint8Array } {
  let values = 0;
  async function* chunks() {
    yield npyHeader(0, columns);
    for await (const block of blocks) {
      yield new Uint8Array(block.buffer, block.byteOffset, block.byteLength);
      values += block.length;
    }
    if (values % columns !== 0)
      throw new Error(`encodeNpy: ${values} values are not whole rows of ${columns} columns`);
  }
  return { chunks: chunks(), header: () => npyHeader(values / columns, columns) };
}
