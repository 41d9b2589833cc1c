/** What a column's name says it is for: the one place where names are interpreted. */
import type { ColumnInfo } from './record-batch.js';

/** `split`, `scaffold_split`: which records are for training. */
export const isSplitName = (name: string): boolean => /(^|[^a-z])split$/i.test(name);

/** A name that a split column may have: `set`, `data_set`, `fold`. Data may have it too, so its values decide. */
export const mayNameSplit = (name: string): boolean =>
  /(^|[^a-z])(split|set|fold|subset|partition|phase)$/i.test(name);

/** `fold`, `cv_fold`: which of several folds a record is in. */
export const isFoldName = (name: string): boolean => /(^|[^a-z])fold$/i.test(name);

/** `validation`: whether a record of the training part is for validation. */
export const isValidationName = (name: string): boolean =>
  /^(is[_ -]?)?validation$|^is[_ -]?val$/i.test(name);

/** A name that nothing but an id has. An id may repeat, as that of a patient does. */
export const isIdName = (name: string): boolean => /^(_?id|ids|identifier|accession|uuid|guid)$/i.test(name);

/** A name that an id or a heading of the record may have; data may have it too. */
export const mayNameRecord = (name: string): boolean =>
  /(^|[^a-z])(id|ids|identifier|accession|uuid|guid|key|index|name|title|description)($|[^a-z])/i.test(name);

/** A name that a label has. */
export const isLabelName = (name: string): boolean =>
  /^(labels?|targets?|class|classes|outcome|y)$|_(label|target|class)$/i.test(name);

/** One that data may have as well, such as the class of a ticket: where another column is to be predicted, it is no label. */
export const mayNameData = (name: string): boolean => /^(class|classes|outcome)$|_class$/i.test(name);

/** What labels of well-known tables are called. Other tables have data of these names, so their values decide as well. */
const USUAL_LABELS = new Set(
  'survived survival species variety diagnosis quality income churn churned attrition default fraud spam grade'.split(
    ' ',
  ),
);

/** `Survived`, `is_fraud`: the whole name is that of a usual label. */
export const isUsualLabel = (name: string): boolean =>
  USUAL_LABELS.has(name.toLowerCase().replace(/^(is|has)[_ -]?/, ''));

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

/** The split column by name: one called `split`, else the first that ends in it, else the first that may be one. */
export function splitByName(columns: readonly ColumnInfo[]): string | undefined {
  const texts = columns.filter(({ type }) => type === 'text').map(({ name }) => name);
  return (
    texts.find((name) => name.toLowerCase() === 'split') ??
    texts.find(isSplitName) ??
    texts.find((name) => mayNameSplit(name))
  );
}
