/** Records of a source as a model reads them. */

import { EncodingLosses, type OnUnknown } from '../datasets/encoding-losses.js';
import { checkTokenizerColumns, placesOf } from '../datasets/token-stream.js';
import { InputError } from '../errors.js';
import type { Schema } from '../records/cells/schema.js';
import { type MemoryRecord, memorySource } from '../records/memory-records.js';
import type { DataSource, PixelShape, RecordBatch } from '../records/record-batch.js';
import type { TokenBlock, TokenSpec } from '../records/token-block.js';
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
  const typed = [...tokenizer.columns, ...beside];
  const columns = [...new Set([...typed, ...verbatim])];
  const textsAlone = verbatim.filter((name) => !typed.includes(name));
  const { text } = tokenizer;
  for await (const batch of source.read({ columns, verbatim, textsAlone })) {
    const block = tokenizer.encode(batch, reject, encoding);
    if (block.count === 0) continue;
    const places = placesOf(block, batch);
    const cells = text && batch.columns[text.column].values;
    const texts = cells && Array.from(places, (place) => String(cells[place] ?? ''));
    yield { batch, block, places, texts };
  }
}

/** Records that are in memory as a source, read as those of the model's training file. Throws what `memorySource` throws. */
export function memoryOf(
  { tokenizer, schema }: { readonly tokenizer: Tokenizer; readonly schema?: Schema },
  records: readonly MemoryRecord[],
): Promise<DataSource> {
  const { columns, spec } = tokenizer;
  return memorySource(records, { columns, schema, shape: imageShape(spec) });
}

/** How letters and categories that the model was not trained on are met, in records that are in memory. */
export interface MemoryOptions {
  /** Whether one stands as unknown and is told (the default), or its record is refused. */
  readonly onUnknown?: OnUnknown;
  /** Told of all of a call in one sentence; the console by default. */
  readonly warn?: (message: string) => void;
}

/** Tells who reads the console. */
export const onConsole = (message: string): void => console.warn(`lacuna: ${message}`);

/** Records of a source that is in memory, in their order. Throws InputError that names the first which cannot be read. */
export async function* encodedMemory(
  tokenizer: Tokenizer,
  source: DataSource,
  { onUnknown, warn = onConsole }: MemoryOptions = {},
): AsyncGenerator<EncodedRecords> {
  checkTokenizerColumns(source, tokenizer);
  const reject = (row: number, column: string, message: string) => {
    throw new InputError(`records: record ${row}, column "${column}": ${message}`);
  };
  const losses = new EncodingLosses('records', onUnknown);
  yield* encodedRecords(tokenizer, source, { reject, encoding: losses.encoding });
  for (const summary of losses.summaries('read')) warn(summary);
}

/** The shape of the images that become these tokens, where images do. */
function imageShape(spec: TokenSpec): PixelShape | undefined {
  if (spec.kind !== 'continuous' || !spec.grid) return undefined;
  const { rows, columns, patch } = spec.grid;
  return [rows * patch, columns * patch, spec.channels / patch ** 2];
}
