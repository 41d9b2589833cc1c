/** The table of a fit, and in words what the representation brought. */

import { type Difference, FULL_ENSEMBLE, SIMPLE_ENSEMBLE } from '../fit/select.js';
import { formatTable } from '../report/table.js';
import { type MetricName, metrics } from '../scoring/metrics.js';
import type { FitSummary } from '../verbs/fit.js';
import { duration, number, score } from './progress.js';

const signed = (value: number): string => `${value < 0 ? '−' : '+'}${number(Math.abs(value))}`;

/** Everything that `fit` found, for a terminal. */
export function describeFit(summary: FitSummary): string {
  const { rows, metric, split, folds, chosen, model, higherIsBetter } = summary;
  const { title } = metrics[metric as MetricName];
  const table = formatTable(
    ['', 'model', `validation ${title}`, `test ${title}`, '95 % interval', 'time'],
    rows.map(({ name, valid, test, seconds }) => [
      name === chosen ? '→' : '',
      name,
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
    `${title}, ${higherIsBetter ? 'higher' : 'lower'} is better; ${folds === 1 ? 'validation is the validation part' : `validation is the held records of ${folds} folds`}; the arrow is what validation chose, never choose by test`,
    '',
    table,
    '',
    ...(parts.length > 0 ? [`${chosen}: ${parts.join(', ')}`] : []),
    ...verdict(summary),
    `model: ${model}`,
  ].join('\n');
}

/** What the test records say of the choice and of the representation, each a sentence. */
function verdict({ differences, chosen, simple, metric, representationSeconds }: FitSummary): string[] {
  const { title } = metrics[metric as MetricName];
  const found = (of: string, against: string) =>
    differences.find((difference) => difference.of === of && difference.against === against);
  const shown = ({ value, low, high }: Difference) =>
    `${signed(value)} ${title} (95 % interval ${signed(low)} to ${signed(high)}; above 0 is better)`;
  const chance = ({ low, high }: Difference) =>
    low > 0 ? 'better' : high < 0 ? 'worse' : 'level within chance';
  const overSimple = found(chosen, simple);
  const learned = found(FULL_ENSEMBLE, SIMPLE_ENSEMBLE);
  return [
    overSimple === undefined
      ? `Validation chose ${chosen}, a simple model.`
      : `${chosen} against ${simple}, the best simple model: ${shown(overSimple)}: ${chance(overSimple)}.`,
    ...(learned === undefined
      ? []
      : [
          `The representation ${
            learned.low > 0
              ? `added ${signed(learned.value)} ${title}`
              : learned.high < 0
                ? `cost ${number(-learned.value)} ${title}`
                : 'added nothing that these test records show'
          }: all models against the simple ones, ${shown(learned)}. It took ${duration(representationSeconds)}.`,
        ]),
  ];
}
