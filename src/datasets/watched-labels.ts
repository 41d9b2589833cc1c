/** The labels that a pretraining run is watched by: of validation records, and never among its tokens. */
import { InputError, listed } from '../errors.js';
import { type MonitorLabels, NEIGHBORS } from '../learning/representation-measures.js';
import { type DataSource, isCellType } from '../records/record-batch.js';

/** Distinct whole numbers up to which they are taken for the numbers of classes. */
const MOST_CLASS_NUMBERS = 20;

/** Throws InputError when the column is not there, holds no label, or is one of those that become tokens. */
export function checkMonitorTarget(source: DataSource, target: string, tokens: readonly string[]): void {
  const column = source.columns.find(({ name }) => name === target);
  const names = listed(source.columns.map(({ name }) => name));
  if (!column) {
    throw new InputError(
      `${source.path}: no column "${target}" to monitor by; it has ${names}; choose among them with --monitor-target`,
    );
  }
  if (!isCellType(column.type)) {
    const holds = column.type === 'pixels' ? 'images' : 'series';
    throw new InputError(
      `${source.path}: column "${target}", to monitor by, holds ${holds}; expected numbers or text`,
    );
  }
  if (tokens.includes(target)) {
    throw new InputError(
      `${source.path}: column "${target}", to monitor by, would be learned from, so its score would say nothing; leave it out with --ignore ${target}`,
    );
  }
}

/**
 * The labels of records, given their file rows in ascending order. Text is classes, and so are up to 20 different whole numbers;
 * other numbers are amounts. An empty cell and a record that cannot be read have no label. Reads the file up to the last of them.
 * Throws InputError when too few records have a label to compare neighbours, or the labels cannot be told apart.
 */
export async function readMonitorLabels(
  source: DataSource,
  target: string,
  rows: Int32Array,
): Promise<MonitorLabels> {
  const placeOf = new Map(Array.from(rows, (row, place) => [row, place]));
  const last = rows[rows.length - 1];
  const cells: (string | number | null)[] = new Array(rows.length).fill(null);
  for await (const batch of source.read({ columns: [target] })) {
    const { values } = batch.columns[target];
    for (let i = 0; i < batch.rows.length; i++) {
      const place = placeOf.get(batch.rows[i]);
      const value = values[i];
      if (place !== undefined && value !== '' && !Number.isNaN(value)) cells[place] = value;
    }
    if (batch.rows[batch.rows.length - 1] >= last) break;
  }
  return labelsOf(cells, `${source.path}: column "${target}", to monitor by,`);
}

/** `where` starts what an error says. */
function labelsOf(cells: readonly (string | number | null)[], where: string): MonitorLabels {
  const present = cells.filter((cell) => cell !== null);
  const distinct = [...new Set(present)];
  if (present.length <= NEIGHBORS) {
    throw new InputError(
      `${where} has a label for ${present.length} of the ${cells.length} validation records that are looked at; more than ${NEIGHBORS} are needed; give more labels or leave --monitor-target out`,
    );
  }
  if (distinct.length === 1) {
    throw new InputError(
      `${where} has the same label ${JSON.stringify(distinct[0])} for all validation records; choose another column`,
    );
  }
  const text = typeof distinct[0] === 'string';
  const fewEach = 2 * distinct.length > present.length;
  if (text && fewEach) {
    throw new InputError(
      `${where} has ${distinct.length} different texts in ${present.length} validation records, too many to be classes; choose another column`,
    );
  }
  const classes = distinct.length <= MOST_CLASS_NUMBERS && distinct.every(Number.isInteger) && !fewEach;
  if (!text && !classes) {
    return {
      kind: 'numbers',
      values: Float64Array.from(cells, (cell) => (cell === null ? NaN : Number(cell))),
    };
  }
  const classOf = new Map(distinct.map((label, number) => [label, number]));
  return {
    kind: 'classes',
    values: Float64Array.from(cells, (cell) => (cell === null ? NaN : classOf.get(cell)!)),
  };
}
