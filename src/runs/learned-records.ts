/** Which records a run learned from, so that an evaluation can tell whether it tests on some of them. */
import { InputError } from '../errors.js';
import type { RecordHashes } from '../records/record-hash.js';
import type { LabelledRecords } from '../scoring/parts.js';
import { decodeSafetensors, encodeSafetensors } from '../tensor/safetensors.js';
import { hostTensor } from '../tensor/tensor.js';
import { version } from '../version.js';
import { readRunFile, runFile, writeRunFile } from './folder.js';

/** Hashes that a run keeps, at most: 8 MiB. Of more records those with the smallest hashes are kept, a fair sample. */
const MOST_HASHES = 1 << 20;

const WORD = 2 ** 32;

/** 53 bits of the hashes of the records that a run learned from, or of a sample of them. */
export interface LearnedRecords {
  readonly hashes: ReadonlySet<number>;
  /** Hashes whose high word is below are kept: 2³² where all are. */
  readonly below: number;
  /** Of what wrote them. */
  readonly version?: string;
}

/** 53 bits of the hash of a record. */
export const hashAt = ({ low, high }: RecordHashes, i: number): number => high[i] * 2 ** 21 + (low[i] >>> 11);

/** Collects the records of a run as they are learned from. */
export class LearnedRecordsWriter {
  private hashes = new Set<number>();
  private below = WORD;

  /** Begins with what the run started from had learned. */
  constructor(before?: LearnedRecords) {
    if (!before) return;
    this.hashes = new Set(before.hashes);
    this.below = before.below;
  }

  readonly add = (hashes: RecordHashes, places: ArrayLike<number>): void => {
    for (let i = 0; i < places.length; i++) {
      if (hashes.high[places[i]] < this.below) this.hashes.add(hashAt(hashes, places[i]));
    }
    while (this.hashes.size > MOST_HASHES) {
      this.below /= 2;
      const limit = this.below * 2 ** 21;
      for (const hash of this.hashes) if (hash >= limit) this.hashes.delete(hash);
    }
  };

  /** Writes learned.safetensors: `record_hashes` int64[n], ascending. */
  async write(run: string): Promise<void> {
    const sorted = BigInt64Array.from([...this.hashes], BigInt).sort();
    const tensors = { record_hashes: hostTensor('int64', [sorted.length], sorted) };
    const metadata = { version, below: String(this.below) };
    await writeRunFile(run, 'learned', encodeSafetensors(tensors, metadata));
  }
}

/** What a run learned from; undefined of a run that does not tell, as of an earlier version. Throws InputError for a damaged file. */
export async function readLearnedRecords(run: string): Promise<LearnedRecords | undefined> {
  const path = runFile(run, 'learned');
  const bytes = await readRunFile(run, 'learned').catch((error: NodeJS.ErrnoException) => {
    if (error instanceof InputError) throw error;
    if (error.code === 'ENOENT') return undefined;
    throw new InputError(`${path}: could not be read (${error.code ?? error.message})`, { cause: error });
  });
  if (bytes === undefined) return undefined;
  const { tensors, metadata } = decodeSafetensors(bytes, path);
  const data = tensors.record_hashes?.data;
  const below = Number(metadata.below);
  if (!(data instanceof BigInt64Array) || !(below > 0 && below <= WORD))
    throw new InputError(`${path}: is not the list of records that a run of Lacuna learned from`);
  return { hashes: new Set(Array.from(data, Number)), below, version: metadata.version };
}

/** Test records that were learned from. */
export interface LearnedCount {
  readonly records: number;
  /** All test records. */
  readonly of: number;
  /** Whether they were counted, or estimated by a sample. */
  readonly exact: boolean;
}

/**
 * How many records of the test part any of the runs learned from; undefined where there is none, where one does not tell, or
 * where they tell by a sample that no test record could be in.
 */
export function countLearned(
  runs: readonly (LearnedRecords | undefined)[],
  { members: { test }, hashes }: Pick<LabelledRecords, 'members'> & { readonly hashes: RecordHashes },
): LearnedCount | undefined {
  const known = runs.filter((run) => run !== undefined);
  if (known.length === 0 || known.length < runs.length) return undefined;
  // The largest sample that all of them kept.
  const below = Math.min(...known.map((run) => run.below));
  let found = 0;
  let looked = 0;
  for (const record of test) {
    if (hashes.high[record] >= below) continue;
    looked++;
    const hash = hashAt(hashes, record);
    if (known.some((run) => run.hashes.has(hash))) found++;
  }
  const exact = below === WORD;
  if (!exact && looked === 0) return undefined;
  const records = exact ? found : Math.round((found / Math.max(1, looked)) * test.length);
  return { records, of: test.length, exact };
}
