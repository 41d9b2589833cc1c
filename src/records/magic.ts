/** What the contents of some formats begin with. */

/** The mark of an LMDB data file, on its first page. */
export const LMDB_MAGIC = 0xbeef_c0de;

/** Whether the first bytes of a file are those of an LMDB data file, of whichever version or machine. */
export function isLmdb(head: Uint8Array): boolean {
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  return [8, 12, 16].some((at) => {
    if (head.length < at + 4) return false;
    return view.getUint32(at, true) === LMDB_MAGIC || view.getUint32(at) === LMDB_MAGIC;
  });
}

/** Whether the first bytes of a content are those of an Arrow file or stream. */
export function isArrow(head: Uint8Array): boolean {
  if (String.fromCharCode(...head.subarray(0, 6)) === 'ARROW1') return true;
  return head.length > 8 && head.subarray(0, 4).every((byte) => byte === 0xff) && head[7] === 0;
}

const UNSIGNED_BYTE = 8;

/** Whether the first bytes of a content announce an IDX file of unsigned bytes with 1, 3 or 4 axes. */
export function isIdx(head: Uint8Array): boolean {
  return head[0] === 0 && head[1] === 0 && head[2] === UNSIGNED_BYTE && [1, 3, 4].includes(head[3]);
}

/** Whether a file begins as a zip archive does. */
export const isZip = (head: Uint8Array): boolean =>
  head[0] === 0x50 &&
  head[1] === 0x4b &&
  ((head[2] === 3 && head[3] === 4) || (head[2] === 5 && head[3] === 6));
