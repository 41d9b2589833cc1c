/** How a source would be learned from: its tokenizer, columns and split, found in the same way by `pretrain` and `inspect`. */
import { InputError } from '../errors.js';
import { profileSource, type SourceProfile } from '../records/profile.js';
import type { DataSource, RecordBatch } from '../records/record-batch.js';
import type { HeldOut, Part } from '../records/split.js';
import {
  type BytePairsOptions,
  chooseTokenizer,
  type Tokenizer,
  type TokenizerChoice,
  type TokenizerFamily,
  tokenizers,
} from '../tokenizers/index.js';
import {
  collectNamedParts,
  type Partition,
  partitionBy,
  partitionColumns,
  type SplitRule,
} from './partition.js';
import { chooseSplit, type SplitColumns } from './split-columns.js';
import { trainingRecords } from './token-stream.js';

/** The keys of a configuration that say how a file is learned from. */
export interface TokenWishes {
  readonly data?: {
    readonly split_column?: string;
    readonly validation_column?: string;
    readonly split?: 'random';
    readonly columns?: readonly string[];
    readonly ignore?: readonly string[];
    /** The labels, where they are known. */
    readonly targets?: readonly string[];
  };
  readonly tokenizer?: {
    readonly kind?: TokenizerChoice['kind'];
    readonly max_tokens?: number;
    readonly patch?: number;
  } & BytePairsOptions;
}

export interface TokenPlan {
  readonly choice: TokenizerChoice;
  readonly split: SplitColumns;
}

/** Records looked at before learning starts, so that a large file does not delay the first step. */
export const PLANNING_RECORDS = 10_000;

/** The split columns that are asked for, or that the first records tell. Throws InputError where only the user can say. */
export const planSplit = (source: DataSource, profile: SourceProfile, { data = {} }: TokenWishes) =>
  chooseSplit(source.path, profile.columns, {
    column: data.split_column,
    validation: data.validation_column,
    drawn: data.split === 'random',
  });

/** Plans from the first records. Throws InputError when no column is left to learn from, or a wish cannot be met. */
export function planTokens(source: DataSource, profile: SourceProfile, wishes: TokenWishes): TokenPlan {
  const { notes, ...split } = planSplit(source, profile, wishes);
  const { tokenizer = {}, data = {} } = wishes;
  const choice = chooseTokenizer(
    { ...profile, split: split.column },
    { kind: tokenizer.kind, columns: data.columns, ignore: data.ignore, targets: data.targets },
  );
  return { choice: { ...choice, warnings: [...notes, ...choice.warnings] }, split };
}

/** The tokenizer that suits the first records of a source, fitted, with the parts of its records. */
export async function fitSource(source: DataSource, wishes: TokenWishes, heldOut: HeldOut) {
  const profile = await profileSource(source, { rows: PLANNING_RECORDS });
  const { choice, split } = planTokens(source, profile, wishes);
  const rule: SplitRule = { ...split, columns: choice.columns, heldOut };
  // A label can be predicted from a single token; a hidden token cannot.
  const alone = wishes.data?.targets !== undefined;
  return { choice, rule, ...(await fitTokenizer(source, choice, rule, wishes.tokenizer, { alone })) };
}

/**
 * Fits the chosen tokenizer on the training records, and tells them from the others, in one pass: it begins with the
 * parts that the first records name, and only where none of them is for training, or a later one is the first for
 * validation, does it begin anew. Throws InputError when the records do not suit the tokenizer, or unless `alone` when
 * records are single tokens: hiding one then leaves nothing to predict it from.
 */
