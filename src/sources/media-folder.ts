/** A folder of images or sounds as a reader, by the folders of their classes or with a table that names them. */
import { join } from 'node:path';
import { InputError } from '../errors.js';
import { quoteCell, type Reject } from '../records/bad-records.js';
import { BATCH_RECORDS, BATCH_SIZE, type Reader } from '../records/reader.js';
import type { ReaderOptions } from '../records/reader-options.js';
import type { ColumnInfo, ColumnValues, RecordBatch } from '../records/record-batch.js';
import { selectRecords } from '../records/select-records.js';
import { audioDecoder } from './audio.js';
import { type Decoder, decodeAll, orderedRejects, withColumn } from './decoder.js';
import { spread } from './image-shape.js';
import { imageDecoder } from './images.js';
import type { MediaFile, MediaFolder } from './media-files.js';

/** So many are decoded ahead where only the first records are wanted. */
const FEW = 64;

const decoders = { images: imageDecoder, audio: audioDecoder };

function openDecoder({ folder, format, files }: MediaFolder, options: ReaderOptions): Promise<Decoder> {
  const looked = spread(files).map(({ path }) => join(folder, path));
  return decoders[format](looked, folder, options);
}

/**
 * Columns `pixels` or `series`, `label` where the files lie in folders of several classes, `path`, and `split` where the
 * folders above are those of parts. A file that cannot be decoded is a bad record.
 */
export async function mediaReader(media: MediaFolder, options: ReaderOptions): Promise<Reader> {
  const { folder, files } = media;
  const decoder = await openDecoder(media, options);
  const cells: [name: string, cell: (file: MediaFile) => string | null][] = [
    ['label', ({ label }) => label ?? null],
    ['path', ({ path }) => path],
    ['split', ({ part }) => part ?? null],
  ];
  const present = cells.filter(([, cell]) => files.some((file) => cell(file) !== null));
  const { column, notes } = decoder;
  return {
    notes,
    columns: [column, ...present.map(([name]): ColumnInfo => ({ name, type: 'text' }))],
    async *read(selected, reject, { few = false } = {}) {
      const wanted = new Set(selected.map(({ name }) => name));
      const decode = wanted.has(column.name);
      const most = few && decode ? FEW : BATCH_RECORDS;
      const perBatch = decode
        ? Math.max(1, Math.min(most, Math.floor(BATCH_SIZE / decoder.recordBytes)))
        : most;
      for (let start = 0; start < files.length; start += perBatch) {
        const some = files.slice(start, start + perBatch);
        const columns = present
          .filter(([name]) => wanted.has(name))
          .map(([name, cell]): [string, ColumnValues] => [name, { type: 'text', values: some.map(cell) }]);
        const batch: RecordBatch = {
          rows: Int32Array.from(some, (_, i) => start + i),
          columns: Object.fromEntries(columns),
        };
        const paths = some.map(({ path }) => join(folder, path));
        const given = decode ? await decoded(batch, decoder, paths, reject, folder) : batch;
        if (given.rows.length > 0) yield inOrder(given, selected);
      }
    },
  };
}

/** A batch with these columns alone, in this order. */
const inOrder = (batch: RecordBatch, selected: readonly ColumnInfo[]): RecordBatch => ({
  ...batch,
  columns: Object.fromEntries(selected.map(({ name }) => [name, batch.columns[name]])),
});

/** A batch with the decoded files, without the records whose file is missing or broken. */
async function decoded(
  batch: RecordBatch,
  decoder: Decoder,
  paths: readonly (string | undefined)[],
  reject: Reject,
  source: string,
  missing: (place: number) => string = () => 'no file',
): Promise<RecordBatch> {
  const { name } = decoder.column;
  const { places, values } = await decodeAll(decoder, paths, missing, (place, message) =>
    reject({ path: paths[place] ?? source, row: batch.rows[place], column: name, message }),
  );
  return withColumn(places.length === paths.length ? batch : selectRecords(batch, places), name, values);
}

/**
 * The columns of a table, and `pixels` or `series` of the files that one of its columns names. Undefined where no column
 * does: at least half of the cells of the first records have to be names of the files, with or without their ending and
 * the folders before. A record whose file is missing or broken is a bad record.
 */
