/**
 * CSV and TSV, through DuckDB, which is told everything: delimiter, quotes, header, names and types. A table of very many
 * columns is parsed in plain JavaScript.
 */
import { InputError } from '../errors.js';
import type { Reject } from '../records/bad-records.js';
import type { ByteFile } from '../records/bytes/byte-file.js';
import { byteChunks, contentHead, endsInCr, isGzipped, lineFeeds } from '../records/bytes/bytes.js';
import { MISSING_WORDS } from '../records/cells/cell-format.js';
import {
  type Dialect,
  type DialectWishes,
  describeDialect,
  findDialect,
  hasAlignedColumns,
} from '../records/cells/dialect.js';
import {
  type Examined,
  examine,
  faultOf,
  recordsBelow,
  spelled,
} from '../records/cells/examine-delimited.js';
import { typedReader } from '../records/cells/typed-reader.js';
import { singleBlanks } from '../records/cells/white-space.js';
import type { Reader } from '../records/reader.js';
import {
  type DelimitedOptions,
  firstLines,
  HEAD_BYTES,
  noRecords,
  delimitedReader as plainReader,
  tableLines,
} from '../records/readers/delimited.js';
import type { BadRecord, ColumnInfo, RecordBatch } from '../records/record-batch.js';
import { selectRecords } from '../records/select-records.js';
import { duckdbMessage, sqlPath, sqlString, tableBatches } from './duckdb.js';
import { spooled } from './spool.js';

const MAX_LINE_BYTES = 16 << 20;

/** The database holds some thousand records of every column several times: of more columns than this in more than its memory. */
const MOST_COLUMNS = 2000;

/**
 * A CSV or TSV file. Its dialect is found from its first lines (see `findDialect`), the types of its columns from a sample
 * of its cells or a schema (see `typedReader`).
 *
 * The file is read strictly until a record fails. Then one pass in plain JavaScript tells every bad record by its line, and
 * the reading goes on from a copy without them. A column of numbers with a cell that is none is from then on read cell by
 * cell, so that only the columns that are read can make a record bad.
 */
export async function delimitedReader(
  given: ByteFile,
  format: 'csv' | 'tsv',
  { schema, ...wishes }: DelimitedOptions = {},
): Promise<Reader> {
  const path = given.name;
  const { file, lines } = await headOf(given, format === 'tsv', wishes);
  const known = schema?.columns.map(({ name }) => name);
  const dialect = await findDialect(path, lines, wishes, { tabs: format === 'tsv', known });
  if (dialect.names.length > MOST_COLUMNS) return plainReader(given, format, { schema, ...wishes });
  const missing = wishes.missing ?? schema?.missing;
  const raw = rawReader(path, file, dialect, {
    missing: missing ?? MISSING_WORDS,
    titles: lines.slice(0, dialect.skip),
  });
  let sampled = false;
  const noting: Reader = {
    ...raw,
    async *read(...given) {
      for await (const batch of raw.read(...given)) {
        sampled = true;
        yield batch;
      }
    },
  };
  const reader = await typedReader(path, noting, {
    schema,
    missing,
    decimal: wishes.decimal,
    numbers: true,
    plainNumbers: true,
  });
  if (!sampled) await assertRecords(path, file, dialect, raw);
  return { ...reader, dialect: describeDialect(dialect), notes: [...dialect.notes, ...(reader.notes ?? [])] };
}

/**
 * The file in a form that DuckDB reads, and its first lines. Lines that end with CR alone become lines that end with LF, runs of
 * white space between columns one blank.
 */
async function headOf(
  given: ByteFile,
  tabs: boolean,
  wishes: DialectWishes,
): Promise<{ file: ByteFile; lines: string[] }> {
  // Of all that is not stored plainly, the database reads gzip alone.
  let file = !given.recoded && (await isGzipped(given)) ? given : await spooled(given);
  let head = await contentHead(file, HEAD_BYTES);
  if (endsInCr(head)) {
    file = await spooled(file, lineFeeds);
    head = await contentHead(file, HEAD_BYTES);
  }
  if (await hasAlignedColumns(firstLines(head), wishes, tabs)) {
    file = await spooled(file, singleBlanks);
    head = await contentHead(file, HEAD_BYTES);
  }
  return { file, lines: tableLines(given.name, head) };
}

async function assertRecords(path: string, file: ByteFile, dialect: Dialect, reader: Reader): Promise<void> {
  for await (const { rows } of reader.read([reader.columns[0]], () => {}, { few: true }))
    if (rows.length > 0) return;
  throw noRecords(path, (await examine(path, file, dialect)).bad[0]);
}

/** What DuckDB is told of a file. */
interface Table {
  readonly file: ByteFile;
  readonly dialect: Dialect;
  /** Bad records that the file no longer holds. */
  readonly bad: readonly BadRecord[];
}

