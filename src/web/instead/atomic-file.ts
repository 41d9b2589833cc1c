/** Instead of `files/atomic-file.ts`: files of the storage, old or new and never half. */
import type { AtomicWriteOptions } from '../../files/atomic-file.js';
import { storage } from '../files.js';

export async function writeFileAtomically(
  path: string,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  { header }: Pick<AtomicWriteOptions, 'header'> = {},
): Promise<void> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  const bytes = joined(parts);
  if (header) bytes.set(header());
  await storage().write(path, bytes);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export const writeError = (error: unknown): unknown => error;
