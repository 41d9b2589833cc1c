/** What `inspect` says about a source: its columns, and which of them look like the id, the split and the labels. */
import {
  isIdName,
  isLabelName,
  isUsualLabel,
  labelWord,
  mayNameRecord,
  splitByName,
} from './column-roles.js';
import { type ColumnProfile, ColumnSummary, DISTINCT_CAP } from './column-summary.js';
import { NumberSet } from './number-set.js';
import { type DataSource, isCellType, type LeftOutColumn, type RecordBatch } from './record-batch.js';
import { recordHashes } from './record-hash.js';

export type { ColumnProfile } from './column-summary.js';

/** What is in a file. */
export interface SourceProfile {
  readonly path: string;
  readonly format: string;
  readonly bytes: number;
  /** Records that were read. */
  readonly rowsRead: number;
  /** Records of the whole file; undefined when the reading stopped at the limit. Skipped bad records are not counted. */
  readonly rows?: number;
  /** Records that equal an earlier one in every column, among the first 200,000 different ones. */
  readonly duplicates: number;
  readonly columns: readonly ColumnProfile[];
  /** How the file is written, and what of its cells was decided and may surprise. */
  readonly dialect?: string;
  readonly notes?: readonly string[];
  /** What of the records no column holds. */
  readonly leftOut?: readonly LeftOutColumn[];
  /** The column that identifies a record. */
  readonly id?: string;
  /** The column that says train, valid or test. */
  readonly split?: string;
  /** The text column that makes up most of a record, such as a sequence. */
  readonly dominantText?: string;
}

/** A column with at most this many different values may be a class. */
const FEW = 20;

/** A text column with more different values than this is no category. */
export const MAX_CATEGORIES = 256;

/** The letters of a free text that `fields` reads beside other columns, at most. */
export const MOST_LETTERS = 32;

/** A list of more numbers is no vector of a table but a time series. */
export const MAX_ELEMENTS = 256;

/** A column with few enough values, each of which comes back, to be a category. */
export const isCategory = ({ distinct, present }: ColumnProfile): boolean =>
  distinct <= MAX_CATEGORIES && 2 * distinct <= present;

/** Reads the first `rows` records (100,000 by default) and describes them. Throws what the source throws. */
export async function profileSource(
  source: DataSource,
  { rows: limit = 100_000 }: { rows?: number } = {},
): Promise<SourceProfile> {
  const summaries = source.columns.map(({ name, type, format }) => new ColumnSummary(name, type, format));
  const seen = new NumberSet();
  let duplicates = 0;
  let rowsRead = 0;
  let complete = true;
  for await (const batch of source.read({ few: true })) {
    const count = Math.min(batch.rows.length, limit - rowsRead);
    if (count < batch.rows.length) complete = false;
    for (const summary of summaries) summary.add(batch.columns[summary.name], count);
    duplicates += countDuplicates(batch, count, seen);
    rowsRead += count;
    if (!complete) break;
  }
  const columns = summaries.map((summary, i): ColumnProfile => {
    const { empty } = source.columns[i];
    return { ...summary.profile(), ...(empty && { empty }) };
  });
  const split = findSplit(columns);
  const dominantText = findDominantText(columns.filter(({ name }) => name !== split && !isIdName(name)));
  const id = findId(columns, dominantText);
  return {
    path: source.path,
    format: source.format,
    bytes: source.bytes,
    rowsRead,
    ...(complete && { rows: rowsRead }),
    duplicates,
    columns: withLabels(columns, { split, id, dominantText }),
    ...(source.dialect !== undefined && { dialect: source.dialect }),
    ...(source.notes?.length && { notes: source.notes }),
    ...(source.leftOut?.length && { leftOut: source.leftOut }),
    id,
    split,
    dominantText,
  };
}

/** The columns, with why each may be a label beside those that are known to be something else. */
export function withLabels(
  columns: readonly ColumnProfile[],
  { split, id, dominantText }: Pick<SourceProfile, 'split' | 'id' | 'dominantText'>,
): ColumnProfile[] {
  const text = columns.find(({ name }) => name === dominantText);
  const others = columns.filter(
    ({ name, looksLikeSplit }) => !looksLikeSplit && ![split, id, dominantText].includes(name),
  );
  const likely = text ? undefined : likelyLabel(others);
  return columns.map((column) => ({
    ...column,
    looksLikeLabel: !others.includes(column)
      ? undefined
      : likely?.name === column.name
        ? likely.reason
        : labelReason(column, text),
  }));
}

/** How many of the first `count` records of a batch were seen before. `seen` holds 53 bits of the hashes of records. */
function countDuplicates(batch: RecordBatch, count: number, seen: NumberSet): number {
  const { low, high } = recordHashes(batch, undefined, count);
  let duplicates = 0;
  for (let i = 0; i < count; i++) {
    const hash = (high[i] >>> 11) * 2 ** 32 + low[i];
    const known = seen.size < DISTINCT_CAP ? !seen.add(hash) : seen.has(hash);
    if (known) duplicates++;
  }
  return duplicates;
}

/** By name; or the only column whose values say it. */
function findSplit(columns: readonly ColumnProfile[]): string | undefined {
  const candidates = columns.filter(({ splitBy }) => splitBy === 'parts');
  return splitByName(candidates) ?? (candidates.length === 1 ? candidates[0].name : undefined);
}

/**
 * How many characters a cell weighs beside text: one of a column with few different integers or texts, such as 0 and 1;
 * four of another number or category; of other texts its length, as far as `fields` reads it.
 */
function weightOf(column: ColumnProfile): number {
  const { type, integers, distinct, lengths } = column;
  if (type === 'number') return integers && distinct <= FEW ? 1 : 4;
  if (isCategory(column)) return distinct <= FEW ? 1 : 4;
  return Math.min(lengths?.mean ?? 0, MOST_LETTERS);
}

