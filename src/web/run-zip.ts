/** The folder of a run as a zip archive, which is the same folder on a disk. */
import { unzipSync, type Zippable, zipSync } from 'fflate';
import { InputError } from '../errors.js';
import { type FileStorage, namesOf } from './storage.js';

/** All files below a folder, by their paths in it. */
async function filesBelow(storage: FileStorage, folder: string, inside = ''): Promise<[string, Blob][]> {
  const found: [string, Blob][] = [];
  for (const name of await storage.list(folder)) {
    const file = await storage.open(`${folder}/${name}`);
    if (file) found.push([inside + name, file]);
    else found.push(...(await filesBelow(storage, `${folder}/${name}`, `${inside}${name}/`)));
  }
  return found;
}

/** Throws InputError where there is no such run. */
export async function packFolder(storage: FileStorage, run: string): Promise<Blob> {
  const files = await filesBelow(storage, run);
  if (files.length === 0) throw new InputError(`${run}: no such run`);
  const zipped: Zippable = {};
  for (const [path, content] of files) {
    // Numbers of training hardly get smaller.
    const level = /\.(safetensors|onnx)$/.test(path) ? 0 : 6;
    zipped[path] = [new Uint8Array(await content.arrayBuffer()), { level }];
  }
  return new Blob([zipSync(zipped) as Uint8Array<ArrayBuffer>], { type: 'application/zip' });
}

/**
 * Unpacks an archive of a run's folder, or of a folder with that folder alone in it. Throws InputError where the archive
 * is damaged or of something else, or where the storage has a run of that name.
 */
export async function unpackFolder(storage: FileStorage, run: string, archive: Blob): Promise<void> {
  if (namesOf(run).length === 0) throw new InputError('expected a name for the run, got none');
  if ((await storage.list(run)).length > 0)
    throw new InputError(`${run}: there is such a run already; remove it, or choose another name`);
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(new Uint8Array(await archive.arrayBuffer()));
  } catch (cause) {
    throw new InputError(`${run}: not a readable zip archive (${(cause as Error).message})`, { cause });
  }
  const paths = Object.keys(files).filter(
    (path) => !path.endsWith('/') && !/(^|\/)(LOCK|__MACOSX\/.*)$/.test(path),
  );
  const config = paths.find((path) => /(^|\/)(config|fit)\.json$/.test(path));
  if (config === undefined)
    throw new InputError(
      `${run}: the archive holds no run: it has no config.json; give the zip of a run's folder`,
    );
  const prefix = config.slice(0, config.lastIndexOf('/') + 1);
  for (const path of paths)
    if (path.startsWith(prefix)) await storage.write(`${run}/${path.slice(prefix.length)}`, files[path]);
}
