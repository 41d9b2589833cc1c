import { adaptedPartDistance } from './adapted-part-distance.js';
import type { AnomalyMeasure } from './measure.js';
import { partDistance } from './part-distance.js';
import { recoveryError } from './recovery-error.js';

/** The measures on request, by the name that `anomalies --also` has. */
export const anomalyMeasures = {
  'part-distance': partDistance,
  'adapted-part-distance': adaptedPartDistance,
  'recovery-error': recoveryError,
} satisfies Record<string, AnomalyMeasure>;

export type AnomalyMeasureName = keyof typeof anomalyMeasures;
