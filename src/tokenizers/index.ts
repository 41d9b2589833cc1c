import { InputError } from '../errors.js';
import { mergeOptions } from '../options.js';
import { bytePairs } from './byte-pairs.js';
import { fields } from './fields.js';
import { grid } from './grid.js';
import { sequence } from './sequence.js';
import { series } from './series.js';
import type { Tokenizer, TokenizerFamily } from './tokenizer.js';

export type { OnBadRecord, Reject } from '../records/bad-records.js';
export type { ByteFile } from '../records/bytes/byte-file.js';
export type { BooleanFormat, CellFormat, DateFormat, NumberFormat } from '../records/cells/cell-format.js';
export type { NameLook, TextLook } from '../records/cells/text-look.js';
export { type OpenOptions, openBytes } from '../records/open-bytes.js';
export { type ColumnProfile, profileSource, type SourceProfile } from '../records/profile.js';
export type { Reader } from '../records/reader.js';
export type {
  BadRecord,
  ColumnInfo,
  ColumnType,
  ColumnValues,
  DataSource,
  LeftOutColumn,
  PixelShape,
  ReadOptions,
  RecordBatch,
} from '../records/record-batch.js';
export type { FieldSpec, GridSpec, TokenBlock, TokenSpec } from '../records/token-block.js';
export type { BytePairsOptions } from './byte-pairs.js';
export type { TokenizerChoice, TokenizerWishes } from './choose.js';
export { chooseTokenizer } from './choose.js';
export type { FieldKind } from './field.js';
export {
  allPlaces,
  type Batches,
  columnOf,
  type EncodeOptions,
  type Fitted,
  parseState,
  type RejectRecord,
  readTraining,
  singleColumn,
  type TokenizedText,
  type Tokenizer,
  type TokenizerFamily,
  type TokenizerOptions,
  type TokenizerState,
} from './tokenizer.js';

/** All kinds of tokenizer, by name. */
export const tokenizers = { sequence, 'byte-pairs': bytePairs, fields, grid, series } satisfies Record<
  string,
  TokenizerFamily
>;

/** The names of all kinds. */
export type TokenizerKind = keyof typeof tokenizers;

/** The declarations of the options that single kinds have beside those of all. */
export const tokenizerOptions = () =>
  mergeOptions(
    Object.fromEntries(
      Object.entries<TokenizerFamily>(tokenizers).map(([kind, { options = {} }]) => [kind, { options }]),
    ),
    'tokenizer',
  );

/** The tokenizer whose `toJSON` gave this state. Throws InputError on anything else. */
export function restoreTokenizer(state: unknown): Tokenizer {
  const kind = typeof state === 'object' && state !== null && 'kind' in state ? state.kind : undefined;
  const kinds = Object.keys(tokenizers) as TokenizerKind[];
  const known = kinds.find((name) => name === kind);
  if (known) return tokenizers[known].restore(state);
  throw new InputError(
    `a tokenizer's kind must be one of ${kinds.join(', ')}, not ${JSON.stringify(kind) ?? 'missing'}`,
  );
}