/** Prose rules a record only if it is so many times as long as all other cells together. */
const PROSE_WEIGHT = 4;

/**
 * The text column that makes up most of a record: the longest on average of those that look like a sequence, prose or a
 * list of numbers, are no category and not mostly missing. A sequence must be at least as long as all number cells of a
 * record together, prose four times as long as all other cells. A column that may be a name or a heading counts only where
 * there is no other, and so does a list of numbers. The first of equally long ones. A text without other columns is one, whatever it looks like.
 */
function findDominantText(columns: readonly ColumnProfile[]): string | undefined {
  if (columns.some(({ type }) => !isCellType(type))) return undefined;
  const alone = columns.length === 1;
  const free = columns.filter(
    (column) => column.type === 'text' && column.missing <= column.present && (alone || mayRule(column)),
  );
  const unnamed = free.filter(({ name }) => !mayNameRecord(name));
  const data = unnamed.some(({ numberList }) => !numberList)
    ? unnamed.filter(({ numberList }) => !numberList)
    : unnamed;
  let longest: ColumnProfile | undefined;
  const mean = (column?: ColumnProfile) => column?.lengths?.mean ?? 0;
  for (const column of data.length > 0 ? data : free) {
    if (mean(column) > 1.01 * mean(longest)) longest = column;
  }
  const prose = longest?.look === 'prose' && !longest.numberList;
  let others = 0;
  for (const column of columns) {
    if (column !== longest && (prose || column.type === 'number')) others += weightOf(column);
  }
  return mean(longest) >= (prose ? PROSE_WEIGHT : 1) * others ? longest?.name : undefined;
}

const mayRule = (column: ColumnProfile): boolean =>
  !isCategory(column) && (column.look === 'sequence' || column.look === 'prose' || column.numberList);

/** The first column that is unique in each record and is named like an id, or is text beside the dominating one. */
function findId(columns: readonly ColumnProfile[], dominantText: string | undefined): string | undefined {
  const unique = columns.filter(
    ({ name, uniquePerRow, numberList }) => uniquePerRow && !numberList && name !== dominantText,
  );
  const named = unique.find(
    ({ name, type, integers }) => mayNameRecord(name) && (type === 'text' || integers),
  );
  return (named ?? unique.find(({ type, lengths }) => type === 'text' && lengths!.max <= 64))?.name;
}

/** Whether a column has few values, each of which is there ten times on average. */
const hasFew = ({ distinct, present }: ColumnProfile): boolean =>
  distinct > 1 && distinct <= FEW && distinct * 10 <= present;

/** The most classes of a label that is told by its place among columns of numbers. */
const MOST_CLASSES = 30;

/** Names of categories that are data of a record wherever they stand. */
const isTrait = ({ name }: ColumnProfile) =>
  /^(sex|gender|age|country|region|state|city|date|year|month)$/i.test(name);

/**
 * The one label of a table without a dominating text that neither its name alone nor a word in it tells, and why: a usual
 * label by its whole name and few values; else the only text among numbers, first or last, with few classes; else the
 * last column, with few values. `columns` are those that are no split and no id. By place none is told where another is named as a label.
 */
function likelyLabel(columns: readonly ColumnProfile[]): { name: string; reason: string } | undefined {
  const cells = columns.filter((column) => isCellType(column.type) && !column.constant);
  if (cells.length < 2) return undefined;
  const isClass = (column: ColumnProfile) =>
    (column.type === 'text' || column.integers) &&
    column.distinct > 1 &&
    column.distinct <= MOST_CLASSES &&
    2 * column.distinct <= column.present;
  const first = columns[0];
  const last = columns[columns.length - 1];
  const usual = cells.filter((column) => isUsualLabel(column.name) && isClass(column));
  const lastFew = isClass(last) && hasFew(last) && cells.includes(last) && !isTrait(last);
  const byPlace = { name: last.name, reason: `the last column, with only ${last.distinct} values` };
  if (usual.length === 1) {
    const [{ name, distinct }] = usual;
    if (lastFew && name === last.name) return byPlace;
    return { name, reason: `its name is that of a usual label, with ${distinct} values` };
  }
  if (cells.some(({ name }) => isLabelName(name))) return undefined;
  const texts = cells.filter(({ type }) => type === 'text');
  const [only] = texts;
  if (
    texts.length === 1 &&
    cells.length > 3 &&
    (only === first || only === last) &&
    isClass(only) &&
    !isTrait(only)
  ) {
    const place = only === first ? 'first' : 'last';
    return {
      name: only.name,
      reason: `the only text among ${cells.length - 1} columns of numbers, ${place}, with ${only.distinct} values`,
    };
  }
  return lastFew ? byPlace : undefined;
}

/** Why a column may be a label by its name, or beside a dominating text; labels must not be pretrained on. */
function labelReason(column: ColumnProfile, text: ColumnProfile | undefined): string | undefined {
  const { name, type, distinct, integers, lengths } = column;
  if (column.constant || !isCellType(type)) return undefined;
  const word = labelWord(name);
  if (word) return `its name says "${word}"`;
  if (!text || (column.uniquePerRow && integers)) return undefined;
  if (distinct <= FEW && distinct * 10 <= column.present)
    return `only ${distinct} values beside the text column "${text.name}"`;
  if (type === 'number') return `numbers beside the text column "${text.name}"`;
  if (column.numberList) return `lists of numbers beside the text column "${text.name}": a label per token?`;
  const aligned = lengths?.mean === text.lengths?.mean && lengths?.max === text.lengths?.max;
  return aligned ? `as long as the text column "${text.name}": a label per character?` : undefined;
}
