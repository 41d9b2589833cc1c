/** A delimited file as plain JavaScript reads it: slowly, but with the line of every bad record. */
import { InputError } from '../../errors.js';
import type { ByteFile } from '../bytes/byte-file.js';
import { byteChunks, isDamagedText, lineChunks } from '../bytes/bytes.js';
import type { BadRecord } from '../record-batch.js';
import { plainNumber } from './cell-format.js';
import { type DelimitedRecord, delimitedRecords } from './delimited-text.js';
import type { Dialect } from './dialect.js';
import { isCode } from './infer-format.js';

/** More bad records than this are not listed: the file is then not what it seems. */
const MAX_BAD_RECORDS = 100_000;

/** What a pass over the records found. */
export interface Examined {
  /** The records that no column can be read of. */
  readonly bad: readonly BadRecord[];
  /** Places of columns with a cell that is neither missing nor a plain number that float64 holds, or that may be a code. */
  readonly notNumbers: ReadonlySet<number>;
  /** The line on which a record begins. */
  readonly lineOf: (row: number) => number;
}

/** The mark that replaces bytes which are not UTF-8, where it is written in the file itself; and what stands for it here. */
const WRITTEN_MARK = new TextEncoder().encode('\uFFFD');
const KEPT_MARK = '\uE0FD';
const KEPT_BYTES = new TextEncoder().encode(KEPT_MARK);

/** The same text with marks of its own told from those that decoding makes. */
function literalsKept(file: ByteFile): ByteFile {
  const stream = async function* () {
    for await (const chunk of byteChunks(file)) yield replaced(chunk);
  };
  return { name: file.name, size: file.size, recoded: true, stream, slice: () => new Blob([]) };
}

function replaced(bytes: Uint8Array): Uint8Array {
  let copy: Uint8Array | undefined;
  const [first, second, third] = WRITTEN_MARK;
  for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (bytes[at + 1] !== second || bytes[at + 2] !== third) continue;
    copy ??= bytes.slice();
    copy.set(KEPT_BYTES, at);
  }
  return copy ?? bytes;
}

/** A cell as the file spells it. */
export const spelled = (cell: string): string =>
  cell.includes(KEPT_MARK) ? cell.replaceAll(KEPT_MARK, '\uFFFD') : cell;

/** The records below the header, whose cells `spelled` gives as they are written. */
export async function* recordsBelow(
  file: ByteFile,
  dialect: Dialect,
): AsyncGenerator<readonly DelimitedRecord[]> {
  async function* below() {
    for await (const { firstLine, lines } of lineChunks(literalsKept(file))) {
      const left = Math.max(0, dialect.skip - firstLine + 1);
      yield { firstLine: firstLine + left, lines: lines.slice(left) };
    }
  }
  let header = dialect.header;
  for await (const records of delimitedRecords(below(), dialect, { keepBlank: dialect.names.length === 1 })) {
    const rest = header ? records.slice(1) : records;
    header = false;
    if (rest.length > 0) yield rest;
  }
}

/** Cells more than there are columns are passed over where they are empty. */
const fitsWidth = (cells: readonly string[], width: number): boolean =>
  cells.length >= width && cells.every((cell, i) => i < width || cell === '');

/** What is wrong with a record, in words. */
export function faultOf({ cells, fault }: DelimitedRecord, width: number): string | undefined {
  if (fault) return fault;
  if (cells.some(isDamagedText))
    return 'not valid UTF-8; name its encoding with --encoding if the file has another';
  return fitsWidth(cells, width) ? undefined : `expected ${width} columns, got ${cells.length}`;
}

/** What is said of a file whose lines end in different ways. */
export const crAloneMessage = (path: string, line: number): string =>
  `${path}: line ${line}: a carriage return alone ends lines here, and others end otherwise; save the file with one kind of line end`;

/** Reads all records once. Throws InputError for a file of nothing but bad ones. */
export async function examine(
  path: string,
  file: ByteFile,
  dialect: Dialect,
  missing: readonly string[] = [],
): Promise<Examined> {
  const width = dialect.names.length;
  const absent = new Set(['', ...missing]);
  const bad: BadRecord[] = [];
  const notNumbers = new Set<number>();
  /** The records before which there are more lines than one a record, and the lines they begin on. */
  const steps: { row: number; line: number }[] = [];
  let expected = -1;
  let row = 0;
  for await (const records of recordsBelow(file, dialect)) {
    for (const record of records) {
      if (record.line !== expected) steps.push({ row, line: record.line });
      expected = record.line + 1;
      const message = faultOf(record, width);
      if (message !== undefined && !record.fault && record.cells.some((cell) => cell.includes('\r'))) {
        throw new InputError(crAloneMessage(path, record.line));
      }
      if (message !== undefined) {
        bad.push({ path, row, line: record.line, message });
        if (bad.length === MAX_BAD_RECORDS) {
          throw new InputError(
            `${path}: ${MAX_BAD_RECORDS} bad records or more, the first in line ${bad[0].line} (${bad[0].message}); is it really delimited text?`,
          );
        }
      } else {
        for (let i = 0; i < width; i++) {
          if (notNumbers.has(i) || absent.has(record.cells[i])) continue;
          if (plainNumber(record.cells[i]) === undefined || isCode(record.cells[i])) notNumbers.add(i);
        }
      }
      row++;
    }
  }
  const lineOf = (wanted: number) => {
    const step = steps.findLast((candidate) => candidate.row <= wanted) ?? { row: 0, line: 1 };
    return step.line + wanted - step.row;
  };
  return { bad, notNumbers, lineOf };
}
