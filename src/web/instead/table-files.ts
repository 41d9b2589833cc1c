/** Instead of `files/table-files.ts`: tables as columns in memory, or as CSV. */
import type { TableCell, TableColumn } from '../../files/table-files.js';
import * as files from '../../files/table-files.js';
import { COLUMNS, keepColumns, noParquet } from '../columns.js';

export type { TableCell, TableColumn } from '../../files/table-files.js';
export const { writePlainCsv } = files;

export function tableWriter(path: string): ReturnType<typeof files.tableWriter> {
  if (path !== COLUMNS) return noParquet(path, files.tableWriter);
  return async (_path, columns: readonly TableColumn[], blocks) => {
    const cells: TableCell[][] = columns.map(() => []);
    for await (const rows of blocks)
      for (const row of rows) row.forEach((cell, i) => void cells[i].push(cell));
    keepColumns(
      Object.fromEntries(
        columns.map(({ name, type }, i) => {
          if (type === 'VARCHAR') return [name, cells[i] as (string | null)[]];
          const numbers = cells[i].map((cell) => (cell === null ? Number.NaN : Number(cell)));
          return [name, type === 'INTEGER' ? Int32Array.from(numbers) : Float64Array.from(numbers)];
        }),
      ),
    );
  };
}
