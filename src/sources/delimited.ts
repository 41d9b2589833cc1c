/** CSV and TSV, through DuckDB. */
import { InputError } from '../errors.js';
import { quoteCell, type Reject } from '../records/bad-records.js';
import type { ByteFile } from '../records/byte-file.js';
import { byteChunks, contentHead, isGzipped } from '../records/bytes.js';
import { isNumeric, MISSING_CELLS, type Reader, SAMPLE_RECORDS } from '../records/reader.js';
import type { BadRecord, ColumnInfo, RecordBatch } from '../records/record-batch.js';
import { diskFile } from './disk-file.js';
import { duckdbMessage, sqlName, sqlPath, sqlString, tableBatches, withQuery } from './duckdb.js';

const MAX_LINE_BYTES = 16 << 20;
/** More bad records than this are not listed: the file is then not what it seems. */
const MAX_REJECTS = 100_000;

interface Dialect {
  readonly path: string;
  /** Options of read_csv and sniff_csv that fix the dialect. */
  readonly options: string;
  readonly header: boolean;
  readonly names: readonly string[];
}

/**
 * The delimiter of `.csv` is the one of `, ; tab |` that its first line has most of. A `.tsv` has tabs and no quoting
 * unless its first records are quoted. Whether there is a header is DuckDB's guess; without one the columns are
 * column0, column1, ….
 *
 * A file is read strictly until a record fails. Then one more pass lists every bad record with its position, and
 * the reading goes on without them. Only the columns that are read can make a record bad, so leaving a column out
 * also leaves out its faults.
 */
export async function delimitedReader(file: ByteFile, format: 'csv' | 'tsv'): Promise<Reader> {
  const dialect = await detectDialect(file, format);
  const { path } = dialect;
  const columns = await detectTypes(dialect);
  const known = new Map<string, readonly BadRecord[]>();

  return {
    columns: columns.map(({ name, type }) => ({ name, type })),
    async *read(selected, reject, options) {
      const key = selected.map(({ name }) => name).join('\n');
      let bad = known.get(key) ?? [];
      let delivered = 0;
      if (bad.length === 0) {
        try {
          for await (const batch of tableBatches(table(dialect, columns), selected, options)) {
            delivered += batch.rows.length;
            yield batch;
          }
          return;
        } catch (error) {
          bad = await findBadRecords(dialect, columns, selected);
          if (bad.length === 0) throw unreadable(path, error);
          known.set(key, bad);
        }
      }
      const good = tableBatches(table(dialect, columns, 'ignore_errors=true'), selected, options);
      yield* numberRecords(good, bad, delivered, reject);
    },
  };
}

async function detectDialect(file: ByteFile, format: 'csv' | 'tsv'): Promise<Dialect> {
  const path = file.name;
  const head = new TextDecoder().decode(await contentHead(file, 1 << 16));
  const firstLine = head.split(/\r?\n/, 1)[0];
  const delimiter = format === 'tsv' ? '\t' : commonest(firstLine, [',', ';', '\t', '|']);
  const compression = (await isGzipped(file)) ? 'gzip' : 'none';
  const size = `max_line_size=${MAX_LINE_BYTES}, buffer_size=${2 * MAX_LINE_BYTES}`;
  const fixed = `delim=${sqlString(delimiter)}, compression='${compression}', ${size}`;
  const quoting = (quote: string) => `quote='${quote}', escape='${quote}'`;
  try {
    return await withQuery(async (query) => {
      const sniff = async (more: string) =>
        (
          await query(
            `SELECT Columns, HasHeader, Quote FROM sniff_csv(${sqlPath(path)}, ${fixed}, ${more} ignore_errors=true,
             auto_type_candidates=['DOUBLE', 'VARCHAR'])`,
          )
        )[0];
      const quotedTsv = format === 'tsv' && (await sniff('')).Quote === '"';
      const quote = quoting(format === 'csv' || quotedTsv ? '"' : '');
      const { Columns, HasHeader } = await sniff(`${quote},`);
      const names = (Columns as { name: string }[]).map(({ name }) => name);
      return { path, options: `${fixed}, ${quote}`, header: Boolean(HasHeader), names };
    });
  } catch (error) {
    throw unreadable(path, error);
  }
}

