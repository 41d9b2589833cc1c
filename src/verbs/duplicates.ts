/** The verb `duplicates`: records of a file that a model can hardly tell apart. */
import { checkWithin } from '../config/check-numbers.js';
import type { ReadingOptions } from '../config/schema.js';
import type { DeviceName } from '../engine/engine.js';
import { InputError } from '../errors.js';
import { float32Digits } from '../files/float32-digits.js';
import { inBlocks } from '../files/in-blocks.js';
import { refuseOverwrite } from '../files/refuse-overwrite.js';
import { type TableCell, type TableColumn, tableWriter } from '../files/table-files.js';
import type { Hooks } from '../learning/progress-event.js';
import { neighborPool } from '../models/neighbor-pool.js';
import { encoderOf, withModel } from '../models/open-model.js';
import type { ColumnValues } from '../records/record-batch.js';
import { flagNamed } from '../records/split.js';
import { ownFiles } from '../runs/folder.js';
import { groupsOf, type LabelledThreshold, labelledThreshold, usualThreshold } from '../search/duplicates.js';
import type { Approximation } from '../search/vector-index.js';
import { inputFiles } from '../sources/data-files.js';
import { embeddedRecords } from './embedded-records.js';
import { openData } from './open-data.js';
import { openRecords } from './open-records.js';

/** What `duplicates` is given. */
export interface DuplicatesOptions {
  /** Folder of a run, of its export, or of what `fit` left with an encoder. */
  readonly run: string;
  readonly data: string;
  /**
   * A file of labelled pairs that sets the threshold, with the columns `row`, `other_row` (rows of the data, the first is 0)
   * and `duplicate` (yes or no). Not together with `threshold`.
   */
  readonly pairs?: string;
  /** The least similarity of duplicates; by default it follows from how near the records are to each other. */
  readonly threshold?: number;
  /** The file to write: .csv or .parquet. */
  readonly out: string;
  /** Columns that are written beside, in the file's own characters; `all` alone means all. */
  readonly keep?: readonly string[];
  readonly config?: ReadingOptions;
  /** What the encoder is computed on; the CPU by default. */
  readonly device?: DeviceName;
}

/** What `duplicates` wrote. */
export interface DuplicatesSummary {
  readonly file: string;
  /** Records that were compared. */
  readonly rows: number;
  readonly pairs: number;
  /** Groups of records that pairs join. */
  readonly groups: number;
  /** Records that could be left out: those of a group but for its first. */
  readonly surplus: number;
  readonly threshold: number;
  /** On the labelled pairs, where these set it. */
  readonly labelled?: Omit<LabelledThreshold, 'threshold'>;
  readonly approximate?: Approximation;
  readonly rejected: number;
  readonly unknown: number;
}

/** Others that each record is compared with: the nearest. */
const NEIGHBORS = 20;

const PREFIX = 'other_';
const OWN = ['group', 'similarity', `${PREFIX}row`];

/**
 * Writes a line for each pair of records whose similarity reaches the threshold, the most similar first, with the group that
 * pairs join them to: the row of its first record. Similarity is that of `neighbors`; of each record its 20 nearest are
 * compared. Nothing is left of `out` when it fails or is stopped.
 */
