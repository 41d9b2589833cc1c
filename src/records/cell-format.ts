/** How a cell's characters become its value. Plain data, kept in a run, so that every file is read alike. */

/** A number with separators or a unit: `$5,533,000`, `12,5 %`, `1.234,50 €`. */
export interface NumberFormat {
  readonly kind: 'number';
  readonly decimal: '.' | ',';
  /** What stands between groups of three digits. */
  readonly thousands?: ',' | '.' | ' ' | "'" | '_';
  /** Currency, percent or another unit that stands before or behind, and is left off. */
  readonly unit?: string;
}

/** A date, a time or both. The value of a cell is seconds since 1970 in UTC, or since midnight for a time alone. */
export interface DateFormat {
  readonly kind: 'date';
  /** Which of both its cells hold. */
  readonly holds: 'date' | 'time' | 'date and time';
  /** The order of day, month and year where digits do not tell it. */
  readonly order: 'ymd' | 'dmy' | 'mdy';
}

/** Two words, such as `true` and `false`, whose case does not matter. Its column is of text. */
export interface BooleanFormat {
  readonly kind: 'boolean';
}

export type CellFormat = NumberFormat | DateFormat | BooleanFormat;