export async function mediaTableReader(
  media: MediaFolder,
  table: Reader,
  options: ReaderOptions,
): Promise<Reader | undefined> {
  const names = filesByName(media.files);
  const naming = await namingColumn(table, names);
  if (!naming) return undefined;
  const decoder = await openDecoder(media, options);
  const { column } = decoder;
  const { columns } = table;
  const path = join(media.folder, media.table ?? '');
  if (columns.some(({ name }) => name === column.name)) {
    throw new InputError(
      `${path}: has a column "${column.name}", which the files beside it become; rename it`,
    );
  }
  return {
    columns: [...columns, column],
    leftOut: table.leftOut,
    dialect: table.dialect,
    notes: [...(table.notes ?? []), ...(decoder.notes ?? [])],
    missing: table.missing,
    async *read(selected, reject, readOptions) {
      const own = selected.filter(({ name }) => name !== column.name);
      if (own.length === selected.length) {
        yield* table.read(own, reject, readOptions);
        return;
      }
      const withName = columns.filter(
        ({ name }) => name === naming.name || own.some((other) => other.name === name),
      );
      const most = Math.max(1, Math.floor(BATCH_SIZE / decoder.recordBytes));
      const { note, flush } = orderedRejects(reject);
      for await (const all of table.read(withName, note, readOptions)) {
        for (let start = 0; start < all.rows.length; start += most) {
          const count = Math.min(most, all.rows.length - start);
          const batch = selectRecords(
            all,
            Array.from({ length: count }, (_, i) => start + i),
          );
          const cells = namesIn(batch.columns[naming.name]);
          const files = cells.map((cell) => findFile(names, cell));
          const paths = files.map((file) => (file === undefined ? undefined : join(media.folder, file)));
          const missing = (place: number) => {
            const cell = cells[place];
            return cell === null
              ? `no file: ${naming.name} is missing`
              : `no file is named ${quoteCell(cell)}`;
          };
          const given = await decoded(batch, decoder, paths, note, path, missing);
          flush();
          if (given.rows.length === 0) continue;
          yield inOrder(given, selected);
        }
      }
      flush();
    },
  };
}

/** Files by all names that a table may give them; null where several have the name. */
type FilesByName = ReadonlyMap<string, string | null>;

const withoutEnding = (name: string): string => name.replace(/\.[^./]+$/, '');

function filesByName(files: readonly MediaFile[]): FilesByName {
  const names = new Map<string, string | null>();
  for (const { path } of files) {
    const steps = path.split('/');
    const ends = new Set(
      steps.flatMap((_, i) => {
        const end = steps.slice(i).join('/');
        return [end, withoutEnding(end)];
      }),
    );
    for (const end of ends) names.set(end, names.has(end) ? null : path);
  }
  // The whole path is never in doubt.
  for (const { path } of files) names.set(path, path);
  return names;
}

/** The file of a cell, which may be its name, with folders before it that the data set does not have. */
function findFile(names: FilesByName, cell: string | null): string | undefined {
  if (cell === null) return undefined;
  const steps = cell
    .trim()
    .replaceAll('\\', '/')
    .split('/')
    .filter((step) => step !== '.' && step !== '');
  for (let i = 0; i < steps.length; i++) {
    const file = names.get(steps.slice(i).join('/'));
    if (file) return file;
  }
  return undefined;
}

/** The cells of a column as names; a number is one, as in `17` for `17.png`. */
function namesIn(column: ColumnValues): (string | null)[] {
  if (column.type === 'text') return [...column.values];
  if (column.type !== 'number') return [];
  return Array.from(column.values, (value) => (Number.isNaN(value) ? null : String(value)));
}

/** The column of a table with most cells that name files, if those are half of its first cells or more. */
async function namingColumn(table: Reader, names: FilesByName): Promise<ColumnInfo | undefined> {
  const candidates = table.columns.filter(({ type }) => type === 'text' || type === 'number');
  if (candidates.length === 0) return undefined;
  for await (const batch of table.read(candidates, () => {}, { few: true })) {
    const shares = candidates.map((column) => {
      const cells = namesIn(batch.columns[column.name]);
      const files = cells.map((cell) => findFile(names, cell)).filter((file) => file !== undefined);
      return { column, share: files.length / cells.length, distinct: new Set(files).size };
    });
    // A label of 1 to 9 may name files, too, but fewer of them.
    const [best] = shares.sort((a, b) => b.share - a.share || b.distinct - a.distinct);
    return best.share >= 0.5 ? best.column : undefined;
  }
  return undefined;
}
