/**
 * The `.ts` text of the UEA and UCR time series archives (Bagnall et al., 2018, "The UEA multivariate time series
 * classification archive"): `@` lines that describe the problem, `@data`, then one record a line, whose dimensions are
 * separated by `:` and hold the values of all steps separated by commas, with the label behind the last one.
 */
import { InputError, listed } from '../../errors.js';
import { quoteCell } from '../bad-records.js';
import type { ByteFile } from '../bytes/byte-file.js';
import { isDamagedText, lineChunks } from '../bytes/bytes.js';
import { MISSING_WORDS } from '../cells/cell-format.js';
import { BATCH_RECORDS, BATCH_SIZE, type Reader } from '../reader.js';
import type { ColumnInfo, ColumnValues, RecordBatch } from '../record-batch.js';

interface TsHeader {
  readonly channels: number;
  /** Steps of every record, where the header says that all have as many. */
  readonly steps?: number;
  /** What stands behind the last dimension. */
  readonly label?: 'text' | 'number';
  /** The classes, by their names in small letters; empty where the header does not list them. */
  readonly classes: ReadonlyMap<string, string>;
  /** Number of the line `@data`. */
  readonly dataLine: number;
}

/** A record that was read, or what is wrong with it. */
type Parsed<T> = { readonly value: T } | { readonly fault: string };

const missing = new Set(MISSING_WORDS);

const isComment = (line: string) => line === '' || line.startsWith('#') || line.startsWith('%');

/**
 * Columns `series` and, where records have one, `label`: text for `@classLabel`, numbers for `@targetLabel`. `?` and NaN
 * are missing values. Throws InputError for a header that contradicts itself and for time stamps.
 */
export async function tsReader(file: ByteFile): Promise<Reader> {
  const header = await readHeader(file);
  const columns: ColumnInfo[] = [{ name: 'series', type: 'series' }];
  if (header.label) columns.push({ name: 'label', type: header.label });
  return {
    columns,
    async *read(selected, reject) {
      const wanted = new Set(selected.map(({ name }) => name));
      let batch = new SeriesBatch(header, wanted);
      let row = -1;
      for await (const { text, line } of lines(file)) {
        if (line <= header.dataLine) continue;
        row++;
        const fault = batch.add(row, text);
        if (fault !== undefined) reject({ path: file.name, row, line, message: fault });
        if (!batch.full) continue;
        yield batch.toRecords();
        batch = new SeriesBatch(header, wanted);
      }
      if (batch.rows.length > 0) yield batch.toRecords();
    },
  };
}

/** Lines that are neither blank nor comments, trimmed, with their numbers counted from 1. */
async function* lines(file: ByteFile): AsyncGenerator<{ text: string; line: number }> {
  for await (const { firstLine, lines } of lineChunks(file)) {
    for (let i = 0; i < lines.length; i++) {
      const text = lines[i].trim();
      if (!isComment(text)) yield { text, line: firstLine + i };
    }
  }
}