/** The cells as text; a column that is asked for as numbers comes as numbers, unless a cell of it has to be looked at. */
function rawReader(
  path: string,
  original: ByteFile,
  dialect: Dialect,
  { missing, titles }: { missing: readonly string[]; titles: readonly string[] },
): Reader {
  let table: Table = { file: original, dialect, bad: [] };
  /** Columns that DuckDB does not read as numbers, by their places. */
  let unfit: ReadonlySet<number> = new Set();
  let settled = false;
  let scanned: Promise<Misleading> | undefined;
  let examined: Promise<Examined> | undefined;
  const examination = () => (examined ??= examine(path, original, dialect, missing));
  const columns = dialect.names.map((name): ColumnInfo => ({ name, type: 'text' }));
  const placeOf = new Map(dialect.names.map((name, place) => [name, place]));

  /** The database takes `1_000` for a thousand, and says nothing of codes such as `007` among numbers. */
  async function suspects(numbers: readonly number[]): Promise<ReadonlySet<number>> {
    scanned ??= misleading(original, dialect);
    const { underscore, zeros } = await scanned;
    const careful = underscore || numbers.some((place) => zeros.has(place));
    return careful ? (await examination()).notNumbers : new Set();
  }

  /** The database counts records where lines are to be skipped, and titles may have line ends in quotes. */
  const hasQuotedTitle =
    dialect.skip > 0 && dialect.quote !== '' && titles.some((line) => line.includes(dialect.quote));
  async function copyWithoutTitle(): Promise<void> {
    const { bad } = await examination();
    table = { file: await cleanCopy(original, dialect), dialect: cleanDialect(dialect), bad };
  }

  async function* batches(
    selected: readonly ColumnInfo[],
    { few, verbatim }: { few?: boolean; verbatim: readonly string[] },
  ): AsyncGenerator<RecordBatch> {
    const numbers = verbatim.length === 0 && selected.some(({ type }) => type === 'number');
    const places = selected.map(({ name }) => placeOf.get(name)!);
    if (numbers && !settled) unfit = await suspects(places.filter((_, i) => selected[i].type === 'number'));
    const physical = places.map((place, i): ColumnInfo => {
      const native = numbers && selected[i].type === 'number' && !unfit.has(place);
      return { name: `c${place}`, type: native ? 'number' : 'text' };
    });
    const words = verbatim.length > 0 ? [''] : ['', ...missing];
    const from = await tableOf(table, physical, words);
    for await (const batch of tableBatches(from, physical, { few })) {
      if (batch.large && examined === undefined) {
        const { notNumbers } = await examination();
        if (physical.some(({ type }, i) => type === 'number' && notNumbers.has(places[i])))
          throw new RoundedCells();
      }
      const cells = physical.map(({ name }) => batch.columns[name]);
      yield {
        rows: batch.rows,
        columns: byName(selected.map(({ name }, i) => [name, cells[i]])),
        ...(verbatim.length > 0 && {
          texts: byName(
            verbatim.map((name) => [
              name,
              cells[selected.findIndex((column) => column.name === name)].values,
            ]),
          ),
        }),
      } as RecordBatch;
    }
  }

  return {
    columns,
    lineOf: async (row) => (await examination()).lineOf(row),
    async *read(selected, reject, { few, verbatim = [] } = {}) {
      if (hasQuotedTitle && table.file === original) await copyWithoutTitle();
      // The last row of the file that was given.
      let last = -1;
      for (let attempt = 0; ; attempt++) {
        try {
          for await (const batch of numbered(batches(selected, { few, verbatim }), table.bad, last, reject)) {
            last = batch.rows[batch.rows.length - 1];
            yield batch;
          }
          return;
        } catch (error) {
          if (error instanceof InputError || attempt === MOST_ATTEMPTS) throw unreadable(path, error);
          const { bad, notNumbers } = await examination();
          const fromCast =
            error instanceof RoundedCells || /^Conversion Error/.test((error as Error).message);
          const copied = table.file !== original;
          if (copied && !fromCast) throw unreadable(path, error);
          if (!copied && (bad.length > 0 || !fromCast)) {
            table = { file: await cleanCopy(original, dialect), dialect: cleanDialect(dialect), bad };
          }
          // What the database does not take for a number and we do is read by us.
          unfit = unfit === notNumbers ? new Set(placeOf.values()) : notNumbers;
          settled = true;
        }
      }
    },
  };
}

/** The database has read integers as numbers that do not hold them. */
class RoundedCells extends Error {}

/** A copy without bad records, numbers that are none read as text, all numbers read as text: then it is no use. */
const MOST_ATTEMPTS = 3;

/** The dialect of a clean copy. */
const cleanDialect = (dialect: Dialect): Dialect => ({
  ...dialect,
  delimiter: ',',
  quote: '"',
  escapedBy: '"',
  header: false,
  skip: 0,
});

