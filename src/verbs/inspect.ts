/** What is in a file and how it would be learned from, told before anything is learned. */

import { parseConfig } from '../config/parse.js';
import type { UserConfig } from '../config/schema.js';
import { RejectedRecords } from '../datasets/rejected-records.js';
import { fitSource, planSplit } from '../datasets/token-plan.js';
import { InputError } from '../errors.js';
import type { Hooks } from '../learning/progress-event.js';
import { type Schema, schemaOf } from '../records/cells/schema.js';
import { profileSource, type SourceProfile } from '../records/profile.js';
import type { BadRecord, DataSource, ReadOptions, RecordBatch } from '../records/record-batch.js';
import { rememberSmall } from '../sources/remember.js';
import type { Fitted, TokenizerChoice } from '../tokenizers/index.js';
import { openData } from './open-data.js';
import { shownTokens } from './shown-tokens.js';

/** What `inspect` found. */
export interface Inspection {
  readonly source: SourceProfile;
  /** Records that could not be read. */
  readonly rejected: number;
  /** The first of them, and what is wrong with them. */
  readonly badRecords: readonly BadRecord[];
  readonly tokenizer: TokenizerChoice & {
    readonly maxTokens: number;
    /** What the tokenizer learned of the training records, as named facts. */
    readonly fitted: Fitted;
  };
  /** How the columns are read; a run keeps it. */
  readonly schema: Schema;
  /** Columns that may be labels. */
  readonly labels: readonly string[];
  /** The tokens of the first records, in words, up to a few dozen each. */
  readonly tokens: readonly (readonly string[])[];
}

/** What `inspect` is given. */
export interface InspectOptions {
  /** A file, or a folder of files that belong together. */
  readonly data: string;
  readonly config?: UserConfig;
}

const SHOWN_BAD_RECORDS = 5;

/**
 * Describes a file and the tokenizer that `pretrain` would choose for it with the same configuration, fitted on all
 * records, those that it would hold out among them. Bad records are counted and listed, unless `data.on_bad_record` says otherwise.
 * Throws InputError when the file cannot be read or nothing in it can be learned from, and for a wrong configuration.
 */
export async function inspect(
  { data: path, config: asked = {} }: InspectOptions,
  { signal }: Hooks = {},
): Promise<Inspection> {
  const config = parseConfig(asked, 'config');
  const rejected = new RejectedRecords();
  const { source, first } = keepingFirst(
    await openData(path, { on_bad_record: 'skip', ...config.data }, { report: rejected.report }),
    signal,
  );
  const profile = await profileSource(source);
  if (profile.rowsRead === 0)
    throw new InputError(`${path}: no record could be read; ${rejected.summary() ?? 'it has none'}`);
  const split = askedSplit(source, profile, config);
  const { choice, tokenizer } = await fitSource(source, split.config, { valid: 0, test: 0 });
  const { spec, fitted } = tokenizer;
  const notes = [...(source.notes ?? []), ...(source.found?.() ?? [])];
  return {
    source: { ...profile, ...(notes.length > 0 && { notes }) },
    rejected: rejected.count,
    badRecords: rejected.first.slice(0, SHOWN_BAD_RECORDS),
    tokenizer: {
      ...choice,
      warnings: [...split.warnings, ...choice.warnings],
      maxTokens: spec.maxTokens,
      fitted,
    },
    schema: schemaOf(source),
    labels: profile.columns.filter(({ looksLikeLabel }) => looksLikeLabel).map(({ name }) => name),
    tokens: shownTokens(first(), source, tokenizer),
  };
}

/** A source, parsed once where it is small, and the first batch that was read of all its columns. */
function keepingFirst(
  opened: DataSource,
  signal?: AbortSignal,
): { source: DataSource; first: () => RecordBatch | undefined } {
  const source = rememberSmall(opened);
  let first: RecordBatch | undefined;
  async function* read(options: ReadOptions = {}): AsyncGenerator<RecordBatch> {
    for await (const batch of source.read(options)) {
      signal?.throwIfAborted();
      if (options.columns === undefined) first ??= batch;
      yield batch;
    }
  }
  return { source: { ...source, read }, first: () => first };
}

/** Where the user has to say what the split is, that is told beside the rest, which is then as if parts were drawn. */
function askedSplit(source: DataSource, profile: SourceProfile, config: UserConfig) {
  try {
    planSplit(source, profile, config);
    return { config, warnings: [] };
  } catch (error) {
    if (!(error instanceof InputError) || config.data?.split_column !== undefined) throw error;
    const data = { ...config.data, validation_column: undefined, split: 'random' as const };
    return { config: { ...config, data }, warnings: [error.message] };
  }
}
