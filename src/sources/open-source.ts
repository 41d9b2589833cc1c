/** Opens a path on the disk: a file of any format, or the files of one data set. */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { InputError } from '../errors.js';
import type { ByteFile } from '../records/byte-file.js';
import { contentHead, isGzipped, verifyGzip } from '../records/bytes.js';
import { detectFormat } from '../records/detect-format.js';
import type { FormatName } from '../records/formats.js';
import { joinParts } from '../records/join-parts.js';
import {
  asUtf8,
  byteReaders,
  checkedFormat,
  type OpenOptions,
  sourceOf,
  typed,
} from '../records/open-bytes.js';
import type { Reader } from '../records/reader.js';
import { type IdxFiles, idxReader } from '../records/readers/idx.js';
import type { DataSource } from '../records/record-batch.js';
import { schemaOf } from '../records/schema.js';
import type { Part } from '../records/split.js';
import { findDataFiles } from './data-files.js';
import { delimitedReader } from './delimited.js';
import { diskFile } from './disk-file.js';
import { lmdbReader } from './lmdb.js';
import { lmdbDataFile } from './lmdb-file.js';
import { parquetReader } from './parquet.js';

/** What is read through a database or a file's own pages. */
const diskReaders: Partial<Record<FormatName, (file: ByteFile, options: OpenOptions) => Promise<Reader>>> = {
  csv: (file, options) => delimitedReader(file, 'csv', options),
  tsv: (file, options) => delimitedReader(file, 'tsv', options),
  parquet: async ({ name }, options) => typed(name, 'parquet', await parquetReader(name), options),
  lmdb: async ({ name }, options) => typed(name, 'lmdb', await lmdbReader(name), options),
};

/**
 * Opens a CSV, TSV, JSON Lines, JSON, Parquet, FASTA, line-per-record, LMDB, IDX or `.ts` file, gzipped or not, or the parts
 * of one data set (see `findDataFiles`), which are read as one with a column `split`.
 * Throws InputError when there is no such file, it is empty or damaged, or it is not what its name says.
 * A gzip file is decompressed once to check it before anything is read from it.
 */
export async function openSource(path: string, options: OpenOptions = {}): Promise<DataSource> {
  const asked = checkedFormat(options.format);
  const opened: OpenedFile[] = [];
  for (const { path: file, part } of await findDataFiles(path, asked)) {
    // The parts of a data set are read alike: the first one's columns tell how.
    const [first] = opened;
    const schema = options.schema ?? (first && schemaOf(first.reader));
    opened.push({ ...(await openFile(file, { ...options, schema })), part });
  }
  const parts = opened.flatMap(({ part, ...file }) => (part ? [{ part, ...file }] : []));
  const reader = parts.length > 0 ? joinParts(parts) : opened[0].reader;
  const files = opened.flatMap((file) => file.files);
  return sourceOf(
    reader,
    {
      path,
      files: files.map(({ name }) => name),
      format: opened[0].format,
      bytes: files.reduce((sum, { size }) => sum + size, 0),
    },
    options,
  );
}

interface OpenedFile {
  readonly path: string;
  readonly part?: Part;
  readonly format: FormatName;
  readonly reader: Reader;
  /** The file, and what lies beside it and belongs to it. */
  readonly files: readonly ByteFile[];
}

async function openFile(given: string, options: OpenOptions): Promise<OpenedFile> {
  const database = (await stat(given)).isDirectory() ? lmdbDataFile(given) : undefined;
  const path = database ?? given;
  const stored = await diskFile(path);
  const file = database ? stored : await asUtf8(stored, options);
  const format = await detectFormat(file, database ? 'lmdb' : options.format);
  if (format === 'idx') {
    const idx = await findIdxFiles(file);
    const files = idx.labels ? [file, idx.labels] : [file];
    await verify(files);
    return { path, format, reader: await idxReader(idx), files };
  }
  await verify([stored]);
  const fromBytes = byteReaders[format];
  const fromDisk = diskReaders[format];
  if (fromBytes)
    return {
      path,
      format,
      reader: await typed(path, format, await fromBytes(file), options),
      files: [stored],
    };
  if (!fromDisk) throw new Error(`the format ${format} has no reader`);
  return { path, format, reader: await fromDisk(file, options), files: [stored] };
}

async function verify(files: readonly ByteFile[]): Promise<void> {
  for (const file of files) if (await isGzipped(file)) await verifyGzip(file);
}

/** An image file, and the label file named alike beside it. Throws InputError for a file of labels. */
async function findIdxFiles(images: ByteFile): Promise<IdxFiles> {
  const path = images.name;
  if ((await contentHead(images, 4))[3] === 1) {
    throw new InputError(`${path}: IDX labels without images; give the images file or the folder of both`);
  }
  const name = basename(path);
  const wanted = name
    .replace('images', 'labels')
    .replace(/idx[34]/, 'idx1')
    .replace(/\.gz$/, '');
  // A name without the word tells of no labels; the same file gzipped has that name, too.
  const labels =
    wanted === name.replace(/\.gz$/, '')
      ? undefined
      : (await readdir(dirname(path))).find((sibling) => sibling.replace(/\.gz$/, '') === wanted);
  return labels === undefined ? { images } : { images, labels: await diskFile(join(dirname(path), labels)) };
}
