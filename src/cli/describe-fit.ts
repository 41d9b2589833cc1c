/** The table of a fit, and in words what the representation brought. */

import { fitVerdict } from '../report/fit-verdict.js';
import { duration, number } from '../report/numbers.js';
import { formatTable } from '../report/table.js';
import { choosingMetric, type MetricName, metrics } from '../scoring/metrics.js';
import type { FitSummary } from '../verbs/fit.js';
import { score } from './progress.js';

/** Everything that `fit` found, for a terminal. */
export function describeFit(summary: FitSummary): string {
  const { rows, metric, split, folds, chosen, model, higherIsBetter } = summary;
  const { title } = metrics[metric as MetricName];
  const by = metrics[choosingMetric(metric as MetricName)].title;
  const own = by === title ? [] : [`validation ${by}`];
  const table = formatTable(
    ['', 'model', ...own, `validation ${title}`, `test ${title}`, '95 % interval', 'time'],
    rows.map(({ name, valid, choice, test, seconds }) => [
      name === chosen ? '→' : '',
      name,
      ...own.map(() => score(choice!)),
      score(valid),
      score(test.value),
      Number.isNaN(test.low) ? '' : `${number(test.low)} – ${number(test.high)}`,
      duration(seconds),
    ]),
  );
  const weights = rows.find(({ name }) => name === chosen)?.weights ?? {};
  const parts = Object.entries(weights)
    .sort(([, a], [, b]) => b - a)
    .map(([name, weight]) => `${name} ${Math.round(100 * weight)} %`);
  return [
    `split by ${split.by}: ${split.train} train, ${split.valid} valid, ${split.test} test`,
    `${title}, ${higherIsBetter ? 'higher' : 'lower'} is better; ${folds === 1 ? 'validation is the validation part' : `validation is the held records of ${folds} folds`}; the arrow is what validation chose${own.length > 0 ? ` by its ${by}` : ''}, never choose by test`,
    '',
    table,
    '',
    ...(parts.length > 0 ? [`${chosen}: ${parts.join(', ')}`] : []),
    ...fitVerdict(summary),
    `model: ${model}`,
  ].join('\n');
}
