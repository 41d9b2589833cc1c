/** All records of a file, embedded, for what looks at them together. */
import { encoderOf, type ModelEncoder, type OpenModel } from '../models/open-model.js';
import type { OpenRecords } from './open-records.js';

export interface EmbeddedFile {
  /** The row of each record in the file. */
  readonly rows: readonly number[];
  /** The kept cells of each record. */
  readonly cells: readonly (readonly (string | null)[])[];
  /** float32[records, width] */
  readonly embeddings: Float32Array;
}

/** Throws InputError where the model has no encoder or no record can be read. */
export async function embeddedRecords(
  model: OpenModel,
  records: OpenRecords,
  signal?: AbortSignal,
): Promise<EmbeddedFile> {
  const encoder: ModelEncoder = encoderOf(model);
  const rows: number[] = [];
  const cells: (string | null)[][] = [];
  const blocks: Float32Array[] = [];
  for await (const { block, cells: columns } of records.read()) {
    blocks.push(await encoder.embed(block, signal));
    for (let record = 0; record < block.count; record++) {
      rows.push(block.rows[record]);
      cells.push(columns.map((column) => column[record]));
    }
  }
  const embeddings = new Float32Array(rows.length * encoder.width);
  let at = 0;
  for (const block of blocks) {
    embeddings.set(block, at);
    at += block.length;
  }
  return { rows, cells, embeddings };
}
