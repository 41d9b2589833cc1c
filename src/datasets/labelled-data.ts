/** From a file with labels to what an evaluation needs: tokens, labels and the part of each labelled record. */
import { InputError, listed } from '../errors.js';
import type { OnBadRecord } from '../records/bad-records.js';
import { concatenateBlocks } from '../records/batch.js';
import type { DataSource } from '../records/record-batch.js';
import type { RecordHashes } from '../records/record-hash.js';
import { selectRecords } from '../records/select-records.js';
import type { HeldOut, Part, SplitDraw } from '../records/split.js';
import type { TokenBlock } from '../records/token-block.js';
import { describeLabels, encodeLabels } from '../scoring/labels.js';
import type { Task } from '../scoring/metrics.js';
import type { LabelledRecords } from '../scoring/parts.js';
import type { Tokenizer } from '../tokenizers/index.js';
import {
  type DrawnSplit,
  describeSplit,
  drawnSplit,
  equalTestRecords,
  fewKeys,
  splitPartitions,
} from './drawn-splits.js';
import { EncodingLosses, type OnUnknown } from './encoding-losses.js';
import { idColumnOf, type Partition, partitionColumns, partKeys, type SplitRule } from './partition.js';
import { type RejectedRecords, tokenRejecter } from './rejected-records.js';
import { chooseSplit, profileForSplit } from './split-columns.js';
import {
  ClassTexts,
  checkMask,
  checkTargets,
  classesInTwoCases,
  isMissing,
  type LabelValues,
  labelValues,
  targetColumn,
} from './target-columns.js';
import { looksPerToken, tokenLabels } from './token-labels.js';
import { checkTokenizerColumns, hashesOf, placesOf } from './token-stream.js';
import { UnassignedRecords } from './unassigned-records.js';

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
  const { tokenizer, targets, split, splits = 1, heldOut, rejected } = options;
  const task = await checkLabelled(source, options);
  const known = source.columns.some(({ name }) => name === options.pretrainedSplit);
  const { notes, ...told } = chooseSplit(source.path, await profileForSplit(source), {
    column: options.splitColumn ?? (known ? options.pretrainedSplit : undefined),
    validation: options.validationColumn,
    drawn: split !== undefined,
  });
  const rule: SplitRule = { ...told, columns: tokenizer.columns, heldOut };
  const partitions = await splitPartitions(source, tokenizer, { rule, split, splits });
  const read = await readRecords(source, options, { task, rule, partitions });
  const { cells, keys } = read;
  if (read.blocks.length === 0) {
    const faults = rejected.summary();
    throw new InputError(
      `${source.path}: no record has a value in ${targets.join(', ')} and can be read; choose other target columns${faults ? `; ${faults}` : ''}`,
    );
  }

  const targetColumns = targets.map((name, target) => targetColumn(source, name, cells[target]));
  const spec = describeLabels(targetColumns, task);
  const what = idColumnOf(source) === undefined ? 'contents' : 'ids';
  const byKey = rule.column === undefined && (split ?? 'random') === 'random';
  const by = { column: rule.column, drawn: byKey ? ({ keys, what } as const) : undefined };
  const drawn = read.parts.map((parts) => drawnSplit(source.path, parts, by));
  const [first] = drawn;
  return {
    block: concatenateBlocks(read.blocks),
    labels: encodeLabels(spec, targetColumns),
    ...first,
    splits: drawn,
    spec: read.classTexts.named(spec),
    hashes: read.hashes,
    keys,
    ...(read.unlabelledBlocks.length > 0 && { unlabelledBlock: concatenateBlocks(read.unlabelledBlocks) }),
    ...(options.textColumn !== undefined && { texts: read.texts }),
    splitBy: describeSplit(rule, { split, splits }),
    croppedLabels: read.croppedLabels,
    unlabelled: read.unlabelled,
    unassigned: read.inNoPart.count,
    notes: [
      ...notes,
      read.inNoPart.summary(),
      ...read.losses.summaries('read'),
      by.drawn && fewKeys(first, by.drawn),
      split === 'rows' ? undefined : equalTestRecords(first, read.hashes),
      classesInTwoCases(spec),
    ].filter((note) => note !== undefined),
  };
}

