/** The parts of a batch that several processes have, and what cannot be divided so. */
import { alone, type Ranks } from '../cluster/ranks.js';
import { InputError } from '../errors.js';
import { trackedOf, type Value } from '../graph/index.js';
import { dependsOnAllRows } from '../objectives/whole-batch.js';

/** Rows of a batch that each of several processes has. */
export const partSize = (batchSize: number, ranks: Ranks = alone): number => batchSize / ranks.size;

/** The records of a batch that this process has, none in what the last ones of a short batch have, and their place in it. */
export function partOfRecords(
  records: Int32Array,
  batchSize: number,
  ranks: Ranks = alone,
): { readonly own: Int32Array; readonly firstRow: number } {
  const size = partSize(batchSize, ranks);
  const firstRow = ranks.rank * size;
  return { own: records.subarray(firstRow, firstRow + size), firstRow };
}

/** Throws InputError unless all parts of such a batch are as large. */
export function checkPartSize(key: string, batchSize: number, { size }: Ranks): void {
  if (batchSize % size === 0) return;
  const [below, above] = [Math.floor, Math.ceil].map((round) => size * round(batchSize / size));
  throw new InputError(
    `${key}: expected a multiple of the ${size} ranks, of which each has a part of the batch, got ${batchSize}; try ${below > 0 ? `${below} or ` : ''}${above}`,
  );
}

/** Throws InputError where what is computed depends on moments of all records of a batch of which only the own ones are at hand. */
export function refuseMoments(values: readonly Value[], encoder: string, { size }: Ranks): void {
  if (size === 1 || trackedOf(values).every(({ value }) => dependsOnAllRows(value))) return;
  throw new InputError(
    `encoder.kind: ${encoder}, with these options, has batch norm, whose moments are of all records of a batch, and each of the ${size} ranks has only a part; start one process alone, or choose another encoder or norm`,
  );
}

/** Throws InputError where each of several processes would choose a device for itself. */
export function refuseChoice(key: string, device: string | undefined, { size }: Ranks): void {
  if (size === 1 || device !== 'auto') return;
  throw new InputError(
    `${key}: auto measures which device is faster, and the ${size} ranks might not find the same; give webgpu or cpu`,
  );
}
