/** From a file with labels to what an evaluation needs: tokens, labels and the part of each labelled record. */

import type { FinetuneOptions, ProbeOptions, ReadingOptions } from '../config/schema.js';
import { InputError } from '../errors.js';
import { type SplitFractions, scaffoldSplit } from '../molecules/scaffold.js';
import { TEST, TRAIN, VALID } from '../probes/protocol.js';
import { concatenateBlocks } from '../records/batch.js';
import type { ColumnValues, DataSource } from '../records/record-batch.js';
import type { Part } from '../records/split.js';
import type { TokenBlock } from '../records/token-block.js';
import type { Run } from '../runs/folder.js';
import { describeLabels, encodeLabels, type LabelSpec, type TargetColumn } from '../scoring/labels.js';
import type { Task } from '../scoring/metrics.js';
import { openSource } from '../sources/open-source.js';
import type { Tokenizer } from '../tokenizers/index.js';
import {
  checkTokenizerColumns,
  findSplitColumn,
  KEEP_UNSEEN,
  type Partition,
  partition,
  partitionColumns,
  placesOf,
  RejectedRecords,
  selectRecords,
  tokenRejecter,
} from './data.js';
import { looksPerToken, tokenLabels } from './token-labels.js';

export interface LabelledData {
  /** The records that have a label and a part, in file order. */
  readonly block: TokenBlock;
  /** float64[rows, targets] as `encodeLabels` gives them, a row for each record or each token (see `labelOffsets`); NaN is missing. */
  readonly labels: Float64Array;
  /** uint8[block.count]: TRAIN, VALID or TEST. */
  readonly part: Uint8Array;
  /** Records in each part. */
  readonly counts: { readonly train: number; readonly valid: number; readonly test: number };
  readonly spec: LabelSpec;
  /** Where the parts come from, for people. */
  readonly splitBy: string;
  /** Records that could not be read or tokenized. */
  readonly rejected: RejectedRecords;
  /** Labels of tokens that the tokenizer crops, which were left out. */
  readonly croppedLabels: number;
  /** Records without a value in any target column, which were left out. */
  readonly unlabelled: number;
  /** Records that the split column puts in no part, or that are no molecules to split by scaffold, which were left out. */
  readonly unassigned: number;
}

export interface LabelledOptions {
  readonly path: string;
  readonly tokenizer: Tokenizer;
  readonly targets: readonly string[];
  /** Follows from the target columns by default. */
  readonly task?: Task;
  /** Text of 0 and 1 for each token: which labels of a per-token task count. All by default. */
  readonly maskColumn?: string;
  readonly format?: ReadingOptions['format'];
  readonly onBadRecord?: ReadingOptions['on_bad_record'];
  /** Draws parts whatever a split column says: record by record, or all molecules of one scaffold together. */
  readonly split?: FinetuneOptions['split'];
  /** By default `pretrainedSplit` or a text column whose name ends in `split`; without one, parts are drawn. */
  readonly splitColumn?: string;
  /** The column that pretraining was split by: what it learned from must not become a test record. */
  readonly pretrainedSplit?: string;
  /** 0.1 by default. Used where parts are drawn, and for a split column that names no validation part. */
  readonly validFraction?: number;
  /** 0.1 by default. Used where parts are drawn. */
  readonly testFraction?: number;
  /** Draws the parts. */
  readonly seed: number;
}

const partNumber: Record<Part, number> = { train: TRAIN, valid: VALID, test: TEST };

/**
 * Reads a labelled file into memory, with a tokenizer that was fitted on other data.
 * Throws InputError when a column is not there, the targets fit no task, a part is left without labelled records, or what
 * is to be split by scaffold is not molecules.
 */
