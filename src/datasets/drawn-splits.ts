/** Which labelled records are in which part: the draws that can be asked for, what they are called, and what is wrong with them. */
import { InputError } from '../errors.js';
import { balancedScaffoldSplits, scaffoldSplit } from '../molecules/scaffold.js';
import type { DataSource } from '../records/record-batch.js';
import type { RecordHashes } from '../records/record-hash.js';
import { type HeldOut, PARTS, type Part, partOf, SPLIT_SEED, type SplitDraw } from '../records/split.js';
import type { LabelledRecords } from '../scoring/parts.js';
import type { Tokenizer } from '../tokenizers/index.js';
import { type Partition, partition, type SplitRule } from './partition.js';

/** Which labelled records are in which part. */
export interface DrawnSplit {
  /** The records of each part, ascending. */
  readonly members: LabelledRecords['members'];
  /** Records in each part. */
  readonly counts: Readonly<Record<Part, number>>;
}

/** How parts are drawn, where no column gives them. */
export interface Draws {
  readonly split?: SplitDraw;
  /** How many times, with the seeds 0, 1, …. */
  readonly splits: number;
}

/**
 * A partition for each split. Throws InputError where several would be one and the same, and for what is to be split by scaffold
 * and is not molecules.
 */
export async function splitPartitions(
  source: DataSource,
  tokenizer: Tokenizer,
  { rule, split, splits }: Draws & { readonly rule: SplitRule },
): Promise<readonly Partition[]> {
  checkRepeated(source.path, splits, rule.column, split);
  const { heldOut } = rule;
  const seeds = Array.from({ length: splits }, (_, seed) => SPLIT_SEED + seed);
  switch (split) {
    case 'scaffold':
    case 'scaffold-balanced':
      return partitionByScaffold(source, tokenizer, { heldOut, split, seeds });
    case 'rows':
      return seeds.map((seed) => rowByRow(seed, heldOut));
    default:
      return Promise.all(seeds.map((seed) => partition(source, { ...rule, seed })));
  }
}

/** Draws each row by itself, so that equal records can be in different parts. */
const rowByRow =
  (seed: number, heldOut: HeldOut): Partition =>
  ({ rows }) =>
    Array.from(rows, (row) => partOf(String(row), seed, heldOut));

/** The parts follow from all molecules of the file, labelled or not, so that they are the same for every target. */
async function partitionByScaffold(
  source: DataSource,
  { kind, text: read }: Tokenizer,
  { heldOut, split, seeds }: { heldOut: HeldOut; split: SplitDraw; seeds: readonly number[] },
): Promise<Partition[]> {
  if (!read) {
    throw new InputError(
      `${source.path}: a split by scaffold needs a run that reads molecules as SMILES text, with the sequence or byte-pairs tokenizer; this one has ${kind}; try --split random`,
    );
  }
  const rows: number[] = [];
  const smiles: string[] = [];
  for await (const batch of source.read({ columns: [read.column] })) {
    const { values } = batch.columns[read.column];
    for (let place = 0; place < batch.rows.length; place++) {
      const text = values[place];
      if (typeof text !== 'string' || text === '') continue;
      rows.push(batch.rows[place]);
      smiles.push(text);
    }
  }
  const drawn =
    split === 'scaffold'
      ? [await scaffoldSplit(smiles, heldOut)]
      : await balancedScaffoldSplits(smiles, heldOut, seeds);
  if (drawn[0].every((part) => part === undefined)) {
    throw new InputError(
      `${source.path}: a split by scaffold needs molecules as SMILES; RDKit reads none of the ${smiles.length} texts in column "${read.column}"; try --split random`,
    );
  }
  return drawn.map((parts): Partition => {
    const partOfRow = new Map(rows.map((row, i) => [row, parts[i]]));
    return (batch) => Array.from(batch.rows, (row) => partOfRow.get(row));
  });
}

/** Throws InputError where several splits would be one and the same. */
function checkRepeated(
  path: string,
  splits: number,
  column: string | undefined,
  split: SplitDraw | undefined,
): void {
  if (splits === 1) return;
  if (column !== undefined) {
    throw new InputError(
      `${path}: column "${column}" gives the parts, so there is one split and not ${splits}; draw parts whatever it says with --split random or scaffold-balanced, or leave --splits out`,
    );
  }
  if (split === 'scaffold') {
    throw new InputError(
      `${path}: a split by scaffold has no chance in it, so all ${splits} would be the same; try --split scaffold-balanced, or leave --splits out`,
    );
  }
}

