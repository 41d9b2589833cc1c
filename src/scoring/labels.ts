import { z } from 'zod';
import { InputError, listed } from '../errors.js';
import { areBooleans } from '../records/cells/cell-format.js';
import { type Task, tasks } from './metrics.js';

/** A column to predict: numbers (NaN is missing) or text (null is missing), one per record, or one letter per token. */
export interface TargetColumn {
  readonly name: string;
  readonly values: Float64Array | readonly (string | null)[];
  /** What numbers are that the file writes as dates or times, in words. */
  readonly unit?: string;
}

/** What the target columns mean. Plain JSON, kept with the run, so that predictions can be named again. */
export interface LabelSpec {
  readonly task: Task;
  readonly columns: readonly string[];
  readonly targets: number;
  /** Numbers a model gives per record, or per token where those are labelled: one per target, or one per class. */
  readonly outputs: number;
  /** Per target the class names in the order of their numbers; empty for regression. Of two classes the second is the positive one. */
  readonly classes: readonly (readonly string[])[];
  /** Why this task, in a sentence for the user. */
  readonly reason: string;
}

/** A {@link LabelSpec} that is read from a file. */
export const labelSpecSchema = z.object({
  task: z.enum(tasks),
  columns: z.array(z.string()).min(1),
  targets: z.int(),
  outputs: z.int(),
  classes: z.array(z.array(z.string())),
  reason: z.string(),
});

interface ColumnSummary extends Pick<TargetColumn, 'name' | 'unit'> {
  readonly numeric: boolean;
  readonly labels: number;
  /** Distinct values as text: in numeric order when all are numbers, else by code unit, of a boolean's words whatever their case. */
  readonly distinct: readonly string[];
}

/**
 * Decides the task from the target columns, or checks that they fit the task asked for:
 * one column of two values is binary; text of more values, or integers 0 … or 1 … without a gap and with at least
 * five records each on average, is multiclass; several two-valued columns are multilabel; other numbers are regression.
 * Labels of tokens are not told from their values: `readLabelled` compares them with the records.
 * Give it all parts of the data: the names of the classes are not something a model learns.
 * Throws InputError when no task fits.
 */
export function describeLabels(columns: readonly TargetColumn[], task?: Task): LabelSpec {
  if (columns.length === 0) throw new InputError('no target column given: name at least one with --target');
  const summaries = columns.map(summarizeColumn);
  const chosen = task ?? chooseTask(summaries);
  const { misfit, classes, explain } = taskRules[chosen];
  const problem = misfit(summaries);
  if (problem) throw new InputError(`${problem}${task ? `; it was asked to be a ${task} task` : ''}`);
  const classNames = classes(summaries);
  return {
    task: chosen,
    columns: columns.map((column) => column.name),
    targets: columns.length,
    outputs: chosen === 'multiclass' || chosen === 'per-token' ? classNames[0].length : columns.length,
    classes: classNames,
    reason: explain(summaries),
  };
}

function summarizeColumn({ name, values, unit }: TargetColumn): ColumnSummary {
  const numeric = values instanceof Float64Array;
  const seen = new Set<number | string>();
  let labels = 0;
  for (const value of values) {
    if (value === null || Number.isNaN(value)) continue;
    seen.add(value);
    labels++;
  }
  if (labels === 0)
    throw new InputError(`target column ${name}: every cell is missing; choose another column`);
  const distinct = Array.from(seen, String);
  const numbers = distinct.every((text) => text.trim() !== '' && Number.isFinite(Number(text)));
  distinct.sort((a, b) => (numbers ? Number(a) - Number(b) : a < b ? -1 : 1));
  // No comes before yes, however each is written.
  if (areBooleans(distinct)) distinct.sort((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1));
  return { name, unit, numeric, labels, distinct };
}

