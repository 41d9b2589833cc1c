/** Records that are searched by what a model makes of them. */
import type { Engine } from '../engine/engine.js';
import { engineIfLarge, openProduct } from '../numerics/matrix-product.js';
import { type Neighbors, unitRows } from '../search/nearest-neighbors.js';
import { type Approximation, neighborsWithin, vectorIndex } from '../search/vector-index.js';
import { directionSpace, place } from '../search/vector-space.js';

/** Embeddings that can be searched by cosine similarity. `release` frees them. */
export interface NeighborPool {
  readonly count: number;
  /** How a search is less than a comparison with all, where it is. */
  readonly approximate?: Approximation;
  /** float32[count, width]: where the records are, as unit vectors. */
  readonly vectors: Float32Array;
  /** The min(k, count) nearest records to each embedding float32[m, width]. */
  search(embeddings: Float32Array, k: number): Promise<Neighbors>;
  /** The min(k, count − 1) nearest others to each of the pool's own records. */
  within(k: number): Promise<Neighbors>;
  release(): Promise<void>;
}

export interface NeighborPoolOptions {
  readonly engine?: Engine;
  /** Whether directions along which the records differ little count as much as others; by default they do not. */
  readonly whiten?: boolean;
}

/** A pool of embeddings float32[count, width], count ≥ 1, which are compared after their mean is taken off. */
export async function neighborPool(
  embeddings: Float32Array,
  width: number,
  { engine, whiten = false }: NeighborPoolOptions = {},
): Promise<NeighborPool> {
  const count = embeddings.length / width;
  const { multiply, release } = await openProduct(engineIfLarge(engine, count * count * width));
  const space = directionSpace(embeddings, width, { whiten });
  const unit = (rows: Float32Array) => unitRows(place(space, rows), width);
  const vectors = unit(embeddings);
  const index = await vectorIndex(vectors, width, { multiply });
  return {
    count,
    approximate: index.approximate,
    vectors,
    search: (rows, k) => index.search(unit(rows), k),
    within: (k) => neighborsWithin(index, vectors, k),
    release,
  };
}
