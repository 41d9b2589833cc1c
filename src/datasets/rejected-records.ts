/** What of a file is left out, and why. */

import { describeBadRecord, type OnBadRecord, rejectBy } from '../records/bad-records.js';
import { NumberSet } from '../records/number-set.js';
import type { BadRecord, DataSource } from '../records/record-batch.js';

/** What was left out and why: counted, and the first of them kept for rejected.jsonl. */
export class RejectedRecords {
  private readonly seen = new NumberSet();
  readonly first: BadRecord[] = [];
  private static readonly KEPT = 10_000;

  get count(): number {
    return this.seen.size;
  }

  readonly report = (bad: BadRecord): void => {
    if (!this.seen.add(bad.row)) return;
    if (this.first.length < RejectedRecords.KEPT) this.first.push(bad);
  };

  /** One sentence, or undefined when nothing was left out. */
  summary(): string | undefined {
    if (this.count === 0) return undefined;
    const example = describeBadRecord(this.first[0]);
    return `${this.count} ${this.count === 1 ? 'record was' : 'records were'} left out, the first: ${example}`;
  }

  jsonLines(): Uint8Array {
    return new TextEncoder().encode(this.first.map((bad) => `${JSON.stringify(bad)}\n`).join(''));
  }
}

/**
 * Bad records of the tokenizer are treated as those of the reader: refused or skipped. In the file that it was fitted
 * on, or for labels, `auto` skips them all: an empty cell there is no sign of a wrong file.
 */
export function tokenRejecter(
  source: DataSource,
  onBadRecord: OnBadRecord,
  rejected: RejectedRecords,
  { auto = 'auto' }: { auto?: OnBadRecord } = {},
) {
  const reject = rejectBy(onBadRecord === 'auto' ? auto : onBadRecord, rejected.report);
  return (row: number, column: string, message: string): void =>
    reject({ path: source.path, row, column, message });
}
