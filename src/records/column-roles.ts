/** What a column's name says it is for: the one place where names are interpreted. */
import type { ColumnInfo } from './record-batch.js';

/** `split`, `scaffold_split`: which records are for training. */
export const isSplitName = (name: string): boolean => /(^|[^a-z])split$/i.test(name);

/** A name that nothing but an id has. An id may repeat, as that of a patient does. */
export const isIdName = (name: string): boolean => /^(id|ids|identifier|accession|uuid|guid)$/i.test(name);

/** A name that an id or a heading of the record may have; data may have it too. */
export const mayNameRecord = (name: string): boolean =>
  /(^|[^a-z])(id|ids|identifier|accession|uuid|guid|key|index|name|title|description)($|[^a-z])/i.test(name);

/** A name that nothing but a label has. */
export const isLabelName = (name: string): boolean =>
  /^(labels?|targets?|class|classes|outcome|y)$|_(label|target|class)$/i.test(name);

const LABEL_WORDS = new Set(
  'label labels target targets class classes outcome score fitness response activity active affinity toxicity'.split(
    ' ',
  ),
);

/** The word in a column's name that makes it look like a label, as `score` in `log_score` or `LogScore`. */
export function labelWord(name: string): string | undefined {
  if (isLabelName(name)) return name;
  const words = name
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/);
  return words.find((word) => LABEL_WORDS.has(word));
}

/** The split column by name: one called `split`, else the first that ends in it. */
export function splitByName(columns: readonly ColumnInfo[]): string | undefined {
  const named = columns.filter(({ name, type }) => type === 'text' && isSplitName(name));
  return (named.find(({ name }) => name.toLowerCase() === 'split') ?? named[0])?.name;
}
