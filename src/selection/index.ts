import { facilityLocation } from './facility-location.js';
import { nearDuplicates } from './near-duplicates.js';
import { perplexity } from './perplexity.js';
import { randomSubset } from './random-subset.js';
import type { Selector } from './selector.js';
import { simcore } from './simcore.js';

/** The selectors, by the name that `select --method` has. */
export const selectors = {
  simcore,
  'facility-location': facilityLocation,
  'near-duplicates': nearDuplicates,
  perplexity,
  random: randomSubset,
} satisfies Record<string, Selector>;

export type SelectorName = keyof typeof selectors;
