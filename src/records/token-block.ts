/** Tokenized records, packed back to back: what a tokenizer gives and a batch takes. */
export interface TokenBlock {
  /** Number of records. */
  readonly count: number;
  /** int32[count + 1]: tokens of record r are `offsets[r]` … `offsets[r + 1]`. */
  readonly offsets: Int32Array;
  /** int32[tokens]: token ids, where the specification has a vocabulary. */
  readonly ids?: Int32Array;
  /** float32[tokens, channels]: token vectors, where the specification has channels. */
  readonly values?: Float32Array;
  /** int32[count]: the file row of each record, so that an error can name it. */
  readonly rows: Int32Array;
}

/** One token of a table's records: a column, or a part of one. */
export interface FieldSpec {
  readonly name: string;
  readonly type: 'numeric' | 'categorical';
  /**
   * Categorical fields have the ids `firstId` … `firstId + size - 1` of the shared vocabulary, those of one column the same;
   * 0 for numeric ones.
   */
  readonly firstId: number;
  readonly size: number;
}

/**
 * Tokens that are the square patches of an image, row by row, `maxTokens` = `rows · columns` in every record. A token's
 * channels are its pixels row by row, each with its colours together: channel `(y · patch + x) · colours + colour`.
 */
export interface GridSpec {
  /** Rows of patches. */
  readonly rows: number;
  /** Patches in a row. */
  readonly columns: number;
  /** Pixels along a side of a patch. */
  readonly patch: number;
}

/** What downstream code knows of a tokenizer. No code below asks which domain it was. */
export type TokenSpec =
  /** ids only. Rows are shorter than `maxTokens` or equal to it. */
  | { readonly kind: 'discrete'; readonly vocabulary: number; readonly maxTokens: number }
  /**
   * values only, `channels` per token, standardised. Rows are shorter than `maxTokens` or equal to it. Where tokens are patches of
   * a series, `patch` is their steps, which lie one after the other in a token, each with the channels of the series together.
   */
  | {
      readonly kind: 'continuous';
      readonly channels: number;
      readonly maxTokens: number;
      readonly grid?: GridSpec;
      readonly patch?: number;
    }
  /**
   * One token per column or part of one, in the order of `fields`; every row has exactly `maxTokens` = `fields.length` tokens.
   * Both ids and values (one channel) are given: a numeric cell has id `PRESENT_ID` and its standardised value;
   * a missing cell has id `MISSING_ID` and value 0; a categorical cell has its category's id and value 0.
   */
  | {
      readonly kind: 'fields';
      readonly fields: readonly FieldSpec[];
      readonly vocabulary: number;
      readonly maxTokens: number;
    };

/** Ids of the `fields` vocabulary that are not categories. */
export const PRESENT_ID = 0;
export const MISSING_ID = 1;
