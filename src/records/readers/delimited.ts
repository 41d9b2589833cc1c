/** CSV and TSV without a database: the records of `sources/delimited.ts`, and its bad records with its words. */
import { InputError } from '../../errors.js';
import type { ByteFile } from '../bytes/byte-file.js';
import { byteChunks, contentHead, endsInCr, lineFeeds } from '../bytes/bytes.js';
import { type DialectWishes, describeDialect, findDialect, hasAlignedColumns } from '../cells/dialect.js';
import { crAloneMessage, examine, faultOf, recordsBelow, spelled } from '../cells/examine-delimited.js';
import type { Schema } from '../cells/schema.js';
import { typedReader } from '../cells/typed-reader.js';
import { singleBlanks } from '../cells/white-space.js';
import { BATCH_RECORDS, BATCH_SIZE, type Reader } from '../reader.js';
import type { ColumnInfo, ColumnValues, RecordBatch } from '../record-batch.js';

/** The dialect is found from so many bytes at the start. */
export const HEAD_BYTES = 1 << 20;

/** Characters of a record at most, as on a disk. */
const LONGEST_RECORD = 16 << 20;

export interface DelimitedOptions extends DialectWishes {
  readonly schema?: Schema;
}

/**
 * A CSV or TSV file, parsed as it streams. Its dialect is found from its first lines (see `findDialect`), the types of its
 * columns from a sample of its cells or a schema (see `typedReader`).
 */
export async function delimitedReader(
  given: ByteFile,
  format: 'csv' | 'tsv',
  { schema, ...wishes }: DelimitedOptions = {},
): Promise<Reader> {
  const path = given.name;
  let file = given;
  let head = await contentHead(file, HEAD_BYTES);
  if (endsInCr(head)) {
    file = rewritten(given, lineFeeds);
    head = await contentHead(file, HEAD_BYTES);
  }
  if (await hasAlignedColumns(firstLines(head), wishes, format === 'tsv')) {
    file = rewritten(file, singleBlanks);
    head = await contentHead(file, HEAD_BYTES);
  }
  const lines = tableLines(path, head);
  const known = schema?.columns.map(({ name }) => name);
  const dialect = await findDialect(path, lines, wishes, { tabs: format === 'tsv', known });
  const { names } = dialect;
  let lineOf: Promise<(row: number) => number> | undefined;
  let records = 0;
  const raw: Reader = {
    columns: names.map((name): ColumnInfo => ({ name, type: 'text' })),
    lineOf: async (row) => {
      lineOf ??= examine(path, file, dialect).then((examined) => examined.lineOf);
      return (await lineOf)(row);
    },
    async *read(selected, reject, { verbatim = [] } = {}) {
      const places = selected.map(({ name }) => names.indexOf(name));
      let rows: number[] = [];
      let size = 0;
      let cells: (string | null)[][] = selected.map(() => []);
      const batch = (): RecordBatch => {
        const columns = Object.fromEntries(
          selected.map(({ name }, i): [string, ColumnValues] => [name, { type: 'text', values: cells[i] }]),
        );
        const texts = Object.fromEntries(
          verbatim.map((name) => [name, columns[name].values as readonly (string | null)[]]),
        );
        const made = { rows: Int32Array.from(rows), columns, ...(verbatim.length > 0 && { texts }) };
        records += rows.length;
        rows = [];
        size = 0;
        cells = selected.map(() => []);
        return made;
      };
      let row = -1;
      for await (const some of recordsBelow(file, dialect)) {
        for (const record of some) {
          row++;
          const length = record.cells.reduce((sum, cell) => sum + cell.length, 0);
          if (length > LONGEST_RECORD)
            throw new InputError(`${path}: a line is longer than ${LONGEST_RECORD >> 20} MiB; shorten it`);
          const message = faultOf(record, names.length);
          if (message !== undefined) {
            if (!record.fault && record.cells.some((cell) => cell.includes('\r')))
              throw new InputError(crAloneMessage(path, record.line));
            // What stands before it is given first, so that bad records are told in their order.
            if (rows.length > 0) yield batch();
            reject({ path, row, line: record.line, message });
            continue;
          }
          for (let i = 0; i < places.length; i++) {
            const cell = record.cells[places[i]];
            cells[i].push(cell === '' ? null : spelled(cell));
          }
          rows.push(row);
          size += length;
          if (rows.length === BATCH_RECORDS || size >= BATCH_SIZE) yield batch();
        }
      }
      if (rows.length > 0) yield batch();
    },
  };
  const reader = await typedReader(path, raw, {
    schema,
    missing: wishes.missing ?? schema?.missing,
    decimal: wishes.decimal,
    numbers: true,
  });
  if (records === 0) {
    for await (const { rows } of raw.read([raw.columns[0]], () => {}, { few: true }))
      if (rows.length > 0) break;
    if (records === 0) throw noRecords(path, (await examine(path, file, dialect)).bad[0]);
  }
  return { ...reader, dialect: describeDialect(dialect), notes: [...dialect.notes, ...(reader.notes ?? [])] };
}

/** What is said of a file of which no record can be read; `bad` is the first bad one. */
export const noRecords = (path: string, bad?: { readonly line?: number; readonly message: string }) =>
  new InputError(
    bad
      ? `${path}: line ${bad.line}: ${bad.message}, and no other record is readable`
      : `${path}: a header but no records`,
  );

/** The lines of the first bytes of a file; of a longer one the last line is not whole, and is left out. */
export function firstLines(head: Uint8Array): string[] {
  const lines = new TextDecoder().decode(head).split(/\r?\n/);
  if (head.length === HEAD_BYTES && lines.length > 1) lines.pop();
  return lines;
}

/** The same of a table. Throws InputError where its first line, which has to be whole, is none of them. */
export function tableLines(path: string, head: Uint8Array): string[] {
  const lines = firstLines(head);
  if (lines.length > 1 || head.length < HEAD_BYTES) return lines;
  throw new InputError(
    `${path}: the first line is longer than ${HEAD_BYTES >> 20} MiB, too long for the names of columns; take fewer columns, or give the table with its rows and columns exchanged`,
  );
}

/** A text with its bytes changed on their way. */
function rewritten(
  file: ByteFile,
  change: (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>,
): ByteFile {
  const stream = () => change(byteChunks(file));
  return {
    name: file.name,
    size: file.size,
    recoded: true,
    stream,
    slice: (start, end) => ({
      async arrayBuffer() {
        let at = 0;
        const kept = new Uint8Array(end - start);
        let held = 0;
        for await (const chunk of stream()) {
          const part = chunk.subarray(Math.max(0, start - at), Math.max(0, end - at));
          kept.set(part, held);
          held += part.length;
          at += chunk.length;
          if (at >= end) break;
        }
        return kept.slice(0, held).buffer;
      },
    }),
  };
}
