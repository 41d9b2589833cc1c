/** From a file with labels to what an evaluation needs: tokens, labels and the part of each labelled record. */
import { InputError, listed } from '../errors.js';
import { balancedScaffoldSplits, scaffoldSplit } from '../molecules/scaffold.js';
import type { OnBadRecord } from '../records/bad-records.js';
import { concatenateBlocks } from '../records/batch.js';
import type { DataSource } from '../records/record-batch.js';
import type { RecordHashes } from '../records/record-hash.js';
import { selectRecords } from '../records/select-records.js';
import { type HeldOut, PARTS, type Part, partOf, SPLIT_SEED, type SplitDraw } from '../records/split.js';
import type { TokenBlock } from '../records/token-block.js';
import { describeLabels, encodeLabels } from '../scoring/labels.js';
import type { Task } from '../scoring/metrics.js';
import type { LabelledRecords } from '../scoring/parts.js';
import type { Tokenizer } from '../tokenizers/index.js';
import {
  idColumnOf,
  type Partition,
  partition,
  partitionColumns,
  partKeys,
  type SplitRule,
} from './partition.js';
import { type RejectedRecords, tokenRejecter } from './rejected-records.js';
import { chooseSplit, profileForSplit } from './split-columns.js';
import {
  ClassTexts,
  checkMask,
  checkTargets,
  isMissing,
  type LabelValues,
  labelValues,
  targetColumn,
} from './target-columns.js';
import { looksPerToken, tokenLabels } from './token-labels.js';
import { checkTokenizerColumns, hashesOf, placesOf } from './token-stream.js';
import { UnassignedRecords } from './unassigned-records.js';
import { type OnUnknown, UnknownValues } from './unknown-values.js';

/** Which labelled records are in which part. */
export interface DrawnSplit {
  /** The records of each part, ascending. */
  readonly members: LabelledRecords['members'];
  /** Records in each part. */
  readonly counts: Readonly<Record<Part, number>>;
}

export interface LabelledData extends LabelledRecords, DrawnSplit {
  /** The splits that were asked for, drawn with the seeds 0, 1, …; the first is that of `members` and `counts`. */
  readonly splits: readonly DrawnSplit[];
  /** What each record of the block is to the encoder. */
  readonly hashes: RecordHashes;
  /** What a draw of parts knows of each record. */
  readonly keys: RecordHashes;
  /** The records without a value in any target column, where they were asked for. */
  readonly unlabelledBlock?: TokenBlock;
  /** The text of each record, where its column was asked for; '' where the cell is missing. */
  readonly texts?: readonly string[];
  /** Where the parts come from, for people. */
  readonly splitBy: string;
  /** Labels of tokens that the tokenizer crops, which were left out. */
  readonly croppedLabels: number;
  /** Records without a value in any target column. */
  readonly unlabelled: number;
  /** Records that the split column puts in no part, or that are no molecules to split by scaffold, which were left out. */
  readonly unassigned: number;
  /** What a user should hear of the split, each a sentence. */
  readonly notes: readonly string[];
}

export interface LabelledOptions {
  readonly tokenizer: Tokenizer;
  readonly targets: readonly string[];
  /** Hears of the records that the tokenizer cannot read, beside those of the reader. */
  readonly rejected: RejectedRecords;
  /** `auto` by default, which skips what only the tokenizer cannot read. */
  readonly onBadRecord?: OnBadRecord;
  /** What becomes of letters and categories that the tokenizer does not know; `keep` by default. */
  readonly onUnknown?: OnUnknown;
  /** Follows from the target columns by default. */
  readonly task?: Task;
  /** Text of 0 and 1 for each token: which labels of a per-token task count. All by default. */
  readonly maskColumn?: string;
  /** Draws parts whatever a split column says. */
  readonly split?: SplitDraw;
  /** How many times parts are drawn, with the seeds 0, 1, …; once by default. */
  readonly splits?: number;
  /** By default `pretrainedSplit` or a column that `chooseSplit` finds; without one, parts are drawn. */
  readonly splitColumn?: string;
  /** See `SplitRule`; found beside the split column by default. */
  readonly validationColumn?: string;
  /** The column that pretraining was split by: what it learned from must not become a test record. */
  readonly pretrainedSplit?: string;
  /** Used where parts are drawn, and validation's for a split column that names no validation part. */
  readonly heldOut: HeldOut;
  /** Whether the tokens of records without a label are kept, too. */
  readonly keepUnlabelled?: boolean;
  /** A column whose texts are kept beside the tokens. */
  readonly textColumn?: string;
}

