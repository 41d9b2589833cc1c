/** The verb `neighbors`: for every record of a file those that a model finds most alike. */

import { checkWhole } from '../config/check-numbers.js';
import type { ReadingOptions } from '../config/schema.js';
import type { KeptColumn } from '../datasets/kept-columns.js';
import type { DeviceName } from '../engine/engine.js';
import { InputError } from '../errors.js';
import { float32Digits } from '../files/float32-digits.js';
import { inBlocks } from '../files/in-blocks.js';
import { refuseOverwrite } from '../files/refuse-overwrite.js';
import { type TableCell, type TableColumn, tableWriter } from '../files/table-files.js';
import type { Hooks } from '../learning/progress-event.js';
import { neighborPool } from '../models/neighbor-pool.js';
import { encoderOf, withModel } from '../models/open-model.js';
import { ownFiles } from '../runs/folder.js';
import type { Neighbors } from '../search/nearest-neighbors.js';
import type { Approximation } from '../search/vector-index.js';
import { inputFiles } from '../sources/data-files.js';
import { type EmbeddedFile, embeddedRecords } from './embedded-records.js';
import { finishAll, openRecords } from './open-records.js';
import { FUSED, type IdentifiedRecords, type Retrieval, scoreRetrieval } from './retrieval.js';

/** What `neighbors` is given. */
export interface NeighborsOptions {
  /** Folder of a run, of its export, or of what `fit` left with an encoder. */
  readonly run: string;
  readonly data: string;
  /** The file of the records that are found; by default those of the data themselves, each but for itself. */
  readonly of?: string;
  /** Neighbours of each record; 5 by default. */
  readonly k?: number;
  /** The file to write: .csv or .parquet. */
  readonly out: string;
  /** Columns that are written beside, of both files, in their own characters; `all` alone means all. */
  readonly keep?: readonly string[];
  /** Whether directions along which the records differ little count as much as others. */
  readonly whiten?: boolean;
  /**
   * A file that says which records of `of` are relevant to which of the data, by the ids of both, with the columns `query-id`,
   * `corpus-id` and `score` (0 is not relevant), to score the search by.
   */
  readonly relevant?: string;
  readonly config?: ReadingOptions;
  /** What the encoder is computed on; the CPU by default. */
  readonly device?: DeviceName;
}

/** What `neighbors` wrote. */
export interface NeighborsSummary {
  readonly file: string;
  /** Records that have neighbours. */
  readonly rows: number;
  /** Records among which they are. */
  readonly pool: number;
  /** Neighbours of each. */
  readonly k: number;
  /** How well a search that is not exact found what an exact one finds. */
  readonly approximate?: Approximation;
  /** Milliseconds of search for a record. */
  readonly milliseconds: number;
  /** How well it finds what is relevant, where a file says what is. */
  readonly retrieval?: Retrieval;
  readonly rejected: number;
  readonly unknown: number;
}

const PREFIX = 'neighbor_';
const OWN = ['rank', 'similarity', `${PREFIX}row`];

/**
 * Writes a line for each record and neighbour, in input order, the nearest first. Similarity is the cosine of embeddings
 * less the mean of those that are searched. Nothing is left of `out` when it fails or is stopped.
 */
export async function neighbors(
  { run, data, of, k = 5, out, keep, whiten, relevant, config, device }: NeighborsOptions,
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<NeighborsSummary> {
  checkWhole('k', k, 1);
  const write = tableWriter(out);
  if (relevant !== undefined && of === undefined)
    throw new InputError(
      'neighbors: judgements of relevance take queries and, with --of, the records to find',
    );
  for (const path of [data, of, relevant].filter((path) => path !== undefined))
    await refuseOverwrite(await inputFiles(path, config?.format), out);
  await refuseOverwrite(await ownFiles(run), out);
  return withModel(run, { device }, { onEvent }, async (model) => {
    const { width } = encoderOf(model);
    const isOwn = (name: string) => OWN.includes(name.toLowerCase()) || name.toLowerCase().startsWith(PREFIX);
    const open = (path: string) => openRecords(path, model, { config, out, keep, isOwn });
    const records = await open(data);
    const others = of === undefined ? records : await open(of);
    const asked = await embeddedRecords(model, records, { signal });
    const searched = of === undefined ? asked : await embeddedRecords(model, others, { signal });
    const pool = await neighborPool(searched.embeddings, width, { engine: model.engine, whiten });
    try {
      if (of === undefined && pool.count === 1)
        throw new InputError(
          `${data}: holds one record, which has no other to be near; name others with --of`,
        );
      const begun = performance.now();
      const found = of === undefined ? await pool.within(k) : await pool.search(asked.embeddings, k);
      const milliseconds = float32Digits((performance.now() - begun) / asked.rows.length);
      if (found.k < k)
        onEvent({
          type: 'warning',
          message: `there are ${found.k} records to be near, so each has ${found.k} neighbours and not ${k}`,
        });
      const texts = (prefix: string, kept: typeof records.kept): TableColumn[] =>
        kept.map(({ name }) => ({ name: prefix + name, type: 'VARCHAR' }));
      const columns: TableColumn[] = [
        { name: 'row', type: 'INTEGER' },
        ...texts('', records.kept),
        { name: 'rank', type: 'INTEGER' },
        { name: `${PREFIX}row`, type: 'INTEGER' },
        ...texts(PREFIX, others.kept),
        { name: 'similarity', type: 'DOUBLE' },
      ];
      const retrieval =
        relevant === undefined
          ? undefined
          : await scoreRetrieval(
              relevant,
              identified(data, records.kept, asked),
              identified(of ?? data, others.kept, searched),
              rankedBy(await pool.search(asked.embeddings, FUSED)),
            );
      await write(out, columns, inBlocks(asked.rows.length, linesOf(asked, searched, found)));
      return {
        file: out,
        rows: asked.rows.length,
        pool: pool.count,
        k: found.k,
        approximate: pool.approximate,
        milliseconds,
        ...(retrieval && { retrieval }),
        ...finishAll([records, of === undefined ? undefined : others], 'compared', { onEvent }),
      };
    } finally {
      await pool.release();
    }
  });
}

/** Records by their ids. Throws InputError where a file has no id column. */
function identified(
  path: string,
  kept: readonly KeptColumn[],
  { cells, texts }: EmbeddedFile,
): IdentifiedRecords {
  const place = kept.findIndex(({ name }) => name === 'id');
  if (place < 0)
    throw new InputError(
      `${path}: no id column, such as "id" or "_id", that judgements of relevance could name`,
    );
  return { ids: cells.map((row) => row[place]), texts };
}

const rankedBy =
  ({ k, rows }: Neighbors) =>
  (query: number): number[] =>
    Array.from(rows.subarray(query * k, (query + 1) * k)).filter((row) => row >= 0);

/** The lines of a record: one for each of its neighbours. */
const linesOf =
  (asked: EmbeddedFile, searched: EmbeddedFile, { k, rows, similarities }: Neighbors) =>
  (record: number): TableCell[][] =>
    Array.from({ length: k }, (_, i) => i).flatMap((i) => {
      const other = rows[record * k + i];
      // Cells that a query looks into may hold fewer.
      if (other < 0) return [];
      const neighbor = [searched.rows[other], ...searched.cells[other]];
      const similarity = float32Digits(similarities[record * k + i]);
      return [[asked.rows[record], ...asked.cells[record], i + 1, ...neighbor, similarity]];
    });