/** What each draw is called, where chance is in it. */
const DRAWS: Readonly<Record<Exclude<SplitDraw, 'scaffold'>, string>> = {
  random: 'random draw',
  rows: 'random draw of rows',
  'scaffold-balanced': 'balanced scaffolds',
};

/** Where the parts come from, for people. */
export function describeSplit(
  { column, validation, heldOut }: SplitRule,
  { split = 'random', splits }: Draws,
): string {
  if (column !== undefined) return `column ${column}${validation === undefined ? '' : ` and ${validation}`}`;
  const fractions = `${percent(heldOut.valid)} valid, ${percent(heldOut.test)} test`;
  const seeds = splits === 1 ? `seed ${SPLIT_SEED}` : `${splits} splits, seeds 0 to ${splits - 1}`;
  if (split === 'scaffold') return `scaffold (${fractions})`;
  return `${DRAWS[split]} (${fractions}, ${seeds})`;
}

const percent = (fraction: number) => `${Number((100 * fraction).toPrecision(3))} %`;

/** Parts that were drawn by keys: records of one key are kept together. */
export interface DrawnByKeys {
  readonly keys: RecordHashes;
  /** What the keys are. */
  readonly what: 'contents' | 'ids';
}

/** How many keys these records have. */
const countKeys = ({ low, high }: RecordHashes, records: ArrayLike<number>): number =>
  new Set(Array.from(records, (record) => `${low[record]}:${high[record]}`)).size;

/** Fewer keys than this judge nothing. */
const FEW_KEYS = 20;

/** A warning where the test records are many, but mostly of one key. */
export function fewKeys({ members: { test } }: DrawnSplit, { keys, what }: DrawnByKeys): string | undefined {
  const found = countKeys(keys, test);
  if (found >= FEW_KEYS || test.length < 4 * found) return undefined;
  return `the ${test.length} test records have ${found} different ${what}, since records that share them are kept in one part; --split rows draws rows one by one, so that the test shares them with training`;
}

/** A smaller share of equal test records tells little of a score. */
const FEW_EQUAL = 0.01;

/** A warning where test records equal those that are learned from or chosen by, in all that is read of them. */
export function equalTestRecords({ members }: DrawnSplit, { low, high }: RecordHashes): string | undefined {
  const hashOf = (record: number) => `${low[record]}:${high[record]}`;
  const known = new Set([...members.train, ...members.valid].map(hashOf));
  const equal = members.test.filter((record) => known.has(hashOf(record))).length;
  if (equal <= FEW_EQUAL * members.test.length) return undefined;
  return `${equal} of the ${members.test.length} test records equal training or validation records in all that is read of them, so scores tell less of new records; leave repeated records out, or give equal ones one id`;
}

/** The split in which each record has its part. Throws InputError where a part has none. */
export function drawnSplit(
  path: string,
  parts: readonly Part[],
  by: { readonly column?: string; readonly drawn?: DrawnByKeys },
): DrawnSplit {
  const of = (wanted: Part) =>
    Int32Array.from([...parts.keys()].filter((record) => parts[record] === wanted));
  const members = { train: of('train'), valid: of('valid'), test: of('test') };
  return { members, counts: countParts(path, members, by) };
}

function countParts(
  path: string,
  members: DrawnSplit['members'],
  { column, drawn }: { readonly column?: string; readonly drawn?: DrawnByKeys },
): DrawnSplit['counts'] {
  const [train, valid, test] = PARTS.map((part) => members[part].length);
  if (train > 0 && valid > 0 && test > 0) return { train, valid, test };
  let advice = 'give more records or larger --valid-fraction and --test-fraction';
  if (column !== undefined)
    advice = `check column "${column}", name another with --split-column, or draw parts with --split random`;
  else if (drawn) {
    const found = countKeys(drawn.keys, Uint32Array.from(drawn.keys.low.keys()));
    if (found <= drawn.keys.low.length / 2)
      advice = `they have ${found} different ${drawn.what}, and records that share them are kept in one part; --split rows draws rows one by one, so that the test shares them with training`;
  }
  throw new InputError(
    `${path}: expected labelled records in every part, got ${train} train, ${valid} valid and ${test} test; ${advice}`,
  );
}
