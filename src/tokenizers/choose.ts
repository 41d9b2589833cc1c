/** What becomes a token is decided in the open: from a look at the first records, by rules that can be told in a line. */

import { InputError } from '../errors.js';
import type { ColumnInfo, ColumnValues, RecordBatch } from '../records/record-batch.js';
import { MAX_CATEGORIES } from './fields.js';
import type { TokenizerKind } from './index.js';

/** What a choice needs to know of a column, from the first records. */
export interface ColumnProfile extends ColumnInfo {
  /** Records looked at. */
  readonly records: number;
  /** Cells that are not missing. */
  readonly present: number;
  /** Different values; counted up to 257, which stands for more than 256. */
  readonly distinct: number;
  /** Mean length over all records of a text column, missing cells counting 0. */
  readonly meanLength: number;
  /** Whether each number is the one before plus 1, as in a row counter. */
  readonly consecutive: boolean;
}

export interface TokenizerChoice {
  readonly kind: TokenizerKind;
  /** The columns that become tokens, in file order. */
  readonly columns: string[];
  /** One sentence for people. */
  readonly why: string;
  /** The columns that do not become tokens. */
  readonly unused: string[];
  /** Why each unused column is not used, by name. */
  readonly reasons: Readonly<Record<string, string>>;
  /** Choices that may spoil a later comparison, each a sentence that says what to do. */
  readonly warnings: string[];
}

export interface TokenizerWishes {
  readonly kind?: TokenizerKind;
  /** Only these columns, whatever they are called. */
  readonly columns?: readonly string[];
  /** Never these columns. */
  readonly ignore?: readonly string[];
}

const PROFILE_RECORDS = 10_000;

const SPLIT_NAME = /(^|_)split$/i;
const ID_NAME = /^(id|ids|index|name|key|uuid|accession)$|_id$/i;
const LABEL_REASON = 'its name is that of a label';
const LABEL_NAME = /^(label|labels|target|targets|class|classes|outcome|y)$|_(label|target|class)$/i;

/** Columns with at most this many different values at the end of a table look like labels. */
const LABEL_VALUES = 10;

/** Profiles of all columns from the first 10,000 records. */
export async function profileColumns(
  columns: readonly ColumnInfo[],
  batches: AsyncIterable<RecordBatch> | Iterable<RecordBatch>,
): Promise<ColumnProfile[]> {
  const counters = columns.map(({ name, type }) => ({ name, type, ...emptyCounter() }));
  let records = 0;
  for await (const batch of batches) {
    const count = Math.min(batch.rows.length, PROFILE_RECORDS - records);
    for (const counter of counters) {
      const column = batch.columns[counter.name];
      if (column) countColumn(counter, column, count);
    }
    records += count;
    if (records === PROFILE_RECORDS) break;
  }
  return counters.map(({ name, type, present, seen, characters, consecutive }) => ({
    name,
    type,
    records,
    present,
    distinct: seen.size,
    meanLength: records === 0 ? 0 : characters / records,
    consecutive: consecutive && present > 2,
  }));
}

const emptyCounter = () => ({
  present: 0,
  seen: new Set<number | string>(),
  characters: 0,
  consecutive: true,
  previous: Number.NaN,
});

function countColumn(counter: ReturnType<typeof emptyCounter>, column: ColumnValues, count: number): void {
  if (column.type === 'pixels') {
    counter.present += count;
    counter.consecutive = false;
    return;
  }
  for (let row = 0; row < count; row++) {
    const value = column.values[row];
    if (value === null || Number.isNaN(value)) continue;
    if (typeof value === 'string') counter.characters += value.length;
    if (typeof value === 'string' || (counter.present > 0 && value !== counter.previous + 1))
      counter.consecutive = false;
    else counter.previous = value;
    counter.present++;
    if (counter.seen.size <= MAX_CATEGORIES) counter.seen.add(value);
  }
}

/** A text column with few enough values, each of which comes back, to be a category. */
const isCategory = ({ distinct, present }: ColumnProfile) =>
  distinct <= MAX_CATEGORIES && distinct <= present / 2;

/**
 * Chooses the tokenizer and its columns. Images are read by `grid`; a text column that has more characters per record
 * than there are other columns by `sequence`; any other table by `fields`.
 * Columns named as a split, an id or a label are not used, nor are constant ones, unless `columns` names them.
 * Throws InputError if nothing is left, or a wish names a column that there is not.
 */
