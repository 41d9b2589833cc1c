/** Eigenvalues and eigenvectors of a symmetric matrix, by Householder's reflections and the QL iteration. */

export interface SymmetricEigen {
  /** float64[n], ascending */
  readonly values: Float64Array;
  /** float64[n, n]: row i is the unit eigenvector of values[i] */
  readonly vectors: Float64Array;
}

/**
 * The matrix float64[n, n] is Σᵢ values[i] · vectorᵢ vectorᵢᵀ. O(n³). The reduction to a tridiagonal matrix and its iteration with
 * implicit shifts are EISPACK's tred2 and tql2 (Bowdler, Martin, Reinsch & Wilkinson, Numerische Mathematik 11, 1968), in the order
 * of operations of JAMA, which ml-matrix has too. Not for matrices with numbers that are not finite.
 */
export function symmetricEigen(matrix: Float64Array, n: number): SymmetricEigen {
  const vectors = Float64Array.from(matrix);
  const values = new Float64Array(n);
  if (n === 0) return { values, vectors };
  const beside = new Float64Array(n);
  tridiagonalize(vectors, values, beside, n);
  iterate(vectors, values, beside, n);
  sort(vectors, values, n);
  return { values, vectors };
}

/** Leaves the diagonal in d, what stands beside it in e[1…], and the reflections' product in the rows of v. */
function tridiagonalize(v: Float64Array, d: Float64Array, e: Float64Array, n: number): void {
  for (let j = 0; j < n; j++) d[j] = v[j * n + n - 1];
  for (let i = n - 1; i > 0; i--) {
    let [scale, h] = [0, 0];
    for (let k = 0; k < i; k++) scale += Math.abs(d[k]);
    if (scale === 0) {
      e[i] = d[i - 1];
      for (let j = 0; j < i; j++) {
        d[j] = v[j * n + i - 1];
        v[j * n + i] = 0;
        v[i * n + j] = 0;
      }
    } else {
      for (let k = 0; k < i; k++) {
        d[k] /= scale;
        h += d[k] * d[k];
      }
      const f = d[i - 1];
      const g = f > 0 ? -Math.sqrt(h) : Math.sqrt(h);
      e[i] = scale * g;
      h -= f * g;
      d[i - 1] = f - g;
      e.fill(0, 0, i);
      reflect(v, d, e, n, i, h);
    }
    d[i] = h;
  }
  for (let i = 0; i < n - 1; i++) {
    const next = (i + 1) * n;
    v[i * n + n - 1] = v[i * n + i];
    v[i * n + i] = 1;
    const h = d[i + 1];
    if (h !== 0) {
      for (let k = 0; k <= i; k++) d[k] = v[next + k] / h;
      for (let j = 0; j <= i; j++) {
        let g = 0;
        for (let k = 0; k <= i; k++) g += v[next + k] * v[j * n + k];
        for (let k = 0; k <= i; k++) v[j * n + k] -= g * d[k];
      }
    }
    v.fill(0, next, next + i + 1);
  }
  for (let j = 0; j < n; j++) {
    d[j] = v[j * n + n - 1];
    v[j * n + n - 1] = 0;
  }
  v[n * n - 1] = 1;
  e[0] = 0;
}

/** Applies the reflection along d, of squared length 2 h, to the first i rows and columns. */
function reflect(v: Float64Array, d: Float64Array, e: Float64Array, n: number, i: number, h: number): void {
  for (let j = 0; j < i; j++) {
    const f = d[j];
    v[i * n + j] = f;
    let g = e[j] + v[j * n + j] * f;
    for (let k = j + 1; k < i; k++) {
      g += v[j * n + k] * d[k];
      e[k] += v[j * n + k] * f;
    }
    e[j] = g;
  }
  let f = 0;
  for (let j = 0; j < i; j++) {
    e[j] /= h;
    f += e[j] * d[j];
  }
  const half = f / (h + h);
  for (let j = 0; j < i; j++) e[j] -= half * d[j];
  for (let j = 0; j < i; j++) {
    const [f, g] = [d[j], e[j]];
    for (let k = j; k < i; k++) v[j * n + k] -= f * e[k] + g * d[k];
    d[j] = v[j * n + i - 1];
    v[j * n + i] = 0;
  }
}

/** Turns the tridiagonal matrix into a diagonal one, and the rows of v with it. */
function iterate(v: Float64Array, d: Float64Array, e: Float64Array, n: number): void {
  e.copyWithin(0, 1);
  e[n - 1] = 0;
  let [shift, largest] = [0, 0];
  for (let l = 0; l < n; l++) {
    largest = Math.max(largest, Math.abs(d[l]) + Math.abs(e[l]));
    const small = Number.EPSILON * largest;
    let m = l;
    while (Math.abs(e[m]) > small) m++;
    if (m > l) {
      do shift += step(v, d, e, n, l, m);
      while (Math.abs(e[l]) > small);
    }
    d[l] += shift;
    e[l] = 0;
  }
}

/** One sweep of rotations from m up to l; gives the shift that it took off the diagonal. */
function step(v: Float64Array, d: Float64Array, e: Float64Array, n: number, l: number, m: number): number {
  const before = d[l];
  let p = (d[l + 1] - before) / (2 * e[l]);
  const root = p < 0 ? -hypotenuse(p, 1) : hypotenuse(p, 1);
  d[l] = e[l] / (p + root);
  d[l + 1] = e[l] * (p + root);
  const second = d[l + 1];
  const shift = before - d[l];
  for (let i = l + 2; i < n; i++) d[i] -= shift;
  p = d[m];
  const above = e[l + 1];
  let [c, c2, c3, s, s2] = [1, 1, 1, 0, 0];
  for (let i = m - 1; i >= l; i--) {
    c3 = c2;
    c2 = c;
    s2 = s;
    const g = c * e[i];
    const h = c * p;
    const r = hypotenuse(p, e[i]);
    e[i + 1] = s * r;
    s = e[i] / r;
    c = p / r;
    p = c * d[i] - s * g;
    d[i + 1] = h + s * (c * g + s * d[i]);
    const [row, next] = [i * n, (i + 1) * n];
    for (let k = 0; k < n; k++) {
      const turned = v[next + k];
      v[next + k] = s * v[row + k] + c * turned;
      v[row + k] = c * v[row + k] - s * turned;
    }
  }
  p = (-s * s2 * c3 * above * e[l]) / second;
  e[l] = s * p;
  d[l] = c * p;
  return shift;
}

/** √(a² + b²) without overflow on the way. */
function hypotenuse(a: number, b: number): number {
  if (Math.abs(a) > Math.abs(b)) {
    const ratio = b / a;
    return Math.abs(a) * Math.sqrt(1 + ratio * ratio);
  }
  if (b === 0) return 0;
  const ratio = a / b;
  return Math.abs(b) * Math.sqrt(1 + ratio * ratio);
}

function sort(v: Float64Array, d: Float64Array, n: number): void {
  for (let i = 0; i < n - 1; i++) {
    let least = i;
    for (let j = i + 1; j < n; j++) if (d[j] < d[least]) least = j;
    if (least === i) continue;
    [d[i], d[least]] = [d[least], d[i]];
    const row = v.slice(i * n, (i + 1) * n);
    v.copyWithin(i * n, least * n, (least + 1) * n);
    v.set(row, least * n);
  }
}
