/** Weight soups: the mean of the parameters of several trainings. */
import { z } from 'zod';
import type { OptionsOf } from '../options.js';
import type { Trained } from './train-to-best.js';

/** Which trainings are averaged: all of them, or those that make the mean no worse on the validation part. */
export const soups = ['uniform', 'greedy'] as const;
export type SoupKind = (typeof soups)[number];

/** How many trainings a soup is made of. */
export const soupOptions: OptionsOf<{ ingredients: number }> = {
  ingredients: {
    type: z.int().min(2).max(100),
    description: 'trainings from the same parameters whose weights are averaged (soup)',
    example: 4,
  },
};

/** What a soup is judged by. */
export interface Taste {
  /** The score of parameters on the validation part. */
  readonly validate: (parameters: Float32Array) => Promise<number>;
  readonly isBetter: (value: number, best: number) => boolean;
}

/**
 * Model soups (Wortsman et al., ICML 2022). All trainings start from the same parameters, the head's among them. `uniform`
 * is the mean of all. `greedy` begins with the one that is best on validation and adds the others in the order of their
 * scores, each where the mean with it is not worse. Departure: trainings differ in what is drawn, not in their settings.
 */
export async function weightSoup(
  kind: SoupKind,
  ingredients: readonly Trained[],
  { validate, isBetter }: Taste,
): Promise<Trained> {
  if (kind === 'uniform') {
    const parameters = meanOf(ingredients);
    return { parameters, valid: await validate(parameters), step: ingredients[0].step };
  }
  const order = [...ingredients].sort((a, b) =>
    isBetter(a.valid, b.valid) ? -1 : isBetter(b.valid, a.valid) ? 1 : 0,
  );
  const chosen = [order[0]];
  let best = order[0];
  for (const next of order.slice(1)) {
    const parameters = meanOf([...chosen, next]);
    const valid = await validate(parameters);
    if (isBetter(best.valid, valid)) continue;
    chosen.push(next);
    best = { parameters, valid, step: best.step };
  }
  return best;
}

/** The mean of the parameters, summed in double precision. */
function meanOf(ingredients: readonly Trained[]): Float32Array {
  return ingredients[0].parameters.map(
    (_, i) => ingredients.reduce((sum, { parameters }) => sum + parameters[i], 0) / ingredients.length,
  );
}
