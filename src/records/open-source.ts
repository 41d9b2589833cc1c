/** Opens a data file: finds out its format and compression, and refuses what contradicts its name. */
import { stat } from 'node:fs/promises';
import { InputError } from '../errors.js';
import { type OnBadRecord, rejectBy } from './bad-records.js';
import { contentHead, isGzipped, readError, verifyGzip } from './bytes.js';
import { type FormatName, formatExtensions, formatNames } from './formats.js';
import { isLmdb, lmdbDataFile } from './lmdb.js';
import type { Reader } from './reader.js';
import { delimitedReader } from './readers/delimited.js';
import { fastaReader } from './readers/fasta.js';
import { findIdxFiles, idxReader, isIdx } from './readers/idx.js';
import { jsonReader } from './readers/json.js';
import { jsonlReader } from './readers/jsonl.js';
import { linesReader } from './readers/lines.js';
import { lmdbReader } from './readers/lmdb.js';
import { parquetReader } from './readers/parquet.js';
import type { BadRecord, ColumnInfo, DataSource } from './record-batch.js';

export type { OnBadRecord } from './bad-records.js';

const HEAD_BYTES = 4096;

export interface OpenOptions {
  /** Told from the file's name and content by default. */
  readonly format?: FormatName;
  /** `auto` by default: a bad record among the first hundred is an error, later ones are skipped. */
  readonly onBadRecord?: OnBadRecord;
  /** Hears of every skipped record once. */
  readonly report?: (bad: BadRecord) => void;
}

/**
 * Opens a CSV, TSV, JSON Lines, JSON, Parquet, FASTA, line-per-record, LMDB or IDX file, gzipped or not, or the folder of
 * an LMDB database or of IDX images.
 * Throws InputError when there is no such file, it is empty or damaged, or it is not what its name says.
 * A gzip file is decompressed once to check it before anything is read from it.
 */
export async function openSource(path: string, options: OpenOptions = {}): Promise<DataSource> {
  const { onBadRecord = 'auto', report } = options;
  const info = await stat(path).catch((error: unknown) => {
    throw readError(path, error);
  });
  if (options.format !== undefined && !formatNames.includes(options.format)) {
    throw new InputError(`format: expected one of ${formatNames.join(', ')}, got "${options.format}"`);
  }
  const database = info.isDirectory() ? lmdbDataFile(path) : undefined;
  const format =
    info.isDirectory() && !database
      ? 'idx'
      : await detectFormat(database ?? path, info.size, database ? 'lmdb' : options.format);
  const idx = format === 'idx' ? await findIdxFiles(path) : undefined;
  const files = idx ? [idx.images, ...(idx.labels === undefined ? [] : [idx.labels])] : [database ?? path];
  let bytes = 0;
  for (const file of files) {
    bytes += (await stat(file)).size;
    if (await isGzipped(file)) await verifyGzip(file);
  }
  const reader = idx ? await idxReader(idx) : await openReader(files[0], format);
  const reject = rejectBy(onBadRecord, report);
  return {
    path,
    format,
    bytes,
    columns: reader.columns,
    leftOut: reader.leftOut,
    read: ({ columns, few } = {}) =>
      reader.read(selectColumns(path, reader.columns, columns), reject, { few }),
  };
}

async function openReader(path: string, format: FormatName): Promise<Reader> {
  switch (format) {
    case 'parquet':
      return parquetReader(path);
    case 'jsonl':
      return jsonlReader(path);
    case 'json':
      return jsonReader(path);
    case 'lmdb':
      return lmdbReader(path);
    case 'fasta':
      return fastaReader(path);
    case 'lines':
      return linesReader(path);
    case 'smiles':
      return linesReader(path, { firstWord: true });
    default:
      return delimitedReader(path, format === 'tsv' ? 'tsv' : 'csv');
  }
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
      const listed =
        known.length > 12 ? `${known.slice(0, 12).join(', ')}, … (${known.length})` : known.join(', ');
      throw new InputError(`${path}: no column "${name}"; it has ${listed}`);
    }
    return column;
  });
  if (selected.length === 0) throw new InputError(`${path}: no columns chosen; give at least one`);
  return selected;
}