export async function duplicates(
  { run, data, pairs, threshold: given, out, keep, config, device }: DuplicatesOptions,
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<DuplicatesSummary> {
  if (pairs !== undefined && given !== undefined)
    throw new InputError('duplicates: a threshold is given or follows from labelled pairs, not both');
  if (given !== undefined) checkWithin('threshold', given, -1, 1);
  const write = tableWriter(out);
  await refuseOverwrite(await inputFiles(data, config?.format), out);
  if (pairs !== undefined) await refuseOverwrite(await inputFiles(pairs), out);
  await refuseOverwrite(await ownFiles(run), out);
  return withModel(run, { device }, { onEvent }, async (model) => {
    const { width } = encoderOf(model);
    const isOwn = (name: string) => OWN.includes(name.toLowerCase()) || name.toLowerCase().startsWith(PREFIX);
    const records = await openRecords(data, model, { config, out, keep, isOwn });
    const { rows, cells, embeddings } = await embeddedRecords(model, records, { signal });
    if (rows.length === 1)
      throw new InputError(`${data}: holds one record, which has no other to be a copy of`);
    const pool = await neighborPool(embeddings, width, { engine: model.engine });
    try {
      const { k, rows: others, similarities } = await pool.within(NEIGHBORS);
      const { threshold, ...labelled } =
        pairs !== undefined
          ? await thresholdOfPairs(pairs, rows, (a, b) => similarityOf(pool.vectors, width, a, b))
          : { threshold: given ?? usualThreshold(similarities.filter((_, i) => i % k === 0)) };
      const found: { a: number; b: number; similarity: number }[] = [];
      const seen = new Set<number>();
      for (let i = 0; i < others.length; i++) {
        if (others[i] < 0 || similarities[i] < threshold) continue;
        const [a, b] = [Math.floor(i / k), others[i]].sort((x, y) => x - y);
        const pair = a * rows.length + b;
        if (seen.has(pair)) continue;
        seen.add(pair);
        found.push({ a, b, similarity: similarities[i] });
      }
      found.sort((x, y) => y.similarity - x.similarity || x.a - y.a || x.b - y.b);
      if (found.length > rows.length)
        onEvent({
          type: 'warning',
          message: `${found.length} pairs of ${rows.length} records are more than copies usually make; label pairs that are harder to tell apart, or name a threshold above ${threshold.toFixed(4)}`,
        });
      const groups = groupsOf(
        rows.length,
        found.map(({ a, b }) => [a, b] as const),
      );
      const texts = (prefix: string) =>
        records.kept.map(({ name }): TableColumn => ({ name: prefix + name, type: 'VARCHAR' }));
      const columns: TableColumn[] = [
        { name: 'group', type: 'INTEGER' },
        { name: 'row', type: 'INTEGER' },
        ...texts(''),
        { name: `${PREFIX}row`, type: 'INTEGER' },
        ...texts(PREFIX),
        { name: 'similarity', type: 'DOUBLE' },
      ];
      const line = ({ a, b, similarity }: (typeof found)[number]): TableCell[] => [
        rows[groups[a]],
        rows[a],
        ...cells[a],
        rows[b],
        ...cells[b],
        float32Digits(similarity),
      ];
      await write(
        out,
        columns,
        inBlocks(found.length, (pair) => [line(found[pair])]),
      );
      const joined = new Set(found.flatMap(({ a, b }) => [a, b]));
      const firsts = new Set([...joined].map((record) => groups[record]));
      return {
        file: out,
        rows: rows.length,
        pairs: found.length,
        groups: firsts.size,
        surplus: joined.size - firsts.size,
        threshold: float32Digits(threshold),
        ...('precision' in labelled && { labelled }),
        approximate: pool.approximate,
        ...records.finish('compared', { onEvent }),
      };
    } finally {
      await pool.release();
    }
  });
}

function similarityOf(vectors: Float32Array, width: number, a: number, b: number): number {
  let sum = 0;
  for (let j = 0; j < width; j++) sum += vectors[a * width + j] * vectors[b * width + j];
  return sum;
}

/** Throws InputError for a file of pairs that has not the columns, or names a row that the data has not. */
async function thresholdOfPairs(
  path: string,
  rows: readonly number[],
  similarity: (a: number, b: number) => number,
): Promise<LabelledThreshold> {
  const source = await openData(path, {});
  const names = ['row', `${PREFIX}row`, 'duplicate'];
  const lacking = names.filter((name) => !source.columns.some((column) => column.name === name));
  if (lacking.length > 0)
    throw new InputError(`${path}: no column ${lacking.join(', ')}; labelled pairs have ${names.join(', ')}`);
  const placeOf = new Map(rows.map((row, place) => [row, place]));
  const similarities: number[] = [];
  const same: boolean[] = [];
  /** What each pair was said to be before. */
  const known = new Map<string, { duplicate: boolean; line: number }>();
  const cell = (column: ColumnValues, place: number) =>
    String('values' in column ? column.values[place] : '');
  for await (const batch of source.read({ columns: names })) {
    for (const [place, line] of batch.rows.entries()) {
      const [a, b, flag] = names.map((name) => cell(batch.columns[name], place));
      const [first, second] = [placeOf.get(Number(a)), placeOf.get(Number(b))];
      const duplicate = flagNamed(flag);
      if (a === '' || b === '' || a === 'NaN' || b === 'NaN')
        throw new InputError(`${path}: record ${line}: a pair lacks a row; name two rows`);
      if (first === undefined || second === undefined)
        throw new InputError(
          `${path}: record ${line}: the data has no readable row ${first === undefined ? a : b}`,
        );
      if (first === second)
        throw new InputError(`${path}: record ${line}: row ${a} is paired with itself; name two rows`);
      if (duplicate === undefined)
        throw new InputError(`${path}: record ${line}: expected yes or no as duplicate, got "${flag}"`);
      const key = [Math.min(first, second), Math.max(first, second)].join();
      const before = known.get(key);
      if (before && before.duplicate !== duplicate)
        throw new InputError(
          `${path}: rows ${a} and ${b} are ${duplicate ? '' : 'no '}duplicates in record ${line} and ${duplicate ? 'none' : 'are some'} in record ${before.line}; correct one of them`,
        );
      if (before) continue;
      known.set(key, { duplicate, line });
      similarities.push(similarity(first, second));
      same.push(duplicate);
    }
  }
  return labelledThreshold(similarities, same);
}
