/** The choice of a tokenizer for columns that are given by hand. */
import type { CellFormat } from '../records/cells/cell-format.js';
import { profileSource } from '../records/profile.js';
import type { ColumnValues, DataSource } from '../records/record-batch.js';
import { chooseTokenizer, type TokenizerWishes } from './index.js';
import { records } from './tokenizer.case.js';

const recordsOf = (column: ColumnValues) =>
  column.type === 'pixels' ? 1 : column.type === 'series' ? column.offsets.length - 1 : column.values.length;

/** What is chosen for these columns, as if they were those of `data.csv`. */
export async function choose(
  columns: Record<string, ColumnValues>,
  wishes?: TokenizerWishes,
  formats: Record<string, CellFormat> = {},
  format = 'csv',
) {
  const count = Math.max(...Object.values(columns).map(recordsOf));
  const source: DataSource = {
    path: 'data.csv',
    files: ['data.csv'],
    format,
    bytes: 1,
    reject() {},
    columns: Object.entries(columns).map(([name, { type }]) => ({ name, type, format: formats[name] })),
    async *read() {
      yield records(columns, count);
    },
  };
  return chooseTokenizer(await profileSource(source), wishes);
}