function chooseTask(columns: readonly ColumnSummary[]): Task {
  if (columns.length > 1) return columns.every(isTwoValued) ? 'multilabel' : 'regression';
  const [column] = columns;
  if (column.distinct.length === 2) return 'binary';
  return !column.numeric || looksLikeClassNumbers(column) ? 'multiclass' : 'regression';
}

function looksLikeClassNumbers({ distinct, labels }: ColumnSummary): boolean {
  const first = Number(distinct[0]);
  return (
    (first === 0 || first === 1) &&
    labels >= 5 * distinct.length &&
    distinct.every((text, i) => Number(text) === first + i)
  );
}

/** Two values, or a column of only 0 or only 1, which happens to a rare label in a small file. */
function isTwoValued({ distinct }: ColumnSummary): boolean {
  return distinct.length === 2 || (distinct.length === 1 && (distinct[0] === '0' || distinct[0] === '1'));
}

const twoClasses = ({ distinct }: ColumnSummary) => (distinct.length === 2 ? distinct : ['0', '1']);

/** Different whole numbers, of which there are few for their records, such as −1, 0 and 1. */
const fewWholeNumbers = ({ distinct, labels }: ColumnSummary) =>
  distinct.length <= 10 &&
  labels >= 5 * distinct.length &&
  distinct.every((text) => Number.isInteger(Number(text)));

const quoted = (columns: readonly ColumnSummary[]) => columns.map(({ name }) => name).join(', ');

interface TaskRules {
  /** Why the columns do not fit the task, if they do not. */
  misfit(columns: readonly ColumnSummary[]): string | undefined;
  classes(columns: readonly ColumnSummary[]): readonly (readonly string[])[];
  explain(columns: readonly ColumnSummary[]): string;
}

const taskRules: Record<Task, TaskRules> = {
  regression: {
    misfit(columns) {
      const text = columns.find(({ numeric }) => !numeric);
      if (text)
        return `target column ${text.name}: expected numbers, got text such as "${text.distinct[0]}"${columns.length > 1 ? '; several targets are numbers, or have two values each: predict classes with a command for each column' : ''}`;
      return singleValued(columns);
    },
    classes: () => [],
    explain: (columns) =>
      `${columns.map(({ name, unit }) => (unit ? `${name} in ${unit}` : name)).join(', ')}: numbers, so regression${columns.length === 1 && fewWholeNumbers(columns[0]) ? ' (multiclass if they are names: --task multiclass)' : ''}`,
  },
  binary: {
    misfit(columns) {
      if (columns.length > 1) return `binary takes one target column, got ${quoted(columns)}; try multilabel`;
      if (columns[0].distinct.length > 2) return tooManyValues(columns[0]);
      return singleValued(columns);
    },
    classes: (columns) => columns.map(twoClasses),
    explain: ([{ name, distinct }]) =>
      `${name}: two values, ${distinct[0]} and ${distinct[1]}, so binary; ${distinct[1]} is the positive class`,
  },
  multiclass: {
    misfit(columns) {
      if (columns.length > 1) return `multiclass takes one target column, got ${quoted(columns)}`;
      const [{ name, distinct, labels }] = columns;
      if (labels < 2 * distinct.length) {
        return `target column ${name}: ${distinct.length} different values in ${labels} records are too many to be classes; choose another column`;
      }
      return singleValued(columns);
    },
    classes: (columns) => columns.map(({ distinct }) => distinct),
    explain: ([{ name, distinct, numeric }]) =>
      numeric
        ? `${name}: ${distinct.length} classes, numbered without a gap, so multiclass (regression if they are amounts: --task regression)`
        : `${name}: ${distinct.length} classes (${listed(distinct)}), so multiclass`,
  },
  multilabel: {
    misfit(columns) {
      const wide = columns.find((column) => !isTwoValued(column));
      return wide && tooManyValues(wide);
    },
    classes: (columns) => columns.map(twoClasses),
    explain: (columns) => `${quoted(columns)}: two values each, so multilabel`,
  },
  'per-token': {
    misfit(columns) {
      if (columns.length > 1) return `per-token takes one target column, got ${quoted(columns)}`;
      return singleValued(columns);
    },
    classes: (columns) => columns.map(({ distinct }) => distinct),
    explain: ([{ name, distinct }]) =>
      `${name}: ${distinct.length} classes (${distinct.join(', ')}), one letter for each token, so per-token`,
  },
};

