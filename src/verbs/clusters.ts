/** The verb `clusters`: which records of a file a model finds alike, and what they have in common. */
import { checkWhole } from '../config/check-numbers.js';
import type { ReadingOptions } from '../config/schema.js';
import type { DeviceName, Engine } from '../engine/engine.js';
import { InputError, listed } from '../errors.js';
import { float32Digits } from '../files/float32-digits.js';
import { inBlocks } from '../files/in-blocks.js';
import { refuseOverwrite } from '../files/refuse-overwrite.js';
import { type TableCell, type TableColumn, tableWriter } from '../files/table-files.js';
import type { Hooks } from '../learning/progress-event.js';
import { encoderOf, withModel } from '../models/open-model.js';
import { type Trait, traitsOf } from '../models/set-apart.js';
import { gatherRows } from '../numerics/matrix.js';
import { type MatrixProduct, withProduct } from '../numerics/matrix-product.js';
import { fitLatentClasses } from '../probes/latent-label-shift.js';
import { ownFiles } from '../runs/folder.js';
import { type Clusters, kMeans, nearestCenters } from '../search/k-means.js';
import { unitRows } from '../search/nearest-neighbors.js';
import { silhouette } from '../search/silhouette.js';
import { directionSpace, place } from '../search/vector-space.js';
import { inputFiles } from '../sources/data-files.js';
import { permutation, random } from '../tensor/random.js';
import { embeddedRecords } from './embedded-records.js';
import { openRecords } from './open-records.js';

/** What `clusters` is given. */
export interface ClustersOptions {
  /** Folder of a run, of its export, or of what `fit` left with an encoder. */
  readonly run: string;
  readonly data: string;
  /** Number of clusters; by default that of 2 to 20 with the largest silhouette. */
  readonly k?: number;
  /**
   * A column that says which of several domains a record is from, with other shares of the classes: clusters are then the `k` classes behind these
   * (see `fitLatentClasses`), and not groups of alike embeddings.
   */
  readonly domain?: string;
  /** The file to write: .csv or .parquet. */
  readonly out: string;
  /** Columns that are written beside, in the file's own characters; `all` alone means all. */
  readonly keep?: readonly string[];
  readonly config?: ReadingOptions;
  /** What the encoder is computed on; the CPU by default. */
  readonly device?: DeviceName;
}

/** A cluster in words. */
export interface ClusterSummary {
  readonly cluster: number;
  readonly records: number;
  /** Rows of the records that are nearest to its center, the nearest first. */
  readonly representatives: readonly number[];
  /** What sets it apart from the others. */
  readonly traits: readonly Trait[];
}

/** What `clusters` wrote. */
export interface ClustersSummary {
  readonly file: string;
  readonly rows: number;
  /** The largest first. */
  readonly clusters: readonly ClusterSummary[];
  /** From −1 to 1; near 0 the records are one cloud without clusters. */
  readonly silhouette: number;
  readonly rejected: number;
  readonly unknown: number;
}

const CANDIDATES = [2, 3, 4, 5, 6, 8, 10, 12, 15, 20];
/** Records that centers are found on, and of them those whose silhouette is measured. */
const MOST = { learned: 20_000, measured: 1500 };
const REPRESENTATIVES = 3;
const OWN = ['cluster', 'distance', 'probability'];

/** Of records with domains one in so many decides on the penalty of the classifier. */
const HELD = 5;

/**
 * Writes the cluster of every record in input order, and its distance to the cluster's center. Clusters are those of k-means on
 * embeddings less their mean, scaled to unit length; with `domain` latent classes, with the probability of each in the place of a distance.
 * Nothing is left of `out` when it fails or is stopped.
 */
