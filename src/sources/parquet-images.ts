/** Columns of encoded images in a table: bytes, or a struct of bytes and a path as Hugging Face's data sets have it. */
import type { ReaderOptions } from '../records/reader-options.js';
import type { ColumnInfo, RecordBatch } from '../records/record-batch.js';
import { selectRecords } from '../records/select-records.js';
import { type Decoder, decodeAll, type orderedRejects, withColumn } from './decoder.js';
import { type Query, sqlName } from './duckdb.js';
import { LOOKED_AT } from './image-shape.js';
import { imageDecoder, isImage } from './images.js';

/** A column of images. */
export interface ImageColumn {
  /** SQL that gives a cell as text, which is what a batch can carry. */
  readonly base64: string;
  readonly column: ColumnInfo;
  readonly decoder: Decoder;
}

/** What gives the bytes of a column of a type, or undefined for one without bytes. */
function bytesOf(name: string, type: string): string | undefined {
  if (type === 'BLOB') return sqlName(name);
  return /^STRUCT\((.*, )?"?bytes"? BLOB[,)]/.test(type) ? `${sqlName(name)}.bytes` : undefined;
}

/**
 * The columns of bytes whose first cells are images, by name. A column of other bytes is none. Images of all kinds and
 * sizes become pixels of one shape, told from the first 64 (see `imageDecoder`).
 */
export async function imageColumns(
  query: Query,
  table: string,
  described: readonly Record<string, unknown>[],
  options: ReaderOptions,
  path: string,
): Promise<Map<string, ImageColumn>> {
  const columns = new Map<string, ImageColumn>();
  for (const { column_name, column_type } of described) {
    const name = String(column_name);
    const bytes = bytesOf(name, String(column_type));
    if (bytes === undefined) continue;
    const rows = await query(
      `SELECT ${bytes} AS bytes FROM ${table} WHERE ${bytes} IS NOT NULL LIMIT ${LOOKED_AT}`,
    );
    const looked = rows.map((row) => row.bytes as Uint8Array);
    if (looked.length === 0 || !(await isImage(looked[0]))) continue;
    const decoder = await imageDecoder(looked, `${path}: ${name}`, options);
    columns.set(name, { base64: `to_base64(${bytes})`, column: { ...decoder.column, name }, decoder });
  }
  return columns;
}

/** Records with their images decoded, which came as text. A record with a missing or broken image is a bad record. */
export async function* withImages(
  images: ReadonlyMap<string, ImageColumn>,
  batches: AsyncGenerator<RecordBatch>,
  selected: readonly ColumnInfo[],
  { note, flush }: ReturnType<typeof orderedRejects>,
  path: string,
): AsyncGenerator<RecordBatch> {
  const decoded = selected.filter(({ name }) => images.has(name));
  for await (const batch of batches) {
    let good = batch;
    for (const { name } of decoded) {
      const { decoder } = images.get(name)!;
      const { values } = good.columns[name] as { values: readonly (string | null)[] };
      const bytes = values.map((cell) => (cell === null ? undefined : Buffer.from(cell, 'base64')));
      const { rows } = good;
      const { places, values: pixels } = await decodeAll(
        decoder,
        bytes,
        () => 'no image',
        (place, message) => note({ path, row: rows[place], column: name, message }),
      );
      const kept = places.length === rows.length ? good : selectRecords(good, places);
      good = withColumn(kept, name, pixels);
    }
    flush();
    if (good.rows.length > 0) yield good;
  }
}
