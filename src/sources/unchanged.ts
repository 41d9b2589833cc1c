/** Files that are read more than once, or for long, and must stay what they were. */
import { stat } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { InputError } from '../errors.js';
import type { DataSource } from '../records/record-batch.js';
import type { TokenBlock } from '../records/token-block.js';

/** What was read before is not what is there now. */
export class ChangedData extends InputError {}

/** Files of a source that are looked at with every batch; where there are more, with every reading. */
const FEW_FILES = 16;

/**
 * The same source, whose readings throw ChangedData where a file has another size or time of change than when it was
 * opened: before the records are given, so that none of another file is used.
 */
export async function unchanged(source: DataSource): Promise<DataSource> {
  const states = await Promise.all(source.files.map(stateOf));
  const check = async () => {
    for (const [i, before] of states.entries()) {
      const path = source.files[i];
      const now = before && (await stateOf(path));
      if (before === now) continue;
      throw new ChangedData(`${path}: ${now ? 'was changed' : 'is gone'} since it was opened; ${ADVICE}`);
    }
  };
  return {
    ...source,
    async *read(options) {
      await check();
      for await (const batch of source.read(options)) {
        if (states.length <= FEW_FILES) await check();
        yield batch;
      }
      await check();
    },
  };
}

const ADVICE = 'put the old file back and go on with --resume, or start anew with this one';

const stateOf = (path: string): Promise<string | undefined> =>
  stat(path, { bigint: true }).then(
    ({ size, mtimeNs, ino }) => `${size} ${mtimeNs} ${ino}`,
    () => undefined,
  );

/**
 * Blocks as they pass, each checked against the one in its place in `sums`, which are filled where there are none: what
 * keeps size and time is noticed too. Throws ChangedData.
 */
export async function* unchangedBlocks(
  path: string,
  blocks: AsyncIterable<TokenBlock>,
  sums: number[],
): AsyncGenerator<TokenBlock> {
  let place = 0;
  for await (const block of blocks) {
    const sum = sumOf(block);
    sums[place] ??= sum;
    if (sums[place] !== sum)
      throw new ChangedData(
        `${path}: the records from row ${block.rows[0]} on are not those of the pass before; ${ADVICE}`,
      );
    place++;
    yield block;
  }
}

/** CRC-32 of all that a block holds. */
function sumOf({ rows, offsets, ids, values }: TokenBlock): number {
  let sum = 0;
  for (const array of [rows, offsets, ids, values])
    if (array) sum = crc32(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), sum);
  return sum;
}