/**
 * Reads a labelled source into memory, with a tokenizer that was fitted on other data.
 * Throws InputError when a column is not there, the targets fit no task, a part is left without labelled records, what is
 * to be split by scaffold is not molecules, or several splits are asked for where nothing is drawn.
 */
export async function readLabelled(source: DataSource, options: LabelledOptions): Promise<LabelledData> {
  const { tokenizer, targets, split, splits = 1, heldOut, rejected, onBadRecord = 'auto' } = options;
  checkTokenizerColumns(source, tokenizer);
  checkTargets(source, tokenizer, targets);
  const { textColumn } = options;
  if (textColumn !== undefined && !source.columns.some(({ name }) => name === textColumn))
    throw new InputError(
      `${source.path}: there is no column "${textColumn}"; its columns are ${listed(source.columns.map(({ name }) => name))}`,
    );
  const task =
    options.task ??
    (targets.length === 1 && (await looksPerToken(source, tokenizer, targets[0])) ? 'per-token' : undefined);
  checkMask(source, task, options.maskColumn);
  if (task === 'per-token' && tokenizer.columns.some((column) => column === source.canonicalSmiles))
    throw new InputError(
      `${source.path}: labels of tokens belong to the letters of the file, in their order, and cannot be read in canonical SMILES; leave out canonical_smiles, or use a run without it`,
    );
  const known = source.columns.some(({ name }) => name === options.pretrainedSplit);
  const { notes, ...told } = chooseSplit(source.path, await profileForSplit(source), {
    column: options.splitColumn ?? (known ? options.pretrainedSplit : undefined),
    validation: options.validationColumn,
    drawn: split !== undefined,
  });
  const rule: SplitRule = { ...told, columns: tokenizer.columns, heldOut };
  const inNoPart = new UnassignedRecords(rule.column);
  const unknown = new UnknownValues(source.path, options.onUnknown, onBadRecord);
  checkRepeated(source.path, splits, rule.column, split);
  const seeds = Array.from({ length: splits }, (_, seed) => SPLIT_SEED + seed);
  const partitions: Partition[] =
    split === 'scaffold' || split === 'scaffold-balanced'
      ? await partitionByScaffold(source, tokenizer, { heldOut, split, seeds })
      : split === 'rows'
        ? seeds.map((seed) => rowByRow(seed, heldOut))
        : await Promise.all(seeds.map((seed) => partition(source, { ...rule, seed })));
  const reject = tokenRejecter(source, onBadRecord, rejected, { auto: 'skip' });

  const blocks: TokenBlock[] = [];
  const unlabelledBlocks: TokenBlock[] = [];
  /** Of each split the part of each record. */
  const parts = seeds.map((): Part[] => []);
  const hashes = { low: [] as number[], high: [] as number[] };
  const partKeysOf = partKeys(source, rule.columns);
  const keys = { low: [] as number[], high: [] as number[] };
  const cells: (number | string | null)[][] = targets.map(() => []);
  const texts: string[] = [];
  const tokenColumns = { target: targets[0], mask: options.maskColumn };
  const counts = { croppedLabels: 0, unlabelled: 0 };
  const onCropped = (labels: number) => {
    counts.croppedLabels += labels;
  };
  const columns = [
    ...new Set([
      ...tokenizer.columns,
      ...targets,
      ...(textColumn === undefined ? [] : [textColumn]),
      ...(options.maskColumn === undefined ? [] : [options.maskColumn]),
      ...partitionColumns(source, rule),
    ]),
  ];
  const classTexts = new ClassTexts(source, targets);
  for await (const batch of source.read({ columns, verbatim: classTexts.columns })) {
    classTexts.add(batch);
    const targetValues: LabelValues[] =
      task === 'per-token'
        ? [tokenLabels(source, batch, { tokenizer, columns: tokenColumns, reject, onCropped })]
        : targets.map((target) => labelValues(source, target, batch.columns[target]));
    const partsOfRow = partitions.map((assign) => assign(batch));
    // A record that one draw puts in no part, such as what is no molecule, is in none of any.
    const [partOfRow] = partsOfRow;
    inNoPart.add(batch, partOfRow);
    const places: number[] = [];
    const unlabelled: number[] = [];
    for (let row = 0; row < batch.rows.length; row++) {
      if (targetValues.some((values) => values[row] === undefined)) continue;
      if (targetValues.every((values) => isMissing(values[row]))) unlabelled.push(row);
      else if (partOfRow[row] !== undefined) places.push(row);
    }
    counts.unlabelled += unlabelled.length;
    if (options.keepUnlabelled)
      unlabelledBlocks.push(tokenizer.encode(selectRecords(batch, unlabelled), reject, unknown.encoding));
    const whole = places.length === batch.rows.length;
    const block = tokenizer.encode(whole ? batch : selectRecords(batch, places), reject, unknown.encoding);
    if (block.count === 0) continue;
    blocks.push(block);
    const { low, high } = hashesOf(batch, tokenizer);
    const key = partKeysOf(batch);
    for (const place of placesOf(block, batch)) {
      if (textColumn !== undefined) texts.push(String(batch.columns[textColumn].values[place] ?? ''));
      for (const [split, drawn] of partsOfRow.entries()) parts[split].push(drawn[place]!);
      hashes.low.push(low[place]);
      hashes.high.push(high[place]);
      keys.low.push(key.low[place]);
      keys.high.push(key.high[place]);
      targetValues.forEach((values, target) => {
        const value = values[place];
        if (typeof value === 'object' && value !== null) for (const label of value) cells[target].push(label);
        else cells[target].push(value ?? null);
      });
    }
  }
  if (blocks.length === 0) {
    const faults = rejected.summary();
    throw new InputError(
      `${source.path}: no record has a value in ${targets.join(', ')} and can be read; choose other target columns${faults ? `; ${faults}` : ''}`,
    );
  }

  const targetColumns = targets.map((name, target) => targetColumn(source, name, cells[target]));
  const spec = describeLabels(targetColumns, task);
  const what = idColumnOf(source) === undefined ? ('contents' as const) : ('ids' as const);
  const byKey = rule.column === undefined && (split ?? 'random') === 'random';
  const by = { column: rule.column, drawn: byKey ? { keys: typed(keys), what } : undefined };
  const drawn = parts.map((ofRecords): DrawnSplit => {
    const members = membersOf(ofRecords);
    return { members, counts: countParts(source.path, members, by) };
  });
  const withoutLabel = unlabelledBlocks.filter(({ count }) => count > 0);
  return {
    block: concatenateBlocks(blocks),
    labels: encodeLabels(spec, targetColumns),
    ...drawn[0],
    splits: drawn,
    spec: classTexts.named(spec),
    hashes: typed(hashes),
    keys: typed(keys),
    ...(withoutLabel.length > 0 && { unlabelledBlock: concatenateBlocks(withoutLabel) }),
    ...(textColumn !== undefined && { texts }),
    splitBy: describeSplit(rule, split, splits),
    ...counts,
    unassigned: inNoPart.count,
    notes: [
      ...notes,
      inNoPart.summary(),
      unknown.summary('read'),
      by.drawn && fewKeys(drawn[0].members.test, by.drawn),
    ].filter((note) => note !== undefined),
  };
}

