/** What a pretraining learns from: the file, what was decided of it, and its blocks of tokens, at once or one after the other. */

import { mergeConfigs, parseConfig } from '../config/parse.js';
import { EncodingLosses } from '../datasets/encoding-losses.js';
import { partition } from '../datasets/partition.js';
import { RejectedRecords, tokenRejecter } from '../datasets/rejected-records.js';
import { fitTokenizer, PLANNING_RECORDS } from '../datasets/token-plan.js';
import { type TokenStreamOptions, trainingBlocks } from '../datasets/token-stream.js';
import { UnassignedRecords } from '../datasets/unassigned-records.js';
import { checkMonitorTarget, readMonitorLabels } from '../datasets/watched-labels.js';
import { InputError } from '../errors.js';
import { refuseOverwriteFolder } from '../files/refuse-overwrite.js';
import type { Hooks } from '../learning/progress-event.js';
import { blockLengths, bucketLengths, concatenateBlocks, firstRecords } from '../records/batch.js';
import { profileSource } from '../records/profile.js';
import type { DataSource, RecordBatch } from '../records/record-batch.js';
import type { TokenBlock, TokenSpec } from '../records/token-block.js';
import { assertNewRun, hasConfig } from '../runs/folder.js';
import { LearnedRecordsWriter, readLearnedRecords } from '../runs/learned-records.js';
import { openOrigin } from '../runs/origin.js';
import { checksum } from '../sources/checksum.js';
import { inputFiles } from '../sources/data-files.js';
import { rememberSmall } from '../sources/remember.js';
import { unchangedBlocks } from '../sources/unchanged.js';
import { openData } from './open-data.js';
import { planRun, type RunPlan, readStored } from './plan-run.js';
import type { PretrainOptions } from './pretrain.js';

/** Hears what is told while a run is made. */
export type Emit = NonNullable<Hooks['onEvent']>;

/** 128 MiB, as values are 32-bit numbers. */
const BLOCK_VALUES = 1 << 25;
/** A block of a file that does not fit is so much less: about three of them are in memory while one follows another. */
const BLOCKS_AT_ONCE = 2;
/** Of such a file, the records that tell how long its records are and what a guess without a model is worth. */
const SAMPLE_RECORDS = 1 << 16;

/**
 * What a run learns from: the file, what was decided of it, and its first block of tokens. Throws InputError for data that do
 * not fit, or are not those of the run that is gone on with.
 */
export async function readTraining(
  { data: path, out, resume = false, blockValues = BLOCK_VALUES, ...options }: PretrainOptions,
  { writes, emit }: { writes: boolean; emit: Emit },
) {
  const asked = mergeConfigs(parseConfig(options.config ?? {}, 'config'), {
    plugins: options.plugins?.slice() ?? [],
  });
  const warn = (message: string) => emit({ type: 'warning', message });
  // A run that was killed before its configuration was written has nothing to go on from, and starts anew.
  const stored = resume && (await hasConfig(out)) ? await readStored(out) : undefined;
  if (!stored && writes) await assertNewRun(out, { resume });
  const origin = stored ? undefined : await openOrigin(asked.training ?? {}, warn);
  const rejected = new RejectedRecords();
  const reading = stored?.config.data ?? asked.data ?? {};
  const { on_bad_record: onBadRecord = 'auto', on_unknown: onUnknown } = reading;
  await refuseOverwriteFolder(await inputFiles(path, reading.format), out);
  const schema = stored ? stored.schema : origin?.schema;
  const source = rememberSmall(await openData(path, reading, { schema, report: rejected.report }));
  const hash = await checksum(source);
  if (stored && stored.config.data.hash !== hash) {
    throw new InputError(`${path}: is not the data that the run ${out} learned from (its checksum differs)`);
  }

  const profile = stored ? undefined : await profileSource(source, { rows: PLANNING_RECORDS });
  if (profile?.rowsRead === 0)
    throw new InputError(`${path}: no record could be read; ${rejected.summary() ?? 'it has none'}`);
  const plan = planRun({ asked, stored, origin, source, profile });
  if (!stored && source.dialect) emit({ type: 'info', message: `${source.format}: ${source.dialect}` });
  if (!stored) for (const note of source.notes ?? []) warn(note);
  for (const message of plan.messages) emit(message);
  const { tokenizer, parts } = await tokenizerOf(plan, source);
  const { monitorTarget } = plan;
  if (monitorTarget !== undefined) checkMonitorTarget(source, monitorTarget, tokenizer.columns);

  const { spec } = tokenizer;
  // A cell of a table is an id and a number.
  const valuesPerToken = spec.kind === 'continuous' ? spec.channels : spec.kind === 'fields' ? 2 : 1;
  const most = Math.floor(blockValues / valuesPerToken);
  const earlier = origin?.folder ?? stored?.folder;
  const before = earlier === undefined ? undefined : await readLearnedRecords(earlier);
  // What a run goes on from may not tell what it learned from; then this one cannot either.
  const learned =
    writes && (earlier === undefined || before !== undefined) ? new LearnedRecordsWriter(before) : undefined;
  const unassigned = new UnassignedRecords(plan.rule.column);
  // A tokenizer that is fitted on this file knows it and says what it crops; that of another run may not.
  const losses = origin && new EncodingLosses(path, onUnknown, onBadRecord);
  const streamOptions: TokenStreamOptions = {
    source,
    tokenizer,
    rule: plan.rule,
    parts,
    reject: tokenRejecter(source, onBadRecord, rejected, { auto: 'skip' }),
    capacity: Math.floor(most / BLOCKS_AT_ONCE),
    onLearned: learned?.add,
    onParts: (batch, parts) => unassigned.add(batch, parts),
    encoding: losses?.encoding,
  };
  const first = await firstBlock(streamOptions, plan, most);
  return {
    stored,
    source,
    hash,
    plan,
    tokenizer,
    streamOptions,
    learned,
    unassigned,
    losses,
    rejected,
    ...first,
  };
}