async function readHeader(file: ByteFile): Promise<TsHeader> {
  const settings = new Map<string, { words: string[]; line: number }>();
  let dataLine: number | undefined;
  let first: string | undefined;
  for await (const { text, line } of lines(file)) {
    if (dataLine !== undefined) {
      first = text;
      break;
    }
    if (!text.startsWith('@')) {
      throw new InputError(
        `${file.name}: line ${line}: expected a header line such as "@univariate true", or "@data" before the first record, got ${quoteCell(text)}`,
      );
    }
    const [key, ...words] = text.slice(1).split(/\s+/);
    if (key.toLowerCase() === 'data') dataLine = line;
    else settings.set(key.toLowerCase(), { words, line });
  }
  if (dataLine === undefined)
    throw new InputError(`${file.name}: no line "@data"; expected a header, @data, and records`);
  if (first === undefined) throw new InputError(`${file.name}: a header but no records`);

  const refuse = (key: string, expected: string): InputError => {
    const { words, line } = settings.get(key)!;
    return new InputError(
      `${file.name}: line ${line}: @${key}: expected ${expected}, got ${quoteCell(words.join(' '))}`,
    );
  };
  const truth = (key: string): boolean | undefined => {
    const word = settings.get(key)?.words[0]?.toLowerCase();
    if (!settings.has(key)) return undefined;
    if (word !== 'true' && word !== 'false') throw refuse(key, 'true or false');
    return word === 'true';
  };
  const count = (key: string): number | undefined => {
    if (!settings.has(key)) return undefined;
    const number = Number(settings.get(key)!.words[0]);
    if (!(Number.isInteger(number) && number > 0)) throw refuse(key, 'a whole number above 0');
    return number;
  };

  if (truth('timestamps')) {
    throw new InputError(
      `${file.name}: line ${settings.get('timestamps')!.line}: series with time stamps are not read; write the values alone, at equal intervals, with @timeStamps false`,
    );
  }
  const label = truth('classlabel') ? 'text' : truth('targetlabel') ? 'number' : undefined;
  const parts = first.split(':');
  const dimensions = count('dimensions') ?? count('dimension');
  const univariate = truth('univariate');
  if (univariate && dimensions !== undefined && dimensions > 1) {
    throw new InputError(
      `${file.name}: @univariate is true and @dimensions is ${dimensions}; correct one of them`,
    );
  }
  const channels = dimensions ?? (univariate ? 1 : Math.max(1, parts.length - (label ? 1 : 0)));
  const equal = truth('equallength');
  const classes = settings.get('classlabel')?.words.slice(1) ?? [];
  return {
    channels,
    steps: equal ? (count('serieslength') ?? parts[0].split(',').length) : undefined,
    label,
    classes: new Map(classes.map((name) => [name.toLowerCase(), name])),
    dataLine,
  };
}

/** Collects records until they are many. */
class SeriesBatch {
  readonly rows: number[] = [];
  private readonly series: Float32Array[] = [];
  private readonly texts: (string | null)[] = [];
  private readonly numbers: number[] = [];
  private size = 0;
  constructor(
    private readonly header: TsHeader,
    private readonly wanted: ReadonlySet<string>,
  ) {}

  get full(): boolean {
    return this.rows.length >= BATCH_RECORDS || this.size >= BATCH_SIZE;
  }

  /** Adds the record of a line, or says what is wrong with it. */
  add(row: number, text: string): string | undefined {
    if (isDamagedText(text)) return 'not valid UTF-8';
    const { header, wanted } = this;
    const series = wanted.has('series') ? parseSeries(text, header) : undefined;
    if (series && 'fault' in series) return series.fault;
    const label = wanted.has('label')
      ? parseLabel(text.slice(text.lastIndexOf(':') + 1).trim(), header)
      : undefined;
    if (label && 'fault' in label) return label.fault;
    this.rows.push(row);
    if (series) {
      this.series.push(series.value);
      this.size += series.value.byteLength;
    }
    if (label && header.label === 'number')
      this.numbers.push(label.value === null ? Number.NaN : Number(label.value));
    else if (label) this.texts.push(label.value);
    return undefined;
  }

  toRecords(): RecordBatch {
    const { header, wanted } = this;
    const columns: Record<string, ColumnValues> = {};
    if (wanted.has('series')) {
      const { channels } = header;
      const offsets = new Int32Array(this.rows.length + 1);
      this.series.forEach((values, record) => {
        offsets[record + 1] = offsets[record] + values.length / channels;
      });
      const values = new Float32Array(offsets[this.rows.length] * channels);
      this.series.forEach((record, i) => {
        values.set(record, offsets[i] * channels);
      });
      columns.series = { type: 'series', values, offsets, channels };
    }
    if (wanted.has('label')) {
      columns.label =
        header.label === 'number'
          ? { type: 'number', values: Float64Array.from(this.numbers) }
          : { type: 'text', values: this.texts };
    }
    return { rows: Int32Array.from(this.rows), columns };
  }
}

