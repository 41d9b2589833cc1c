/** What becomes a token is decided in the open: from a look at the first records, by rules that can be told in a line. */

import { InputError, listed } from '../errors.js';
import { isIdName, isLabelName, isSplitName, mayNameData, mayNameRecord } from '../records/column-roles.js';
import {
  type ColumnProfile,
  isCategory,
  MAX_ELEMENTS,
  MOST_LETTERS,
  type SourceProfile,
  withLabels,
} from '../records/profile.js';
import { isCellType, withoutType } from '../records/record-batch.js';
import type { FieldKind } from './field.js';
import type { TokenizerKind } from './index.js';
import { LeftOut, type Reason } from './left-out.js';

/** The kind and the columns that were chosen, and why. */
export interface TokenizerChoice {
  readonly kind: TokenizerKind;
  /** The columns that become tokens, in file order. */
  readonly columns: string[];
  /** `fields`: how each of the columns is read. */
  readonly kinds?: Readonly<Record<string, FieldKind>>;
  /** One sentence for people. */
  readonly why: string;
  /** The columns that do not become tokens. */
  readonly unused: string[];
  /** Why each unused column is not used, by name. */
  readonly reasons: Readonly<Record<string, string>>;
  /** What is left out though it could have been data, each a sentence that says what to do. */
  readonly warnings: string[];
  /** The unused columns that a warning tells of. */
  readonly warned?: readonly string[];
}

/** What the choice has to keep to. */
export interface TokenizerWishes {
  readonly kind?: TokenizerKind;
  /** Only these columns, whatever they are called. */
  readonly columns?: readonly string[];
  /** Never these columns. */
  readonly ignore?: readonly string[];
  /** The labels, where they are known: then no other column is left out because it looks like one. */
  readonly targets?: readonly string[];
}

const MAY_BE_LABEL = 'may be a label';

/**
 * Chooses the tokenizer and its columns. Images are read by `grid`, time series by `series`; a text column that makes up
 * most of a record, or is alone, by `sequence`; whatever else is more than that by `fields`. Columns that are a split, an id
 * or a likely label are not used, nor are constant ones, unless `columns` names them. Throws InputError if nothing is left,
 * or a wish names a column that there is not.
 */
export function chooseTokenizer(source: SourceProfile, wishes: TokenizerWishes = {}): TokenizerChoice {
  checkWishes(source, wishes);
  const names = source.columns.map(({ name }) => name);
  const dominant = dominantText(source, wishes);
  const profiles =
    dominant === source.dominantText
      ? source.columns
      : withLabels(source.columns, { ...source, dominantText: undefined });
  const leftOut = new LeftOut();
  for (const profile of profiles) {
    const reason = reasonToLeaveOut(profile, source, wishes, dominant);
    if (reason) leftOut.add(profile.name, reason);
  }
  const kept = profiles.filter(({ name }) => !leftOut.has(name));
  // A lone cell has nothing to be predicted from, so a table of one column takes back what only may be a label.
  const lone = kept.length === 1 && kept[0].type === 'number';
  const takenBack = lone ? profiles.filter(({ name }) => leftOut.reason(name)?.startsWith(MAY_BE_LABEL)) : [];
  for (const { name } of takenBack) leftOut.delete(name);
  const candidates = profiles.filter(({ name }) => !leftOut.has(name));
  if (candidates.length === 0) {
    throw new InputError(
      `${source.path}: no column is left to learn from (${leftOut.list(names)}); name some with --columns`,
    );
  }
  const { kind, chosen, why, otherwise } = chooseKind(source, candidates, wishes, dominant);
  const read = new Set(chosen);
  for (const profile of candidates) {
    if (!read.has(profile)) leftOut.add(profile.name, { reason: otherwise, warn: profile.present > 0 });
  }
  const unread = source.leftOut ?? [];
  for (const { name, reason } of unread) leftOut.add(name, { reason });
  return {
    kind,
    columns: chosen.map(({ name }) => name),
    ...(kind === 'fields' && {
      kinds: Object.fromEntries(chosen.map((profile) => [profile.name, fieldKind(profile)])),
    }),
    why,
    unused: [...names, ...unread.map(({ name }) => name)].filter((name) => leftOut.has(name)),
    reasons: leftOut.reasons(),
    warnings: [
      ...takenBack.map(
        ({ name, looksLikeLabel }) =>
          `column ${name} is learned from, since only ${kept[0].name} would be left, and may be a label (${looksLikeLabel}); if it is, leave it out with --ignore`,
      ),
      ...leftOut.warnings((it) => adviceFor(kind, chosen[0].name, it)),
    ],
    warned: leftOut.warned(),
  };
}

