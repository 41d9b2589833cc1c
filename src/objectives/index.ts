import type { Objective } from './objective.js';
import { randomMasking } from './random-masking.js';
import { sma } from './sma.js';

/** Every objective there is, by the name `objective.kind` has. */
export const objectives = { sma, 'random-masking': randomMasking } satisfies Record<string, Objective>;

export type ObjectiveKind = keyof typeof objectives;
