/** The manifest of a folder: the SHA-256 of each file that is written once, as `sha256sum --check` reads it. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../errors.js';
import { writeFileAtomically } from './atomic-file.js';

/** The name of a folder's manifest. */
export const MANIFEST = 'SHA256SUMS';

/**
 * The digests under which a file is known, by its name within the folder: one, or while it is replaced that of the old and
 * that of the new one.
 */
export type Manifest = Map<string, readonly string[]>;

const digestOf = (chunks: readonly Uint8Array[]): string => {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
};

/** The manifest of a folder; undefined where it has none. Throws InputError naming the line that is none of a manifest. */
export async function readManifest(folder: string): Promise<Manifest | undefined> {
  const path = join(folder, MANIFEST);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw new InputError(`${path}: could not be read (${error.code ?? error.message})`, { cause: error });
  });
  if (text === undefined) return undefined;
  const manifest: Manifest = new Map();
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    if (line === '' && index === lines.length - 1) break;
    const [, digest, name] = /^([0-9a-f]{64}) {2}(.+)$/.exec(line) ?? [];
    // A last line without its end was cut.
    if (digest === undefined || index === lines.length - 1)
      throw new InputError(
        `${path}:${index + 1}: expected a SHA-256 and the name of a file, got ${JSON.stringify(line.slice(0, 40))}; restore the file from a copy`,
      );
    manifest.set(name, [...(manifest.get(name) ?? []), digest]);
  }
  return manifest;
}

async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  const byName = Array.from(manifest).sort(([a], [b]) => (a < b ? -1 : 1));
  const lines = byName.flatMap(([name, digests]) => digests.map((digest) => `${digest}  ${name}\n`));
  await writeFileAtomically(join(folder, MANIFEST), [new TextEncoder().encode(lines.join(''))]);
}

/**
 * Writes a file and its line in the manifest of the folder. The line comes before the file, beside that of a file which is
 * replaced, so that whenever the process is killed, the file that is there has its line.
 * @param name within the folder, with `/`
 */
export async function writeListed(
  folder: string,
  name: string,
  chunks: readonly Uint8Array[],
): Promise<void> {
  const manifest: Manifest = (await readManifest(folder)) ?? new Map();
  const digest = digestOf(chunks);
  const before = manifest.get(name) ?? [];
  if (!before.includes(digest)) await writeManifest(folder, manifest.set(name, [...before, digest]));
  await writeFileAtomically(join(folder, name), chunks);
  if (before.some((other) => other !== digest)) await writeManifest(folder, manifest.set(name, [digest]));
}

/** Adds a line for a file that is there and is not written to any more. */
export async function list(folder: string, name: string): Promise<void> {
  const manifest: Manifest = (await readManifest(folder)) ?? new Map();
  const digest = digestOf([await readFile(join(folder, name))]);
  await writeManifest(folder, manifest.set(name, [digest]));
}

/** Removes the line of a file that will be written to. */
export async function unlist(folder: string, name: string): Promise<void> {
  const manifest = await readManifest(folder);
  if (manifest?.delete(name)) await writeManifest(folder, manifest);
}

/** In what way a file's bytes are not those that its folder's manifest lists; undefined where they are, or it lists none. */
export function damageOf(
  manifest: Manifest | undefined,
  name: string,
  bytes: Uint8Array,
): string | undefined {
  const expected = manifest?.get(name);
  if (expected === undefined) return undefined;
  const found = digestOf([bytes]);
  if (expected.includes(found)) return undefined;
  const short = (digest: string) => `${digest.slice(0, 16)}…`;
  return `corrupted: expected SHA-256 ${expected.map(short).join(' or ')}, its ${bytes.length.toLocaleString('en-US')} bytes give ${short(found)}; restore it from a copy, or, if you changed it yourself, remove its line from ${MANIFEST}`;
}

/** Tries to read a file between two writes of another process. */
const TRIES = 3;

/**
 * The bytes of a file of a folder, which are those that the manifest lists, if it lists the file. Throws InputError where
 * they are others, and what the system says where it cannot be read.
 */
export async function readListed(folder: string, name: string): Promise<Uint8Array> {
  for (let tried = 1; ; tried++) {
    const manifest = await readManifest(folder);
    const bytes = await readFile(join(folder, name));
    const damage = damageOf(manifest, name, bytes);
    if (damage === undefined) return bytes;
    if (tried === TRIES) throw new InputError(`${join(folder, name)}: ${damage}`);
  }
}
