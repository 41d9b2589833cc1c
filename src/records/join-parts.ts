/** The parts of a data set, each a file, as one. */
import { InputError } from '../errors.js';
import type { Reader } from './reader.js';
import { type ColumnInfo, isCellType, type RecordBatch } from './record-batch.js';
import type { Part } from './split.js';

export interface PartReader {
  readonly path: string;
  readonly part: Part;
  readonly reader: Reader;
}

/** The column that says which part a record is from. */
const SPLIT: ColumnInfo = { name: 'split', type: 'text' };

/**
 * The records of all files, one file after the other, with a text column `split` before their own. Rows are numbered on,
 * which is the same for every choice of columns, because each record of a file is either given or rejected.
 * Throws InputError where the files do not have the same columns.
 */
export function joinParts(parts: readonly PartReader[]): Reader {
  const [first, ...others] = parts;
  const { columns } = first.reader;
  for (const { path, reader } of others) {
    if (describe(reader.columns) === describe(columns)) continue;
    throw new InputError(
      `${path}: expected the columns of ${first.path} (${describe(columns)}), got ${describe(reader.columns)}; give them the same columns, or give one of the files`,
    );
  }
  if (columns.some(({ name }) => name === SPLIT.name)) {
    throw new InputError(
      `${first.path}: has a column "${SPLIT.name}", which the names of the files say already; rename it, or give one of the files`,
    );
  }
  // Where only the split is asked for, records are counted by what is read the fastest.
  const cheapest = columns.findLast(({ type }) => isCellType(type)) ?? columns[0];
  return {
    columns: [SPLIT, ...columns],
    ...aboutFirst(first.reader),
    found: () => parts.flatMap(({ reader }) => reader.found?.() ?? []),
    async *read(selected, reject, options) {
      const own = selected.filter(({ name }) => name !== SPLIT.name);
      const withSplit = own.length < selected.length;
      const verbatim = options?.verbatim?.filter((name) => name !== SPLIT.name);
      let before = 0;
      for (const { part, reader } of parts) {
        let count = 0;
        const rejectNumbered: typeof reject = (bad) => {
          count = Math.max(count, bad.row + 1);
          reject({ ...bad, row: before + bad.row });
        };
        for await (const batch of reader.read(own.length > 0 ? own : [cheapest], rejectNumbered, {
          ...options,
          verbatim,
        })) {
          count = Math.max(count, batch.rows[batch.rows.length - 1] + 1);
          yield {
            rows: before === 0 ? batch.rows : batch.rows.map((row) => before + row),
            columns: {
              ...(withSplit && splitColumn(part, batch)),
              ...(own.length > 0 && batch.columns),
            },
            ...(batch.texts && { texts: batch.texts }),
          };
        }
        before += count;
      }
    },
  };
}

/** How the first part is written stands for all. */
const aboutFirst = ({ dialect, notes, missing, leftOut }: Reader) => ({ dialect, notes, missing, leftOut });

const describe = (columns: readonly ColumnInfo[]) =>
  columns.map(({ name, type }) => `${name}: ${type}`).join(', ');

const splitColumn = (part: Part, { rows }: RecordBatch) => ({
  [SPLIT.name]: { type: 'text' as const, values: new Array<string>(rows.length).fill(part) },
});
