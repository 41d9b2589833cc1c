import { engineIfLarge, withProduct } from '../numerics/matrix-product.js';
import { kMeans, nearestCenters } from '../search/k-means.js';
import { unitRows } from '../search/nearest-neighbors.js';
import { directionSpace, place } from '../search/vector-space.js';
import { nameClusters, namedOutputs } from './named-clusters.js';
import type { Protocol } from './protocol.js';

/** Clusterings that are compared with each other. */
const SEEDS = 3;

/**
 * Classes without labels: k-means with as many clusters as there are classes, on embeddings less their mean at unit length. Training
 * labels only name the clusters, by the one-to-one assignment that is right most often. Given are the accuracy on the test
 * part, and the stability of the clustering: the adjusted Rand index (Hubert & Arabie 1985) between clusterings that
 * begin at other centers, the mean over three pairs.
 */
export const classDiscovery: Protocol['run'] = async function* ({
  parts: { train, test },
  dimension,
  spec,
  engine,
}) {
  const classes = spec.classes[0].length;
  const space = directionSpace(train.records, dimension);
  const unit = (rows: Float32Array) => unitRows(place(space, rows), dimension);
  const vectors = unit(train.records);
  const tests = unit(test.records);
  const found = await withProduct(engineIfLarge(engine, train.records.length * classes), async (multiply) => {
    const clusterings: Int32Array[] = [];
    let members: Int32Array = new Int32Array();
    for (let seed = 0; seed < SEEDS; seed++) {
      const clusters = await kMeans(vectors, dimension, { clusters: classes, seed, multiply });
      clusterings.push(clusters.members);
      if (seed === 0) members = (await nearestCenters(tests, clusters.centers, dimension, multiply)).members;
    }
    return { clusterings, members };
  });
  const named = nameClusters(found.clusterings[0], train.labels, classes);
  yield ['accuracy', test.score('accuracy', namedOutputs(found.members, named, spec)).value];
  const [a, b, c] = found.clusterings;
  const pairs = [adjustedRandIndex(a, b), adjustedRandIndex(a, c), adjustedRandIndex(b, c)];
  yield ['stability', pairs.reduce((sum, value) => sum + value, 0) / pairs.length];
};

/** 1 for the same clusters under other numbers, 0 on average for clusters drawn at random. */
export function adjustedRandIndex(a: Int32Array, b: Int32Array): number {
  const pairs = (count: number) => (count * (count - 1)) / 2;
  const counts = new Map<string, number>();
  const [inA, inB] = [new Map<number, number>(), new Map<number, number>()];
  const add = <K>(to: Map<K, number>, key: K) => to.set(key, (to.get(key) ?? 0) + 1);
  a.forEach((own, row) => {
    add(counts, `${own} ${b[row]}`);
    add(inA, own);
    add(inB, b[row]);
  });
  const sum = (of: Map<unknown, number>) =>
    [...of.values()].reduce((total, count) => total + pairs(count), 0);
  const [together, left, right] = [sum(counts), sum(inA), sum(inB)];
  const expected = (left * right) / pairs(a.length);
  const most = (left + right) / 2;
  return most === expected ? 1 : (together - expected) / (most - expected);
}
