/** A labelled file as the runs of an evaluation read it, and what those runs learned of it already. */
import { HELD_OUT } from '../config/defaults.js';
import type { FinetuneOptions, FitOptions, ProbeOptions } from '../config/schema.js';
import { canonicalShare, checkSpelled } from '../datasets/canonical-smiles.js';
import { type LabelledData, readLabelled } from '../datasets/labelled-data.js';
import { RejectedRecords } from '../datasets/rejected-records.js';
import { describeTelltales } from '../datasets/telltales.js';
import { InputError } from '../errors.js';
import type { Schema } from '../records/cells/schema.js';
import type { DataSource } from '../records/record-batch.js';
import type { Run } from '../runs/folder.js';
import { countLearned, type LearnedCount, readLearnedRecords } from '../runs/learned-records.js';
import { checksum } from '../sources/checksum.js';
import type { Tokenizer } from '../tokenizers/index.js';
import { openData } from './open-data.js';

export interface LabelledFile {
  readonly labelled: LabelledData;
  /** What was left out, and what the runs had learned from, each a sentence; none where there is nothing to say. */
  readonly warnings: readonly string[];
  /** Checksum of the file. */
  readonly hash: string;
  /** How many test records a run learned from; undefined where its folder does not tell. */
  readonly learned: LearnedCount | undefined;
}

/** How records become tokens, and the folders of runs that may have learned from some of them. */
export interface RecordReading {
  readonly tokenizer: Tokenizer;
  readonly schema?: Schema;
  readonly pretrainedSplit?: string;
  readonly folders: readonly string[];
  /** The file that the first of these runs learned from. */
  readonly learnedFrom?: Run['config']['data'];
}

/** As the first of several runs reads its records. Throws InputError where another reads them otherwise. */
export function readingOf(runs: readonly Run[]): RecordReading {
  const [run] = runs;
  for (const other of runs) {
    if (JSON.stringify(other.tokenizer) !== JSON.stringify(run.tokenizer)) {
      throw new InputError(
        `${other.folder}: its tokenizer is not that of ${run.folder}; pretrain both on the same data`,
      );
    }
    if (other.schema?.canonicalSmiles !== run.schema?.canonicalSmiles) {
      throw new InputError(
        `${other.folder}: canonical_smiles is not what it is in ${run.folder}; pretrain both alike`,
      );
    }
  }
  return {
    tokenizer: run.tokenizer,
    schema: run.schema,
    pretrainedSplit: run.config.data.split_column,
    folders: runs.map(({ folder }) => folder),
    learnedFrom: run.config.data,
  };
}

/**
 * The schema of a model that learned from a file so read, for files that come later. Throws InputError where a run tells of none.
 */
export function schemaRead(
  { tokenizer, schema, folders }: RecordReading,
  { canonical_smiles: canonicalSmiles }: Pick<ProbeOptions, 'canonical_smiles'>,
): Schema | undefined {
  if (canonicalSmiles === undefined) return schema;
  checkSpelled(tokenizer, canonicalSmiles);
  if (schema) return { ...schema, canonicalSmiles };
  throw new InputError(
    `canonical_smiles: ${folders[0]} has no schema.json, so later files could not be read alike; pretrain again`,
  );
}

/**
 * Reads a labelled file by a tokenizer and the options that fine-tuning and probes share, and counts the test records that
 * any of the runs learned from. Throws InputError for what does not fit, and with `strict` for such a record.
 */
