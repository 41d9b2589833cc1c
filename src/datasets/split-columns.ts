/** Which columns of a data set say its parts: found in the same way by every command. */
import { InputError, listed } from '../errors.js';
import { isIdName, splitByName } from '../records/column-roles.js';
import { type ColumnProfile, ColumnSummary } from '../records/column-summary.js';
import { type DataSource, isCellType } from '../records/record-batch.js';

/** The columns that say the parts of a data set. Where neither is there, parts are drawn. */
export interface SplitColumns {
  /** Its words name the parts. */
  readonly column?: string;
  /** Marks those training records that are for validation, where the first names no validation part. */
  readonly validation?: string;
}

/** What a user says of the split. */
export interface SplitWishes {
  readonly column?: string;
  readonly validation?: string;
  /** Parts are drawn, whatever a column says. */
  readonly drawn?: boolean;
}

/** Records that are looked at for a split column. */
const LOOKED_AT = 10_000;

const named = (names: readonly string[]) => names.map((name) => `"${name}"`).join(' and ');

/**
 * Chooses the split columns from what was asked for, and else from the profiles of a file's columns. `notes` are sentences
 * for people. Throws InputError where a column that was asked for is not there, and asks by one where several columns name
 * parts, or one is called a split and does not say the parts in words.
 */
export function chooseSplit(
  path: string,
  columns: readonly ColumnProfile[],
  { column, validation, drawn = false }: SplitWishes = {},
): SplitColumns & { readonly notes: readonly string[] } {
  for (const asked of [column, validation]) {
    if (asked === undefined || columns.some(({ name }) => name === asked)) continue;
    throw new InputError(
      `${path}: there is no column "${asked}" to split by; its columns are ${listed(columns.map(({ name }) => name))}`,
    );
  }
  if (drawn) return { notes: [] };
  const of = (use: ColumnProfile['splitBy']) => columns.filter(({ splitBy }) => splitBy === use);
  const flags = of('flags').map(({ name }) => name);
  const chosen = column ?? namedSplit(path, of('parts'));
  if (chosen !== undefined) {
    const flag = validation ?? (flags.length === 1 && flags[0] !== chosen ? flags[0] : undefined);
    return { column: chosen, validation: flag, notes: [] };
  }
  const unclear = of('unclear')[0];
  if (unclear) {
    throw new InputError(
      `${path}: column "${unclear.name}" is called a split, and its values (${unclear.examples.join(', ')}${unclear.distinct > unclear.examples.length ? ', …' : ''}) do not say which records are for training; expected words such as train, valid and test; write them there, name another column with --split-column, or draw parts with --split random`,
    );
  }
  if (flags.length > 0 || validation !== undefined) {
    throw new InputError(
      `${path}: column "${validation ?? flags[0]}" marks validation records, and no column says which are for the test; name one with --split-column, or draw parts with --split random`,
    );
  }
  const notes = of('folds').map(
    ({ name, examples }) =>
      `column ${name} numbers folds (${examples.join(', ')}${examples.length > 2 ? ', …' : ''}) and names no parts, so parts are drawn; for others write train, valid and test there and say --split-column ${name}`,
  );
  return { notes };
}

function namedSplit(path: string, candidates: readonly ColumnProfile[]): string | undefined {
  if (candidates.length <= 1) return candidates[0]?.name;
  const best = splitByName(candidates);
  if (best?.toLowerCase() === 'split') return best;
  const names = candidates.map(({ name }) => name);
  throw new InputError(
    `${path}: the columns ${named(names)} all name parts; say which with --split-column ${best ?? names[0]}, or draw parts with --split random`,
  );
}

/** Profiles of the columns that may say the parts, from the first records; the others are known by their names alone. */
export async function profileForSplit(source: DataSource): Promise<ColumnProfile[]> {
  const looked = source.columns.filter(({ name, type }) => isCellType(type) && !isIdName(name));
  const summaries = source.columns.map(({ name, type }) => new ColumnSummary(name, type));
  const byName = new Map(summaries.map((summary) => [summary.name, summary]));
  if (looked.length > 0) {
    let seen = 0;
    const columns = looked.map(({ name }) => name);
    for await (const batch of source.read({ columns, few: true, reject: () => {} })) {
      for (const name of columns) byName.get(name)!.add(batch.columns[name], batch.rows.length);
      seen += batch.rows.length;
      if (seen >= LOOKED_AT) break;
    }
  }
  return summaries.map((summary) => summary.profile());
}
