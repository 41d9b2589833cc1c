/** Search among vectors: all of them are compared while there are not too many, the likeliest cells of them beyond. */
import { gatherRows } from '../numerics/matrix.js';
import type { MatrixProduct } from '../numerics/matrix-product.js';
import { permutation, random } from '../tensor/random.js';
import { kMeans, nearestCenters, squaredLengths } from './k-means.js';
import {
  keepMostSimilar,
  type Neighbors,
  nearestNeighbors,
  noNeighbors,
  withoutSelf,
} from './nearest-neighbors.js';

/** Vectors that can be searched. */
export interface VectorIndex {
  readonly count: number;
  readonly dimension: number;
  /** How a search is less than a comparison with all, where it is. */
  readonly approximate?: Approximation;
  /**
   * The most similar rows to each query float32[m, dimension] by inner product; min(k, count) of them. A search of cells may
   * find fewer, and then has row −1.
   */
  search(queries: Float32Array, k: number): Promise<Neighbors>;
}

/** What an inverted file looks into. */
export interface Approximation {
  readonly cells: number;
  /** Cells that a query looks into. */
  readonly probed: number;
  /** Part of the ten nearest others that is found, on records of the index itself. */
  readonly recall: number;
}

export interface VectorIndexOptions {
  readonly multiply: MatrixProduct;
  /** Up to so many rows all are compared. */
  readonly exactRows?: number;
}

/** An exact search of so many rows still answers a single query in a few milliseconds. */
const EXACT_ROWS = 100_000;

/** Recall that is asked of cells, of ten neighbours of so many rows. */
const RECALL = { least: 0.98, neighbors: 10, rows: 256 };

/** Rows that cells are found on, for each cell, and passes over them. */
const KMEANS = { rows: 64, iterations: 10, seed: 0 };

/** Queries that go through the cells together. */
const QUERIES = 8192;

/**
 * An index of unit rows float32[n, dimension], n ≥ 1. Beyond `exactRows` an inverted file (Jégou et al., PAMI 2011, without
 * the codes): the rows are kept by the cell of the nearest of √n centers, and a query looks into as many cells as it takes
 * for a recall@10 of 0.98 on rows of its own.
 */
export async function vectorIndex(
  rows: Float32Array,
  dimension: number,
  { multiply, exactRows = EXACT_ROWS }: VectorIndexOptions,
): Promise<VectorIndex> {
  const count = rows.length / dimension;
  const exact: VectorIndex = {
    count,
    dimension,
    search: (queries, k) => nearestNeighbors(queries, rows, dimension, Math.min(k, count), multiply),
  };
  if (count <= exactRows) return exact;
  const file = await invertedFile(rows, dimension, multiply);
  const { probed, recall } = await chooseProbes(file, exact, rows);
  return {
    count,
    dimension,
    approximate: { cells: file.cells, probed, recall },
    search: (queries, k) => file.search(queries, Math.min(k, count), probed),
  };
}

interface InvertedFile {
  readonly cells: number;
  search(queries: Float32Array, k: number, probed: number): Promise<Neighbors>;
}

