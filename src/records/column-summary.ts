/** Statistics of one column, gathered batch by batch. */
import { quoteCell } from './bad-records.js';
import type { CellFormat } from './cells/cell-format.js';
import { lookOf, type TextLook } from './cells/text-look.js';
import { isFoldName, isSplitName, isValidationName, mayNameSplit } from './column-roles.js';
import { NumberSet } from './number-set.js';
import { type ColumnType, type ColumnValues, isCellType, type PixelShape } from './record-batch.js';
import { flagNamed, partNamed } from './split.js';

/** Different values are counted exactly up to this many. */
export const DISTINCT_CAP = 200_000;
const EXAMPLES = 3;
/** Up to so many different texts are told with how often they occur. */
const FEW_LEVELS = 12;

/** What is in a column. */
export interface ColumnProfile {
  readonly name: string;
  readonly type: ColumnType;
  /** See `ColumnInfo`. */
  readonly format?: CellFormat;
  /** See `ColumnInfo`. */
  readonly empty?: true;
  /** Cells that hold a value. */
  readonly present: number;
  readonly missing: number;
  /** Different values; a lower bound where `distinctCapped`. For pixels and series 0. */
  readonly distinct: number;
  readonly distinctCapped: boolean;
  /** Numbers, pixels and the values of series. */
  readonly range?: { readonly min: number; readonly max: number; readonly mean: number };
  /** Number columns: whether every value is an integer. */
  readonly integers: boolean;
  /** Number columns: whether every value is the one before plus 1, as in a row counter. */
  readonly consecutive: boolean;
  /** Text: characters per cell. Series: steps per record. */
  readonly lengths?: {
    readonly min: number;
    readonly median: number;
    readonly max: number;
    readonly mean: number;
  };
  /** Series: values of a step. */
  readonly channels?: number;
  /** Text: whether every cell is integers joined by a space, as labels of a sequence's tokens are, and some of several. */
  readonly numberList: boolean;
  /** Text: what its cells look like, where that can be told. */
  readonly look?: TextLook;
  /** The first different values, quoted and shortened. */
  readonly examples: readonly string[];
  /** The same value in every record, or missing in every one. */
  readonly constant: boolean;
  /** No value missing, none repeated (among the first 200,000). */
  readonly uniquePerRow: boolean;
  /** Text of few different values: how often each occurs. */
  readonly levels?: Readonly<Record<string, number>>;
  /** Whether it says which records are for training, by its values or by its name alone, and so is no data. */
  readonly looksLikeSplit: boolean;
  /**
   * How it says so: its words name `parts`, or it `flags` validation records. `unclear` is a column named as a split whose
   * values tell neither, and `folds` one that numbers folds.
   */
  readonly splitBy?: 'parts' | 'flags' | 'unclear' | 'folds';
  /** Why this may be a label, or undefined. */
  readonly looksLikeLabel?: string;
}

export class ColumnSummary {
  private present = 0;
  private missing = 0;
  private repeated = false;
  private integers = true;
  private consecutive = true;
  private previous = Number.NaN;
  private min = Number.POSITIVE_INFINITY;
  private max = Number.NEGATIVE_INFINITY;
  private sum = 0;
  private elements = 0;
  private readonly lengths: number[] = [];
  private channels?: number;
  private onlyIntegers = true;
  private several = false;
  /** The different numbers, the first `DISTINCT_CAP`. */
  private readonly numbers = new NumberSet();
  /**
   * Cells whose numbers are not counted yet. Each column's set leaves the processor's cache when others are counted,
   * so it is best to count many cells at once; and there are never many more than different numbers.
   */
  private waiting: Float64Array[] = [];
  private cellsWaiting = 0;
  /** Occurrences of each different text, the first `DISTINCT_CAP`. */
  private readonly texts = new Map<string, number>();
  private capped = false;
  private readonly examples: string[] = [];

  constructor(
    readonly name: string,
    readonly type: ColumnType,
    readonly format?: CellFormat,
  ) {}

  /** Adds the first `count` cells of a batch's column. */
  add(column: ColumnValues, count: number): void {
    if (column.type === 'number') this.addNumbers(column.values, count);
    else if (column.type === 'text') this.addTexts(column.values, count);
    else if (column.type === 'pixels') this.addPixels(column.values, count, column.shape);
    else this.addSeries(column, count);
  }

  private addNumbers(values: Float64Array, count: number): void {
    for (let i = 0; i < count; i++) {
      const value = values[i];
      if (Number.isNaN(value)) {
        this.missing++;
        continue;
      }
      this.present++;
      this.measure(value);
      if (!Number.isInteger(value)) this.integers = false;
      if (this.present > 1 && value !== this.previous + 1) this.consecutive = false;
      this.previous = value;
    }
    this.waiting.push(values.subarray(0, count));
    this.cellsWaiting += count;
    if (this.cellsWaiting > 4 * this.numbers.size) this.countNumbers();
  }

  /** Looks for the waiting numbers among the different ones. */
  private countNumbers(): void {
    const { numbers } = this;
    for (const values of this.waiting) {
      for (const value of values) {
        if (Number.isNaN(value)) continue;
        if (numbers.size === DISTINCT_CAP) {
          if (numbers.has(value)) this.repeated = true;
          else this.capped = true;
        } else if (!numbers.add(value)) this.repeated = true;
        else if (numbers.size <= EXAMPLES) this.examples.push(String(value));
      }
    }
    this.waiting = [];
    this.cellsWaiting = 0;
  }