function checkWishes({ path, columns, leftOut = [] }: SourceProfile, wishes: TokenizerWishes): void {
  const names = columns.map(({ name }) => name);
  const known = new Set(names);
  const unknown = [...(wishes.columns ?? []), ...(wishes.ignore ?? [])].find((name) => !known.has(name));
  if (unknown === undefined) return;
  const why = leftOut.find(({ name }) => name === unknown)?.reason;
  throw new InputError(
    `${path}: there is no column ${JSON.stringify(unknown)}${why ? ` (it is ${why})` : ''}; the columns are ${listed(names)}`,
  );
}

/** The text that would be read alone, if it may be and no table is asked for. */
function dominantText(
  { dominantText: text }: SourceProfile,
  { kind, columns, ignore, targets }: TokenizerWishes,
): string | undefined {
  if (text === undefined || kind === 'fields') return undefined;
  if (ignore?.includes(text) || targets?.includes(text)) return undefined;
  return columns && !(columns.length === 1 && columns[0] === text) ? undefined : text;
}

/** Why a column is left out, if it is, and whether it could have been data. */
function reasonToLeaveOut(
  profile: ColumnProfile,
  source: SourceProfile,
  { columns, ignore, targets }: TokenizerWishes,
  dominant: string | undefined,
): Reason | undefined {
  const { split, rowsRead } = source;
  const { name, type, present, distinct, format, look } = profile;
  const isDate = format?.kind === 'date';
  if (targets?.includes(name)) return { reason: 'to be predicted' };
  if (ignore?.includes(name)) return { reason: 'ignored as asked' };
  if (columns?.includes(name)) {
    if (!profile.empty) return undefined;
    throw new InputError(`${source.path}: ${withoutType(name)}, or leave it out`);
  }
  if (columns) return { reason: 'not among the columns asked for' };
  if (name === split || profile.looksLikeSplit || isSplitName(name))
    return { reason: 'says which records are for training' };
  // Beside a sequence nothing else is wanted of what only names it.
  const warn = dominant === undefined;
  if (isIdName(name) && isCellType(type)) {
    if (profile.distinctCapped || distinct > present / 2) return { reason: 'names the record' };
    return { reason: `an id, with ${distinct} values in ${present} records`, warn };
  }
  if (profile.uniquePerRow && !isDate && name !== dominant) {
    if (mayNameRecord(name)) return { reason: 'names the record', warn };
    if (look === 'UUID' || look === 'hash') return { reason: `names the record by a ${look}`, warn };
  }
  if (isLabelName(name) && !(targets && mayNameData(name)))
    return { reason: 'its name is that of a label', warn: true };
  if (profile.consecutive && !isDate) return { reason: 'counts the records', warn };
  if (name !== dominant && namesRows(profile, source))
    return { reason: 'the first column, a text that is different in each record: names of rows', warn };
  if (present === 0) return { reason: `missing in all of the first ${rowsRead} records` };
  if (profile.empty) return { reason: 'without a value in the first records, which types are told from' };
  if (isCellType(type) && distinct === 1 && present > 1)
    return { reason: `the same in all of the first ${rowsRead} records` };
  // Where the labels are named, the others are no labels.
  if (profile.looksLikeLabel === undefined || targets || name === dominant) return undefined;
  return { reason: `${MAY_BE_LABEL}: ${profile.looksLikeLabel}`, sort: MAY_BE_LABEL, warn: true };
}

/** In how many records a first column of names is different at least, and how many columns of numbers it names. */
const NAMED_ROWS = { records: 10, numbers: 3, letters: 40 };

/** Whether a column is the names of the rows of a table of numbers, where texts beside it are categories. */
function namesRows(profile: ColumnProfile, { columns }: SourceProfile): boolean {
  const { name, type, format, look, present, uniquePerRow, lengths } = profile;
  if (name !== columns[0].name || type !== 'text' || format || look === 'sequence' || !uniquePerRow)
    return false;
  const others = columns.slice(1);
  return (
    present >= NAMED_ROWS.records &&
    (lengths?.max ?? 0) <= NAMED_ROWS.letters &&
    others.filter((column) => column.type === 'number').length >= NAMED_ROWS.numbers &&
    others.every((column) => column.type === 'number' || isCategory(column))
  );
}

/** How a column is read that is left out beside those of this kind, the first of which is `column`. */
function adviceFor(kind: TokenizerKind, column: string, it: string): string {
  if (kind === 'sequence' || kind === 'byte-pairs')
    return `to read ${it} beside the first ${MOST_LETTERS} letters of ${column}, name all in --columns`;
  if (kind === 'grid' || kind === 'series') return `to read ${it} without ${column}, name ${it} in --columns`;
  return `name ${it} in --columns to read ${it}`;
}