function commonest(line: string, candidates: readonly string[]): string {
  const count = (delimiter: string) => line.replace(/"[^"]*"/g, '').split(delimiter).length;
  return candidates.reduce((best, next) => (count(next) > count(best) ? next : best));
}

type DuckdbType = 'DOUBLE' | 'BOOLEAN' | 'VARCHAR';

interface DelimitedColumn extends ColumnInfo {
  readonly duckdbType: DuckdbType;
}

function table({ path, options, header }: Dialect, columns: readonly DelimitedColumn[], more = ''): string {
  const types = columns.map(({ name, duckdbType }) => `${sqlString(name)}: '${duckdbType}'`).join(', ');
  const missing = MISSING_CELLS.map(sqlString).join(', ');
  return `read_csv(${sqlPath(path)}, auto_detect=false, header=${header}, ${options}, columns={${types}},
    nullstr=[${missing}], allow_quoted_nulls=true${more && `, ${more}`})`;
}

async function detectTypes(dialect: Dialect): Promise<DelimitedColumn[]> {
  const asText = dialect.names.map(
    (name): DelimitedColumn => ({ name, type: 'text', duckdbType: 'VARCHAR' }),
  );
  const counts = dialect.names.map((name) => {
    const cell = sqlName(name);
    return `[count(${cell}), count(try_cast(${cell} AS DOUBLE)),
      count(*) FILTER (lower(${cell}) IN ('true', 'false')), count(*) FILTER (regexp_matches(${cell}, '^-?0[0-9]'))]`;
  });
  const from = `(SELECT * FROM ${table(dialect, asText, 'ignore_errors=true')} LIMIT ${SAMPLE_RECORDS})`;
  const [row] = await withQuery((query) =>
    query(`SELECT count(*) AS records, [${counts.join(', ')}] AS cells FROM ${from}`),
  ).catch((error: unknown) => {
    throw unreadable(dialect.path, error);
  });
  if (Number(row.records) === 0) {
    const [bad] = await findBadRecords(dialect, asText, asText);
    throw new InputError(
      bad
        ? `${dialect.path}: line ${bad.line}: ${bad.message}, and no other record is readable`
        : `${dialect.path}: a header but no records`,
    );
  }
  return (row.cells as bigint[][]).map((cell, i): DelimitedColumn => {
    const [present, numeric, boolean, leadingZero] = cell.map(Number);
    const name = dialect.names[i];
    if (present > 0 && boolean === present) return { name, type: 'number', duckdbType: 'BOOLEAN' };
    if (isNumeric({ present, numeric, leadingZero })) return { name, type: 'number', duckdbType: 'DOUBLE' };
    return asText[i];
  });
}

/**
 * Every record with a fault in `selected` or in its structure, in file order. DuckDB's line numbers do not count the
 * line ends inside quoted values, so they number records (and blank lines, which only shifts the numbers of bad
 * records behind them), and the line itself is counted from the byte position.
 */
async function findBadRecords(
  dialect: Dialect,
  columns: readonly DelimitedColumn[],
  selected: readonly ColumnInfo[],
): Promise<BadRecord[]> {
  const { path } = dialect;
  const read = selected.map(({ name }) => `count(${sqlName(name)})`).join(', ');
  const scan = `ignore_errors=true, store_rejects=true, rejects_limit=${MAX_REJECTS}`;
  const rejects = await withQuery(async (query) => {
    await query(`SELECT ${read} FROM ${table(dialect, columns, scan)}`);
    return query(
      `SELECT line, any_value(column_name ORDER BY column_idx) AS name, min(line_byte_position) AS position,
         any_value(error_type::VARCHAR ORDER BY column_idx) AS kind,
         any_value(error_message ORDER BY column_idx) AS message
       FROM reject_errors GROUP BY line ORDER BY line LIMIT ${MAX_REJECTS}`,
    );
  }).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  if (rejects.length === MAX_REJECTS) {
    throw new InputError(
      `${path}: ${MAX_REJECTS} bad records or more, the first in line ${rejects[0].line} (${rejects[0].message}); is it really delimited text?`,
    );
  }
  const lines = await lineNumbers(
    path,
    rejects.map(({ position }) => Number(position)),
  );
  return rejects.map(({ line, name, kind, message }, i) => ({
    path,
    row: Number(line) - (dialect.header ? 2 : 1),
    line: lines[i],
    ...(kind === 'CAST' && { column: String(name) }),
    message: explain(String(kind), String(message)),
  }));
}

