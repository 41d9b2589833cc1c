/** A folder of images or sounds that was handed in, with or without a table beside them. */
import { InputError } from '../errors.js';
import { detectFormat } from '../records/detect-format.js';
import { byteReaders, checkedFormat, type OpenOptions, sourceOf, typed } from '../records/open-bytes.js';
import type { DataSource } from '../records/record-batch.js';
import { findMedia } from '../sources/media-files.js';
import { mediaReader, mediaTableReader } from '../sources/media-folder.js';
import { byteFile, findFile } from './files.js';

/** Throws InputError where it holds neither, or a table that names none of them. */
export async function openFolder(path: string, options: OpenOptions): Promise<DataSource> {
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
