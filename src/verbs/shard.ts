/** A part of some work that one of several processes does, and the file or folder that it writes. */
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { InputError } from '../errors.js';
import { writeFileAtomically } from '../files/atomic-file.js';
import type { EncodedRecords } from '../models/encoded-records.js';
import { sliceBlock } from '../records/batch.js';

/** Which of so many parts, from 0. */
export interface Shard {
  readonly index: number;
  readonly of: number;
}

const partOf = (out: string, { index, of }: Shard) => {
  const file = basename(out);
  const dot = file.lastIndexOf('.') > 0 ? file.lastIndexOf('.') : file.length;
  return { dir: dirname(out), name: `${file.slice(0, dot)}.${index}-of-${of}`, ext: file.slice(dot) };
};

function checkShard({ index, of }: Shard): void {
  if (!(Number.isInteger(index) && Number.isInteger(of) && index >= 0 && index < of))
    throw new InputError(`shard: expected i/n with i from 0 to n - 1, got ${index}/${of}; try 0/${of || 2}`);
}

/** Whether the i-th of several pieces of work is of a part; all are where there are no parts. */
export const isOfShard = (i: number, shard: Shard | undefined): boolean =>
  shard === undefined || i % shard.of === shard.index;

const PARTS = 'parts';

/** The folder of a part within `out`, such as `parts/1-of-4`; `out` itself where there are no parts. Throws InputError for no such part. */
export function shardFolder(out: string, shard: Shard | undefined): string {
  if (shard === undefined) return out;
  checkShard(shard);
  return join(out, PARTS, `${shard.index}-of-${shard.of}`);
}

/** The folders of all parts that are in `out`, relative to it. */
export const shardFolders = async (out: string): Promise<string[]> =>
  (await readdir(join(out, PARTS)).catch(() => [])).sort().map((name) => join(PARTS, name));

/** The file of a part of `out`: of `e.parquet` the second of four is `e.1-of-4.parquet`. Throws InputError for no such part. */
export function shardPath(out: string, shard: Shard | undefined): string {
  if (shard === undefined) return out;
  checkShard(shard);
  const { dir, name, ext } = partOf(out, shard);
  return join(dir, name + ext);
}

/** Of consecutive records those of a part: each part has as many of them, one more or less. */
export function takeShard<T extends EncodedRecords>(records: T, shard: Shard | undefined): T {
  if (shard === undefined) return records;
  const { block, places, texts } = records;
  const [from, to] = [shard.index, shard.index + 1].map((i) => Math.floor((i * block.count) / shard.of));
  return {
    ...records,
    block: sliceBlock(block, from, to),
    places: places.subarray(from, to),
    ...(texts && { texts: texts.slice(from, to) }),
  };
}

/** Says beside a part, in `e.1-of-4.json`, that it is whole and what is in it; what was left out is that of the whole file. */
export async function writeShardManifest(
  out: string,
  shard: Shard | undefined,
  written: {
    readonly file: string;
    readonly rows: number;
    readonly rejected: number;
    readonly unknown: number;
  },
): Promise<void> {
  if (shard === undefined) return;
  const { dir, name, ext } = partOf(out, shard);
  const manifest = { ...written, file: name + ext, part: shard.index, parts: shard.of };
  // In no manifest of the folder, which parts that end together would write over each other.
  await writeFileAtomically(join(dir, `${name}.json`), [
    new TextEncoder().encode(`${JSON.stringify(manifest, null, 2)}\n`),
  ]);
}
