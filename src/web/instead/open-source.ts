/** Instead of `sources/open-source.ts`: a file that was handed in or is in the storage, or a folder of images or sounds. */
import { InputError } from '../../errors.js';
import { detectFormat } from '../../records/detect-format.js';
import {
  bySchema,
  byteReaders,
  checkedFormat,
  type OpenOptions,
  openBytes,
  sourceOf,
  typed,
} from '../../records/open-bytes.js';
import type { DataSource } from '../../records/record-batch.js';
import { findMedia } from '../../sources/media-files.js';
import { mediaReader, mediaTableReader } from '../../sources/media-folder.js';
import { byteFile, findFile, namesIn } from '../files.js';

/** More is not read in a page: a file is read several times, and what is made of it stays in memory. */
const MOST_BYTES = 2 ** 31;

/** Throws InputError where there is no such file, it is too large for a page or is not what its name says. */
export async function openSource(path: string, given: OpenOptions = {}): Promise<DataSource> {
  const file = await findFile(path);
  if (file) {
    if (file.size > MOST_BYTES)
      throw new InputError(
        `${path}: ${(file.size / 2 ** 30).toFixed(1)} GiB, a page reads 2 GiB at most; give a part of it, or use lacuna on the command line`,
      );
    return openBytes(byteFile(path, file), given);
  }
  if ((await namesIn(path)).length === 0) throw new InputError(`${path}: no such file; hand it in as a File`);
  return openFolder(path, bySchema(given));
}

async function openFolder(path: string, options: OpenOptions): Promise<DataSource> {
  const media = await findMedia(path, checkedFormat(options.format));
  if (!media)
    throw new InputError(`${path}: a folder without images or sounds; hand in a single file of data`);
  const { format } = media;
  let reader = await (media.table === undefined ? mediaReader(media, options) : undefined);
  const names = media.files.map((file) => `${path}/${file.path}`);
  if (!reader) {
    const table = `${path}/${media.table}`;
    const bytes = byteFile(table, (await findFile(table))!);
    const kind = await detectFormat(bytes);
    const open = byteReaders[kind];
    if (!open) throw new InputError(`${table}: ${kind} is read from a disk alone`);
    reader = await mediaTableReader(
      media,
      await typed(table, kind, await open(bytes, options), options),
      options,
    );
    if (!reader)
      throw new InputError(
        `${path}: ${names.length} ${format} and a table, ${media.table}, with no column that names them; give the table alone, or the ${format}`,
      );
    names.unshift(table);
  }
  let size = 0;
  for (const name of names) size += (await findFile(name))?.size ?? 0;
  return sourceOf(reader, { path, files: names, format, bytes: size }, options);
}
