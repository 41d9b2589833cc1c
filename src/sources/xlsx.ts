/** Excel's `.xlsx`: the first sheet, read as a whole by read-excel-file. */
import { zipSync } from 'fflate';
import { InputError } from '../errors.js';
import type { ByteFile } from '../records/bytes/byte-file.js';
import { memberContent, zipMembers } from '../records/bytes/zip.js';
import { type ObjectRecord, objectReader } from '../records/object-records.js';
import type { Reader } from '../records/reader.js';
import type { ReaderOptions } from '../records/reader-options.js';

/** What the file unpacks to. */
const MAX_UNPACKED = 1 << 30;

/** Columns of a sheet of Excel, the last of which is XFD. */
const MOST_COLUMNS = 1 << 14;

/** Excel counts days from here on, in workbooks of the 1904 date system later. A time without a day is a part of the first. */
const EPOCH = Date.UTC(1899, 11, 30);
const EPOCH_1904 = Date.UTC(1904, 0, 1);
const DAY = 86_400_000;

type Cell = string | number | boolean | Date | null;

/**
 * The first row that is not empty is the header; a column without a name there is `column` and its number, from 0. Dates
 * are given as text of ISO 8601, times without a day as `timesOf` says. Rows without any cell are no records. Throws InputError for a
 * header that names a column twice.
 */
export async function xlsxReader(file: ByteFile, { missing }: ReaderOptions = {}): Promise<Reader> {
  const { sheets, epoch } = await readSheets(file);
  const [{ sheet, data }] = sheets;
  const header = data.findIndex((row) => row.some((cell) => cell !== null));
  if (header < 0) throw new InputError(`${file.name}: the first sheet, "${sheet}", is empty`);
  const rows = data.slice(header + 1);
  const width = data.slice(header).reduce((most, row) => Math.max(most, row.length), 0);
  if (width > MOST_COLUMNS) {
    throw new InputError(
      `${file.name}: the sheet "${sheet}" has a cell in column ${width}, and Excel has ${MOST_COLUMNS}; save it again, or as .csv`,
    );
  }
  const names: string[] = Array.from({ length: width }, (_, j) => {
    const cell = data[header][j] ?? null;
    return cell === null ? `column${j}` : String(asText(cell)).trim();
  });
  const first = new Map(names.toReversed().map((name, j) => [name, width - 1 - j]));
  const twice = names.find((name, j) => first.get(name) !== j);
  if (twice !== undefined) {
    throw new InputError(
      `${file.name}: row ${header + 1} of the sheet "${sheet}" names the column "${twice}" twice; rename one of them`,
    );
  }
  const times = names.map((_, j) =>
    timesOf(
      rows.map((row) => row[j] ?? null),
      epoch,
    ),
  );
  const reader = await objectReader(file.name, {
    missing,
    records: () => recordsOf(rows, names, { header, times, epoch }),
    nestedCell: (value) => (value instanceof Date ? isoText(value) : String(value)),
    expected: `rows below the header in the first sheet, "${sheet}"`,
  });
  const others = sheets.slice(1).map(({ sheet }) => ({
    name: `sheet ${sheet}`,
    reason: 'not the first sheet; save it as a file of its own',
  }));
  const notes = names.flatMap((name, j) =>
    times[j] ? [`column ${name}: cells without a day are read as ${times[j]}`] : [],
  );
  return {
    ...reader,
    leftOut: [...(reader.leftOut ?? []), ...others],
    notes: [...(reader.notes ?? []), ...notes],
  };
}

/**
 * What the dates of a column are where all are of the days that Excel begins to count with: times of day, or lengths of
 * time in hours where one is longer than a day.
 */
function timesOf(cells: readonly Cell[], epoch: number): 'times of day' | 'hours' | undefined {
  const days = cells.flatMap((cell) => (cell instanceof Date ? [(cell.getTime() - epoch) / DAY] : []));
  if (days.length === 0 || !days.every((day) => day >= 0 && day < 60)) return undefined;
  return days.every((day) => day < 1) ? 'times of day' : 'hours';
}

async function readSheets(
  file: ByteFile,
): Promise<{ sheets: { sheet: string; data: Cell[][] }[]; epoch: number }> {
  const members = await zipMembers(file);
  const unpacked = members.reduce((sum, { size }) => sum + size, 0);
  if (unpacked > MAX_UNPACKED) {
    throw new InputError(
      `${file.name}: unpacks to ${(unpacked / 2 ** 20).toFixed(0)} MiB, at most ${MAX_UNPACKED >> 20} MiB are read; save it as .csv`,
    );
  }
  // Read and checked here: of some damaged archives the library's own reading never ends.
  const parts: Record<string, [Uint8Array, { level: 0 }]> = Object.create(null);
  for (const member of members) parts[member.name] = [await memberContent(file, member), { level: 0 }];
  const { default: readExcel } = await import('read-excel-file/node');
  try {
    const read: unknown = await readExcel(Buffer.from(zipSync(parts)));
    const book = parts['xl/workbook.xml']?.[0];
    const from1904 =
      book && /<(\w+:)?workbookPr[^>]*\bdate1904="(1|true)"/.test(new TextDecoder().decode(book));
    return { sheets: read as { sheet: string; data: Cell[][] }[], epoch: from1904 ? EPOCH_1904 : EPOCH };
  } catch (cause) {
    const why = String((cause as Error).message)
      .split('\n', 1)[0]
      .slice(0, 200);
    throw new InputError(`${file.name}: not a readable .xlsx file (${why}); save it again, or as .csv`, {
      cause,
    });
  }
}

async function* recordsOf(
  rows: readonly Cell[][],
  names: readonly string[],
  { header, times, epoch }: { header: number; times: readonly ReturnType<typeof timesOf>[]; epoch: number },
): AsyncGenerator<ObjectRecord> {
  let row = 0;
  for (let i = 0; i < rows.length; i++) {
    const cells = rows[i];
    if (cells.every((cell) => cell === null)) continue;
    const object: Record<string, unknown> = Object.create(null);
    names.forEach((name, j) => {
      const cell = cells[j] ?? null;
      if (!(cell instanceof Date) || times[j] === undefined) object[name] = cell;
      else object[name] = times[j] === 'hours' ? (24 * (cell.getTime() - epoch)) / DAY : timeText(cell);
    });
    yield { row: row++, line: header + 2 + i, size: 16 * names.length, object };
  }
}

const asText = (cell: Cell): string | number | boolean | null =>
  cell instanceof Date ? isoText(cell) : cell;

/** The time of a day: `14:57:07`. */
const timeText = (date: Date): string => date.toISOString().slice(11, 23).replace('.000', '');

/** A day, or a day with a time. */
function isoText(date: Date): string {
  if (Number.isNaN(date.getTime())) return '';
  return date
    .toISOString()
    .replace(/T00:00:00\.000Z$/, '')
    .replace(/\.000Z$/, 'Z');
}
