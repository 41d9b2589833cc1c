/** Distributions as mixtures of a few others: non-negative factors, found by expectation and maximisation. */

/** V ≈ B W, every column of all three a distribution. */
export interface NonnegativeFactors {
  /** float64[rows, rank] */
  readonly basis: Float64Array;
  /** float64[rank, columns]: of what each column is mixed. */
  readonly shares: Float64Array;
  /** Σ over columns of the Kullback–Leibler divergence of V from B W, in nats. */
  readonly divergence: number;
}

/** Rows with less than this part of the mean row are too few counts to tell what a factor is. */
const LEAST_ROW = 0.2;

/** What stands for nothing: a share that is 0 would stay it. */
const LEAST_SHARE = 1e-4;

/**
 * Factors of a matrix whose columns are distributions. There are many; those are looked for in which every factor has a row that is
 * its own alone, its anchor (Donoho & Stodden 2003). Then the rows, divided by their sums, are mixtures of the anchors', which are the
 * corners that successive projection finds (Araújo et al. 2001). From these go `iterations` multiplicative updates for the Kullback–Leibler
 * divergence (Lee & Seung 2000), which here are expectation maximisation (Hofmann 1999) and never make it larger:
 * 4 · rows · rank · columns operations each.
 * @param values float64[rows, columns], each column of sum 1
 * @param rank at most rows and columns
 */
export function nonnegativeFactors(
  values: Float64Array,
  columns: number,
  { rank, iterations = 100 }: { readonly rank: number; readonly iterations?: number },
): NonnegativeFactors {
  const rows = values.length / columns;
  const sums = Float64Array.from({ length: rows }, (_, i) =>
    values.subarray(i * columns, (i + 1) * columns).reduce((sum, value) => sum + value, 0),
  );
  const points = values.map((value, i) => {
    const sum = sums[Math.floor(i / columns)];
    return sum > 0 ? value / sum : 1 / columns;
  });
  const components = new Float64Array(rank * columns);
  corners(points, columns, rank, (row) => sums[row] >= (LEAST_ROW * columns) / rows).forEach((row, k) => {
    const corner = points.subarray(row * columns, (row + 1) * columns);
    components.set(
      corner.map((value) => (value + LEAST_SHARE) / (1 + columns * LEAST_SHARE)),
      k * columns,
    );
  });
  const basis = mixtureShares(components, points, columns).map(
    (share, i) => (share + LEAST_SHARE) * sums[Math.floor(i / rank)],
  );
  const masses = new Float64Array(rank);
  basis.forEach((value, i) => {
    masses[i % rank] += value;
  });
  normalized(basis, rank);
  const shares = normalized(
    components.map((value, i) => value * masses[Math.floor(i / columns)]),
    columns,
  );
  for (let iteration = 0; iteration < iterations; iteration++) update(values, basis, shares, columns);
  return { basis, shares, divergence: divergenceOf(values, product(basis, shares, rank, columns)) };
}

/** Rows in the order of their lengths, each less what those before it explain: corners of what the rows are mixtures of. */
function corners(
  points: Float64Array,
  columns: number,
  count: number,
  counts: (row: number) => boolean,
): number[] {
  const left = points.slice();
  const rows = points.length / columns;
  return Array.from({ length: count }, () => {
    const lengths = Float64Array.from({ length: rows }, (_, row) =>
      counts(row) ? left.subarray(row * columns, (row + 1) * columns).reduce((sum, x) => sum + x * x, 0) : -1,
    );
    let chosen = 0;
    lengths.forEach((length, row) => {
      if (length > lengths[chosen]) chosen = row;
    });
    const direction = left.slice(chosen * columns, (chosen + 1) * columns);
    const square = lengths[chosen];
    if (square > 0)
      for (let row = 0; row < rows; row++) {
        let along = 0;
        for (let j = 0; j < columns; j++) along += left[row * columns + j] * direction[j];
        for (let j = 0; j < columns; j++) left[row * columns + j] -= (along / square) * direction[j];
      }
    return chosen;
  });
}

/**
 * Of what each distribution is mixed, float64[n, rank]: the shares that make Σ_k share_k component_k nearest to it by the
 * Kullback–Leibler divergence, approached by `iterations` steps of expectation maximisation from equal shares.
 * @param components float64[rank, columns], each row of sum 1
 * @param values float64[n, columns], each row of sum 1
 */
export function mixtureShares(
  components: Float64Array,
  values: Float64Array,
  columns: number,
  iterations = 200,
): Float64Array {
  const rank = components.length / columns;
  const n = values.length / columns;
  const shares = new Float64Array(n * rank).fill(1 / rank);
  const gain = new Float64Array(rank);
  for (let row = 0; row < n; row++) {
    const own = shares.subarray(row * rank, (row + 1) * rank);
    for (let iteration = 0; iteration < iterations; iteration++) {
      gain.fill(0);
      for (let j = 0; j < columns; j++) {
        const value = values[row * columns + j];
        let mixed = 0;
        for (let k = 0; k < rank; k++) mixed += own[k] * components[k * columns + j];
        if (mixed > 0)
          for (let k = 0; k < rank; k++) gain[k] += (value * components[k * columns + j]) / mixed;
      }
      for (let k = 0; k < rank; k++) own[k] *= gain[k];
    }
  }
  return shares;
}

/** One step: first the basis, then the shares. */
function update(values: Float64Array, basis: Float64Array, shares: Float64Array, columns: number): void {
  const rank = shares.length / columns;
  const rows = values.length / columns;
  const ratios = () => {
    const mixed = product(basis, shares, rank, columns);
    return values.map((value, i) => (value === 0 ? 0 : value / mixed[i]));
  };
  let ratio = ratios();
  for (let i = 0; i < rows; i++)
    for (let k = 0; k < rank; k++) {
      let sum = 0;
      for (let j = 0; j < columns; j++) sum += ratio[i * columns + j] * shares[k * columns + j];
      basis[i * rank + k] *= sum;
    }
  normalized(basis, rank);
  ratio = ratios();
  for (let k = 0; k < rank; k++)
    for (let j = 0; j < columns; j++) {
      let sum = 0;
      for (let i = 0; i < rows; i++) sum += ratio[i * columns + j] * basis[i * rank + k];
      shares[k * columns + j] *= sum;
    }
  normalized(shares, columns);
}

/** a float64[n, inner] · b float64[inner, columns] */
function product(a: Float64Array, b: Float64Array, inner: number, columns: number): Float64Array {
  const out = new Float64Array((a.length / inner) * columns);
  for (let i = 0; i < a.length / inner; i++)
    for (let k = 0; k < inner; k++) {
      const value = a[i * inner + k];
      for (let j = 0; j < columns; j++) out[i * columns + j] += value * b[k * columns + j];
    }
  return out;
}

/** Divides each column by its sum, in place. */
function normalized(values: Float64Array, columns: number): Float64Array {
  for (let j = 0; j < columns; j++) {
    let sum = 0;
    for (let i = j; i < values.length; i += columns) sum += values[i];
    if (sum > 0) for (let i = j; i < values.length; i += columns) values[i] /= sum;
  }
  return values;
}

function divergenceOf(values: Float64Array, mixed: Float64Array): number {
  return values.reduce((sum, value, i) => sum + (value === 0 ? 0 : value * Math.log(value / mixed[i])), 0);
}