/** The values of a line, step by step with the channels of a step together, float32[steps, channels]. */
function parseSeries(text: string, { channels, steps, label }: TsHeader): Parsed<Float32Array> {
  const parts = text.split(':');
  if (parts.length !== channels + (label ? 1 : 0)) {
    const dimensions = channels === 1 ? '1 dimension' : `${channels} dimensions`;
    const expected = `${dimensions}${label ? ' and a label' : ''}`;
    return { fault: `expected ${expected} separated by ":", got ${parts.length} of them` };
  }
  const length = steps ?? countValues(parts[0]);
  const counts = parts.slice(0, channels).map(countValues);
  const odd = counts.findIndex((found) => found !== length);
  // Before memory is taken: the header may say anything.
  if (odd >= 0) {
    const reason = steps === undefined ? 'as in dimension 1' : 'as all records have';
    return { fault: `dimension ${odd + 1}: expected ${length} values ${reason}, got ${counts[odd]}` };
  }
  const values = new Float32Array(length * channels);
  for (let channel = 0; channel < channels; channel++) {
    const part = parts[channel];
    for (let step = 0, from = 0; step < length; step++) {
      const comma = part.indexOf(',', from);
      const to = comma < 0 ? part.length : comma;
      const value = parseDecimal(part, from, to) ?? parseValue(part.slice(from, to));
      if (value === undefined) {
        return {
          fault: `dimension ${channel + 1}, value ${step + 1}: expected a number, or ? where it is missing, got ${quoteCell(part.slice(from, to))}`,
        };
      }
      values[step * channels + channel] = value;
      from = to + 1;
    }
  }
  return { value: values };
}

function countValues(part: string): number {
  let count = 1;
  for (let comma = part.indexOf(','); comma >= 0; comma = part.indexOf(',', comma + 1)) count++;
  return count;
}

/** More digits may not be exact as a whole number. */
const EXACT_DIGITS = 15;
const POWERS_OF_TEN = Array.from({ length: EXACT_DIGITS + 1 }, (_, exponent) => 10 ** exponent);

/**
 * The number that `-12.345` and the like stand for, or undefined for any other text. As `Number` gives it: the digits as a
 * whole number and the power of ten are exact, so their quotient is rounded once (Clinger, 1990, "How to read floating
 * point numbers accurately"). In place, in half the time that cutting the text and `Number` take.
 */
function parseDecimal(text: string, from: number, to: number): number | undefined {
  const negative = text.charCodeAt(from) === 45;
  let digits = 0;
  let whole = 0;
  let point = to - 1;
  for (let i = negative ? from + 1 : from; i < to; i++) {
    const code = text.charCodeAt(i);
    if (code >= 48 && code <= 57) {
      whole = whole * 10 + code - 48;
      digits++;
    } else if (code === 46 && point === to - 1) point = i;
    else return undefined;
  }
  if (digits === 0 || digits > EXACT_DIGITS) return undefined;
  const number = whole / POWERS_OF_TEN[to - 1 - point];
  return negative ? -number : number;
}

/** NaN for a missing or infinite value; undefined for what is none. */
function parseValue(cell: string): number | undefined {
  const number = Math.fround(Number(cell));
  if (Number.isFinite(number) && (number !== 0 || cell.trim() !== '')) return number;
  const word = cell.trim();
  return missing.has(word) || /^[+-]?inf(inity)?$/i.test(word) ? Number.NaN : undefined;
}

/** The label as the header writes it; null where it is missing. */
function parseLabel(word: string, { label, classes }: TsHeader): Parsed<string | null> {
  if (missing.has(word)) return { value: null };
  if (word === '') return { fault: 'the label is empty; write ? where it is not known' };
  if (label === 'number') {
    return Number.isFinite(Number(word))
      ? { value: word }
      : { fault: `expected a number as @targetLabel says, got ${quoteCell(word)}` };
  }
  const known = classes.size === 0 ? word : classes.get(word.toLowerCase());
  if (known !== undefined) return { value: known };
  const names = [...classes.values()];
  return { fault: `label ${quoteCell(word)} is none of those that @classLabel lists (${listed(names)})` };
}
