/** What becomes a token is decided in the open: from a look at the first records, by rules that can be told in a line. */

import { InputError } from '../errors.js';
import { isIdName, isLabelName, isSplitName, mayNameRecord } from '../records/column-roles.js';
import { type ColumnProfile, findDominantText, isCategory, type SourceProfile } from '../records/profile.js';
import { isCellType } from '../records/record-batch.js';
import type { TokenizerKind } from './index.js';

/** The kind and the columns that were chosen, and why. */
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

/** What the choice has to keep to. */
export interface TokenizerWishes {
  readonly kind?: TokenizerKind;
  /** Only these columns, whatever they are called. */
  readonly columns?: readonly string[];
  /** Never these columns. */
  readonly ignore?: readonly string[];
}

const LABEL_REASON = 'its name is that of a label';

/**
 * Chooses the tokenizer and its columns. Images are read by `grid`, time series by `series`; a text column that makes up most of a record by
 * `sequence`; any other table by `fields`. Columns that are a split, an id or a label are not used, nor are constant
 * ones, unless `columns` names them. Throws InputError if nothing is left, or a wish names a column that there is not.
 */
export function chooseTokenizer(source: SourceProfile, wishes: TokenizerWishes = {}): TokenizerChoice {
  const profiles = source.columns;
  const names = profiles.map(({ name }) => name);
  const leftOut = source.leftOut ?? [];
  const unknown = [...(wishes.columns ?? []), ...(wishes.ignore ?? [])].find((name) => !names.includes(name));
  if (unknown !== undefined) {
    const why = leftOut.find(({ name }) => name === unknown)?.reason;
    throw new InputError(
      `${source.path}: there is no column ${JSON.stringify(unknown)}${why ? ` (it is ${why})` : ''}; the columns are ${names.join(', ')}`,
    );
  }
  const reasons = new Map<string, string>();
  for (const profile of profiles) {
    const reason = reasonToLeaveOut(profile, source, wishes);
    if (reason) reasons.set(profile.name, reason);
  }
  const candidates = profiles.filter(({ name }) => !reasons.has(name));
  if (candidates.length === 0) {
    const list = names.map((name) => `${name}: ${reasons.get(name)}`).join('; ');
    throw new InputError(
      `${source.path}: no column is left to learn from (${list}); name some with --columns`,
    );
  }
  const { kind, chosen, why, otherwise } = chooseKind(
    source.path,
    candidates,
    wishes.kind,
    wishes.columns !== undefined,
  );
  for (const { name } of candidates) {
    if (!chosen.some((profile) => profile.name === name)) reasons.set(name, otherwise);
  }
  return {
    kind,
    columns: chosen.map(({ name }) => name),
    why,
    unused: [...names.filter((name) => reasons.has(name)), ...leftOut.map(({ name }) => name)],
    reasons: Object.fromEntries([...reasons, ...leftOut.map(({ name, reason }) => [name, reason])]),
    warnings: labelWarnings(profiles, kind, chosen, reasons),
  };
}

function reasonToLeaveOut(
  profile: ColumnProfile,
  { split, dominantText, rowsRead }: SourceProfile,
  { columns, ignore }: TokenizerWishes,
): string | undefined {
  const { name, type, present, distinct } = profile;
  if (ignore?.includes(name)) return 'ignored as asked';
  if (columns) return columns.includes(name) ? undefined : 'not among the columns asked for';
  if (name === split || profile.looksLikeSplit || isSplitName(name))
    return 'says which records are for training';
  const named = profile.uniquePerRow && mayNameRecord(name) && name !== dominantText;
  if (isIdName(name) || named) return 'names the record';
  if (isLabelName(name)) return LABEL_REASON;
  if (profile.consecutive) return 'counts the records';
  if (present === 0) return `missing in all of the first ${rowsRead} records`;
  if (isCellType(type) && distinct === 1 && present > 1)
    return `the same in all of the first ${rowsRead} records`;
  return undefined;
}

