import type { Engine } from '../engine/engine.js';
import type { LabelSpec } from '../scoring/labels.js';
import type { MetricName } from '../scoring/metrics.js';
import { linearProbe } from './linear-probe.js';
import { nearestClassMeanProbe } from './nearest-class-mean.js';
import { nearestNeighborsProbe } from './nearest-neighbors.js';
import { type Probe, type ProbeData, type ProbeResult, runProbe } from './protocol.js';

/** Runs one probe from start to test score; see {@link runProbe}. */
export type ProbeRun = (
  data: ProbeData,
  spec: LabelSpec,
  metric: MetricName,
  engine?: Engine,
) => Promise<ProbeResult>;

const run =
  (probe: Probe): ProbeRun =>
  (data, spec, metric, engine) =>
    runProbe(probe, data, spec, metric, engine);

/** Evaluations of a frozen encoder. */
export const probes = {
  linear: run(linearProbe),
  'nearest-neighbors': run(nearestNeighborsProbe),
  'nearest-class-mean': run(nearestClassMeanProbe),
} as const satisfies Record<string, ProbeRun>;

export type ProbeName = keyof typeof probes;
