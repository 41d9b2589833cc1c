/** Which settings a sweep tries: all combinations of lists, or draws. */
import type { Dimension, Settings, SettingValue } from '../config/search.js';
import { InputError } from '../errors.js';
import { type Random, random } from '../tensor/random.js';

/** Every combination of the values, the last key changing first. Throws InputError where a key has a range. */
export function gridSettings(space: readonly Dimension[]): Settings[] {
  return space.reduce<Settings[]>(
    (settings, dimension) => {
      if (!('values' in dimension))
        throw new InputError(
          `search.${dimension.key}: a grid needs a list of values, not a range; or try the method random`,
        );
      return settings.flatMap((before) =>
        dimension.values.map((value) => ({ ...before, [dimension.key]: value })),
      );
    },
    [{}],
  );
}

/** Draws in a row without a new one after which there is none. */
const PATIENCE = 10_000;

/**
 * Different settings, each key drawn by itself: evenly from its list or range (Bergstra & Bengio, JMLR 2012). More trials
 * are the same ones and then others. Throws InputError where there are not so many.
 */
export function drawnSettings(
  space: readonly Dimension[],
  { trials, seed }: { readonly trials: number; readonly seed: number },
): Settings[] {
  const drawn = new Map<string, Settings>();
  for (let draw = 0, last = 0; drawn.size < trials; draw++) {
    if (draw - last > PATIENCE) {
      throw new InputError(
        `sweep.trials: expected at most ${drawn.size}, as there are no other settings, got ${trials}; or try the method grid`,
      );
    }
    const settings = drawSettings(space, random(seed, 'sweep', draw));
    const name = JSON.stringify(settings);
    if (drawn.has(name)) continue;
    drawn.set(name, settings);
    last = draw;
  }
  return [...drawn.values()];
}

/** One draw of every key. */
export const drawSettings = (space: readonly Dimension[], source: Random): Settings =>
  Object.fromEntries(space.map((dimension) => [dimension.key, valueAt(dimension, source.uniform())]));

/** The value of a key at a place between 0 and 1; four digits, so that it can be said and typed. */
export function valueAt(dimension: Dimension, place: number): SettingValue {
  if ('values' in dimension)
    return dimension.values[
      Math.min(dimension.values.length - 1, Math.floor(place * dimension.values.length))
    ];
  const { from, to, log, integer } = dimension;
  // An integer stands for what rounds to it.
  const [low, high] = integer && !log ? [from - 0.5, to + 0.5] : [from, to];
  const value = log ? low * (high / low) ** place : low + (high - low) * place;
  return Math.min(to, Math.max(from, integer ? Math.round(value) : Number(value.toPrecision(4))));
}