interface KindChoice {
  readonly kind: TokenizerKind;
  readonly chosen: readonly ColumnProfile[];
  readonly why: string;
  /** Why the other candidates were not chosen. */
  readonly otherwise: string;
}

/** Columns with many numbers a record, and what reads them. */
const arrayColumns = [
  { reader: 'grid', type: 'pixels', holds: 'images', otherwise: 'no image' },
  { reader: 'series', type: 'series', holds: 'time series', otherwise: 'no time series' },
] as const;

function chooseKind(
  path: string,
  candidates: readonly ColumnProfile[],
  kind: TokenizerKind | undefined,
  asked: boolean,
): KindChoice {
  const texts = candidates.filter(({ type }) => type === 'text');
  for (const { reader, type, holds, otherwise } of arrayColumns) {
    const column = candidates.find((candidate) => candidate.type === type);
    if (kind !== reader && (kind !== undefined || !column)) continue;
    if (!column) throw noColumn(path, reader, holds, candidates);
    return { kind: reader, chosen: [column], why: `column ${column.name} holds ${holds}`, otherwise };
  }
  // What a tokenizer of a plug-in reads is its own matter.
  if (kind !== undefined && kind !== 'sequence' && kind !== 'fields')
    return { kind, chosen: candidates, why: 'as asked', otherwise: '' };
  const dominant = findDominantText(candidates);
  if (kind === 'sequence' || (kind === undefined && dominant !== undefined)) {
    const text = texts.find(({ name }) => name === dominant) ?? longestText(texts);
    if (!text) throw noColumn(path, 'sequence', 'text', candidates);
    const length = Math.round(text.lengths?.mean ?? 0);
    const why = `column ${text.name} holds text, ${length} characters on average`;
    return { kind: 'sequence', chosen: [text], why, otherwise: `only ${text.name} is read` };
  }
  const chosen = candidates.filter(
    (profile) => profile.type === 'number' || (profile.type === 'text' && (asked || isCategory(profile))),
  );
  if (chosen.length === 0) throw noColumn(path, 'fields', 'numbers or categories', candidates);
  const numbers = chosen.filter(({ type }) => type === 'number').length;
  return {
    kind: 'fields',
    chosen,
    why: `a table of ${numbers} numeric and ${chosen.length - numbers} categorical columns`,
    otherwise: 'has too many different texts to be a category',
  };
}

function longestText(texts: readonly ColumnProfile[]): ColumnProfile | undefined {
  const length = ({ lengths }: ColumnProfile) => lengths?.mean ?? 0;
  return texts.toSorted((a, b) => length(b) - length(a))[0];
}

function noColumn(path: string, kind: TokenizerKind, reads: string, candidates: readonly ColumnProfile[]) {
  const columns = candidates.map(({ name, type }) => `${name} (${type})`).join(', ');
  return new InputError(`${path}: the ${kind} tokenizer reads ${reads}; the columns are ${columns}`);
}

/** A label that was pretrained on spoils every later comparison. */
function labelWarnings(
  profiles: readonly ColumnProfile[],
  kind: TokenizerKind,
  chosen: readonly ColumnProfile[],
  reasons: ReadonlyMap<string, string>,
): string[] {
  if (kind !== 'fields') return [];
  const warnings: string[] = [];
  for (const { name, looksLikeLabel } of profiles) {
    const used = chosen.length > 1 && chosen.some((profile) => profile.name === name);
    if (used && looksLikeLabel) {
      warnings.push(
        `column ${name} is learned from and may be a label (${looksLikeLabel}); if it is, leave it out with --ignore`,
      );
    } else if (reasons.get(name) === LABEL_REASON) {
      warnings.push(
        `column ${name} looks like a label and is not learned from; name it in --columns if it is data`,
      );
    }
  }
  return warnings;
}
