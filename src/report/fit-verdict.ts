/** What a comparison of models says, in words. */
import { type Difference, FULL_ENSEMBLE, type Selection, SIMPLE_ENSEMBLE } from '../fit/select.js';
import { type MetricName, metrics } from '../scoring/metrics.js';
import { duration, number } from './numbers.js';

/** What of a fit it is about. */
export interface JudgedFit extends Pick<Selection, 'differences' | 'chosen' | 'simple'> {
  readonly metric: string;
  readonly representationSeconds: number;
  readonly split: { readonly test: number };
}

/** An interval of resamples of fewer test records is too narrow to call anything better. */
const FEW_TEST_RECORDS = 20;

const signed = (value: number): string => `${value < 0 ? '−' : '+'}${number(Math.abs(value))}`;

/** What the test records say of the choice and of the representation, each a sentence. */
export function fitVerdict({
  differences,
  chosen,
  simple,
  metric,
  representationSeconds,
  split: { test },
}: JudgedFit): string[] {
  const { title } = metrics[metric as MetricName];
  const found = (of: string, against: string) =>
    differences.find((difference) => difference.of === of && difference.against === against);
  const shown = ({ value, low, high }: Difference) =>
    `${signed(value)} ${title} (95 % interval ${signed(low)} to ${signed(high)}; above 0 is better)`;
  const isDefined = ({ value }: Difference) => !Number.isNaN(value);
  const undefinedScore = `${title} of these test records is undefined`;
  const isFew = test < FEW_TEST_RECORDS;
  const isBetter = ({ low }: Difference) => low > 0 && !isFew;
  const isWorse = ({ high }: Difference) => high < 0 && !isFew;
  const chance = (difference: Difference) => {
    if (isFew) return `${test} test records are too few to tell`;
    return isBetter(difference) ? 'better' : isWorse(difference) ? 'worse' : 'level within chance';
  };
  const overSimple = found(chosen, simple);
  const learned = found(FULL_ENSEMBLE, SIMPLE_ENSEMBLE);
  return [
    overSimple === undefined
      ? `Validation chose ${chosen}, a simple model.`
      : `${chosen} against ${simple}, the best simple model: ${isDefined(overSimple) ? `${shown(overSimple)}: ${chance(overSimple)}` : undefinedScore}.`,
    ...(learned === undefined
      ? []
      : [
          `The representation ${
            !isDefined(learned)
              ? `cannot be judged, as the ${undefinedScore}`
              : isBetter(learned)
                ? `added ${signed(learned.value)} ${title}`
                : isWorse(learned)
                  ? `cost ${number(-learned.value)} ${title}`
                  : 'added nothing that these test records show'
          }${isDefined(learned) ? `: all models against the simple ones, ${shown(learned)}` : ''}. It took ${duration(representationSeconds)}.`,
        ]),
  ];
}
