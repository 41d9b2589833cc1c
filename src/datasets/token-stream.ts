/** From an opened source to tokens: which records may be learned from, in what order, and which are held out. */
import { InputError, listed } from '../errors.js';
import { gatherBlocks } from '../records/batch.js';
import type { DataSource, RecordBatch } from '../records/record-batch.js';
import { type RecordHashes, recordHashes } from '../records/record-hash.js';
import { selectRecords } from '../records/select-records.js';
import type { Part } from '../records/split.js';
import type { TokenBlock } from '../records/token-block.js';
import type { Tokenizer } from '../tokenizers/index.js';
import type { EncodeOptions } from '../tokenizers/tokenizer.js';
import { type Partition, partitionColumns, type SplitRule } from './partition.js';

/** Throws InputError that names every column which the tokenizer reads and the source lacks. */
export function checkTokenizerColumns(source: DataSource, tokenizer: Tokenizer): void {
  const names = source.columns.map(({ name }) => name);
  const missing = tokenizer.columns.filter((name) => !names.includes(name));
  if (missing.length === 0) return;
  throw new InputError(
    `${source.path}: no column ${listed(missing.map((name) => `"${name}"`))}, which the run reads; it has ${listed(names)}; name its columns as in the data of the run`,
  );
}

/** The place in a batch of each record of its block, which lacks what the tokenizer left out. */
export function placesOf(block: TokenBlock, batch: RecordBatch): Int32Array {
  let place = 0;
  return block.rows.map((row) => {
    while (batch.rows[place] !== row) place++;
    return place;
  });
}

/** The places in a batch of the records of one part. */
function placesIn(parts: readonly (Part | undefined)[], wanted: Part): number[] {
  const places: number[] = [];
  for (let place = 0; place < parts.length; place++) if (parts[place] === wanted) places.push(place);
  return places;
}

/** What a record is to the encoder: the hash of the cells that the tokenizer reads. */
export const hashesOf = (batch: RecordBatch, tokenizer: Pick<Tokenizer, 'columns'>): RecordHashes =>
  recordHashes(batch, [...tokenizer.columns].sort());

/** Held-out records may have letters of their own, and so may records that fitting did not get to. */
const KEEP_UNSEEN: EncodeOptions = { unseen: 'keep' };

export interface TokenStreamOptions {
  readonly source: DataSource;
  readonly tokenizer: Tokenizer;
  readonly rule: SplitRule;
  readonly parts: Partition;
  readonly reject: (row: number, column: string, message: string) => void;
  /** How strictly records become tokens; what fitting did not see is kept by default. */
  readonly encoding?: EncodeOptions;
  /** Most tokens in a block. */
  readonly capacity: number;
  /** Hears of the hashes of the training records, batch by batch. */
  readonly onLearned?: (hashes: RecordHashes, places: Int32Array) => void;
  /** What the training records are learned as, the same records in the same order; as they are by default. */
  readonly rewrite?: (batch: RecordBatch) => RecordBatch;
  /** Hears of the records and their parts, batch by batch, in each pass. */
  readonly onParts?: (batch: RecordBatch, parts: readonly (Part | undefined)[]) => void;
}

/** Records held out for validation, at most; more are not needed to see a loss fall. */
const VALIDATION_RECORDS = 512;

/**
 * The training records of one pass, in blocks of at most `capacity` tokens. `validation` is given the tokens of
 * held-out records as they pass by, until it has enough.
 */
export async function* trainingBlocks(
  options: TokenStreamOptions,
  validation?: TokenBlock[],
): AsyncGenerator<TokenBlock> {
  const { source, tokenizer, rule, parts, reject, capacity, rewrite, onLearned, onParts } = options;
  const encoding = options.encoding ?? KEEP_UNSEEN;
  let heldOut = 0;
  async function* tokens(): AsyncGenerator<TokenBlock> {
    const columns = [...new Set([...tokenizer.columns, ...partitionColumns(source, rule)])];
    for await (const batch of source.read({ columns })) {
      const partOfRow = parts(batch);
      onParts?.(batch, partOfRow);
      if (validation && heldOut < VALIDATION_RECORDS) {
        const places = placesIn(partOfRow, 'valid');
        const block = tokenizer.encode(batch, reject, { ...encoding, places });
        heldOut += block.count;
        if (block.count > 0) validation.push(block);
      }
      const places = placesIn(partOfRow, 'train');
      const block = tokenizer.encode(batch, reject, { ...encoding, places });
      const own = placesOf(block, batch);
      if (onLearned) onLearned(hashesOf(batch, tokenizer), own);
      if (block.count === 0) continue;
      // What the file holds was looked at; letters that only another writing has are no fault of its.
      yield rewrite ? tokenizer.encode(rewrite(batch), undefined, { ...KEEP_UNSEEN, places: own }) : block;
    }
  }
  yield* gatherBlocks(tokens(), capacity);
}

/** The training records themselves, for fitting a tokenizer. */
export async function* trainingRecords(
  batches: AsyncIterable<RecordBatch>,
  parts: Partition,
): AsyncGenerator<RecordBatch> {
  for await (const batch of batches) {
    const places = placesIn(parts(batch), 'train');
    if (places.length > 0) yield places.length === batch.rows.length ? batch : selectRecords(batch, places);
  }
}
