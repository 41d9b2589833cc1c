/** What outputs of a network say of a record, in the words and units of its labels. */
import { float32Digits } from '../files/float32-digits.js';
import type { TableCell, TableColumn } from '../files/table-files.js';
import { predictedValues } from '../fit/ensemble.js';
import { className, type LabelSpec, predictionNames } from '../scoring/labels.js';

/**
 * Regression: the value. Yes or no: the probability of the second class. Several classes: the likeliest, then each.
 * Tokens: a text with the likeliest class of each token that is read, a cropped text's first ones.
 */
export function predictedColumns(spec: LabelSpec): TableColumn[] {
  const first: TableColumn[] =
    spec.task === 'multiclass' || spec.task === 'per-token'
      ? [{ name: spec.columns[0], type: 'VARCHAR' }]
      : [];
  return [...first, ...predictionNames(spec).map((name): TableColumn => ({ name, type: 'DOUBLE' }))];
}

/** The cells of these columns for one record, from outputs float64[rows, outputs] of the record alone. */
export function predictedCells(spec: LabelSpec, outputs: Float64Array): TableCell[] {
  switch (spec.task) {
    case 'regression':
    case 'binary':
    case 'multilabel':
      return Array.from(predictedValues(outputs, spec), float32Digits);
    case 'multiclass':
      return [
        className(spec, 0, outputs.indexOf(Math.max(...outputs))),
        ...Array.from(predictedValues(outputs, spec), float32Digits),
      ];
    case 'per-token': {
      const letters: string[] = [];
      for (let start = 0; start < outputs.length; start += spec.outputs) {
        const own = outputs.subarray(start, start + spec.outputs);
        letters.push(className(spec, 0, own.indexOf(Math.max(...own))));
      }
      // As they were given: words and digits with spaces between them, letters without.
      return [letters.join(spec.classes[0].every((name) => /^\D$/u.test(name)) ? '' : ' ')];
    }
  }
}
