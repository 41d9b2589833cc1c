/** Opens files given as bytes, wherever they come from: the formats that need no database. */
import { InputError, listed } from '../errors.js';
import { type OnBadRecord, rejectBy } from './bad-records.js';
import type { ByteFile } from './bytes/byte-file.js';
import { contentHead, verifyCompressedText } from './bytes/bytes.js';
import { encodingNamed, findEncoding, recodedFile } from './bytes/encoding.js';
import { MISSING_WORDS } from './cells/cell-format.js';
import type { DialectWishes } from './cells/dialect.js';
import { listColumns, type Schema } from './cells/schema.js';
import { typedReader } from './cells/typed-reader.js';
import { detectFormat, TEXT_FORMATS } from './detect-format.js';
import { type FormatName, formatNamed, formatNames } from './formats.js';
import type { Reader } from './reader.js';
import type { ReaderOptions } from './reader-options.js';
import {
  type BadRecord,
  type ColumnInfo,
  type DataSource,
  isCellType,
  type RecordBatch,
} from './record-batch.js';

/** What a user may say of a file; the rest is found out. */
export interface ReadingWishes extends DialectWishes, ReaderOptions {
  /** Told from the file's name and content by default. */
  readonly format?: FormatName;
  /** Of text; UTF-8, or what its byte order mark says, by default. */
  readonly encoding?: string;
}

export interface OpenOptions extends ReadingWishes {
  /** How the columns of a run's training file were read: this file's are read alike. */
  readonly schema?: Schema;
  /** `auto` by default: a bad record among the first hundred is an error, later ones are skipped. */
  readonly onBadRecord?: OnBadRecord;
  /** Hears of every skipped record once. */
  readonly report?: (bad: BadRecord) => void;
}

/** A file's reader by format, loaded with the first such file; a format that is missing here is read on a disk alone. */
export const byteReaders: Partial<
  Record<FormatName, (file: ByteFile, options: OpenOptions) => Reader | Promise<Reader>>
> = {
  csv: async (file, options) =>
    (await import('./readers/delimited.js')).delimitedReader(file, 'csv', options),
  tsv: async (file, options) =>
    (await import('./readers/delimited.js')).delimitedReader(file, 'tsv', options),
  parquet: async (file) => (await import('./readers/parquet.js')).parquetReader(file),
  jsonl: async (file, options) => (await import('./readers/jsonl.js')).jsonlReader(file, options),
  json: async (file, options) => (await import('./readers/json.js')).jsonReader(file, options),
  fasta: async (file) => (await import('./readers/fasta.js')).fastaReader(file),
  lines: async (file) => (await import('./readers/lines.js')).linesReader(file),
  smiles: async (file) => (await import('./readers/lines.js')).linesReader(file, { firstWord: true }),
  ts: async (file) => (await import('./readers/ts.js')).tsReader(file),
  npy: async (file) => (await import('./readers/npy.js')).npyReader(file),
  npz: async (file) => (await import('./readers/npy.js')).npzReader(file),
  arrow: async (file) => (await import('./readers/arrow.js')).arrowReader(file),
  idx: async (images) => (await import('./readers/idx.js')).idxReader({ images }),
};

/**
 * Opens a JSON, JSON Lines, FASTA, line-per-record, IDX, `.ts`, NumPy or Arrow file, compressed or not. Throws InputError when it is empty
 * or damaged, is not what its name says, or is in a format that is read on a disk alone.
 */
export async function openBytes(given: ByteFile, asked: OpenOptions = {}): Promise<DataSource> {
  const options = bySchema(asked);
  const file = await asUtf8(given, options);
  const format = await detectFormat(file, checkedFormat(options.format));
  const read = byteReaders[format];
  if (!read) {
    const known = Object.keys(byteReaders).join(', ');
    throw new InputError(`${file.name}: ${format} is read from a disk alone; as bytes ${known} are`);
  }
  await verifyCompressed(given, format);
  return sourceOf(
    await typed(file.name, format, await read(file, options), options),
    { path: file.name, files: [file.name], format, bytes: file.size },
    options,
  );
}

/** Formats whose readers go through a compressed content themselves before they give a record, as far as they can hold. */
const VERIFIED_BY_READER: ReadonlySet<FormatName> = new Set(['npy', 'npz', 'arrow', 'idx']);

/** Throws InputError for a compressed file that is damaged, before it is read. */
export async function verifyCompressed(file: ByteFile, format: FormatName): Promise<void> {
  if (!VERIFIED_BY_READER.has(format)) await verifyCompressedText(file);
}

