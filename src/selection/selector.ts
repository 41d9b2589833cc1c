/** Ways to choose from many unlabelled records those that are worth learning from. */
import type { MatrixProduct } from '../numerics/matrix-product.js';

/** Records to choose from, as unit vectors that are compared by their inner product. */
export interface Pool {
  /** float32[n, width] */
  readonly vectors: Float32Array;
  readonly width: number;
  /** How many are wanted; by default as many as the selector finds right. */
  readonly count?: number;
  /** float32[m, width]: the records that learning is for, where a selector asks for them. */
  readonly target?: Float32Array;
  /** float64[n]: how badly each record's hidden tokens are predicted, where a selector asks for it. */
  readonly errors?: Float64Array;
  readonly seed: number;
  readonly multiply: MatrixProduct;
}

/** Part of the records that is chosen where neither a user nor the selector knows how many. */
const PART = 0.1;

/** How many of a pool are chosen by a selector that has no end of its own: as many as are wanted and there are, or a tenth. */
export function wantedOf({ vectors, width, count }: Pool): number {
  const n = vectors.length / width;
  return Math.min(count ?? Math.ceil(PART * n), n);
}

/** The chosen records, the first chosen first. */
export interface Selected {
  /** int32[chosen] */
  readonly records: Int32Array;
  /** What each was chosen by: see `value`. */
  readonly values: Float64Array;
  /** Why there are fewer than were wanted, where there are. */
  readonly ended?: string;
}

/** One way to choose. Each is one file. */
export interface Selector {
  /** For people, in a sentence. */
  readonly description: string;
  /** The name of the number that a record is chosen by. */
  readonly value: string;
  readonly needs?: 'target' | 'errors';
  select(pool: Pool): Promise<Selected>;
}
