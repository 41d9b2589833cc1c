/** What a fit has tried so far, kept in its folder until the model is written, so that a stop loses one attempt at most. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../errors.js';
import { writeFileAtomically } from '../files/atomic-file.js';
import { hashConfig } from '../files/config-hash.js';
import { decodeSafetensors, encodeSafetensors } from '../tensor/safetensors.js';
import { packData, unpackData } from './plain-data.js';
import type { Fitted } from './select.js';

const FOLDER = 'attempts';
const KEY = 'key.json';

const textOf = (path: string): Promise<string | undefined> => readFile(path, 'utf8').catch(() => undefined);

/** Whether a fit was begun in the folder and did not end. */
export const begunFit = async (out: string): Promise<boolean> =>
  (await textOf(join(out, FOLDER, KEY))) !== undefined;

/** The key that a text holds; none where it is damaged. */
function keyIn(text: string): unknown {
  try {
    return JSON.parse(text)?.key;
  } catch {
    return undefined;
  }
}

/** The attempts of a fit in a folder. */
export interface KeptAttempts {
  /** Makes the folder one that a fit was begun in. */
  begin(): Promise<void>;
  /** undefined where it is not there, or is not whole. */
  read(name: string): Promise<Fitted | undefined>;
  write(fitted: Fitted): Promise<void>;
  /** Nothing is left of them. */
  remove(): Promise<void>;
}

/**
 * Opens the attempts of a fit, those of one that was begun before among them.
 * @param settings all that the attempts depend on, as plain data
 * Throws InputError where the fit in the folder was begun with other settings.
 */
export async function keptAttempts(out: string, settings: Record<string, unknown>): Promise<KeptAttempts> {
  const folder = join(out, FOLDER);
  const key = hashConfig(settings);
  const path = join(folder, KEY);
  const before = await textOf(path);
  if (before !== undefined && keyIn(before) !== key) {
    throw new InputError(
      `${out}: the fit in this folder was begun with other data, another encoder or other options; repeat its command, or name another folder with --out`,
    );
  }
  const fileOf = (name: string) => join(folder, `${hashConfig({ name })}.safetensors`);
  return {
    async begin() {
      await writeFileAtomically(path, [new TextEncoder().encode(JSON.stringify({ key }))]);
    },
    async read(name) {
      const file = fileOf(name);
      const bytes = await readFile(file).catch(() => undefined);
      if (bytes === undefined) return undefined;
      try {
        const { tensors, metadata } = decodeSafetensors(bytes, file);
        return unpackData(JSON.parse(metadata.fitted), tensors) as Fitted;
      } catch {
        return undefined;
      }
    },
    async write(fitted) {
      const { json, tensors } = packData(fitted, 'fitted');
      await writeFileAtomically(
        fileOf(fitted.name),
        encodeSafetensors(tensors, { fitted: JSON.stringify(json) }),
      );
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