export async function readLabelled(options: LabelledOptions): Promise<LabelledData> {
  const { path, tokenizer, targets, split, seed, validFraction = 0.1, testFraction = 0.1 } = options;
  const onBadRecord = options.onBadRecord ?? 'auto';
  const rejected = new RejectedRecords();
  const source = await openSource(path, { format: options.format, onBadRecord, report: rejected.report });
  checkTokenizerColumns(source, tokenizer);
  checkTargets(source, tokenizer, targets);
  const task =
    options.task ??
    (targets.length === 1 && (await looksPerToken(source, tokenizer, targets[0])) ? 'per-token' : undefined);
  checkMask(source, task, options.maskColumn);
  const known = source.columns.some(({ name }) => name === options.pretrainedSplit);
  const splitColumn =
    split === undefined
      ? findSplitColumn(source, options.splitColumn ?? (known ? options.pretrainedSplit : undefined))
      : undefined;
  const partsOf =
    split === 'scaffold'
      ? await partitionByScaffold(source, tokenizer, { valid: validFraction, test: testFraction })
      : await partition(source, { splitColumn, seed, validFraction, testFraction });
  const reject = tokenRejecter(source, onBadRecord, rejected, { auto: 'skip' });

  const blocks: TokenBlock[] = [];
  const parts: number[] = [];
  const cells: (number | string | null)[][] = targets.map(() => []);
  const tokenColumns = { target: targets[0], mask: options.maskColumn };
  let croppedLabels = 0;
  const onCropped = (labels: number) => {
    croppedLabels += labels;
  };
  let unlabelled = 0;
  let unassigned = 0;
  const columns = [
    ...new Set([
      ...tokenizer.columns,
      ...targets,
      ...(options.maskColumn === undefined ? [] : [options.maskColumn]),
      ...partitionColumns(source, splitColumn),
    ]),
  ];
  for await (const batch of source.read({ columns })) {
    const targetValues: LabelValues[] =
      task === 'per-token'
        ? [tokenLabels(source, batch, { tokenizer, columns: tokenColumns, reject, onCropped })]
        : targets.map((target) => labelValues(source, target, batch.columns[target]));
    const partOfRow = partsOf(batch);
    const places: number[] = [];
    for (let row = 0; row < batch.rows.length; row++) {
      if (targetValues.some((values) => values[row] === undefined)) continue;
      if (targetValues.every((values) => isMissing(values[row]))) unlabelled++;
      else if (partOfRow[row] === undefined) unassigned++;
      else places.push(row);
    }
    const whole = places.length === batch.rows.length;
    const block = tokenizer.encode(whole ? batch : selectRecords(batch, places), reject, KEEP_UNSEEN);
    if (block.count === 0) continue;
    blocks.push(block);
    for (const place of placesOf(block, batch)) {
      parts.push(partNumber[partOfRow[place]!]);
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
      `${path}: no record has a value in ${targets.join(', ')} and can be read; choose other target columns${faults ? `; ${faults}` : ''}`,
    );
  }

  const targetColumns = targets.map((name, target) => targetColumn(source, name, cells[target]));
  const spec = describeLabels(targetColumns, task);
  const part = Uint8Array.from(parts);
  const fractions = `${percent(validFraction)} valid, ${percent(testFraction)} test`;
  return {
    block: concatenateBlocks(blocks),
    labels: encodeLabels(spec, targetColumns),
    part,
    counts: countParts(path, part, splitColumn),
    spec,
    splitBy:
      splitColumn !== undefined
        ? `column ${splitColumn}`
        : split === 'scaffold'
          ? `scaffold (${fractions})`
          : `random draw (${fractions}, seed ${seed})`,
    rejected,
    croppedLabels,
    unlabelled,
    unassigned,
  };
}

/** The split is the same for every seed, method and protocol, so that differences are paired. */
const SPLIT_SEED = 0;

/** A labelled file as a run's tokenizer reads it, by the options that fine-tuning and probes share. */
export function readLabelledFor(
  run: Run,
  path: string,
  targets: readonly string[],
  config: ProbeOptions | FinetuneOptions,
): Promise<LabelledData> {
  return readLabelled({
    path,
    tokenizer: run.tokenizer,
    targets,
    task: config.task,
    maskColumn: 'mask_column' in config ? config.mask_column : undefined,
    format: config.format,
    onBadRecord: config.on_bad_record,
    split: config.split,
    splitColumn: config.split_column,
    pretrainedSplit: run.config.data.split_column,
    validFraction: config.valid_fraction,
    testFraction: config.test_fraction,
    seed: SPLIT_SEED,
  });
}