/** The labels of some records, opened again, since a bad label is no reason to count its record among those left out. */
export const readMonitored = (source: DataSource, target: string, rows: Int32Array) =>
  readMonitorLabels(
    { ...source, read: (wanted) => source.read({ ...wanted, reject: () => {} }) },
    target,
    rows,
  );

/** The tokenizer of a plan, fitted where it has to be, and the part of each record. */
async function tokenizerOf({ tokenizer, rule }: RunPlan, source: DataSource) {
  if ('choice' in tokenizer) return fitTokenizer(source, tokenizer.choice, rule, tokenizer.options);
  return { tokenizer: tokenizer.ready, parts: await partition(source, rule) };
}

/** Gives the memory of blocks that nobody reads again back at once: the programs are compiled before it would be collected. */
function releaseBlocks(blocks: readonly TokenBlock[]): void {
  const { port1, port2 } = new MessageChannel();
  const buffers = blocks.flatMap(({ ids, values }) => [ids, values].flatMap((array) => array?.buffer ?? []));
  port1.postMessage(null, buffers as ArrayBuffer[]);
  port1.close();
  port2.close();
}

/**
 * The first training records and the validation records; all of both, where they are at most `most` values. Of a file that
 * is learned from block by block no more training records stay in memory than tell what the others are like, and no more are
 * counted than that takes, unless their number is asked for.
 */
async function firstBlock(streamOptions: TokenStreamOptions, { rule, counts }: RunPlan, most: number) {
  const { path } = streamOptions.source;
  const heldOut: TokenBlock[] = [];
  let blocks: TokenBlock[] = [];
  let [records, values, inMemory, counted] = [0, 0, true, true];
  for await (const block of trainingBlocks(streamOptions, heldOut)) {
    records += block.count;
    values += block.offsets[block.count];
    if (inMemory) blocks.push(block);
    if (!inMemory || values <= most) continue;
    inMemory = false;
    const sample = firstRecords(blocks[0], SAMPLE_RECORDS);
    releaseBlocks(blocks);
    blocks = [sample];
    // Only a duration in epochs asks for the number of all records.
    if (counts) continue;
    counted = false;
    break;
  }
  if (records === 0) throw new InputError(`${path}: no training record is left to learn from`);
  if (heldOut.length === 0) {
    throw new InputError(
      `${path}: no record was held out for validation; give more records or a larger --valid-fraction (now ${rule.heldOut.valid})`,
    );
  }
  const block = concatenateBlocks(blocks);
  return { block, validation: concatenateBlocks(heldOut), records, counted, inMemory };
}

/**
 * The blocks of each pass; whose records they are is told in the first, at the end of which `onPassed` is waited for. Those
 * of later passes have to be the same, unless they are rewritten.
 */
export function passesOf(
  { onLearned, ...options }: TokenStreamOptions,
  rewrite: ((batch: RecordBatch, epoch: number) => RecordBatch) | undefined,
  onPassed: () => Promise<unknown>,
): (epoch: number) => AsyncGenerator<TokenBlock> {
  const sums: number[] = [];
  const blocks = (epoch: number, more: Partial<TokenStreamOptions> = {}) => {
    const stream = { ...options, ...more };
    return rewrite
      ? trainingBlocks({ ...stream, rewrite: (batch: RecordBatch) => rewrite(batch, epoch) })
      : unchangedBlocks(options.source.path, trainingBlocks(stream), sums);
  };
  async function* firstPass(epoch: number) {
    yield* blocks(epoch, { onLearned });
    await onPassed();
  }
  let passes = 0;
  return (epoch) => (passes++ === 0 ? firstPass(epoch) : blocks(epoch));
}

/** Batch lengths. A file that is read block by block may hold longer records than its first block. */
export function bucketsFor(
  block: TokenBlock,
  validation: TokenBlock,
  spec: TokenSpec,
  inMemory: boolean,
): number[] {
  if (spec.kind === 'fields') return [spec.maxTokens];
  const all = new Int32Array(block.count + validation.count);
  all.set(blockLengths(block));
  all.set(blockLengths(validation), block.count);
  const buckets = bucketLengths(all, spec.maxTokens);
  return inMemory || buckets.at(-1) === spec.maxTokens ? buckets : [...buckets, spec.maxTokens];
}