function explain(kind: string, message: string): string {
  switch (kind) {
    case 'CAST': {
      const cell = /Could not convert string "(.*)" to '/s.exec(message)?.[1] ?? '';
      return `expected a number as in the other records, got ${quoteCell(cell)}`;
    }
    case 'MISSING COLUMNS':
    case 'TOO MANY COLUMNS': {
      const [, expected, found] = /Columns: (\d+) Found: (\d+)/.exec(message) ?? [];
      return `expected ${expected} columns, got ${found}`;
    }
    case 'UNQUOTED VALUE':
      return 'a quoted value is not closed, or text follows its closing quote';
    case 'INVALID ENCODING':
      return 'not valid UTF-8';
    case 'LINE SIZE OVER MAXIMUM':
      return `longer than ${MAX_LINE_BYTES >> 20} MiB`;
    default:
      return message.split('\n', 1)[0];
  }
}

/** Line numbers, from 1, of ascending byte positions in the decompressed file. */
async function lineNumbers(path: string, positions: readonly number[]): Promise<number[]> {
  const lines: number[] = [];
  let line = 1;
  let start = 0;
  for await (const chunk of byteChunks(await diskFile(path))) {
    let scanned = 0;
    while (lines.length < positions.length && positions[lines.length] < start + chunk.length) {
      for (; scanned < positions[lines.length] - start; scanned++) if (chunk[scanned] === 10) line++;
      lines.push(line);
    }
    if (lines.length === positions.length) break;
    for (; scanned < chunk.length; scanned++) if (chunk[scanned] === 10) line++;
    start += chunk.length;
  }
  while (lines.length < positions.length) lines.push(line);
  return lines;
}

/** Gives the good records the numbers that the bad ones leave free, and passes over the first `delivered` of them. */
async function* numberRecords(
  good: AsyncGenerator<RecordBatch>,
  bad: readonly BadRecord[],
  delivered: number,
  reject: Reject,
): AsyncGenerator<RecordBatch> {
  let next = 0;
  let row = 0;
  for await (const { rows, columns } of good) {
    for (let i = 0; i < rows.length; i++, row++) {
      for (; next < bad.length && bad[next].row <= row; next++) {
        reject(bad[next]);
        row++;
      }
      rows[i] = row;
    }
    if (delivered >= rows.length) delivered -= rows.length;
    else if (delivered === 0) yield { rows, columns };
    else {
      yield withoutFirst(delivered, { rows, columns });
      delivered = 0;
    }
  }
  for (; next < bad.length; next++) reject(bad[next]);
}

function withoutFirst(count: number, { rows, columns }: RecordBatch): RecordBatch {
  const rest = Object.entries(columns).map(([name, column]) => [
    name,
    { ...column, values: column.values.slice(count) },
  ]);
  return { rows: rows.slice(count), columns: Object.fromEntries(rest) };
}

function unreadable(path: string, error: unknown): Error {
  if (error instanceof InputError) return error;
  const why = /maximum line size/i.test(String(error))
    ? `a line is longer than ${MAX_LINE_BYTES >> 20} MiB; shorten it, or close the quote that may have swallowed the lines after it`
    : `not readable as delimited text (${duckdbMessage(error)}); check the file, or name its format with --format`;
  return new InputError(`${path}: ${why}`, { cause: error });
}
