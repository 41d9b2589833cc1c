/** Records of numbers and texts, collected into batches. */
import { BATCH_RECORDS, BATCH_SIZE } from './reader.js';
import type { ColumnInfo, ColumnValues, RecordBatch } from './record-batch.js';

/** `flush` gives what is held, or undefined when nothing is. */
export class CellBatch {
  private rows: number[] = [];
  private cells: (number | string | null)[][];
  private size = 0;
  constructor(private readonly columns: readonly ColumnInfo[]) {
    this.cells = columns.map(() => []);
  }

  /** Adds a record whose cells follow the columns, each of its column's type or null. Returns true when the batch is full. */
  add(row: number, cells: readonly (number | string | null)[], size: number): boolean {
    this.rows.push(row);
    for (let j = 0; j < this.columns.length; j++) this.cells[j].push(cells[j]);
    this.size += size;
    return this.rows.length >= BATCH_RECORDS || this.size >= BATCH_SIZE;
  }

  flush(): RecordBatch | undefined {
    const { rows, cells } = this;
    if (rows.length === 0) return undefined;
    const columns = this.columns.map(({ name, type }, j): [string, ColumnValues] =>
      type === 'number'
        ? [name, { type, values: Float64Array.from(cells[j], (cell) => Number(cell ?? Number.NaN)) }]
        : [name, { type: 'text', values: cells[j] as (string | null)[] }],
    );
    this.rows = [];
    this.cells = this.columns.map(() => []);
    this.size = 0;
    return { rows: Int32Array.from(rows), columns: Object.fromEntries(columns) };
  }
}
