/** Predictions as a table that other tools open: CSV or Parquet. Written whole or not at all. */
import { InputError } from '../errors.js';
import { writeFileAtomically } from './atomic-file.js';
import { csvCell, safeCsvCell } from './csv-cell.js';

export type TableCell = string | number | null;

/** A column of an output, and what it holds in every format that has types. */
export interface TableColumn {
  readonly name: string;
  readonly type: 'INTEGER' | 'DOUBLE' | 'VARCHAR';
}

type Rows = AsyncIterable<readonly (readonly TableCell[])[]>;

type Write = (path: string, columns: readonly TableColumn[], blocks: Rows) => Promise<void>;

const lineOf = (cells: readonly TableCell[], text: typeof csvCell) =>
  `${cells.map((cell) => (typeof cell === 'number' ? String(cell) : text(cell))).join(',')}\n`;

/** A CSV file with every text as it is. */
export const writePlainCsv = (path: string, header: readonly string[], blocks: Rows): Promise<void> =>
  writeLines(path, header, blocks, csvCell);

async function writeLines(
  path: string,
  header: readonly string[],
  blocks: Rows,
  text: typeof csvCell,
): Promise<void> {
  async function* chunks() {
    const encoder = new TextEncoder();
    yield encoder.encode(lineOf(header, text));
    for await (const rows of blocks) yield encoder.encode(rows.map((cells) => lineOf(cells, text)).join(''));
  }
  await writeFileAtomically(path, chunks());
}

const writeCsv: Write = (path, columns, blocks) =>
  writeLines(
    path,
    columns.map(({ name }) => name),
    blocks,
    safeCsvCell,
  );

const writeParquet: Write = async (path, columns, blocks) => {
  const { VECTOR_ROWS, writeStagedParquet } = await import('./staged-parquet.js');
  await writeStagedParquet(path, columns, async (append) => {
    for await (const rows of blocks) {
      for (let start = 0; start < rows.length; start += VECTOR_ROWS) {
        const some = rows.slice(start, start + VECTOR_ROWS);
        append(some.length, (chunk) => {
          for (let j = 0; j < columns.length; j++)
            chunk.setColumnValues(
              j,
              some.map((cells) => cells[j]),
            );
        });
      }
    }
  });
};

const writers = { csv: writeCsv, parquet: writeParquet } as const satisfies Record<string, Write>;

/** The writer of the format that a path's extension names. Throws InputError for any other. */
export function tableWriter(path: string): Write {
  const extension = /\.([^./\\]+)$/.exec(path)?.[1].toLowerCase() ?? '';
  if (Object.hasOwn(writers, extension)) return writers[extension as keyof typeof writers];
  throw new InputError(`${path}: expected a file named .csv or .parquet to write predictions to`);
}