async function invertedFile(
  rows: Float32Array,
  dimension: number,
  multiply: MatrixProduct,
): Promise<InvertedFile> {
  const count = rows.length / dimension;
  const cells = Math.round(Math.sqrt(count));
  const order = permutation(count, random(KMEANS.seed, 'rows for cells', 0, 0));
  const some = order.subarray(0, Math.min(count, KMEANS.rows * cells));
  const sample = gatherRows(new Float32Array(some.length * dimension), rows, some, dimension);
  const { centers } = await kMeans(sample, dimension, { clusters: cells, ...KMEANS, multiply });
  const { members } = await nearestCenters(rows, centers, dimension, multiply);
  const { starts, order: kept } = sortedBy(members, cells);
  const ordered = gatherRows(new Float32Array(rows.length), rows, kept, dimension);
  const halves = squaredLengths(centers, dimension).map((square) => square / 2);

  return {
    cells,
    async search(queries, k, probed) {
      const total = queries.length / dimension;
      const found = noNeighbors(total, k);
      for (let first = 0; first < total; first += QUERIES) {
        const some = queries.subarray(first * dimension, (first + QUERIES) * dimension);
        const asked = await likeliestCells(some, probed);
        const { starts: asking, order: places } = sortedBy(asked, cells);
        for (let cell = 0; cell < cells; cell++) {
          const [start, end] = [starts[cell], starts[cell + 1]];
          const own = places.subarray(asking[cell], asking[cell + 1]).map((at) => Math.floor(at / probed));
          if (own.length === 0 || start === end) continue;
          const gathered = gatherRows(new Float32Array(own.length * dimension), some, own, dimension);
          const scores = await multiply(
            gathered,
            ordered.subarray(start * dimension, end * dimension),
            dimension,
          );
          const size = end - start;
          const rowOf = (i: number) => kept[start + i];
          for (let i = 0; i < own.length; i++)
            keepMostSimilar(found, first + own[i], scores.subarray(i * size, (i + 1) * size), size, rowOf);
        }
      }
      return found;
    },
  };

  /** int32[m, probed]: the cells whose centers are nearest to each query. */
  async function likeliestCells(queries: Float32Array, probed: number): Promise<Int32Array> {
    const m = queries.length / dimension;
    const products = await multiply(queries, centers, dimension);
    for (let i = 0; i < products.length; i++) products[i] -= halves[i % cells];
    const nearest = noNeighbors(m, probed);
    for (let query = 0; query < m; query++)
      keepMostSimilar(nearest, query, products.subarray(query * cells, (query + 1) * cells), cells, (i) => i);
    return nearest.rows;
  }
}

/** Places sorted by their key 0 … keys − 1, and where those of each key start: int32[keys + 1]. */
function sortedBy(keyOf: Int32Array, keys: number): { starts: Int32Array; order: Int32Array } {
  const starts = new Int32Array(keys + 1);
  for (const key of keyOf) starts[key + 1]++;
  for (let key = 0; key < keys; key++) starts[key + 1] += starts[key];
  const next = starts.slice(0, keys);
  const order = new Int32Array(keyOf.length);
  for (let place = 0; place < keyOf.length; place++) order[next[keyOf[place]]++] = place;
  return { starts, order };
}

/** The fewest cells, a power of two, that a query has to look into. */
async function chooseProbes(file: InvertedFile, exact: VectorIndex, rows: Float32Array) {
  const { count, dimension } = exact;
  const asked = Int32Array.from({ length: Math.min(RECALL.rows, count) }, (_, i) =>
    Math.floor((i * count) / Math.min(RECALL.rows, count)),
  );
  const queries = gatherRows(new Float32Array(asked.length * dimension), rows, asked, dimension);
  const wanted = await exact.search(queries, RECALL.neighbors + 1);
  for (let probed = 4; ; probed *= 2) {
    const found = await file.search(queries, wanted.k, Math.min(probed, file.cells));
    const recall = recallOf(found, wanted, asked);
    if (recall >= RECALL.least || probed >= file.cells)
      return { probed: Math.min(probed, file.cells), recall };
  }
}

/** The part of the wanted neighbours of rows, other than themselves, that was found. */
function recallOf(found: Neighbors, wanted: Neighbors, asked: Int32Array): number {
  let [hits, all] = [0, 0];
  for (const [query, self] of asked.entries()) {
    const [start, end] = [query * wanted.k, (query + 1) * wanted.k];
    const got = new Set(found.rows.subarray(start, end));
    for (const row of wanted.rows.subarray(start, end)) {
      if (row === self) continue;
      all++;
      if (got.has(row)) hits++;
    }
  }
  return all === 0 ? 1 : hits / all;
}

/** The neighbours of the index's own rows float32[count, dimension] among each other; min(k, count − 1) of them. */
export async function neighborsWithin(index: VectorIndex, rows: Float32Array, k: number): Promise<Neighbors> {
  return withoutSelf(await index.search(rows, Math.min(k, index.count - 1) + 1));
}
