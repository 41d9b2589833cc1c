import type { ParsedConfig } from '../config/schema.js';
import type { Dimension, Settings } from '../config/search.js';
import { InputError } from '../errors.js';
import { rungSteps } from './halving.js';
import { drawnSettings, gridSettings } from './settings.js';

/** Of how many trials one goes on at each rung, where nothing is said. */
export const REDUCTION = 3;

/** The settings of the trials, and the steps at which they are judged. Throws InputError for keys that do not go together. */
export function planTrials(
  space: readonly Dimension[],
  how: NonNullable<ParsedConfig['sweep']>,
  { training = {} }: ParsedConfig,
): { settings: Settings[]; rungs: (number | null)[] } {
  const { method = 'random', trials, seed = 0, reduction } = how;
  const unused = (key: string, value: unknown) => {
    if (value !== undefined)
      throw new InputError(`sweep.${key}: the method ${method} has no such key; leave it out`);
  };
  if (method !== 'halving') unused('reduction', reduction);
  if (method === 'grid') {
    unused('trials', trials);
    unused('seed', how.seed);
    return { settings: gridSettings(space), rungs: [null] };
  }
  if (trials === undefined)
    throw new InputError(`sweep.trials: the method ${method} draws settings; say how many, for example 20`);
  const settings = drawnSettings(space, { trials, seed });
  if (method === 'random') return { settings, rungs: [null] };
  const { steps } = training;
  if (steps === undefined || space.some(({ key }) => key === 'training.steps' || key === 'training.epochs')) {
    throw new InputError(
      'training.steps: halving gives trials more and more steps, up to this number; set it, and do not search steps or epochs',
    );
  }
  return { settings, rungs: rungSteps(trials, { steps, reduction: reduction ?? REDUCTION }) };
}