export async function readLabelledFile(
  reading: RecordReading,
  path: string,
  targets: readonly string[],
  config: ProbeOptions | FinetuneOptions | FitOptions,
  { keepUnlabelled = false, textColumn }: { keepUnlabelled?: boolean; textColumn?: string } = {},
): Promise<LabelledFile> {
  const rejected = new RejectedRecords();
  const { on_bad_record: onBadRecord } = config;
  // Refuses before anything is read; openData compares the column that is asked for with that of the run.
  schemaRead(reading, config);
  // A run says nothing of columns that it does not read, such as a label of another file of the same name.
  const columns = reading.schema?.columns.filter(({ name }) => reading.tokenizer.columns.includes(name));
  const schema = reading.schema && columns && { ...reading.schema, columns };
  const source = await openData(path, config, { schema, report: rejected.report });
  const labelled = await readLabelled(source, {
    tokenizer: reading.tokenizer,
    targets,
    rejected,
    onBadRecord,
    onUnknown: config.on_unknown,
    task: config.task,
    maskColumn: 'mask_column' in config ? config.mask_column : undefined,
    split: config.split,
    splits: 'splits' in config ? config.splits : undefined,
    splitColumn: config.split_column,
    validationColumn: config.validation_column,
    pretrainedSplit: reading.pretrainedSplit,
    heldOut: {
      valid: config.valid_fraction ?? HELD_OUT.valid,
      test: config.test_fraction ?? HELD_OUT.test,
    },
    keepUnlabelled,
    textColumn,
  });
  const asked = config.canonical_smiles !== undefined && reading.folders.length > 0;
  // Hashes of records are those of their texts as they are read.
  const respelled = asked && reading.schema?.canonicalSmiles === undefined;
  const known: Awaited<ReturnType<typeof readLearnedRecords>>[] = [];
  if (!respelled) for (const folder of reading.folders) known.push(await readLearnedRecords(folder));
  const counts = labelled.splits.map(({ members }) => countLearned(known, { ...labelled, members }));
  // Of several splits, that with most.
  const learned = counts.every((count) => count !== undefined)
    ? counts.reduce((most, count) => (count.records > most.records ? count : most))
    : undefined;
  const warnings = [
    rejected.summary(),
    // Without a run they have been told where the tokenizer was fitted.
    ...((reading.folders.length > 0 && source.notes) || []),
    ...(source.found?.() ?? []),
    respelled ? RESPELLED : undefined,
    await describeSpelling(reading, source),
    ...labelled.notes,
    ...describeTelltales(reading.tokenizer, labelled),
    describeLearned(learned),
  ].filter((text) => text !== undefined);
  if (config.strict && reading.folders.length > 0 && learned?.records !== 0) {
    const why = respelled ? RESPELLED : 'the run does not tell which records it learned from';
    throw new InputError(
      `${path}: ${describeLearned(learned) ?? why}; give a test part that pretraining held out, or leave --strict out`,
    );
  }
  return { labelled, hash: await checksum(source), warnings, learned };
}

/** The parts and their records, and how many records have no label. */
export function describeRecords({ splitBy, counts, splits, unlabelled }: LabelledData): string {
  const { train, valid, test } = counts;
  const first = splits.length > 1 ? ' in the first' : '';
  const without = `${first}${unlabelled > 0 ? `, ${unlabelled.toLocaleString('en-US')} without a label` : ''}`;
  return `split by ${splitBy}: ${train} train, ${valid} valid, ${test} test${without}`;
}

function describeLearned(learned: LearnedCount | undefined): string | undefined {
  if (learned === undefined || learned.records === 0) return undefined;
  const { records, of, exact } = learned;
  return `pretraining learned from ${exact ? '' : 'about '}${records} of the ${of} test records, without their labels, so the score may be too good`;
}

/** What cannot be told of a run that read its records in another spelling. */
const RESPELLED =
  'the run read its molecules as their file writes them, so test records that it learned from are not found in canonical SMILES, and parts that are drawn are not those of pretraining';

/** A share of molecules that differs by more is another way of writing them. */
const OTHER_SPELLING = 0.25;

/** That molecules are written otherwise than those that a run learned from, as far as the first of both tell. */
async function describeSpelling(
  { tokenizer, schema, learnedFrom }: RecordReading,
  source: DataSource,
): Promise<string | undefined> {
  const column = tokenizer.text?.column;
  if (column === undefined || !learnedFrom || schema?.canonicalSmiles !== undefined) return undefined;
  const now = await canonicalShare(source, column);
  if (now === undefined) return undefined;
  const before = await shareBefore(learnedFrom, column, schema);
  if (before === undefined || Math.abs(before - now) < OTHER_SPELLING) return undefined;
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  const advice =
    before > now
      ? `--canonical-smiles ${column} reads them so`
      : `pretrain with --canonical-smiles ${column}`;
  return `${percent(now)} of the first molecules are written as RDKit writes them, of those that the run learned from ${percent(before)}, so the run knows them less well; ${advice}`;
}

/** The same share of the file that a run learned from; undefined where it cannot be read any more. */
async function shareBefore(data: Run['config']['data'], column: string, schema?: Schema) {
  if (data.path === '-') return undefined;
  try {
    return await canonicalShare(
      await openData(data.path, { ...data, on_bad_record: 'skip' }, { schema }),
      column,
    );
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}