/** The options with what the schema of a run says beside the types of columns. */
export function bySchema<O extends OpenOptions>(options: O): O {
  const { schema, missing = schema?.missing } = options;
  // Images are brought to the shape of those that a run was trained on.
  const shape = options.shape ?? schema?.columns.find((column) => column.shape)?.shape;
  const lists = schema && listColumns(schema);
  return { ...options, ...(missing && { missing }), ...(shape && { shape }), ...(lists && { lists }) };
}

/** A text file in UTF-8, whatever it is stored in; a file of another format as it is. */
export async function asUtf8(file: ByteFile, { format, encoding }: ReadingWishes): Promise<ByteFile> {
  const named = format ?? formatNamed(file.name);
  if (encoding !== undefined) return recodedFile(file, encodingNamed(encoding));
  if (named === undefined || !TEXT_FORMATS.has(named)) return file;
  return recodedFile(file, findEncoding(file.name, await contentHead(file, HEAD_BYTES)));
}

/** An encoding is told from so many bytes at the start. */
const HEAD_BYTES = 1 << 16;

/** Formats whose text is what is learned from, letter by letter; it is never a number or a date. */
const LETTERS: ReadonlySet<string> = new Set(['fasta', 'lines', 'smiles', 'idx', 'ts']);

/** Formats with a missing value of their own, so that no word has to stand for it. */
const TELLS_MISSING: ReadonlySet<string> = new Set(['parquet', 'arrow', 'lmdb']);

/** A reader's columns by the schema of a run, or with dates and written numbers among its texts found out. */
export async function typed(
  path: string,
  format: FormatName,
  reader: Reader,
  { schema, missing, decimal }: OpenOptions,
): Promise<Reader> {
  if (LETTERS.has(format)) return reader;
  // These have been typed as they were opened, since their cells may spell plain numbers.
  if (format === 'csv' || format === 'tsv') return reader;
  const words = TELLS_MISSING.has(format) ? [] : MISSING_WORDS;
  return typedReader(path, reader, { schema, missing, decimal, words });
}

/** Throws InputError for a format that there is not. */
export function checkedFormat(format: FormatName | undefined): FormatName | undefined {
  if (format === undefined || formatNames().includes(format)) return format;
  throw new InputError(`format: expected one of ${formatNames().join(', ')}, got "${format}"`);
}

/** A reader as a source that treats bad records as the options say. */
export function sourceOf(
  reader: Reader,
  about: Pick<DataSource, 'path' | 'files' | 'format' | 'bytes'>,
  { onBadRecord = 'auto', report }: OpenOptions,
): DataSource {
  const reject = rejectBy(onBadRecord, report);
  return {
    ...about,
    columns: reader.columns,
    leftOut: reader.leftOut,
    dialect: reader.dialect,
    notes: reader.notes,
    found: reader.found,
    missing: reader.missing,
    reject,
    read: ({ columns, few, verbatim, textsAlone = [], reject: own = reject } = {}) => {
      const selected = selectColumns(about.path, reader.columns, columns).map(
        (column): ColumnInfo =>
          isCellType(column.type) && textsAlone.includes(column.name)
            ? { name: column.name, type: 'text' }
            : column,
      );
      const batches = reader.read(selected, own, { few, verbatim });
      return verbatim?.length ? withTexts(batches, verbatim) : batches;
    },
  };
}

/** The batches with a text for each cell that was asked for verbatim; where a reader gives none, it is made of the value. */
async function* withTexts(
  batches: AsyncGenerator<RecordBatch>,
  names: readonly string[],
): AsyncGenerator<RecordBatch> {
  for await (const batch of batches) {
    const texts: Record<string, readonly (string | null)[]> = {};
    for (const name of names) texts[name] = batch.texts?.[name] ?? textsOf(name, batch);
    yield { ...batch, texts };
  }
}

function textsOf(name: string, { columns }: RecordBatch): readonly (string | null)[] {
  const column = Object.hasOwn(columns, name) ? columns[name] : undefined;
  if (column?.type === 'text') return column.values;
  if (column?.type === 'number')
    return Array.from(column.values, (value) => (Number.isNaN(value) ? null : String(value)));
  throw new Error(
    `read: the cells of column "${name}" were asked for verbatim, and they are not read or no cells`,
  );
}

function selectColumns(
  path: string,
  all: readonly ColumnInfo[],
  names?: readonly string[],
): readonly ColumnInfo[] {
  if (!names) return all;
  const selected = names.map((name) => {
    const column = all.find((candidate) => candidate.name === name);
    if (!column) {
      const known = all.map((candidate) => candidate.name);
      throw new InputError(`${path}: no column "${name}"; it has ${listed(known)}`);
    }
    return column;
  });
  if (selected.length === 0) throw new InputError(`${path}: no columns chosen; give at least one`);
  return selected;
}