/** The records of each part, ascending. */
function membersOf(parts: readonly Part[]): LabelledData['members'] {
  const of = (wanted: Part) =>
    Int32Array.from([...parts.keys()].filter((record) => parts[record] === wanted));
  return { train: of('train'), valid: of('valid'), test: of('test') };
}

const typed = ({ low, high }: Record<'low' | 'high', number[]>): RecordHashes => ({
  low: Uint32Array.from(low),
  high: Uint32Array.from(high),
});

/** Parts that were drawn by keys: records of one key are kept together. */
interface DrawnByKeys {
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
function fewKeys(test: ArrayLike<number>, { keys, what }: DrawnByKeys): string | undefined {
  const found = countKeys(keys, test);
  if (found >= FEW_KEYS || test.length < 4 * found) return undefined;
  return `the ${test.length} test records have ${found} different ${what}, since records that share them are kept in one part; --split rows draws rows one by one, so that the test shares them with training`;
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

function describeSplit(
  { column, validation, heldOut }: SplitRule,
  split: SplitDraw = 'random',
  splits: number,
): string {
  if (column !== undefined) return `column ${column}${validation === undefined ? '' : ` and ${validation}`}`;
  const fractions = `${percent(heldOut.valid)} valid, ${percent(heldOut.test)} test`;
  const seeds = splits === 1 ? `seed ${SPLIT_SEED}` : `${splits} splits, seeds 0 to ${splits - 1}`;
  if (split === 'scaffold') return `scaffold (${fractions})`;
  return `${DRAWS[split]} (${fractions}, ${seeds})`;
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

const percent = (fraction: number) => `${Number((100 * fraction).toPrecision(3))} %`;

function countParts(
  path: string,
  members: LabelledData['members'],
  { column, drawn }: { readonly column?: string; readonly drawn?: DrawnByKeys },
): LabelledData['counts'] {
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
