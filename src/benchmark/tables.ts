/** Reading a whole table and writing a prepared one. */

import { type TableCell, writePlainCsv } from '../files/table-files.js';
import { openSource } from '../sources/open-source.js';

export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly TableCell[])[];
}

/** All records with their cells as numbers or texts. */
export async function readTable(path: string): Promise<Table> {
  const source = await openSource(path, { onBadRecord: 'fail' });
  const columns = source.columns.map(({ name }) => name);
  const rows: TableCell[][] = [];
  for await (const batch of source.read()) {
    for (let row = 0; row < batch.rows.length; row++) {
      rows.push(
        columns.map((name) => {
          const { values } = batch.columns[name];
          const cell = values[row];
          return Number.isNaN(cell) ? null : (cell as TableCell);
        }),
      );
    }
  }
  return { columns, rows };
}

/** Writes a CSV file, whole or not at all. */
export async function writeTable(path: string, { columns, rows }: Table): Promise<void> {
  async function* blocks() {
    for (let start = 0; start < rows.length; start += 10_000) yield rows.slice(start, start + 10_000);
  }
  await writePlainCsv(path, columns, blocks());
}

/** How many records the files have together. */
export async function recordsIn(paths: readonly string[]): Promise<number> {
  let count = 0;
  for (const path of paths) {
    const source = await openSource(path, { onBadRecord: 'fail' });
    for await (const { rows } of source.read({ columns: [source.columns[0].name] })) count += rows.length;
  }
  return count;
}
