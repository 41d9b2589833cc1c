import type { Reject } from './bad-records.js';
import type { ColumnValues, RecordBatch } from './record-batch.js';

/** Copies the values at the given places; a loop, since `from` with a function takes about as long as parsing the file. */
function copyAt<Values extends Float64Array | Int32Array>(
  from: Values,
  places: ArrayLike<number>,
  to: Values,
): Values {
  for (let i = 0; i < places.length; i++) to[i] = from[places[i]];
  return to;
}

function selectSeries(
  { values, offsets, channels }: Extract<ColumnValues, { type: 'series' }>,
  places: ArrayLike<number>,
): ColumnValues {
  const selected = new Int32Array(places.length + 1);
  for (let i = 0; i < places.length; i++) {
    selected[i + 1] = selected[i] + offsets[places[i] + 1] - offsets[places[i]];
  }
  const copied = new Float32Array(selected[places.length] * channels);
  for (let i = 0; i < places.length; i++) {
    const record = values.subarray(offsets[places[i]] * channels, offsets[places[i] + 1] * channels);
    copied.set(record, selected[i] * channels);
  }
  return { type: 'series', values: copied, offsets: selected, channels };
}

/** The records of a batch at the given places. */
export function selectRecords(batch: RecordBatch, places: ArrayLike<number>): RecordBatch {
  const count = places.length;
  // A column may be called __proto__.
  const columns: Record<string, ColumnValues> = Object.create(null);
  for (const [name, column] of Object.entries(batch.columns)) {
    if (column.type === 'number') {
      columns[name] = { type: 'number', values: copyAt(column.values, places, new Float64Array(count)) };
    } else if (column.type === 'text') {
      columns[name] = { type: 'text', values: Array.from(places, (place) => column.values[place]) };
    } else if (column.type === 'series') {
      columns[name] = selectSeries(column, places);
    } else {
      const size = column.shape[0] * column.shape[1] * column.shape[2];
      const values = new Uint8Array(count * size);
      for (let i = 0; i < count; i++) {
        values.set(column.values.subarray(places[i] * size, (places[i] + 1) * size), i * size);
      }
      columns[name] = { type: 'pixels', values, shape: column.shape };
    }
  }
  const texts =
    batch.texts &&
    Object.fromEntries(
      Object.entries(batch.texts).map(([name, cells]) => [name, Array.from(places, (place) => cells[place])]),
    );
  return { rows: copyAt(batch.rows, places, new Int32Array(count)), columns, ...(texts && { texts }) };
}

/** What is wrong with a record. */
export interface Fault {
  readonly column: string;
  readonly message: string;
}

/** The records of a batch without a fault; those with one, by their places, are rejected. */
export function withoutFaults(
  batch: RecordBatch,
  faults: ReadonlyMap<number, Fault>,
  path: string,
  reject: Reject,
): RecordBatch {
  if (faults.size === 0) return batch;
  const good: number[] = [];
  batch.rows.forEach((row, place) => {
    const fault = faults.get(place);
    if (fault) reject({ path, row, ...fault });
    else good.push(place);
  });
  return selectRecords(batch, good);
}
