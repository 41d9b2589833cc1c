/** The splits and the numbers of training labels that an evaluation goes through. */
import type { LabelledData } from '../datasets/labelled-data.js';
import { describeShortage, describeShots, drawShots } from '../datasets/shots.js';
import { InputError } from '../errors.js';
import type { MetricName } from '../scoring/metrics.js';
import { checkDefined, type Definedness } from '../scoring/undefined-scores.js';

/** One split, with all of its training labels or with a few of each class. */
export interface Draw {
  readonly split: number;
  readonly shots?: number;
  /** Which split and how many shots, for people, where there are several. */
  readonly context?: string;
  /** The labelled records, parted; with shots the seed draws which. */
  readonly records: (seed: number) => LabelledData;
}

/**
 * Every split with every number of shots, in this order, and what to hear of the metric before anything is trained. Throws
 * InputError where validation does not define the metric in one of them.
 */
export function drawsOf(
  labelled: LabelledData,
  { shots = [], seeds, metric }: { shots?: readonly number[]; seeds: number; metric: MetricName },
): { draws: Draw[]; defined: Definedness } {
  const { splits } = labelled;
  const ascending = [...new Set(shots)].sort((a, b) => a - b);
  const draws: Draw[] = [];
  const notes: string[] = [];
  let test: string | undefined;
  for (const [split, drawn] of splits.entries()) {
    const whole = { ...labelled, ...drawn };
    const splitContext = splits.length > 1 ? `split ${split + 1} of ${splits.length}` : undefined;
    const defined = within(splitContext, () => checkDefined(whole, metric));
    test ??= defined.test;
    notes.push(...defined.notes.map((note) => (splitContext ? `${splitContext}: ${note}` : note)));
    if (ascending.length === 0) draws.push({ split, context: splitContext, records: () => whole });
    for (const count of ascending) {
      const context = [splitContext, describeShots(count)].filter(Boolean).join(', ');
      const shortage = describeShortage(whole, count);
      if (shortage) notes.push(splitContext ? `${splitContext}: ${shortage}` : shortage);
      const records = (seed: number) => {
        const members = drawShots(whole, count, seed);
        const counts = {
          train: members.train.length,
          valid: members.valid.length,
          test: members.test.length,
        };
        return { ...whole, members, counts };
      };
      const remedy = `validation has as few records as training: leave ${count} out of --shots`;
      const told = Array.from({ length: seeds }, (_, seed) =>
        within(`${context}, seed ${seed}`, () => checkDefined(records(seed), metric, { remedy })),
      );
      // The seeds draw alike: the first that has something to tell tells it.
      const few = told.map((own) => own.notes.filter((note) => !defined.notes.includes(note)));
      notes.push(...(few.find((own) => own.length > 0) ?? []).map((note) => `${context}: ${note}`));
      draws.push({ split, shots: count, context, records });
    }
  }
  return { draws, defined: { ...(test && { test }), notes: [...new Set(notes)] } };
}

/** Says of a mistake in which draw it is. */
function within<T>(context: string | undefined, check: () => T): T {
  try {
    return check();
  } catch (cause) {
    if (!(cause instanceof InputError) || context === undefined) throw cause;
    throw new InputError(`${context}: ${cause.message}`, { cause });
  }
}
