/** Records as numbers without an encoder, for simple predictors. */
import type { Value } from '../graph/index.js';
import type { Tokens } from '../layers/token-embedding.js';
import type { TokenBlock, TokenSpec } from '../records/token-block.js';
import type { MiniRocketKernels } from './minirocket.js';

/** Tokenized records, with their texts where they are texts. */
export interface RawRecords {
  readonly spec: TokenSpec;
  readonly block: TokenBlock;
  /** The text of each record. */
  readonly texts?: readonly string[];
}

/** What a fitted set of features has to keep, as plain data. */
export interface FeatureState {
  readonly name: string;
  readonly dimension: number;
  /** Texts that are counted, in the order of their columns. */
  readonly vocabulary?: readonly string[];
  /** The weight of each column. */
  readonly weights?: readonly number[];
  /** Convolutions of series. */
  readonly kernels?: MiniRocketKernels;
}

/** What the columns of a set are, for whoever has to make its rows elsewhere. */
export interface FeatureColumns {
  /** How a row is computed, in sentences. */
  readonly computation: string;
  /** In order. */
  readonly names: readonly string[];
}

/** One way to turn records of a kind into rows of numbers. */
export interface FeatureSet {
  readonly name: string;
  /** What the numbers are, in a clause. */
  readonly description: string;
  /** Whether it is made for linear models alone. */
  readonly forLinearModels?: true;
  /** Texts that have zeros alone, since they are none of those that it describes, in words. */
  readonly zeros?: string;
  /** What the set learns from records without their labels, in a fit also of those that judge; most learn nothing but their dimension. */
  fit(train: RawRecords): FeatureState | Promise<FeatureState>;
  /** float32[records, dimension]; NaN is missing. Throws InputError where records lack what the set reads. */
  of(records: RawRecords, state: FeatureState): Float32Array | Promise<Float32Array>;
  /** The same rows in a graph, float32[batch, dimension], or what they are made of where tokens alone do not tell. */
  readonly made: MadeOfTokens | MadeOutside;
}

interface MadeOfTokens {
  readonly graph: (spec: TokenSpec, tokens: Tokens) => Value;
}

interface MadeOutside {
  /** Whether the rows are computed of the text or of the tokens' values. */
  readonly of: 'text' | 'values';
  /** `tokenLabel` is that of the tokenizer. */
  readonly columns: (
    tokenizer: { readonly spec: TokenSpec; tokenLabel(position: number, id?: number): string },
    state: FeatureState,
  ) => FeatureColumns | Promise<FeatureColumns>;
}

/** A set of features that learns nothing and whose dimension follows from the kind of tokens. */
export const unfitted = (
  name: string,
  description: string,
  dimensionOf: (spec: TokenSpec) => number | Promise<number>,
  of: FeatureSet['of'],
  made: FeatureSet['made'],
): FeatureSet => ({
  name,
  description,
  fit: async ({ spec }) => ({ name, dimension: await dimensionOf(spec) }),
  of,
  made,
});
