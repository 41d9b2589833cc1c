/** Opens files given as bytes, wherever they come from: the formats that need no database. */
import { InputError } from '../errors.js';
import { type OnBadRecord, rejectBy } from './bad-records.js';
import type { ByteFile } from './byte-file.js';
import { verifyCompressed } from './bytes.js';
import { detectFormat } from './detect-format.js';
import { type FormatName, formatNames } from './formats.js';
import type { Reader } from './reader.js';
import type { ReaderOptions } from './reader-options.js';
import { arrowReader } from './readers/arrow.js';
import { fastaReader } from './readers/fasta.js';
import { idxReader } from './readers/idx.js';
import { jsonReader } from './readers/json.js';
import { jsonlReader } from './readers/jsonl.js';
import { linesReader } from './readers/lines.js';
import { npyReader, npzReader } from './readers/npy.js';
import { tsReader } from './readers/ts.js';
import type { BadRecord, ColumnInfo, DataSource } from './record-batch.js';

export interface OpenOptions extends ReaderOptions {
  /** Told from the file's name and content by default. */
  readonly format?: FormatName;
  /** `auto` by default: a bad record among the first hundred is an error, later ones are skipped. */
  readonly onBadRecord?: OnBadRecord;
  /** Hears of every skipped record once. */
  readonly report?: (bad: BadRecord) => void;
}

/** A file's reader by format; a format that is missing here is read on a disk alone. */
export const byteReaders: Partial<Record<FormatName, (file: ByteFile) => Reader | Promise<Reader>>> = {
  jsonl: jsonlReader,
  json: jsonReader,
  fasta: fastaReader,
  lines: (file) => linesReader(file),
  smiles: (file) => linesReader(file, { firstWord: true }),
  ts: tsReader,
  npy: npyReader,
  npz: npzReader,
  arrow: arrowReader,
  idx: (images) => idxReader({ images }),
};

/**
 * Opens a JSON, JSON Lines, FASTA, line-per-record, IDX, `.ts`, NumPy or Arrow file, compressed or not. Throws InputError when it is empty
 * or damaged, is not what its name says, or is in a format that is read on a disk alone.
 */
export async function openBytes(file: ByteFile, options: OpenOptions = {}): Promise<DataSource> {
  const format = await detectFormat(file, checkedFormat(options.format));
  const read = byteReaders[format];
  if (!read) {
    const known = Object.keys(byteReaders).join(', ');
    throw new InputError(`${file.name}: ${format} is read from a disk alone; as bytes ${known} are`);
  }
  await verifyCompressed(file);
  return sourceOf(
    await read(file),
    { path: file.name, files: [file.name], format, bytes: file.size },
    options,
  );
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
    reject,
    read: ({ columns, few, verbatim, reject: own = reject } = {}) =>
      reader.read(selectColumns(about.path, reader.columns, columns), own, { few, verbatim }),
  };
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
