/** Opens a path on the disk: a file of any format, or the files of one data set. */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { InputError } from '../errors.js';
import type { ByteFile } from '../records/bytes/byte-file.js';
import { contentHead } from '../records/bytes/bytes.js';
import { withoutCompression } from '../records/bytes/compression.js';
import { schemaOf } from '../records/cells/schema.js';
import { detectFormat } from '../records/detect-format.js';
import type { FormatName } from '../records/formats.js';
import { joinParts } from '../records/join-parts.js';
import {
  asUtf8,
  bySchema,
  byteReaders,
  checkedFormat,
  type OpenOptions,
  sourceOf,
  typed,
  verifyCompressed,
} from '../records/open-bytes.js';
import type { Reader } from '../records/reader.js';
import { type IdxFiles, idxReader } from '../records/readers/idx.js';
import type { DataSource } from '../records/record-batch.js';
import type { Part } from '../records/split.js';
import { findDataFiles } from './data-files.js';
import { mapSome } from './decoder.js';
import { delimitedReader } from './delimited.js';
import { type DiskFile, diskFile } from './disk-file.js';
import { lmdbReader } from './lmdb.js';
import { lmdbDataFile } from './lmdb-file.js';
import { findMedia } from './media-files.js';
import { mediaReader, mediaTableReader } from './media-folder.js';
import { parquetReader } from './parquet.js';
import { sdfReader } from './sdf.js';
import { spooled, spooledInput } from './spool.js';
import { xlsxReader } from './xlsx.js';

/** What is read through a database, a file's own pages or a library that needs the disk. CSV types its columns itself. */
const diskReaders: Partial<Record<FormatName, (file: DiskFile, options: OpenOptions) => Promise<Reader>>> = {
  parquet: parquetReader,
  lmdb: ({ path }) => lmdbReader(path),
  xlsx: xlsxReader,
  sdf: sdfReader,
};

/**
 * Opens a file of any format (see `formatExtensions`), compressed or not, standard input where the path is `-`, the parts
 * of one data set (see `findDataFiles`), which are read as one with a column `split`, or a folder of images or sounds (see
 * `findMedia`). Throws InputError when there is no such file, it is empty or damaged, or it is not what its name says.
 * A compressed file is decompressed once to check it before anything is read from it.
 */
export async function openSource(path: string, given: OpenOptions = {}): Promise<DataSource> {
  const asked = checkedFormat(given.format);
  const options = bySchema(given);
  const opened = (await openMedia(path, asked, options)) ?? (await openFiles(path, asked, options));
  const parts = opened.flatMap(({ part, ...file }) => (part ? [{ part, ...file }] : []));
  const reader = parts.length > 0 ? joinParts(parts) : opened[0].reader;
  const files = opened.flatMap((file) => file.files);
  return sourceOf(
    reader,
    {
      path,
      files: files.map(({ name, path: stored = name }) => stored),
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
  readonly files: readonly Pick<ByteFile, 'name' | 'path' | 'size'>[];
}

async function openFiles(
  path: string,
  asked: FormatName | undefined,
  options: OpenOptions,
): Promise<OpenedFile[]> {
  if (path === '-') return [await openDisk(await spooledInput(), asked, options)];
  const opened: OpenedFile[] = [];
  for (const { path: file, part } of await findDataFiles(path, asked)) {
    // The parts of a data set are read alike: the columns of the first one tell how.
    const [first] = opened;
    const schema = options.schema ?? (first && schemaOf(first.reader));
    opened.push({ ...(await openFile(file, asked, { ...options, schema })), part });
  }
  // A column that is empty in one part is what it is in another.
  const empty = opened.some(({ reader }) => reader.columns.some((column) => column.empty));
  if (opened.length < 2 || !empty || options.schema) return opened;
  const known = opened.flatMap(({ reader }) => reader.columns).filter((column) => !column.empty);
  const schema = schemaOf({ columns: [...new Map(known.map((column) => [column.name, column])).values()] });
  return openFiles(path, asked, { ...options, schema });
}

/** A folder of images or sounds, or undefined where the path is none. */
async function openMedia(
  path: string,
  asked: FormatName | undefined,
  options: OpenOptions,
): Promise<OpenedFile[] | undefined> {
  const isFolder =
    path !== '-' &&
    (await stat(path).then(
      (info) => info.isDirectory(),
      () => false,
    ));
  const media = isFolder && !lmdbDataFile(path) ? await findMedia(path, asked) : undefined;
  if (!media) {
    if (isFolder || (asked !== 'images' && asked !== 'audio')) return undefined;
    throw new InputError(`${path}: ${asked} are read from a folder; give the folder of them`);
  }
  const { format } = media;
  const files = await mapSome(media.files, (file) => diskFile(join(path, file.path)));
  if (media.table === undefined) return [{ path, format, reader: await mediaReader(media, options), files }];
  const table = await openFile(join(path, media.table), undefined, options);
  const reader = await mediaTableReader(media, table.reader, options);
  if (!reader) {
    throw new InputError(
      `${path}: ${files.length} ${format} and a table, ${media.table}, with no column that names them; give the table alone, or the folder of the ${format}`,
    );
  }
  return [{ path, format, reader, files: [...table.files, ...files] }];
}

async function openFile(
  given: string,
  asked: FormatName | undefined,
  options: OpenOptions,
): Promise<OpenedFile> {
  const database = (await stat(given)).isDirectory() ? lmdbDataFile(given) : undefined;
  return openDisk(await diskFile(database ?? given), database ? 'lmdb' : asked, options);
}

async function openDisk(
  stored: DiskFile,
  asked: FormatName | undefined,
  options: OpenOptions,
): Promise<OpenedFile> {
  const { name: path } = stored;
  const file = await asUtf8(stored, { ...options, format: asked });
  const format = await detectFormat(file, asked);
  if (format === 'idx') {
    const idx = await findIdxFiles(file);
    const files = idx.labels ? [file, idx.labels] : [file];
    return { path, format, reader: await idxReader(idx), files };
  }
  await verifyCompressed(stored, format);
  const opened = (reader: Reader): OpenedFile => ({ path, format, reader, files: [stored] });
  if (format === 'csv' || format === 'tsv') return opened(await delimitedReader(file, format, options));
  const disk = diskReaders[format];
  const bytes = disk ? undefined : byteReaders[format];
  if (!bytes && !disk) throw new Error(`the format ${format} has no reader`);
  const reader = await (bytes ? bytes(file, options) : disk!(await spooled(file), options));
  return opened(await typed(path, format, reader, options));
}

/** An image file, and the label file named alike beside it. Throws InputError for a file of labels. */
async function findIdxFiles(images: ByteFile): Promise<IdxFiles> {
  const path = images.name;
  if ((await contentHead(images, 4))[3] === 1) {
    throw new InputError(`${path}: IDX labels without images; give the images file or the folder of both`);
  }
  const name = basename(path);
  const wanted = withoutCompression(name)
    .replace('images', 'labels')
    .replace(/idx[34]/, 'idx1');
  // A name without the word tells of no labels; the same file compressed has that name, too.
  const labels =
    wanted === withoutCompression(name)
      ? undefined
      : (await readdir(dirname(path))).find((sibling) => withoutCompression(sibling) === wanted);
  return labels === undefined ? { images } : { images, labels: await diskFile(join(dirname(path), labels)) };
}