interface KindChoice {
  readonly kind: TokenizerKind;
  readonly chosen: readonly ColumnProfile[];
  readonly why: string;
  /** Why the other candidates were not chosen. */
  readonly otherwise: string;
}

/** Whether the lists of a column are vectors, all as long; files of time series hold none. */
const isVector = ({ type, channels, lengths }: ColumnProfile, format: string): boolean =>
  type === 'series' &&
  format !== 'ts' &&
  channels === 1 &&
  lengths?.min === lengths?.max &&
  (lengths?.max ?? 0) <= MAX_ELEMENTS;

/** Columns with many numbers a record, and what reads them. */
const arrayColumns = [
  { reader: 'grid', type: 'pixels', holds: 'images' },
  { reader: 'series', type: 'series', holds: 'time series' },
] as const;

function chooseKind(
  { path, format }: SourceProfile,
  candidates: readonly ColumnProfile[],
  { kind }: TokenizerWishes,
  dominant: string | undefined,
): KindChoice {
  for (const { reader, type, holds } of arrayColumns) {
    const columns = candidates.filter((candidate) => candidate.type === type);
    const column = kind === reader ? columns[0] : columns.find((one) => !isVector(one, format));
    if (kind !== reader && (kind !== undefined || !column)) continue;
    if (!column) throw noColumn(path, reader, holds, candidates);
    const why = `column ${column.name} holds ${holds}`;
    return { kind: reader, chosen: [column], why, otherwise: `only the ${holds} of ${column.name} are read` };
  }
  // What a tokenizer of a plug-in reads is its own matter.
  if (kind !== undefined && kind !== 'sequence' && kind !== 'byte-pairs' && kind !== 'fields')
    return { kind, chosen: candidates, why: 'as asked', otherwise: '' };
  const texts = candidates.filter(({ type }) => type === 'text');
  const ruling = texts.find(({ name }) => name === dominant);
  const alone = candidates.length === 1 ? texts[0] : undefined;
  if (kind === 'sequence' || kind === 'byte-pairs' || (kind === undefined && (ruling ?? alone))) {
    const reader = kind ?? 'sequence';
    const text = ruling ?? longestText(texts);
    if (!text) throw noColumn(path, reader, 'text', candidates);
    const length = Math.round(text.lengths?.mean ?? 0);
    const why = `column ${text.name} holds text, ${length} characters on average`;
    return { kind: reader, chosen: [text], why, otherwise: `only ${text.name} is read` };
  }
  const chosen = candidates.filter((profile) => isCellType(profile.type) || isVector(profile, format));
  if (chosen.length === 0) throw noColumn(path, 'fields', 'numbers, text and short lists', candidates);
  return { kind: 'fields', chosen, why: describeTable(chosen), otherwise: 'is no column of a table' };
}

/** How the cells of a column of a table are read. */
function fieldKind(profile: ColumnProfile): FieldKind {
  const { type, format, distinct, present } = profile;
  if (type === 'series') return 'vector';
  if (type === 'number') return format?.kind === 'date' ? 'date' : 'number';
  if (format?.kind === 'boolean') return 'boolean';
  if (isCategory(profile)) return 'category';
  return 2 * distinct <= present ? 'hashed' : 'text';
}

const adjectives: Readonly<Record<FieldKind, string>> = {
  number: 'numeric',
  date: 'date',
  boolean: 'boolean',
  category: 'categorical',
  hashed: 'many-level categorical',
  text: 'text',
  vector: 'list',
};

function describeTable(chosen: readonly ColumnProfile[]): string {
  const counts = new Map<FieldKind, number>();
  for (const profile of chosen) {
    const kind = fieldKind(profile);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const parts = (Object.keys(adjectives) as FieldKind[])
    .filter((kind) => counts.has(kind))
    .map((kind) => `${counts.get(kind)} ${adjectives[kind]}`);
  const list = parts.length > 1 ? `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}` : parts[0];
  return `a table of ${list} ${chosen.length === 1 ? 'column' : 'columns'}`;
}

function longestText(texts: readonly ColumnProfile[]): ColumnProfile | undefined {
  const length = ({ lengths }: ColumnProfile) => lengths?.mean ?? 0;
  return texts.toSorted((a, b) => length(b) - length(a))[0];
}

function noColumn(path: string, kind: TokenizerKind, reads: string, candidates: readonly ColumnProfile[]) {
  const columns = listed(candidates.map(({ name, type }) => `${name} (${type})`));
  return new InputError(`${path}: the ${kind} tokenizer reads ${reads}; the columns are ${columns}`);
}
