/** The few dense matrix loops the probes need, row-major, in double precision. */

/** Rows that go through the loops at a time: a block of them stays in the cache. */
export const BLOCK_ROWS = 64;

/** out[m, n] = a[m, inner] · b[n, inner]ᵀ. Tiles of 4 × 2 keep eight sums in registers. */
export function multiplyTransposed(
  out: Float64Array,
  a: Float64Array,
  b: Float64Array,
  m: number,
  n: number,
  inner: number,
): void {
  let i = 0;
  for (; i + 4 <= m; i += 4) {
    const a0 = i * inner;
    const a1 = a0 + inner;
    const a2 = a1 + inner;
    const a3 = a2 + inner;
    let j = 0;
    for (; j + 2 <= n; j += 2) {
      const b0 = j * inner;
      const b1 = b0 + inner;
      let s00 = 0;
      let s01 = 0;
      let s10 = 0;
      let s11 = 0;
      let s20 = 0;
      let s21 = 0;
      let s30 = 0;
      let s31 = 0;
      for (let t = 0; t < inner; t++) {
        const p = b[b0 + t];
        const q = b[b1 + t];
        const w = a[a0 + t];
        const x = a[a1 + t];
        const y = a[a2 + t];
        const z = a[a3 + t];
        s00 += w * p;
        s01 += w * q;
        s10 += x * p;
        s11 += x * q;
        s20 += y * p;
        s21 += y * q;
        s30 += z * p;
        s31 += z * q;
      }
      const o = i * n + j;
      out[o] = s00;
      out[o + 1] = s01;
      out[o + n] = s10;
      out[o + n + 1] = s11;
      out[o + 2 * n] = s20;
      out[o + 2 * n + 1] = s21;
      out[o + 3 * n] = s30;
      out[o + 3 * n + 1] = s31;
    }
    if (j < n) {
      const b0 = j * inner;
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      for (let t = 0; t < inner; t++) {
        const p = b[b0 + t];
        s0 += a[a0 + t] * p;
        s1 += a[a1 + t] * p;
        s2 += a[a2 + t] * p;
        s3 += a[a3 + t] * p;
      }
      const o = i * n + j;
      out[o] = s0;
      out[o + n] = s1;
      out[o + 2 * n] = s2;
      out[o + 3 * n] = s3;
    }
  }
  for (; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let t = 0; t < inner; t++) sum += a[i * inner + t] * b[j * inner + t];
      out[i * n + j] = sum;
    }
  }
}

/** out[m, n] += a[rows, m]ᵀ · b[rows, n]. Tiles of four rows × two columns of a, for few reads and writes of `out`. */
export function accumulateTransposed(
  out: Float64Array,
  a: Float64Array,
  b: Float64Array,
  m: number,
  n: number,
  rows: number,
): void {
  let row = 0;
  for (; row + 4 <= rows; row += 4) {
    const b0 = row * n;
    const b1 = b0 + n;
    const b2 = b1 + n;
    const b3 = b2 + n;
    let i = 0;
    for (; i + 2 <= m; i += 2) {
      const c0 = row * m + i;
      const c1 = c0 + m;
      const c2 = c1 + m;
      const c3 = c2 + m;
      const w0 = a[c0];
      const w1 = a[c0 + 1];
      const x0 = a[c1];
      const x1 = a[c1 + 1];
      const y0 = a[c2];
      const y1 = a[c2 + 1];
      const z0 = a[c3];
      const z1 = a[c3 + 1];
      const o0 = i * n;
      const o1 = o0 + n;
      for (let j = 0; j < n; j++) {
        const p = b[b0 + j];
        const q = b[b1 + j];
        const r = b[b2 + j];
        const s = b[b3 + j];
        out[o0 + j] += w0 * p + x0 * q + y0 * r + z0 * s;
        out[o1 + j] += w1 * p + x1 * q + y1 * r + z1 * s;
      }
    }
    if (i < m) {
      const c = row * m + i;
      const w = a[c];
      const x = a[c + m];
      const y = a[c + 2 * m];
      const z = a[c + 3 * m];
      const o = i * n;
      for (let j = 0; j < n; j++) {
        out[o + j] += w * b[b0 + j] + x * b[b1 + j] + y * b[b2 + j] + z * b[b3 + j];
      }
    }
  }
  for (; row < rows; row++) {
    for (let i = 0; i < m; i++) {
      const w = a[row * m + i];
      for (let j = 0; j < n; j++) out[i * n + j] += w * b[row * n + j];
    }
  }
}

/**
 * Calls `visit` with consecutive rows of x[n, width] in double precision: a [count, width] block starting at row `first`.
 * The block is the same array every time; only its first `count` rows are meant.
 */
export function forEachBlock(
  x: Float32Array | Float64Array,
  width: number,
  visit: (block: Float64Array, first: number, count: number) => void,
): void {
  const n = x.length / width;
  const block = new Float64Array(BLOCK_ROWS * width);
  for (let first = 0; first < n; first += BLOCK_ROWS) {
    const count = Math.min(BLOCK_ROWS, n - first);
    block.set(x.subarray(first * width, (first + count) * width));
    visit(block, first, count);
  }
}

/** Copies the given rows of source[n, width] to `out` and returns it. */
export function gatherRows<A extends Float32Array | Float64Array>(
  out: A,
  source: A,
  rows: ArrayLike<number>,
  width: number,
): A {
  for (let i = 0; i < rows.length; i++) {
    out.set(source.subarray(rows[i] * width, (rows[i] + 1) * width), i * width);
  }
  return out;
}

/** Σ aᵢ bᵢ. */
export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
