/** Columns of the data that an output repeats beside what is computed of them. */
import { InputError, listed } from '../errors.js';
import { type DataSource, isCellType, type RecordBatch } from '../records/record-batch.js';
import { idColumnOf } from './partition.js';

/** A column of the data, and what it is called in the output. */
export interface KeptColumn {
  readonly column: string;
  readonly name: string;
}

const PREFIX = 'kept_';

/**
 * The columns that an output repeats: the id column, as `id`, and those asked for, of which `all` means all. A name that
 * the output needs itself, or that differs from another by case alone, gets the prefix `kept_`.
 * Throws InputError for a column that there is not, or that holds no cells.
 */
export function keptColumns(
  source: DataSource,
  asked: readonly string[],
  isOwn: (name: string) => boolean,
): KeptColumn[] {
  const id = idColumnOf(source);
  const cells = source.columns.filter(({ type }) => isCellType(type)).map(({ name }) => name);
  const every = asked.length === 1 && asked[0] === 'all';
  const names = every ? cells.filter((name) => name !== id || name !== 'id') : [...new Set(asked)];
  const taken = new Set<string>(['row', ...(id === undefined ? [] : ['id'])]);
  const kept = names
    .filter((column) => column !== id || column.toLowerCase() !== 'id')
    .map((column): KeptColumn => {
      if (!cells.includes(column)) throw notThere(source, column, cells);
      let name = column;
      while (taken.has(name.toLowerCase()) || isOwn(name)) name = PREFIX + name;
      taken.add(name.toLowerCase());
      return { column, name };
    });
  return [...(id === undefined ? [] : [{ column: id, name: 'id' }]), ...kept];
}

function notThere(source: DataSource, column: string, cells: readonly string[]): InputError {
  const held = source.columns.find(({ name }) => name === column)?.type;
  const why =
    held === undefined
      ? `there is no column "${column}"`
      : `column "${column}" holds ${held}, no text or number`;
  return new InputError(
    `${source.path}: ${why} to keep; choose among ${listed(cells) || 'none'} with --keep, or --keep all`,
  );
}

/** The cells of kept columns at some places of a batch, in the file's own characters; null is missing. */
export function keptCells(
  { texts }: RecordBatch,
  kept: readonly KeptColumn[],
  places: Int32Array,
): (string | null)[][] {
  return kept.map(({ column }) => Array.from(places, (place) => texts?.[column]?.[place] ?? null));
}
