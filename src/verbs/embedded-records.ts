/** The records of a file, embedded, for what looks at them together. */
import { encoderOf, type OpenModel } from '../models/open-model.js';
import { concatenateBlocks, takeRecords } from '../records/batch.js';
import type { TokenBlock } from '../records/token-block.js';
import type { OpenRecords } from './open-records.js';

export interface EmbeddedFile {
  /** The row of each record in the file. */
  readonly rows: readonly number[];
  /** The tokens of all records. */
  readonly block: TokenBlock;
  /** The kept cells of each record. */
  readonly cells: readonly (readonly (string | null)[])[];
  /** The text of each, where the tokenizer reads one column of texts. */
  readonly texts?: readonly string[];
  /** float32[records, width] */
  readonly embeddings: Float32Array;
  /** Whether the file goes on after the records that were wanted. */
  readonly more: boolean;
}

/** All records, or the first ones up to a limit. Throws InputError where the model has no encoder or no record can be read. */
export async function embeddedRecords(
  model: OpenModel,
  records: OpenRecords,
  {
    limit = Number.POSITIVE_INFINITY,
    signal,
  }: { readonly limit?: number; readonly signal?: AbortSignal } = {},
): Promise<EmbeddedFile> {
  const encoder = encoderOf(model);
  const blocks: TokenBlock[] = [];
  const cells: (string | null)[][] = [];
  const texts: string[] = [];
  const parts: Float32Array[] = [];
  let more = false;
  for await (const { block: whole, texts: own, cells: columns } of records.read()) {
    const count = Math.min(whole.count, limit - cells.length);
    more = count < whole.count;
    const block = more
      ? takeRecords(
          whole,
          Array.from({ length: count }, (_, record) => record),
        )
      : whole;
    if (count > 0) {
      blocks.push(block);
      parts.push(await encoder.embed(block, signal));
    }
    for (let record = 0; record < count; record++) {
      cells.push(columns.map((column) => column[record]));
      if (own) texts.push(own[record]);
    }
    if (more) break;
  }
  const embeddings = new Float32Array(cells.length * encoder.width);
  let at = 0;
  for (const part of parts) {
    embeddings.set(part, at);
    at += part.length;
  }
  const block = concatenateBlocks(blocks);
  return {
    rows: Array.from(block.rows),
    block,
    cells,
    ...(texts.length > 0 && { texts }),
    embeddings,
    more,
  };
}
