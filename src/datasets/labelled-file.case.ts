/** A labelled file read for a test, with the part of each record by its name. */
import { PARTS, type Part } from '../records/split.js';
import { openSource } from '../sources/open-source.js';
import { type LabelledOptions, readLabelled } from './labelled-data.js';
import { RejectedRecords } from './rejected-records.js';

export type LabelledFileOptions = Omit<LabelledOptions, 'rejected' | 'heldOut'> & {
  readonly path: string;
  readonly validFraction?: number;
  readonly testFraction?: number;
};

export async function readLabelledPath({
  path,
  validFraction,
  testFraction,
  ...options
}: LabelledFileOptions) {
  const { onBadRecord } = options;
  const rejected = new RejectedRecords();
  const source = await openSource(path, { onBadRecord, report: rejected.report });
  const heldOut = { valid: validFraction ?? 0.1, test: testFraction ?? 0.1 };
  const labelled = await readLabelled(source, { ...options, rejected, heldOut });
  const part: Part[] = [];
  for (const name of PARTS) for (const record of labelled.members[name]) part[record] = name;
  return { ...labelled, rejected, part };
}
