/** Least squares of the smallest norm, exactly: below the threshold the usual one, above it the interpolation of least norm. */
import { CholeskyDecomposition, Matrix } from 'ml-matrix';

/** A column this much shorter than it was, once what others span is taken off, is nothing but rounding. */
const DEPENDENT = 1e-11;

/**
 * A = L Q with Q of orthonormal rows, for float64[rows, columns] with rows ≤ columns: Gram–Schmidt, each row twice. A becomes
 * Q; given is L, float64[rows, rows]. Throws Error for rows that depend on each other, of which no threshold could be told.
 */
export function lowerOrthogonal(
  /** @type {Float64Array} */ A,
  /** @type {number} */ rows,
  /** @type {number} */ columns,
) {
  const L = new Float64Array(rows * rows);
  const row = (/** @type {number} */ i) => A.subarray(i * columns, (i + 1) * columns);
  for (let i = 0; i < rows; i++) {
    const own = row(i);
    const before = Math.sqrt(dot(own, own));
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) {
        const other = row(j);
        const along = dot(own, other);
        for (let k = 0; k < columns; k++) own[k] -= along * other[k];
        L[i * rows + j] += along;
      }
    }
    const norm = Math.sqrt(dot(own, own));
    if (!(norm > DEPENDENT * before)) throw new Error(`row ${i} of ${rows} depends on those before it`);
    for (let k = 0; k < columns; k++) own[k] /= norm;
    L[i * rows + i] = norm;
  }
  return L;
}

function dot(/** @type {Float64Array} */ a, /** @type {Float64Array} */ b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/**
 * The weights float64[features, outputs] that fit targets float64[rows, outputs] from features float64[rows, features], in
 * the least squares and among those of the smallest norm; and `ridge(penalty)`, those of ridge regression.
 */
export function leastSquares(
  /** @type {Float64Array} */ features,
  /** @type {Float64Array} */ targets,
  /** @type {number} */ rows,
) {
  const width = features.length / rows;
  const outputs = targets.length / rows;
  const wide = width >= rows;
  // Of the shorter side: the rows where there are more features, else the features.
  const Q = wide ? features.slice() : transposed(features, rows, width);
  const side = Math.min(rows, width);
  const L = lowerOrthogonal(Q, side, Math.max(rows, width));
  const product = () => {
    const lower = new Matrix(side, side);
    for (let i = 0; i < side; i++) for (let j = 0; j <= i; j++) lower.set(i, j, L[i * side + j]);
    return lower.mmul(lower.transpose());
  };
  const projected = transposedProduct(features, targets, rows);
  return {
    weights: wide
      ? transposedProduct(Q, solveLower(L, targets, side, outputs), rows)
      : solveUpper(L, plainProduct(Q, targets, side), side, outputs),
    ridge(/** @type {number} */ penalty) {
      const gram = new CholeskyDecomposition(product().add(Matrix.eye(side, side).mul(penalty)));
      const right = wide ? targets : projected;
      const found = Float64Array.from(gram.solve(Matrix.from1DArray(side, outputs, right)).to1DArray());
      return wide ? transposedProduct(features, found, rows) : found;
    },
    /** Mean of the squares of the features' singular values: what a penalty is small or large beside. */
    size: dot(features, features) / side,
  };
}

/** float64[rows, columns] to float64[columns, rows]. */
function transposed(
  /** @type {Float64Array} */ A,
  /** @type {number} */ rows,
  /** @type {number} */ columns,
) {
  const T = new Float64Array(A.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) T[j * rows + i] = A[i * columns + j];
  return T;
}

/** Aᵀ B of float64[rows, n] and float64[rows, m]. */
function transposedProduct(
  /** @type {Float64Array} */ A,
  /** @type {Float64Array} */ B,
  /** @type {number} */ rows,
) {
  const [n, m] = [A.length / rows, B.length / rows];
  const C = new Float64Array(n * m);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < n; j++) for (let k = 0; k < m; k++) C[j * m + k] += A[i * n + j] * B[i * m + k];
  return C;
}

/** A B of float64[rows, n] and float64[n, m]. */
export function plainProduct(
  /** @type {Float64Array} */ A,
  /** @type {Float64Array} */ B,
  /** @type {number} */ rows,
) {
  const n = A.length / rows;
  const m = B.length / n;
  const C = new Float64Array(rows * m);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < n; j++) for (let k = 0; k < m; k++) C[i * m + k] += A[i * n + j] * B[j * m + k];
  return C;
}

/** L⁻¹ B of a lower triangle float64[side, side] and float64[side, m]. */
function solveLower(
  /** @type {Float64Array} */ L,
  /** @type {Float64Array} */ B,
  /** @type {number} */ side,
  /** @type {number} */ m,
) {
  const X = B.slice();
  for (let i = 0; i < side; i++)
    for (let k = 0; k < m; k++) {
      for (let j = 0; j < i; j++) X[i * m + k] -= L[i * side + j] * X[j * m + k];
      X[i * m + k] /= L[i * side + i];
    }
  return X;
}

/** L⁻ᵀ B of the same. */
function solveUpper(
  /** @type {Float64Array} */ L,
  /** @type {Float64Array} */ B,
  /** @type {number} */ side,
  /** @type {number} */ m,
) {
  const X = B.slice();
  for (let i = side - 1; i >= 0; i--)
    for (let k = 0; k < m; k++) {
      for (let j = i + 1; j < side; j++) X[i * m + k] -= L[j * side + i] * X[j * m + k];
      X[i * m + k] /= L[i * side + i];
    }
  return X;
}