  private addTexts(values: readonly (string | null)[], count: number): void {
    for (let i = 0; i < count; i++) {
      const value = values[i];
      if (value === null) {
        this.missing++;
        continue;
      }
      this.present++;
      this.lengths.push(value.length);
      if (this.onlyIntegers) {
        this.onlyIntegers = /^-?\d+( -?\d+)*$/.test(value);
        this.several ||= value.includes(' ');
      }
      const before = this.texts.get(value);
      if (before !== undefined) {
        this.repeated = true;
        this.texts.set(value, before + 1);
      } else if (this.texts.size < DISTINCT_CAP) {
        this.texts.set(value, 1);
        if (this.texts.size <= EXAMPLES) this.examples.push(quoteCell(value));
      } else this.capped = true;
    }
  }

  private addPixels(values: Uint8Array, count: number, [height, width, channels]: PixelShape): void {
    if (this.examples.length === 0) {
      this.examples.push(`${height} × ${width}${channels > 1 ? ` × ${channels}` : ''}`);
    }
    this.present += count;
    const end = count * height * width * channels;
    for (let i = 0; i < end; i++) this.measure(values[i]);
  }

  /** A record without any value is missing. */
  private addSeries(
    { values, offsets, channels }: Extract<ColumnValues, { type: 'series' }>,
    count: number,
  ): void {
    if (this.examples.length === 0) {
      this.examples.push(`${channels} ${channels === 1 ? 'channel' : 'channels'}`);
    }
    this.channels = channels;
    for (let record = 0; record < count; record++) {
      const before = this.elements;
      for (let i = offsets[record] * channels; i < offsets[record + 1] * channels; i++) {
        if (!Number.isNaN(values[i])) this.measure(values[i]);
      }
      if (this.elements === before) this.missing++;
      else this.present++;
      this.lengths.push(offsets[record + 1] - offsets[record]);
    }
  }

  private measure(value: number): void {
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
    this.sum += value;
    this.elements++;
  }

  /** The different cells as text. Of numbers only that they are there is known. */
  private cellCounts(): ReadonlyMap<string, number> {
    if (this.type !== 'number') return this.texts;
    const sorted = this.numbers.values().sort((a, b) => a - b);
    return new Map(sorted.map((value) => [String(value), 1]));
  }

  profile(): ColumnProfile {
    this.countNumbers();
    const { name, type, present, missing, texts, capped } = this;
    const distinct = type === 'number' ? this.numbers.size : texts.size;
    const look = type === 'text' ? lookOf(name, texts.keys()) : undefined;
    const splitBy =
      isCellType(type) && distinct <= MOST_PARTS ? splitUse(name, this.cellCounts(), type) : undefined;
    return {
      name,
      type,
      ...(this.format && { format: this.format }),
      present,
      missing,
      distinct,
      distinctCapped: capped,
      ...(this.elements > 0 && {
        range: { min: this.min, max: this.max, mean: this.sum / this.elements },
      }),
      integers: type === 'number' && present > 0 && this.integers,
      consecutive: type === 'number' && present > 2 && this.consecutive,
      ...(this.lengths.length > 0 && { lengths: lengthStatistics(this.lengths) }),
      ...(this.channels && { channels: this.channels }),
      numberList: this.onlyIntegers && this.several,
      ...(look && { look }),
      examples: this.examples,
      constant: isCellType(type) && distinct <= 1 && (present === 0 || missing === 0),
      uniquePerRow: isCellType(type) && present > 1 && missing === 0 && !this.repeated,
      ...(type === 'text' && !capped && distinct <= FEW_LEVELS && { levels: Object.fromEntries(texts) }),
      looksLikeSplit: splitBy !== undefined,
      ...(splitBy && { splitBy }),
    };
  }
}

function lengthStatistics(lengths: number[]) {
  const sorted = Float64Array.from(lengths).sort();
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  const mean = sorted.reduce((sum, length) => sum + length, 0) / sorted.length;
  return { min: sorted[0], median, max: sorted[sorted.length - 1], mean };
}

/** Columns with more different values are no split. */
const MOST_PARTS = 20;

/** How a column says which records are for training, from its name and its different cells with their numbers. */
function splitUse(
  name: string,
  counts: ReadonlyMap<string, number>,
  type: ColumnType,
): ColumnProfile['splitBy'] {
  if (counts.size === 0) return undefined;
  const cells = [...counts.keys()];
  if (type === 'text' && namesParts(name, counts)) return 'parts';
  if (isValidationName(name) && cells.every((cell) => flagNamed(cell) !== undefined)) return 'flags';
  if (isFoldName(name) && cells.every((cell) => /^((cv|fold)[ _-]?)?\d+$/i.test(cell.trim()))) return 'folds';
  return isSplitName(name) ? 'unclear' : undefined;
}

/**
 * Whether the values name the training part and another one, and little else. In a column that is named as a split one
 * part is enough, since a sorted file begins with one, and there may be other words, such as `unparsable`.
 */
function namesParts(name: string, counts: ReadonlyMap<string, number>): boolean {
  let recognised = 0;
  let all = 0;
  const parts = new Set<string>();
  for (const [cell, count] of counts) {
    all += count;
    const part = partNamed(cell);
    if (!part) continue;
    recognised += count;
    parts.add(part);
  }
  if (isSplitName(name)) return parts.size > 0;
  return (
    recognised >= 0.9 * all &&
    parts.size > 0 &&
    (mayNameSplit(name) || (parts.has('train') && parts.size > 1))
  );
}