export function chooseTokenizer(
  profiles: readonly ColumnProfile[],
  wishes: TokenizerWishes = {},
): TokenizerChoice {
  const names = profiles.map(({ name }) => name);
  const unknown = [...(wishes.columns ?? []), ...(wishes.ignore ?? [])].find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new InputError(
      `there is no column ${JSON.stringify(unknown)}; the columns are ${names.join(', ')}`,
    );
  }
  const reasons = new Map<string, string>();
  for (const profile of profiles) {
    const reason = reasonToLeaveOut(profile, wishes);
    if (reason) reasons.set(profile.name, reason);
  }
  const candidates = profiles.filter(({ name }) => !reasons.has(name));
  if (candidates.length === 0) {
    const list = names.map((name) => `${name}: ${reasons.get(name)}`).join('; ');
    throw new InputError(`no column is left to learn from (${list}); name some with --columns`);
  }
  const { kind, chosen, why, otherwise } = chooseKind(candidates, wishes.kind, wishes.columns !== undefined);
  for (const { name } of candidates) {
    if (!chosen.some((profile) => profile.name === name)) reasons.set(name, otherwise);
  }
  return {
    kind,
    columns: chosen.map(({ name }) => name),
    why,
    unused: names.filter((name) => reasons.has(name)),
    reasons: Object.fromEntries(reasons),
    warnings: labelWarnings(profiles, kind, chosen, reasons),
  };
}

function reasonToLeaveOut(profile: ColumnProfile, { columns, ignore }: TokenizerWishes): string | undefined {
  const { name, type, present, distinct, consecutive } = profile;
  if (ignore?.includes(name)) return 'ignored as asked';
  if (columns) return columns.includes(name) ? undefined : 'not among the columns asked for';
  if (SPLIT_NAME.test(name)) return 'says which records are for training';
  if (ID_NAME.test(name)) return 'names the record';
  if (LABEL_NAME.test(name)) return LABEL_REASON;
  if (consecutive) return 'counts the records';
  if (present === 0) return `missing in all of the first ${profile.records} records`;
  if (type !== 'pixels' && distinct === 1 && present > 1)
    return `the same in all of the first ${profile.records} records`;
  return undefined;
}

interface KindChoice {
  readonly kind: TokenizerKind;
  readonly chosen: readonly ColumnProfile[];
  readonly why: string;
  /** Why the other candidates were not chosen. */
  readonly otherwise: string;
}

function chooseKind(
  candidates: readonly ColumnProfile[],
  kind: TokenizerKind | undefined,
  asked: boolean,
): KindChoice {
  const images = candidates.find(({ type }) => type === 'pixels');
  const texts = candidates.filter(({ type }) => type === 'text');
  const longest = texts.reduce<ColumnProfile | undefined>(
    (best, text) => (best && best.meanLength >= text.meanLength ? best : text),
    undefined,
  );
  if (kind === 'grid' || (kind === undefined && images)) {
    if (!images) throw noColumn('grid', 'images', candidates);
    return {
      kind: 'grid',
      chosen: [images],
      why: `column ${images.name} holds images`,
      otherwise: 'no image',
    };
  }
  const dominates =
    longest &&
    (candidates.length === 1 || (!isCategory(longest) && longest.meanLength > candidates.length - 1));
  if (kind === 'sequence' || (kind === undefined && dominates)) {
    if (!longest) throw noColumn('sequence', 'text', candidates);
    const length = Math.round(longest.meanLength);
    const why = `column ${longest.name} holds text, ${length} characters on average`;
    return { kind: 'sequence', chosen: [longest], why, otherwise: `only ${longest.name} is read` };
  }
  const chosen = candidates.filter(
    (profile) => profile.type === 'number' || (profile.type === 'text' && (asked || isCategory(profile))),
  );
  if (chosen.length === 0) throw noColumn('fields', 'numbers or categories', candidates);
  const numbers = chosen.filter(({ type }) => type === 'number').length;
  return {
    kind: 'fields',
    chosen,
    why: `a table of ${numbers} numeric and ${chosen.length - numbers} categorical columns`,
    otherwise: 'has too many different texts to be a category',
  };
}

const noColumn = (kind: TokenizerKind, reads: string, candidates: readonly ColumnProfile[]) =>
  new InputError(
    `the ${kind} tokenizer reads ${reads}; the columns are ${candidates.map(({ name, type }) => `${name} (${type})`).join(', ')}`,
  );

/** A label that was pretrained on spoils every later comparison. */
function labelWarnings(
  profiles: readonly ColumnProfile[],
  kind: TokenizerKind,
  chosen: readonly ColumnProfile[],
  reasons: ReadonlyMap<string, string>,
): string[] {
  if (kind !== 'fields') return [];
  const warnings: string[] = [];
  for (const { name } of profiles) {
    if (!LABEL_NAME.test(name)) continue;
    if (chosen.some((profile) => profile.name === name)) {
      warnings.push(`column ${name} looks like a label and is learned from; leave it out with --ignore`);
    } else if (reasons.get(name) === LABEL_REASON) {
      warnings.push(
        `column ${name} looks like a label and is not learned from; name it in --columns if it is data`,
      );
    }
  }
  const last = profiles[profiles.length - 1];
  const few = last.distinct <= LABEL_VALUES && last.distinct <= last.present / 2;
  if (few && chosen.length > 1 && chosen.includes(last) && !LABEL_NAME.test(last.name)) {
    warnings.push(
      `the last column, ${last.name}, has only ${last.distinct} values; if it is a label, leave it out with --ignore`,
    );
  }
  return warnings;
}
