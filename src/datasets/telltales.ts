/** Columns that tell the label by themselves, as one does that was filled in after the fact. */
import { gatherRows } from '../numerics/matrix.js';
import { takeRecords } from '../records/batch.js';
import { type FieldSpec, MISSING_ID, type TokenBlock } from '../records/token-block.js';
import type { LabelSpec } from '../scoring/labels.js';
import { rocAuc, spearman } from '../scoring/metrics.js';
import type { LabelledRecords } from '../scoring/parts.js';
import type { Tokenizer } from '../tokenizers/index.js';

/** Of fewer records a column may tell the labels by chance; of more, so many are looked at, evenly spaced. */
const FEWEST_RECORDS = 50;
const MOST_RECORDS = 20_000;
/** Numbers are taken for as many ranges, each of at least ten records. */
const RANGES = 64;
const FEWEST_IN_RANGE = 10;
/** A class is told where no more than this share of the mistakes of the commonest class is left. */
const MISTAKES_LEFT = 0.02;
/** A number is told where no more than this share of its variance is left, or the order of the column is so nearly its own. */
const VARIANCE_LEFT = 0.002;
const SAME_ORDER = 0.9995;

/**
 * The columns of a table of which one alone tells a target in the training records, a sentence for each target. A column says of a
 * record what the other records of its value, or of its range, have. Images, series and texts have no such columns.
 */
export function describeTelltales(
  { spec: tokens, columns: read }: Pick<Tokenizer, 'spec' | 'columns'>,
  { spec, block, labels, members }: Pick<LabelledRecords, 'spec' | 'block' | 'labels' | 'members'>,
): string[] {
  if (tokens.kind !== 'fields' || spec.task === 'per-token') return [];
  const every = Math.ceil(members.train.length / MOST_RECORDS);
  const looked = members.train.filter((_, i) => i % every === 0);
  const train = takeRecords(block, looked);
  const own = gatherRows(new Float64Array(looked.length * spec.targets), labels, looked, spec.targets);
  return spec.columns.flatMap((target, at) => {
    const truth = Float64Array.from({ length: train.count }, (_, record) => own[record * spec.targets + at]);
    const found = tokens.fields.filter((field, position) => {
      const cells = cellsOf(field, position, tokens.fields.length, train);
      return isTold(spec, field, cells, truth);
    });
    const columns = [...new Set(found.map(({ name }) => columnOf(name, read)))];
    if (columns.length === 0) return [];
    const [who, what] = columns.length === 1 ? ['column', 'it'] : ['each of the columns', 'them'];
    return [
      `${who} ${columns.join(', ')} tells ${target} alone; if a new record does not have ${what} before ${target} is known, learn without ${what}: --ignore where columns are chosen, in pretrain or fit`,
    ];
  });
}

/** The column that a token is of, whose name begins with the column's where the column is several tokens. */
const columnOf = (token: string, columns: readonly string[]): string =>
  columns
    .filter((column) => token.startsWith(column))
    .reduce((longest, column) => (column.length > longest.length ? column : longest), '') || token;

/** A value for each record: a number, the id of a category, NaN where it is missing. */
function cellsOf(
  { type }: FieldSpec,
  position: number,
  width: number,
  { ids, values, count }: TokenBlock,
): Float64Array {
  return Float64Array.from({ length: count }, (_, record) => {
    const id = ids![record * width + position];
    if (id === MISSING_ID) return Number.NaN;
    return type === 'numeric' ? values![record * width + position] : id;
  });
}

function isTold(spec: LabelSpec, field: FieldSpec, cells: Float64Array, truth: Float64Array): boolean {
  const known = Array.from(truth.keys()).filter((record) => !Number.isNaN(truth[record]));
  if (known.length < FEWEST_RECORDS) return false;
  const numeric = field.type === 'numeric';
  const complete = numeric && known.every((record) => !Number.isNaN(cells[record]));
  const groups = numeric ? rangesOf(known, cells) : valuesOf(known, cells);
  if (spec.task === 'regression') {
    const ordered = complete && Math.abs(spearman(cells, truth)) >= SAME_ORDER;
    return ordered || varianceLeft(groups, truth) <= VARIANCE_LEFT;
  }
  // A threshold between two classes lies within a range.
  const parted =
    complete && spec.task !== 'multiclass' && Math.abs(2 * rocAuc(cells, truth) - 1) >= SAME_ORDER;
  return parted || mistakesLeft(groups, truth) <= MISTAKES_LEFT;
}

type Groups = readonly (readonly number[])[];

function valuesOf(records: readonly number[], cells: Float64Array): Groups {
  const groups = new Map<number, number[]>();
  for (const record of records) {
    const own = groups.get(cells[record]);
    if (own) own.push(record);
    else groups.set(cells[record], [record]);
  }
  return [...groups.values()];
}

/** Equal numbers share a range, and those that are missing have one. */
function rangesOf(records: readonly number[], cells: Float64Array): Groups {
  const present = records.filter((record) => !Number.isNaN(cells[record]));
  const size = Math.max(FEWEST_IN_RANGE, Math.ceil(present.length / RANGES));
  const ranges: number[][] = [records.filter((record) => Number.isNaN(cells[record])), []];
  let last = Number.NaN;
  for (const record of present.sort((a, b) => cells[a] - cells[b])) {
    if (ranges.at(-1)!.length >= size && cells[record] !== last) ranges.push([]);
    ranges.at(-1)!.push(record);
    last = cells[record];
  }
  return ranges;
}

/** Mistakes of the commonest class of the others of a group, as a share of those of the commonest class of all. */
function mistakesLeft(groups: Groups, truth: Float64Array): number {
  const commonest = (records: readonly number[]) => {
    const counts = new Map<number, number>();
    for (const record of records) counts.set(truth[record], (counts.get(truth[record]) ?? 0) + 1);
    return Math.max(0, ...counts.values());
  };
  const all = groups.flat();
  const before = all.length - commonest(all);
  // A record that is alone with its label in a group has nobody to be told by.
  const right = groups.map(commonest).reduce((sum, most) => sum + (most > 1 ? most : 0), 0);
  return before === 0 ? 1 : (all.length - right) / before;
}

/** Squared deviation from the mean of the others of a group, as a share of that from the mean of all. */
function varianceLeft(groups: Groups, truth: Float64Array): number {
  const squares = (records: readonly number[], mean: number) =>
    records.reduce((sum, record) => sum + (truth[record] - mean) ** 2, 0);
  const meanOf = (records: readonly number[]) =>
    records.reduce((sum, record) => sum + truth[record], 0) / records.length;
  const all = groups.flat();
  const mean = meanOf(all);
  const before = squares(all, mean);
  const left = groups.reduce((sum, own) => {
    const n = own.length;
    return sum + (n < 2 ? squares(own, mean) : squares(own, meanOf(own)) * (n / (n - 1)) ** 2);
  }, 0);
  return before === 0 ? 1 : left / before;
}