async function detectFormat(path: string, size: number, given?: FormatName): Promise<FormatName> {
  if (size === 0) throw new InputError(`${path}: empty file; expected records`);
  const lower = path.toLowerCase();
  const gzipped = await isGzipped(path);
  if (lower.endsWith('.gz') && !gzipped) {
    throw new InputError(`${path}: named .gz but not gzip; rename it, or compress it`);
  }
  const head = await contentHead(path, HEAD_BYTES);
  if (head.length === 0) throw new InputError(`${path}: empty after decompression; expected records`);
  const name = lower.replace(/\.gz$/, '');
  const format = given ?? formatNamed(name) ?? formatOf(head);
  if (!format) {
    const known = Object.values(formatExtensions).flatMap((list) => list.map((extension) => `.${extension}`));
    throw new InputError(`${path}: unknown format; name it ${known.join(', ')}, or pass --format`);
  }
  const trouble = contradiction(format, head, gzipped);
  if (trouble) throw new InputError(`${path}: ${trouble}`);
  if (format !== 'json' && format !== 'jsonl') return format;
  // Files of either kind go by either name.
  const first = firstText(head)[0];
  return first === '[' ? 'json' : first === '{' ? 'jsonl' : format;
}

function formatNamed(name: string): FormatName | undefined {
  return formatNames.find((format) =>
    formatExtensions[format].some(
      (extension) => name.endsWith(`.${extension}`) || name.endsWith(`-${extension}`),
    ),
  );
}

function formatOf(head: Buffer): FormatName | undefined {
  if (head.toString('latin1', 0, 4) === 'PAR1') return 'parquet';
  if (isIdx(head)) return 'idx';
  if (isLmdb(head)) return 'lmdb';
  const text = firstText(head);
  if (text.startsWith('>')) return 'fasta';
  if (text.startsWith('[')) return 'json';
  return text.startsWith('{') ? 'jsonl' : undefined;
}

/** What the content says against the format; one clause with what to do, or undefined. */
function contradiction(format: FormatName, head: Buffer, gzipped: boolean): string | undefined {
  const magic = head.toString('latin1', 0, 4);
  if (format === 'parquet') {
    if (magic !== 'PAR1') return 'not Parquet (it does not begin with PAR1); check the file or its name';
    return gzipped ? 'gzipped Parquet is not read; decompress it, Parquet compresses itself' : undefined;
  }
  if (format === 'idx') {
    return isIdx(head) ? undefined : 'not IDX unsigned bytes with 1, 3 or 4 axes; check the file or its name';
  }
  if (format === 'lmdb') {
    if (!isLmdb(head)) return 'not LMDB (its first page has no LMDB mark); check the file or its name';
    return gzipped ? 'gzipped LMDB is not read; decompress it' : undefined;
  }
  if (magic === 'PAR1') return `a Parquet file, not ${format}; name it .parquet`;
  if ((head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff)) {
    return 'UTF-16 text; save it as UTF-8';
  }
  if (head.includes(0)) return `binary data (a NUL byte in the first 4 KiB), expected ${format} text`;
  const first = firstText(head).slice(0, 1);
  if (first === '' && head.length < HEAD_BYTES) return 'only white space; expected records';
  if (format === 'fasta' && first !== '>' && first !== ';') {
    return `not FASTA; expected a header ">id" first, got ${JSON.stringify(first)}`;
  }
  return undefined;
}

/** The content's beginning as text, from its first character that is not white space or a byte order mark. */
function firstText(head: Buffer): string {
  return head.toString('utf8').replace(/^[\s\uFEFF]+/, '');
}
