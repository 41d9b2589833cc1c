/** What a long command has done so far, kept in its folder until the result is written, so that a stop loses little. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../errors.js';
import { hashConfig } from '../files/config-hash.js';
import { readListed, writeListed } from '../files/manifest.js';
import { decodeSafetensors, encodeSafetensors } from '../tensor/safetensors.js';
import { packData, unpackData } from './plain-data.js';

const FOLDER = 'attempts';
const KEY = 'key.json';

/**
 * Whether work was begun in the folder and did not end. What a process left that was stopped before its first piece is
 * removed.
 */
export async function begunWork(out: string): Promise<boolean> {
  if ((await keyOf(out)) !== undefined) return true;
  await rm(join(out, FOLDER), { recursive: true, force: true });
  return false;
}

async function keyOf(out: string): Promise<unknown> {
  const text = await readFile(join(out, FOLDER, KEY), 'utf8').catch(() => undefined);
  try {
    return text === undefined ? undefined : JSON.parse(text).key;
  } catch {
    return undefined;
  }
}

/** The pieces of work in a folder, each plain data with typed arrays in it. */
export interface KeptWork {
  /** Makes the folder one that work was begun in. */
  begin(): Promise<void>;
  /** undefined where it is not there, or is not whole. */
  read(name: string): Promise<unknown>;
  write(name: string, piece: object): Promise<void>;
  /** Nothing is left of them. */
  remove(): Promise<void>;
}

/** Keeps nothing: the work of several processes is done anew. */
export const nothingKept: KeptWork = {
  begin: async () => {},
  read: async () => undefined,
  write: async () => {},
  remove: async () => {},
};

/**
 * Opens the pieces of a folder, those of a command that was stopped among them.
 * @param what the work in a word
 * @param settings all that the pieces depend on, as plain data
 * Throws InputError where the work in the folder was begun with other settings.
 */
export async function keptWork(
  out: string,
  what: string,
  settings: Record<string, unknown>,
): Promise<KeptWork> {
  const folder = join(out, FOLDER);
  const key = hashConfig(settings);
  const before = await keyOf(out);
  if (before !== undefined && before !== key) {
    throw new InputError(
      `${out}: the ${what} in this folder was begun with other data, another encoder or other options; repeat its command, or name another folder with --out`,
    );
  }
  const fileOf = (name: string) => `${hashConfig({ name })}.safetensors`;
  return {
    begin: () => writeListed(folder, KEY, [new TextEncoder().encode(JSON.stringify({ key }))]),
    async read(name) {
      const file = fileOf(name);
      try {
        const { tensors, metadata } = decodeSafetensors(await readListed(folder, file), file);
        return unpackData(JSON.parse(metadata.piece), tensors);
      } catch {
        return undefined;
      }
    },
    async write(name, piece) {
      const { json, tensors } = packData(piece, 'piece');
      await writeListed(folder, fileOf(name), encodeSafetensors(tensors, { piece: JSON.stringify(json) }));
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
