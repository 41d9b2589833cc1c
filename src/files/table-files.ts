/** Predictions as a table that other tools open: CSV or Parquet. Written whole or not at all. */
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { InputError } from '../errors.js';
import { connect, sqlString } from '../sources/duckdb.js';
import { PARTIAL_SUFFIX, writeFileAtomically } from './atomic-file.js';
import { csvCell } from './csv-cell.js';

export type TableCell = string | number | null;

type Write = (
  path: string,
  header: readonly string[],
  blocks: AsyncIterable<readonly (readonly TableCell[])[]>,
) => Promise<void>;

const csvLine = (cells: readonly TableCell[]) =>
  `${cells.map((cell) => (typeof cell === 'number' ? String(cell) : csvCell(cell))).join(',')}\n`;

const writeCsv: Write = async (path, header, blocks) => {
  async function* chunks() {
    const encoder = new TextEncoder();
    yield encoder.encode(csvLine(header));
    for await (const rows of blocks) yield encoder.encode(rows.map(csvLine).join(''));
  }
  await writeFileAtomically(path, chunks());
};

/** Through a CSV file beside the result, because the table may be larger than memory. */
const writeParquet: Write = async (path, header, blocks) => {
  const csv = `${path}.csv${PARTIAL_SUFFIX}`;
  const parquet = `${path}.staging${PARTIAL_SUFFIX}`;
  try {
    await writeCsv(csv, header, blocks);
    const connection = await connect();
    try {
      await connection.run(
        `COPY (FROM read_csv(${sqlString(csv)}, header = true)) TO ${sqlString(parquet)} (FORMAT parquet)`,
      );
    } finally {
      connection.closeSync();
    }
    await writeFileAtomically(path, createReadStream(parquet));
  } finally {
    await rm(csv, { force: true });
    await rm(parquet, { force: true });
  }
};

const writers = { csv: writeCsv, parquet: writeParquet } as const satisfies Record<string, Write>;

/** The writer of the format that a path's extension names. Throws InputError for any other. */
export function tableWriter(path: string): Write {
  const extension = /\.([^./\\]+)$/.exec(path)?.[1].toLowerCase() ?? '';
  if (Object.hasOwn(writers, extension)) return writers[extension as keyof typeof writers];
  throw new InputError(`${path}: expected a file named .csv or .parquet to write predictions to`);
}
