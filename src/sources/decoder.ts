/** Files that each are one record, such as images: how one is decoded, and several become a column. */
import type { Reject } from '../records/bad-records.js';
import type { BadRecord, ColumnInfo, ColumnValues, RecordBatch } from '../records/record-batch.js';

/** A file by its path, or what would be in it. */
export type Encoded = string | Uint8Array;

/** What decodes the records of one column. */
export interface Decoder<T extends Uint8Array | Float32Array = Uint8Array | Float32Array> {
  readonly column: ColumnInfo;
  /** See `Reader`. */
  readonly notes?: readonly string[];
  /** About what a record takes. */
  readonly recordBytes: number;
  /** Throws Error whose message says in words what is wrong with it. */
  decode(encoded: Encoded): Promise<T>;
  pack(records: readonly T[]): ColumnValues;
}

/** How many files are decoded at a time. */
const AT_ONCE = 4;

/** What `use` gives for each item, in their order; a few at a time. */
export async function mapSome<T, R>(items: readonly T[], use: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const work = async () => {
    while (next < items.length) {
      const i = next++;
      results[i] = await use(items[i]);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return results;
}

/** What `read` gives for each file that it does not throw at, and what is wrong with the first of the others, in order. */
export async function readSome<R>(
  files: readonly Encoded[],
  read: (file: Encoded) => Promise<R>,
): Promise<{ found: R[]; fault: string | undefined }> {
  const results = await mapSome(files, (file) =>
    read(file).then(
      (value) => ({ value }),
      (error: Error) => ({ fault: `${typeof file === 'string' ? `${file}: ` : ''}${error.message}` }),
    ),
  );
  return {
    found: results.flatMap((result) => ('value' in result ? [result.value] : [])),
    fault: results.flatMap((result) => ('fault' in result ? [result.fault] : [])).at(0),
  };
}

/**
 * The places of a batch whose records could be decoded, and their column; `fault` hears of the others, in order.
 */
export async function decodeAll(
  decoder: Decoder,
  records: readonly (Encoded | undefined)[],
  missing: (place: number) => string,
  fault: (place: number, message: string) => void,
): Promise<{ places: number[]; values: ColumnValues }> {
  const decoded = await mapSome([...records.keys()], async (place) => {
    const encoded = records[place];
    if (encoded === undefined) return missing(place);
    return decoder.decode(encoded).catch((error: unknown) => (error as Error).message.split('\n', 1)[0]);
  });
  const places: number[] = [];
  const good: (Uint8Array | Float32Array)[] = [];
  decoded.forEach((result, place) => {
    if (typeof result === 'string') fault(place, result);
    else {
      places.push(place);
      good.push(result);
    }
  });
  return { places, values: decoder.pack(good) };
}

/** A batch with a column more. */
export const withColumn = (batch: RecordBatch, name: string, values: ColumnValues): RecordBatch => ({
  ...batch,
  columns: { ...batch.columns, [name]: values },
});

/**
 * Bad records in the order of their rows, where some are found before others that stand earlier in the file. `note` holds
 * them back, and `flush` hands on those that are held.
 */
export function orderedRejects(reject: Reject): { note: Reject; flush: () => void } {
  let held: BadRecord[] = [];
  return {
    note: (bad) => void held.push(bad),
    flush() {
      const given = held.sort((a, b) => a.row - b.row);
      held = [];
      for (const bad of given) reject(bad);
    },
  };
}
