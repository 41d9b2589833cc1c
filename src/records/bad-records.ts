/** What happens to a record that cannot be read: refused or skipped and counted. */
import { InputError, oneLine } from '../errors.js';
import type { BadRecord } from './record-batch.js';

/** `auto` fails at a bad record among the first hundred, which points at a wrong format, and skips later ones. */
export type OnBadRecord = 'auto' | 'fail' | 'skip';

const FAIL_UNDER_ROWS = 100;

/** Throws InputError for a bad record, or returns when it is to be skipped. */
export type Reject = (bad: BadRecord) => void;

/** `path: line 3, column "age": expected a number, got "oops"`. */
export function describeBadRecord({ path, row, line, column, message }: BadRecord): string {
  const where = line === undefined ? `record ${row}` : `line ${line}`;
  return `${path}: ${where}${column === undefined ? '' : `, column "${column}"`}: ${message}`;
}

/** The policy of one source. `report` hears of each skipped record once, however often the source is read. */
export function rejectBy(onBadRecord: OnBadRecord, report?: (bad: BadRecord) => void): Reject {
  let lastReported = -1;
  return (bad) => {
    if (onBadRecord === 'fail' || (onBadRecord === 'auto' && bad.row < FAIL_UNDER_ROWS)) {
      throw new InputError(`${describeBadRecord(bad)}; correct it, or skip it with --on-bad-record skip`);
    }
    if (bad.row <= lastReported) return;
    lastReported = bad.row;
    report?.({ ...bad, message: oneLine(bad.message) });
  };
}

/** A cell as it appears in a message: quoted, and short even when the cell is not. */
export function quoteCell(cell: string): string {
  return JSON.stringify(cell.length > 40 ? `${cell.slice(0, 40)}…` : cell);
}
