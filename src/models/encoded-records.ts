/** Records of a source as a model reads them. */
import { placesOf } from '../datasets/token-stream.js';
import type { DataSource, RecordBatch } from '../records/record-batch.js';
import type { TokenBlock } from '../records/token-block.js';
import type { EncodeOptions, RejectRecord, Tokenizer } from '../tokenizers/tokenizer.js';

/** Consecutive records. */
export interface EncodedRecords {
  readonly batch: RecordBatch;
  /** The tokens of those that could be read. */
  readonly block: TokenBlock;
  /** int32[block.count]: the place of each in the batch. */
  readonly places: Int32Array;
  /** The text of each, where the tokenizer reads one column of texts. */
  readonly texts?: readonly string[];
}

export interface EncodedRecordsOptions {
  /** Columns beside the tokenizer's, with their cells in the file's own characters. */
  readonly verbatim?: readonly string[];
  /** Further columns to read. */
  readonly beside?: readonly string[];
  readonly reject: RejectRecord;
  readonly encoding?: EncodeOptions;
}

/** The records batch by batch, without batches of which none could be read. */
export async function* encodedRecords(
  tokenizer: Tokenizer,
  source: DataSource,
  { verbatim = [], beside = [], reject, encoding }: EncodedRecordsOptions,
): AsyncGenerator<EncodedRecords> {
  const columns = [...new Set([...tokenizer.columns, ...verbatim, ...beside])];
  const [textColumn] = tokenizer.kind === 'sequence' ? tokenizer.columns : [];
  for await (const batch of source.read({ columns, verbatim })) {
    const block = tokenizer.encode(batch, reject, encoding);
    if (block.count === 0) continue;
    const places = placesOf(block, batch);
    const textOf = (place: number) => String(batch.columns[textColumn].values[place] ?? '');
    const texts = textColumn === undefined ? undefined : Array.from(places, textOf);
    yield { batch, block, places, texts };
  }
}