function singleValued(columns: readonly ColumnSummary[]): string | undefined {
  const constant = columns.find(({ distinct }) => distinct.length === 1);
  return (
    constant && `target column ${constant.name}: every label is ${constant.distinct[0]}, nothing to learn`
  );
}

function tooManyValues({ name, distinct }: ColumnSummary): string {
  const examples = distinct.slice(0, 3).join(', ');
  return `target column ${name}: expected two values, got ${distinct.length} (${examples}${distinct.length > 3 ? ', …' : ''})`;
}

/** Squares of larger ones are no numbers any more, and no float32 holds them. */
const LARGEST = 3.4e38;

/**
 * Labels as numbers, float64[n, targets]: values for regression, 0/1 for binary and multilabel, class numbers for
 * multiclass and per-token; NaN is missing. Throws InputError at a class the specification does not know and at a value that float32 cannot hold.
 * @param columns the columns of `spec.columns`, in that order
 */
export function encodeLabels(spec: LabelSpec, columns: readonly TargetColumn[]): Float64Array {
  const { targets } = spec;
  if (columns.length !== targets)
    throw new Error(`encodeLabels: ${columns.length} columns, expected ${targets}`);
  const count = columns[0].values.length;
  const labels = new Float64Array(count * targets);
  columns.forEach(({ name, values }, target) => {
    const numberOf = new Map<number | string, number>();
    spec.classes[target]?.forEach((text, index) => {
      numberOf.set(text, index);
      // So that a numeric column needs no text per cell. Other text is NaN, which is a missing cell and never asked for.
      numberOf.set(Number(text), index);
    });
    const classified = numberOf.size > 0;
    for (let row = 0; row < count; row++) {
      const value = values[row];
      let label: number;
      if (value === null || Number.isNaN(value)) label = Number.NaN;
      else if (classified) label = numberOf.get(value) ?? unknownClass(spec, target, row, value);
      else if (Math.abs(Number(value)) <= LARGEST) label = Number(value);
      else
        throw new InputError(
          `target column ${name}, record ${row + 1}: expected a number of at most ${LARGEST} as networks can hold, got ${value}; rescale the column`,
        );
      labels[row * targets + target] = label;
    }
  });
  return labels;
}

function unknownClass(spec: LabelSpec, target: number, row: number, value: number | string): never {
  const known = spec.classes[target];
  throw new InputError(
    `target column ${spec.columns[target]}, record ${row + 1}: unknown class ${value}, expected one of ${listed(known)}`,
  );
}

/** The name of a class number. */
export function className(spec: LabelSpec, target: number, index: number): string {
  const name = spec.classes[target]?.[index];
  if (name === undefined)
    throw new Error(`className: target ${target} of a ${spec.task} task has no class ${index}`);
  return name;
}

/**
 * What the numbers that are predicted of a record are called: targets for regression, `target=class` for probabilities, of two
 * classes that of the second. Of tokens none are.
 */
export function predictionNames(spec: LabelSpec): string[] {
  switch (spec.task) {
    case 'regression':
      return [...spec.columns];
    case 'binary':
    case 'multilabel':
      return spec.columns.map((column, target) => `${column}=${className(spec, target, 1)}`);
    case 'multiclass':
      return spec.classes[0].map((name) => `${spec.columns[0]}=${name}`);
    case 'per-token':
      return [];
  }
}

/** The names of the numbers along the last axis of what is predicted: {@link predictionNames}, also where they are of tokens. */
export const predictedNumbers = (spec: LabelSpec): string[] =>
  predictionNames(spec.task === 'per-token' ? { ...spec, task: 'multiclass' } : spec);
