/** What a comparison of models says, in words. */
import { type Difference, FULL_ENSEMBLE, type Selection, SIMPLE_ENSEMBLE } from '../fit/select.js';
import { type MetricName, metrics } from '../scoring/metrics.js';
import { duration, number } from './numbers.js';

/** What of a fit it is about. */
export interface JudgedFit extends Pick<Selection, 'differences' | 'chosen' | 'simple'> {
  readonly metric: string;
  readonly representationSeconds: number;
}

const signed = (value: number): string => `${value < 0 ? '−' : '+'}${number(Math.abs(value))}`;

/** What the test records say of the choice and of the representation, each a sentence. */
export function fitVerdict({
  differences,
  chosen,
  simple,
  metric,
  representationSeconds,
}: JudgedFit): string[] {
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