/** The parts follow from all molecules of the file, labelled or not, so that they are the same for every target. */
async function partitionByScaffold(
  source: DataSource,
  { kind, columns: [column] }: Tokenizer,
  fractions: SplitFractions,
): Promise<Partition> {
  if (kind !== 'sequence') {
    throw new InputError(
      `${source.path}: a split by scaffold needs a run that reads molecules as SMILES text, with the sequence tokenizer; this one has ${kind}; try --split random`,
    );
  }
  const rows: number[] = [];
  const smiles: string[] = [];
  for await (const batch of source.read({ columns: [column] })) {
    const { values } = batch.columns[column];
    for (let place = 0; place < batch.rows.length; place++) {
      const text = values[place];
      if (typeof text !== 'string' || text === '') continue;
      rows.push(batch.rows[place]);
      smiles.push(text);
    }
  }
  const parts = await scaffoldSplit(smiles, fractions);
  if (parts.every((part) => part === undefined)) {
    throw new InputError(
      `${source.path}: a split by scaffold needs molecules as SMILES; RDKit reads none of the ${smiles.length} texts in column "${column}"; try --split random`,
    );
  }
  const partOfRow = new Map(rows.map((row, i) => [row, parts[i]]));
  return (batch) => Array.from(batch.rows, (row) => partOfRow.get(row));
}

const percent = (fraction: number) => `${Number((100 * fraction).toPrecision(3))} %`;

/** The labels of a batch's records by place; undefined is a record that was left out. */
type LabelValues = ArrayLike<number | string | readonly (string | null)[] | null | undefined>;

const isMissing = (value: unknown) => value === null || Number.isNaN(value);

function checkMask(source: DataSource, task: Task | undefined, mask: string | undefined): void {
  if (mask === undefined) return;
  if (task !== 'per-token') {
    throw new InputError(
      `mask column "${mask}": a mask is for labels of single tokens; ask for --task per-token, or leave --mask-column out`,
    );
  }
  if (source.columns.some(({ name }) => name === mask)) return;
  const names = source.columns.map(({ name }) => name).join(', ');
  throw new InputError(`${source.path}: no mask column "${mask}"; it has ${names}`);
}

function checkTargets(source: DataSource, tokenizer: Tokenizer, targets: readonly string[]): void {
  const names = source.columns.map(({ name }) => name);
  const unknown = targets.filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    throw new InputError(
      `${source.path}: no target column ${unknown.map((name) => `"${name}"`).join(', ')}; it has ${names.join(', ')}; choose among them with --target`,
    );
  }
  const seen = targets.find((target) => tokenizer.columns.includes(target));
  if (seen !== undefined) {
    throw new InputError(
      `${source.path}: target column "${seen}" is one the encoder reads, so predicting it says nothing; choose another, or pretrain with --ignore ${seen}`,
    );
  }
}

function labelValues(
  { path }: DataSource,
  name: string,
  column: ColumnValues,
): Float64Array | readonly (string | null)[] {
  if (column.type !== 'number' && column.type !== 'text') {
    const holds = column.type === 'pixels' ? 'images' : 'series';
    throw new InputError(`${path}: target column "${name}" holds ${holds}; expected numbers or text`);
  }
  return column.values;
}

function targetColumn(source: DataSource, name: string, cells: (number | string | null)[]): TargetColumn {
  const numeric = source.columns.some((column) => column.name === name && column.type === 'number');
  return {
    name,
    values: numeric
      ? Float64Array.from(cells, Number)
      : cells.map((cell) => (cell === null ? null : String(cell))),
  };
}

function countParts(path: string, part: Uint8Array, splitColumn: string | undefined): LabelledData['counts'] {
  const [train, valid, test] = [TRAIN, VALID, TEST].map(
    (wanted) => part.filter((value) => value === wanted).length,
  );
  if (train > 0 && valid > 0 && test > 0) return { train, valid, test };
  const advice =
    splitColumn === undefined
      ? 'give more records or larger --valid-fraction and --test-fraction'
      : `check column "${splitColumn}", or name another with --split-column`;
  throw new InputError(
    `${path}: expected labelled records in every part, got ${train} train, ${valid} valid and ${test} test; ${advice}`,
  );
}