/** The task, where it is asked for or labels of tokens tell it. Throws InputError for columns that are not there or do not fit. */
async function checkLabelled(
  source: DataSource,
  { tokenizer, targets, textColumn, maskColumn, task: asked }: LabelledOptions,
): Promise<Task | undefined> {
  checkTokenizerColumns(source, tokenizer);
  checkTargets(source, tokenizer, targets);
  if (textColumn !== undefined && !source.columns.some(({ name }) => name === textColumn))
    throw new InputError(
      `${source.path}: there is no column "${textColumn}"; its columns are ${listed(source.columns.map(({ name }) => name))}`,
    );
  const looks = async () => targets.length === 1 && (await looksPerToken(source, tokenizer, targets[0]));
  const task = asked ?? ((await looks()) ? 'per-token' : undefined);
  checkMask(source, task, maskColumn);
  if (task === 'per-token' && tokenizer.columns.some((column) => column === source.canonicalSmiles))
    throw new InputError(
      `${source.path}: labels of tokens belong to the letters of the file, in their order, and cannot be read in canonical SMILES; leave out canonical_smiles, or use a run without it`,
    );
  return task;
}

/** Reads the records that have a label and a part, in the order of the file: tokens, labels, parts and hashes of each. */
async function readRecords(
  source: DataSource,
  options: LabelledOptions,
  { task, rule, partitions }: { task?: Task; rule: SplitRule; partitions: readonly Partition[] },
) {
  const { tokenizer, targets, rejected, onBadRecord = 'auto', maskColumn, textColumn } = options;
  const inNoPart = new UnassignedRecords(rule.column);
  const losses = new EncodingLosses(source.path, options.onUnknown, onBadRecord);
  const classTexts = new ClassTexts(source, targets);
  const reject = tokenRejecter(source, onBadRecord, rejected, { auto: 'skip' });
  const partKeysOf = partKeys(source, rule.columns);
  const blocks: TokenBlock[] = [];
  const unlabelledBlocks: TokenBlock[] = [];
  /** Of each split the part of each record. */
  const parts = partitions.map((): Part[] => []);
  const hashes = { low: [] as number[], high: [] as number[] };
  const keys = { low: [] as number[], high: [] as number[] };
  const cells: (number | string | null)[][] = targets.map(() => []);
  const texts: string[] = [];
  let unlabelled = 0;
  let croppedLabels = 0;
  const onCropped = (labels: number) => {
    croppedLabels += labels;
  };
  const more = [textColumn, maskColumn].filter((column) => column !== undefined);
  const columns = [
    ...new Set([...tokenizer.columns, ...targets, ...more, ...partitionColumns(source, rule)]),
  ];
  const tokenColumns = { target: targets[0], mask: maskColumn };
  for await (const batch of source.read({ columns, verbatim: classTexts.columns })) {
    classTexts.add(batch);
    const targetValues: LabelValues[] =
      task === 'per-token'
        ? [tokenLabels(source, batch, { tokenizer, columns: tokenColumns, reject, onCropped })]
        : targets.map((target) => labelValues(source, target, batch.columns[target]));
    const partsOfRow = partitions.map((assign) => assign(batch));
    // A record that one draw puts in no part, such as what is no molecule, is in none of any.
    const [partOfRow] = partsOfRow;
    const places: number[] = [];
    const without: number[] = [];
    for (let row = 0; row < batch.rows.length; row++) {
      if (targetValues.some((values) => values[row] === undefined)) continue;
      if (targetValues.every((values) => isMissing(values[row]))) without.push(row);
      else if (partOfRow[row] !== undefined) places.push(row);
    }
    inNoPart.add(batch, partOfRow, without);
    unlabelled += without.length;
    if (options.keepUnlabelled) {
      const block = tokenizer.encode(selectRecords(batch, without), reject, losses.encoding);
      if (block.count > 0) unlabelledBlocks.push(block);
    }
    const whole = places.length === batch.rows.length;
    const block = tokenizer.encode(whole ? batch : selectRecords(batch, places), reject, losses.encoding);
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
  const collected = { blocks, unlabelledBlocks, parts, cells, texts, unlabelled, croppedLabels };
  return { ...collected, hashes: typed(hashes), keys: typed(keys), inNoPart, losses, classTexts };
}

const typed = ({ low, high }: Record<'low' | 'high', number[]>): RecordHashes => ({
  low: Uint32Array.from(low),
  high: Uint32Array.from(high),
});