const byName = <T>(entries: readonly (readonly [string, T])[]): Record<string, T> =>
  Object.fromEntries(entries);

/** What the database would read as numbers otherwise than we do. */
interface Misleading {
  readonly underscore: boolean;
  /** Places of columns with a cell that begins with a zero before another digit; all, where quotes are escaped by backslashes. */
  readonly zeros: Pick<ReadonlySet<number>, 'has'>;
}

/** Whether a byte may stand before the digits of a number: a blank or a sign. */
const isBefore = (byte: number): boolean => byte === 32 || byte === 43 || byte === 45;

async function misleading(file: ByteFile, { delimiter, quote, escapedBy }: Dialect): Promise<Misleading> {
  const [comma, wrap] = [delimiter, quote].map((text) => new TextEncoder().encode(text)[0]);
  const zeros = new Set<number>();
  let [place, begins, zero, quoted] = [0, true, false, false];
  for await (const chunk of byteChunks(file)) {
    if (chunk.includes(95)) return { underscore: true, zeros };
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i];
      if (zero && byte >= 48 && byte <= 57) zeros.add(place);
      zero = begins && byte === 48;
      if (byte === wrap && (begins || quoted)) {
        // A quote within quotes stands twice, which ends them and begins them again.
        quoted = !quoted;
        begins = true;
      } else if (quoted) begins &&= isBefore(byte);
      else if (byte === 10) [place, begins] = [0, true];
      else if (byte === comma) [place, begins] = [place + 1, true];
      else begins &&= isBefore(byte);
    }
  }
  return { underscore: false, zeros: escapedBy === '\\' ? { has: () => zeros.size > 0 } : zeros };
}

async function tableOf({ file, dialect }: Table, columns: readonly ColumnInfo[], missing: readonly string[]) {
  const { delimiter, quote, escapedBy, header, skip, names } = dialect;
  const numeric = new Set(columns.filter(({ type }) => type === 'number').map(({ name }) => name));
  const types = names.map((_, place) => `c${place}: '${numeric.has(`c${place}`) ? 'DOUBLE' : 'VARCHAR'}'`);
  const options = {
    auto_detect: false,
    header,
    skip,
    delim: sqlString(delimiter),
    quote: sqlString(quote),
    escape: sqlString(escapedBy),
    compression: (await isGzipped(file)) ? "'gzip'" : "'none'",
    max_line_size: MAX_LINE_BYTES,
    buffer_size: MAX_LINE_BYTES,
    nullstr: `[${missing.map(sqlString).join(', ')}]`,
    allow_quoted_nulls: true,
    columns: `{${types.join(', ')}}`,
  };
  const listed = Object.entries(options).map(([name, value]) => `${name}=${value}`);
  return `read_csv(${sqlPath(file.path ?? file.name)}, ${listed.join(', ')})`;
}

/** Gives the good records the numbers that the bad ones leave free, and passes over those up to row `last`. */
async function* numbered(
  good: AsyncGenerator<RecordBatch>,
  bad: readonly BadRecord[],
  last: number,
  reject: Reject,
): AsyncGenerator<RecordBatch> {
  let next = 0;
  let row = 0;
  for await (const batch of good) {
    const { rows } = batch;
    for (let i = 0; i < rows.length; i++, row++) {
      for (; next < bad.length && bad[next].row <= row; next++) {
        reject(bad[next]);
        row++;
      }
      rows[i] = row;
    }
    const first = rows.findIndex((number) => number > last);
    if (first === 0) yield batch;
    else if (first > 0) {
      yield selectRecords(
        batch,
        Int32Array.from({ length: rows.length - first }, (_, i) => first + i),
      );
    }
  }
  for (; next < bad.length; next++) reject(bad[next]);
}

function unreadable(path: string, error: unknown): Error {
  if (error instanceof InputError) return error;
  const why = /maximum line size/i.test(String(error))
    ? `a line is longer than ${MAX_LINE_BYTES >> 20} MiB; shorten it`
    : `not readable as delimited text (${duckdbMessage(error)}); check the file, or name its format with --format`;
  return new InputError(`${path}: ${why}`, { cause: error });
}

/** A copy of the good records that no parser can misread. */
function cleanCopy(file: ByteFile, dialect: Dialect): Promise<ByteFile> {
  const width = dialect.names.length;
  const spell = (cell: string) => `"${spelled(cell).replaceAll('"', '""')}"`;
  return spooled(file, async function* () {
    const encoder = new TextEncoder();
    for await (const records of recordsBelow(file, dialect)) {
      const good = records.filter((record) => faultOf(record, width) === undefined);
      yield encoder.encode(
        good.map(({ cells }) => `${cells.slice(0, width).map(spell).join(',')}\n`).join(''),
      );
    }
  });
}