export async function fitTokenizer(
  source: DataSource,
  choice: TokenizerChoice,
  rule: SplitRule,
  options: TokenWishes['tokenizer'] = {},
  { alone = false } = {},
): Promise<{ tokenizer: Tokenizer; parts: Partition }> {
  let known: ReadonlySet<Part> | undefined;
  for (;;) {
    const columns = [...new Set([...choice.columns, ...partitionColumns(source, rule)])];
    const pass = new Pass(source.read({ columns }), rule);
    try {
      if (rule.column !== undefined && known === undefined) {
        const first = await pass.lookAhead(PLANNING_RECORDS);
        known = first.has('train') ? first : await pass.finish();
        if (known !== first) continue;
      }
      const parts = partitionBy(source, rule, known ?? new Set());
      const tokenizer = await fitChosen(source, choice, trainingRecords(pass.batches(), parts), options);
      if (!alone) refuseSingleTokens(source, choice, tokenizer);
      if (rule.column === undefined || known === undefined) return { tokenizer, parts };
      const named = await pass.finish();
      if (named.has('valid') === known.has('valid')) return { tokenizer, parts };
      known = named;
    } finally {
      await pass.close();
    }
  }
}

/** One reading of a source, which goes on where what consumes it stops, and sees which parts its records name. */
class Pass {
  private readonly named = new Set<Part>();
  private readonly ahead: RecordBatch[] = [];

  constructor(
    private readonly read: AsyncGenerator<RecordBatch>,
    private readonly rule: SplitRule,
  ) {}

  /** The parts that the first records name, so many of them at least; they are given by `batches` all the same. */
  async lookAhead(records: number): Promise<ReadonlySet<Part>> {
    for (let seen = 0; seen < records && !(this.named.has('train') && this.named.has('valid')); ) {
      const batch = await this.next();
      if (batch === undefined) break;
      this.ahead.push(batch);
      seen += batch.rows.length;
    }
    return new Set(this.named);
  }

  /** The batches, without an end to the reading when their consumer has enough. */
  async *batches(): AsyncGenerator<RecordBatch> {
    while (this.ahead.length > 0) yield this.ahead.shift()!;
    for (let batch = await this.next(); batch; batch = await this.next()) yield batch;
  }

  /** Reads to the end, and tells which parts were named. */
  async finish(): Promise<ReadonlySet<Part>> {
    while (await this.next());
    return this.named;
  }

  async close(): Promise<void> {
    await this.read.return(undefined);
  }

  private async next(): Promise<RecordBatch | undefined> {
    const { value, done } = await this.read.next();
    if (done) return undefined;
    if (this.rule.column !== undefined) collectNamedParts(value, this.rule, this.named);
    return value;
  }
}

async function fitChosen(
  source: DataSource,
  { kind, columns, kinds }: TokenizerChoice,
  batches: AsyncIterable<RecordBatch>,
  options: NonNullable<TokenWishes['tokenizer']>,
): Promise<Tokenizer> {
  const { kind: _, max_tokens: maxTokens, patch, ...own } = options;
  const family: TokenizerFamily = tokenizers[kind];
  const foreign = Object.keys(own).find((key) => !Object.hasOwn(family.options ?? {}, key));
  if (foreign !== undefined) {
    const other = Object.entries<TokenizerFamily>(tokenizers).find(
      ([, { options: had = {} }]) => foreign in had,
    );
    throw new InputError(
      `tokenizer.${foreign}: is not an option of the ${kind} tokenizer; leave it out, or choose --tokenizer ${other?.[0]}`,
    );
  }
  return family.fit(batches, { columns, kinds, maxTokens, patch, own }).catch((error: unknown) => {
    if (!(error instanceof InputError) || error.message.startsWith(source.path)) throw error;
    throw new InputError(`${source.path}: ${error.message}`, { cause: error });
  });
}

function refuseSingleTokens(
  source: DataSource,
  { columns, reasons }: TokenizerChoice,
  tokenizer: Tokenizer,
): void {
  if (tokenizer.spec.maxTokens < 2) {
    const others = Object.entries(reasons).map(([name, reason]) => `; ${name}: ${reason}`);
    throw new InputError(
      `${source.path}: a record would be a single token (column ${columns.join(', ')}${others.join('')}), and there must be others to predict a hidden one from; name more columns with --columns`,
    );
  }
}
