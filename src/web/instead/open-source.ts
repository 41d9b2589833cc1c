/** Instead of `sources/open-source.ts`: a file that was handed in or is in the storage, or a folder of images or sounds. */
import { InputError } from '../../errors.js';
import { bySchema, type OpenOptions, openBytes } from '../../records/open-bytes.js';
import type { DataSource } from '../../records/record-batch.js';
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
  const { openFolder } = await import('../open-folder.js');
  return openFolder(path, bySchema(given));
}