export async function clusters(
  { run, data, k, domain, out, keep, config, device }: ClustersOptions,
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<ClustersSummary> {
  if (k !== undefined) checkWhole('k', k, 2);
  if (domain !== undefined && k === undefined)
    throw new InputError(`--domain ${domain}: say how many classes there are, with -k`);
  const write = tableWriter(out);
  await refuseOverwrite(await inputFiles(data, config?.format), out);
  await refuseOverwrite(await ownFiles(run), out);
  return withModel(run, { device }, { onEvent }, (model) =>
    withProduct(model.engine, async (multiply) => {
      const encoder = encoderOf(model);
      const { width } = encoder;
      const isOwn = (name: string) => OWN.includes(name.toLowerCase());
      // The column of domains is kept beside.
      const kept =
        domain === undefined || keep?.includes('all') ? keep : [...new Set([...(keep ?? []), domain])];
      const records = await openRecords(data, model, { config, out, keep: kept, isOwn });
      const domains = records.kept.findIndex(({ column }) => column === domain);
      if (domain !== undefined && domains < 0)
        throw new InputError(
          `${data}: --domain ${domain}: there is no such column; its columns are ${listed(records.kept.map(({ column }) => column))}`,
        );
      const { block, cells, texts, embeddings } = await embeddedRecords(model, records, { signal });
      const { count, rows } = block;
      const wanted = k === undefined ? CANDIDATES.filter((some) => some < count) : [k];
      if (wanted.length === 0 || wanted[0] < 2 || wanted[0] > count)
        throw new InputError(
          `${data}: ${count} records make no ${k ?? 2} clusters; give more records, or from 2 to as many clusters`,
        );
      const vectors = unitRows(place(directionSpace(embeddings, width), embeddings), width);
      const { all, members, distances, score } =
        domain === undefined
          ? await byCenters(vectors, width, wanted, multiply)
          : await byDomains(
              embeddings,
              cells.map((own) => own[domains]),
              {
                data,
                domain,
                rows,
                classes: wanted[0],
                engine: model.engine,
                vectors,
                multiply,
              },
            );
      const inside = Array.from({ length: all }, (): number[] => []);
      members.forEach((member, record) => {
        inside[member].push(record);
      });
      const kinds = inside.filter((own) => own.length > 0).length;
      if (domain === undefined && kinds < all)
        throw new InputError(
          `${data}: to the model its ${count} records are of ${kinds === 1 ? 'one kind' : `${kinds} kinds`}, which make no ${all} clusters; ${kinds === 1 ? 'give records that differ' : `ask for at most ${kinds}`}`,
        );
      // Clusters are numbered by their size.
      const order = [...inside.keys()].sort((a, b) => inside[b].length - inside[a].length || a - b);
      const numberOf = new Map(order.map((cluster, number) => [cluster, number]));
      const numbered = members.map((member) => numberOf.get(member)!);
      const traits = traitsOf(model.tokenizer, block, numbered, {
        clusters: all,
        ...(texts && { texts }),
      });
      const line = (record: number): TableCell[] => [
        rows[record],
        ...cells[record],
        numbered[record],
        float32Digits(domain === undefined ? distances[record] : 1 - distances[record]),
      ];
      const columns: TableColumn[] = [
        { name: 'row', type: 'INTEGER' },
        ...records.kept.map(({ name }): TableColumn => ({ name, type: 'VARCHAR' })),
        { name: 'cluster', type: 'INTEGER' },
        { name: domain === undefined ? 'distance' : 'probability', type: 'DOUBLE' },
      ];
      await write(
        out,
        columns,
        inBlocks(count, (record) => [line(record)]),
      );
      return {
        file: out,
        rows: count,
        clusters: order.map((cluster, number) => ({
          cluster: number,
          records: inside[cluster].length,
          representatives: inside[cluster]
            .toSorted((a, b) => distances[a] - distances[b] || a - b)
            .slice(0, REPRESENTATIVES)
            .map((record) => rows[record]),
          traits: traits[number].map(({ name, weight }) => ({ name, weight: float32Digits(weight) })),
        })),
        silhouette: float32Digits(score),
        ...records.finish('clustered', { onEvent }),
      };
    }),
  );
}

/** Records in clusters, by distance to what each is in: the smaller, the more a record stands for its cluster. */
interface FoundClusters {
  readonly all: number;
  readonly members: Int32Array;
  readonly distances: Float64Array;
  /** The mean silhouette. */
  readonly score: number;
}

async function byCenters(
  vectors: Float32Array,
  width: number,
  wanted: readonly number[],
  multiply: MatrixProduct,
): Promise<FoundClusters> {
  const { centers, score } = await bestClusters(vectors, width, wanted, multiply);
  const { members, distances } = await nearestCenters(vectors, centers, width, multiply);
  return { all: centers.length / width, members, distances: distances.map(Math.sqrt), score };
}

/** Latent classes; the distance of a record is 1 − the probability of its class. */
async function byDomains(
  embeddings: Float32Array,
  domains: readonly (string | null)[],
  {
    data,
    domain,
    rows,
    classes,
    engine,
    vectors,
    multiply,
  }: {
    data: string;
    domain: string;
    rows: ArrayLike<number>;
    classes: number;
    engine: Engine;
    vectors: Float32Array;
    multiply: MatrixProduct;
  },
): Promise<FoundClusters> {
  const missing = domains.findIndex((name) => name === null || name === '');
  if (missing >= 0)
    throw new InputError(
      `${data}: column "${domain}" is missing in record ${rows[missing]}; leave such records out, or name their domain`,
    );
  const names = [...new Set(domains as readonly string[])].sort();
  const numbers = new Map(names.map((name, number) => [name, number]));
  const of = Int32Array.from(domains, (name) => numbers.get(name!)!);
  const width = embeddings.length / of.length;
  const order = permutation(of.length, random(0, 'records for a penalty'));
  const part = (held: boolean) => {
    const rows = order.filter((_, i) => (i % HELD === 0) === held);
    return {
      features: gatherRows(new Float32Array(rows.length * width), embeddings, rows, width),
      domains: rows.map((row) => of[row]),
    };
  };
  const { classOf } = await fitLatentClasses(
    { train: part(false), valid: part(true) },
    { names, classes, dimension: width, engine },
  );
  const { members, probabilities } = await classOf({ features: embeddings, domains: of });
  const measured = order.subarray(0, MOST.measured);
  const score = await silhouette(
    gatherRows(new Float32Array(measured.length * width), vectors, measured, width),
    width,
    { members: measured.map((row) => members[row]), clusters: classes, multiply },
  );
  return { all: classes, members, distances: probabilities.map((value) => 1 - value), score };
}

/** The clusters of one of these numbers whose silhouette is the largest, found on some of the rows. */
async function bestClusters(
  vectors: Float32Array,
  width: number,
  wanted: readonly number[],
  multiply: MatrixProduct,
): Promise<Pick<Clusters, 'centers'> & { score: number }> {
  const count = vectors.length / width;
  const some = permutation(count, random(0, 'records for clusters', 0, 0)).slice(0, MOST.learned);
  const learned = gatherRows(new Float32Array(some.length * width), vectors, some, width);
  const measured = learned.subarray(0, MOST.measured * width);
  let best: { centers: Float32Array; score: number } | undefined;
  for (const clusters of wanted) {
    const { centers, members } = await kMeans(learned, width, { clusters, seed: 0, multiply });
    const score = await silhouette(measured, width, { members, clusters, multiply });
    if (best === undefined || score > best.score) best = { centers, score };
  }
  return best!;
}
