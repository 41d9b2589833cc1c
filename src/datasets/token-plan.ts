/** How a source would be learned from: its tokenizer, columns and split, found in the same way by `pretrain` and `inspect`. */

import type { UserConfig } from '../config/schema.js';
import { InputError } from '../errors.js';
import { profileSource } from '../records/profile.js';
import type { DataSource } from '../records/record-batch.js';
import { chooseTokenizer, type Tokenizer, type TokenizerChoice, tokenizers } from '../tokenizers/index.js';
import { findSplitColumn, type Partition, trainingRecords } from './data.js';

export interface TokenPlan {
  readonly choice: TokenizerChoice;
  readonly splitColumn?: string;
}

/** Records looked at before learning starts, so that a large file does not delay the first step. */
const PLANNING_RECORDS = 10_000;

/** The split column that is asked for, or that the first records tell. */
export async function planSplit(source: DataSource, user: UserConfig): Promise<string | undefined> {
  if (user.data?.split_column !== undefined) return findSplitColumn(source, user.data.split_column);
  return findSplitColumn(source, (await profileSource(source, { rows: PLANNING_RECORDS })).split);
}

/** Plans from the first records. Throws InputError when no column is left to learn from, or a wish cannot be met. */
export async function planTokens(source: DataSource, user: UserConfig): Promise<TokenPlan> {
  const profile = await profileSource(source, { rows: PLANNING_RECORDS });
  const splitColumn = findSplitColumn(source, user.data?.split_column ?? profile.split);
  const choice = chooseTokenizer(
    { ...profile, split: splitColumn },
    { kind: user.tokenizer?.kind, columns: user.data?.columns, ignore: user.data?.ignore },
  );
  return { choice, splitColumn };
}

/**
 * Fits the chosen tokenizer on the training records. Throws InputError when they do not suit it, or when records are
 * single tokens: hiding one then leaves nothing to predict it from.
 */
export async function fitTokenizer(
  source: DataSource,
  { choice, splitColumn }: TokenPlan,
  parts: Partition,
  options: UserConfig['tokenizer'] = {},
): Promise<Tokenizer> {
  const tokenizer = await tokenizers[choice.kind]
    .fit(trainingRecords(source, parts, choice.columns, splitColumn), {
      columns: choice.columns,
      maxTokens: options.max_tokens,
      patch: options.patch,
    })
    .catch((error: unknown) => {
      if (!(error instanceof InputError) || error.message.startsWith(source.path)) throw error;
      throw new InputError(`${source.path}: ${error.message}`, { cause: error });
    });
  if (tokenizer.spec.maxTokens < 2) {
    throw new InputError(
      `${source.path}: a record would be a single token (column ${choice.columns.join(', ')}), and there must be others to predict a hidden one from; name more columns with --columns`,
    );
  }
  return tokenizer;
}
