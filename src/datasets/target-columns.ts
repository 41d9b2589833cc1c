/** The columns that are to be predicted: checked, read, and named as the file names their classes. */
import { InputError, listed } from '../errors.js';
import {
  type ColumnValues,
  type DataSource,
  type RecordBatch,
  withoutType,
} from '../records/record-batch.js';
import type { LabelSpec, TargetColumn } from '../scoring/labels.js';
import type { Task } from '../scoring/metrics.js';
import type { Tokenizer } from '../tokenizers/index.js';

/** The labels of a batch's records by place; undefined is a record that was left out. */
export type LabelValues = ArrayLike<number | string | readonly (string | null)[] | null | undefined>;

export const isMissing = (value: unknown) => value === null || Number.isNaN(value);

/** Throws InputError for a mask column that is not there, or of labels that are not those of tokens. */
export function checkMask(source: DataSource, task: Task | undefined, mask: string | undefined): void {
  if (mask === undefined) return;
  if (task !== 'per-token') {
    throw new InputError(
      `mask column "${mask}": a mask is for labels of single tokens; ask for --task per-token, or leave --mask-column out`,
    );
  }
  if (source.columns.some(({ name }) => name === mask)) return;
  const names = listed(source.columns.map(({ name }) => name));
  throw new InputError(`${source.path}: no mask column "${mask}"; it has ${names}`);
}

/** Throws InputError for a target column that is not there, is named twice, or that the encoder reads. */
export function checkTargets(source: DataSource, tokenizer: Tokenizer, targets: readonly string[]): void {
  const names = source.columns.map(({ name }) => name);
  const unknown = targets.filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    throw new InputError(
      `${source.path}: no target column ${unknown.map((name) => `"${name}"`).join(', ')}; it has ${listed(names)}; choose among them with --target`,
    );
  }
  const twice = targets.find((target, i) => targets.indexOf(target) < i);
  if (twice !== undefined)
    throw new InputError(
      `${source.path}: target column "${twice}" is named twice; name each once with --target`,
    );
  const empty = source.columns.find(({ name, empty }) => empty && targets.includes(name));
  if (empty) throw new InputError(`${source.path}: target ${withoutType(empty.name)}`);
  const seen = targets.find((target) => tokenizer.columns.includes(target));
  if (seen !== undefined) {
    throw new InputError(
      `${source.path}: target column "${seen}" is one the encoder reads, so predicting it says nothing; choose another, or pretrain with --ignore ${seen}`,
    );
  }
}

/** The labels of a batch's target column. Throws InputError where it holds no cells. */
export function labelValues(
  { path }: DataSource,
  name: string,
  column: ColumnValues,
): Float64Array | readonly (string | null)[] {
  if (column.type !== 'number' && column.type !== 'text') {
    const holds =
      column.type === 'pixels'
        ? 'images; expected numbers or text'
        : 'series; expected numbers or text, and of labels of tokens their words joined by spaces, as in "2 2 0 1"';
    throw new InputError(`${path}: target column "${name}" holds ${holds}`);
  }
  // Blanks around a class are no part of its name.
  return column.type === 'number' ? column.values : column.values.map((cell) => cell?.trim() || null);
}

/** A warning for classes of a target whose names differ in case alone. */
export function classesInTwoCases({ columns, classes }: LabelSpec): string | undefined {
  for (const [target, names] of classes.entries()) {
    const known = new Map<string, string>();
    for (const name of names) {
      const before = known.get(name.toLowerCase());
      if (before !== undefined)
        return `target column ${columns[target]}: the classes "${before}" and "${name}" differ in case alone; if they are one, write them alike`;
      known.set(name.toLowerCase(), name);
    }
  }
  return undefined;
}

/** A target column as the scoring wants it. */
export function targetColumn(
  source: DataSource,
  name: string,
  cells: (number | string | null)[],
): TargetColumn {
  const { type, format } = source.columns.find((column) => column.name === name) ?? {};
  const seconds = format?.kind === 'date' && `seconds since ${format.holds === 'time' ? 'midnight' : '1970'}`;
  if (type === 'number')
    return { name, values: Float64Array.from(cells, Number), ...(seconds && { unit: seconds }) };
  const texts = cells.map((cell) => (cell === null ? null : String(cell)));
  return { name, values: format?.kind === 'boolean' ? inOneCase(texts) : texts };
}

/** The case of a boolean's words does not matter: each is spelled as it first was. */
function inOneCase(texts: readonly (string | null)[]): (string | null)[] {
  const first = new Map<string, string>();
  return texts.map((text) => {
    if (text === null) return null;
    const word = text.toLowerCase();
    if (!first.has(word)) first.set(word, text);
    return first.get(word)!;
  });
}

/** A column with more different numbers is no classes. */
const MOST_CLASSES = 1000;

/** How the file writes the classes of number columns: `1.0` or `+1`, not the number that it is read as. */
export class ClassTexts {
  /** Of each target that may be classes the text of each number, the first that it has. */
  private readonly texts = new Map<string, Map<number, string>>();

  constructor(source: DataSource, targets: readonly string[]) {
    for (const { name, type } of source.columns)
      if (type === 'number' && targets.includes(name)) this.texts.set(name, new Map());
  }

  /** The columns whose cells are wanted verbatim. */
  get columns(): string[] {
    return [...this.texts.keys()];
  }

  add({ columns, texts }: RecordBatch): void {
    for (const [name, known] of this.texts) {
      const { values } = columns[name];
      for (let place = 0; place < values.length && known.size <= MOST_CLASSES; place++) {
        const text = texts?.[name]?.[place];
        const value = values[place];
        if (typeof value === 'number' && typeof text === 'string' && !known.has(value))
          known.set(value, text.trim());
      }
    }
  }

  /** The specification with the names that the file has. To be asked after labels are encoded by the numbers. */
  named(spec: LabelSpec): LabelSpec {
    const classes = spec.classes.map((names, target) => {
      const known = this.texts.get(spec.columns[target]);
      return names.map((name) => known?.get(Number(name)) ?? name);
    });
    return { ...spec, classes };
  }
}
