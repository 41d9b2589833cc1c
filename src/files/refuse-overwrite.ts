/** Nothing that is read, and nothing but a plain file, is ever written over. */
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { InputError } from '../errors.js';
import { PARTIAL_SUFFIX } from '../sources/partial-names.js';

/** Where a path leads, through links, and what is there. */
interface Place {
  readonly path: string;
  /** Device and number of the file, the same for all its names; undefined where nothing is there yet. */
  readonly file?: string;
  readonly kind: 'file' | 'folder' | 'device' | 'nothing';
}

async function placeOf(path: string): Promise<Place> {
  const info = await stat(path, { bigint: true }).catch(() => undefined);
  if (!info) {
    const folder = await realpath(dirname(resolve(path))).catch(() => dirname(resolve(path)));
    return { path: join(folder, basename(path)), kind: 'nothing' };
  }
  const kind = info.isFile() ? 'file' : info.isDirectory() ? 'folder' : 'device';
  return { path: await realpath(path), file: `${info.dev} ${info.ino}`, kind };
}

const isSame = (one: Place, other: Place): boolean =>
  one.path === other.path || (one.file !== undefined && one.file === other.file);

/**
 * Throws InputError where the file to write is one of the inputs, by name, by a link or through a device, is a file that
 * an input is in a temporary name of, or is no file at all. To be called before anything is read.
 */
export async function refuseOverwrite(inputs: readonly string[], output: string): Promise<void> {
  const target = await placeOf(output);
  if (target.kind === 'folder')
    throw new InputError(
      `${output}: expected the name of a file to write, this is a folder; add a file name`,
    );
  if (target.kind === 'device') {
    throw new InputError(
      `${output}: expected the name of a file to write, this is a device or a pipe; name a file`,
    );
  }
  for (const input of inputs) {
    const read = await placeOf(input);
    if (isSame(read, target)) {
      const by = resolve(output) === resolve(input) ? '' : ` by another name (${input})`;
      throw new InputError(
        `${output}: is a file that is read${by}, and would be written over; name another output`,
      );
    }
    // Files grow under temporary names beside the output.
    if (read.path.startsWith(`${target.path}.`) && read.path.endsWith(PARTIAL_SUFFIX)) {
      throw new InputError(
        `${output}: ${input} has the name under which this file is written until it is whole; name another output`,
      );
    }
  }
}

/** Throws InputError where the folder to write is an input, holds one, or would be filled in one's place. */
export async function refuseOverwriteFolder(inputs: readonly string[], output: string): Promise<void> {
  const target = await placeOf(output);
  for (const input of inputs) {
    const read = await placeOf(input);
    const holds = read.path === target.path || read.path.startsWith(target.path + sep);
    if (holds || isSame(read, target)) {
      throw new InputError(
        `${output}: ${input} is read and lies in this folder or is it, so it might be written over; name another folder with --out`,
      );
    }
  }
}
