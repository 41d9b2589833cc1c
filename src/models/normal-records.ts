/** Records that are taken to be normal, in two parts: those a model may have learned from, and others that it has not. */
import { partition, partitionColumns, type SplitRule } from '../datasets/partition.js';
import { InputError } from '../errors.js';
import { concatenateBlocks, takeRecords } from '../records/batch.js';
import type { DataSource } from '../records/record-batch.js';
import type { TokenBlock } from '../records/token-block.js';
import type { NormalRecords } from './anomaly-detector.js';
import type { EncodedRecords } from './encoded-records.js';
import type { OpenModel } from './open-model.js';

/** Part of records which the model has not learned from that is held out of what others are compared with. */
const HELD_OUT = 0.25;

/** How the run's own file was split when it learned from it. */
export function ownSplit({ run, tokenizer }: OpenModel): SplitRule {
  const { data } = run!.config;
  return {
    column: data.split_column,
    validation: data.validation_column,
    columns: tokenizer.columns,
    heldOut: { valid: data.valid_fraction, test: data.test_fraction ?? 0 },
  };
}

/** Of other records a quarter is held out, those that are equal together. */
export const drawnSplit = ({ tokenizer }: Pick<OpenModel, 'tokenizer'>): SplitRule => ({
  columns: tokenizer.columns,
  heldOut: { valid: HELD_OUT, test: 0 },
});

/** All records by their part; `read` gives them with the columns that the rule looks at. Throws InputError where a part has none. */
export async function normalRecords(
  source: DataSource,
  rule: SplitRule,
  read: (columns: readonly string[]) => AsyncIterable<EncodedRecords>,
): Promise<NormalRecords> {
  const parts = await partition(source, rule);
  const reference: TokenBlock[] = [];
  const heldOut: TokenBlock[] = [];
  for await (const { batch, block, places } of read(partitionColumns(source, rule))) {
    const partOf = parts(batch);
    const inPart = (learned: boolean) =>
      [...places.keys()].filter((record) => {
        const part = partOf[places[record]];
        return part !== undefined && (part === 'train') === learned;
      });
    for (const [into, records] of [
      [reference, inPart(true)],
      [heldOut, inPart(false)],
    ] as const)
      if (records.length > 0) into.push(takeRecords(block, records));
  }
  for (const [blocks, what] of [
    [reference, 'to compare with'],
    [heldOut, 'to hold out'],
  ] as const)
    if (blocks.length === 0)
      throw new InputError(`${source.path}: has no normal records ${what}; name a file with more of them`);
  return { reference: concatenateBlocks(reference), heldOut: concatenateBlocks(heldOut) };
}
