/** Opens a data file: finds out its format and compression, and refuses what contradicts its name. */
import { stat } from 'node:fs/promises';
import { InputError } from '../errors.js';
import { type OnBadRecord, rejectBy } from '../records/bad-records.js';
import { contentHead, isGzipped, verifyGzip } from '../records/bytes.js';
import { type FormatName, formatExtensions, formatNamed, formatNames } from '../records/formats.js';
import { joinParts } from '../records/join-parts.js';
import type { Reader } from '../records/reader.js';
import { fastaReader } from '../records/readers/fasta.js';
import { findIdxFiles, idxReader, isIdx } from '../records/readers/idx.js';
import { jsonReader } from '../records/readers/json.js';
import { jsonlReader } from '../records/readers/jsonl.js';
import { linesReader } from '../records/readers/lines.js';
import { tsReader } from '../records/readers/ts.js';
import type { BadRecord, ColumnInfo, DataSource } from '../records/record-batch.js';
import type { Part } from '../records/split.js';
import { findDataFiles } from './data-files.js';
import { delimitedReader } from './delimited.js';
import { lmdbReader } from './lmdb.js';
import { isLmdb, lmdbDataFile } from './lmdb-file.js';
import { parquetReader } from './parquet.js';

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
 * Opens a CSV, TSV, JSON Lines, JSON, Parquet, FASTA, line-per-record, LMDB, IDX or `.ts` file, gzipped or not, or the parts
 * of one data set (see `findDataFiles`), which are read as one with a column `split`.
 * Throws InputError when there is no such file, it is empty or damaged, or it is not what its name says.
 * A gzip file is decompressed once to check it before anything is read from it.
 */
export async function openSource(path: string, options: OpenOptions = {}): Promise<DataSource> {
  const { onBadRecord = 'auto', report } = options;
  if (options.format !== undefined && !formatNames.includes(options.format)) {
    throw new InputError(`format: expected one of ${formatNames.join(', ')}, got "${options.format}"`);
  }
  const opened: OpenedFile[] = [];
  for (const { path: file, part } of await findDataFiles(path, options.format)) {
    opened.push({ ...(await openFile(file, options.format)), part });
  }
  const parts = opened.flatMap(({ part, ...file }) => (part ? [{ part, ...file }] : []));
  const reader = parts.length > 0 ? joinParts(parts) : opened[0].reader;
  const files = opened.flatMap((file) => file.files);
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  const reject = rejectBy(onBadRecord, report);
  return {
    path,
    files,
    format: opened[0].format,
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    columns: reader.columns,
    leftOut: reader.leftOut,
    read: ({ columns, few } = {}) =>
      reader.read(selectColumns(path, reader.columns, columns), reject, { few }),
  };
}

interface OpenedFile {
  readonly path: string;
  readonly part?: Part;
  readonly format: FormatName;
  readonly reader: Reader;
  /** The file, and what lies beside it and belongs to it. */
  readonly files: readonly string[];
}

async function openFile(given: string, asked?: FormatName): Promise<OpenedFile> {
  const database = (await stat(given)).isDirectory() ? lmdbDataFile(given) : undefined;
  const path = database ?? given;
  const format = await detectFormat(path, (await stat(path)).size, database ? 'lmdb' : asked);
  const idx = format === 'idx' ? await findIdxFiles(path) : undefined;
  const files = idx?.labels === undefined ? [path] : [path, idx.labels];
  for (const file of files) if (await isGzipped(file)) await verifyGzip(file);
  return { path, format, reader: idx ? await idxReader(idx) : await openReader(path, format), files };
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
    case 'ts':
      return tsReader(path);
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
  const format = given ?? formatNamed(path) ?? formatOf(head);
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
  if (format === 'ts' && !['@', '#', '%'].includes(first)) {
    return `not a .ts file of time series; expected a header such as "@univariate true" first, got ${JSON.stringify(first)}`;
  }
  return undefined;
}

/** The content's beginning as text, from its first character that is not white space or a byte order mark. */
function firstText(head: Buffer): string {
  return head.toString('utf8').replace(/^[\s\uFEFF]+/, '');
}
