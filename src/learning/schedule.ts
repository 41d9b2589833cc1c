/** Learning rates and stages as functions of the step, which counts from 0. */
/** From 1 at 0 down half a cosine to 0 at 1. */
const halfCosine = (share: number): number => 0.5 * (1 + Math.cos(Math.PI * Math.min(1, share)));

/** Linear warm-up to `peak` over `warmupSteps`, then a cosine down to 0 at `steps`. `step` counts from 0. */
export function learningRateAt(step: number, steps: number, warmupSteps: number, peak: number): number {
  if (step < warmupSteps) return (peak * (step + 1)) / warmupSteps;
  return peak * halfCosine((step - warmupSteps) / Math.max(1, steps - warmupSteps));
}

/** The phases of {@link infiniteRateAt}, in steps. */
export interface InfiniteSchedule {
  readonly warmupSteps: number;
  readonly cooldownSteps: number;
  /** Share of the peak at which the rate is held. */
  readonly constantRate: number;
  /** The last steps of the run, as far as the warm-up leaves them. */
  readonly annealSteps: number;
  readonly peak: number;
}

/**
 * The infinite schedule (Singh et al., "Beyond Cosine Decay", CoLLAs 2025): linear warm-up to the peak, a cosine down to a
 * constant rate, that rate held, and at the end of the run down to 0. A run can go on from its constant phase for as
 * long as there are data. Departure from the paper: the anneal is half a cosine to 0 instead of exponential.
 */
export function infiniteRateAt(step: number, steps: number, schedule: InfiniteSchedule): number {
  const { warmupSteps, cooldownSteps, constantRate, annealSteps, peak } = schedule;
  const begins = Math.max(warmupSteps, steps - annealSteps);
  if (step >= begins && annealSteps > 0) {
    const level = infiniteRateAt(begins, steps, { ...schedule, annealSteps: 0 });
    return level * halfCosine((step - begins) / Math.max(1, steps - begins));
  }
  if (step < warmupSteps) return (peak * (step + 1)) / warmupSteps;
  const cooled = step - warmupSteps < cooldownSteps ? halfCosine((step - warmupSteps) / cooldownSteps) : 0;
  return peak * (constantRate + (1 - constantRate) * cooled);
}

/** The learning rate over a run, by the names that a configuration has for its keys. */
export interface Schedule {
  readonly steps: number;
  readonly learning_rate: number;
  readonly warmup_steps: number;
  /** `cosine` by default. */
  readonly schedule?: 'cosine' | 'infinite';
  readonly cooldown_steps?: number;
  readonly constant_rate?: number;
  readonly anneal_steps?: number;
}

/** The learning rate that a run's configuration has at a step of `steps`. */
export function scheduledRate(training: Schedule, step: number, steps: number): number {
  const { schedule, warmup_steps: warmupSteps, learning_rate: peak } = training;
  if (schedule !== 'infinite') return learningRateAt(step, steps, warmupSteps, peak);
  const {
    cooldown_steps: cooldownSteps = 0,
    constant_rate: constantRate = 1,
    anneal_steps: annealSteps = 0,
  } = training;
  return infiniteRateAt(step, steps, { warmupSteps, cooldownSteps, constantRate, annealSteps, peak });
}

/** The steps that a run of the infinite schedule has done when its anneal begins: those it can go on from later. */
export const constantUntil = ({
  schedule,
  steps,
  warmup_steps,
  anneal_steps = 0,
}: Schedule): number | undefined =>
  schedule === 'infinite' ? Math.max(warmup_steps, steps - anneal_steps) : undefined;

/** The steps, first and end, of the stage that a step is in, where the run begins anew after so many steps, ascending. */
export const stageOf = (
  step: number,
  steps: number,
  restarts: readonly number[] = [],
): { begins: number; ends: number } => ({
  begins: restarts.findLast((restart) => restart <= step) ?? 0,
  ends: restarts.find((restart) => restart > step) ?? steps,
});

/** The first step whose progress `step / steps` is at least `share`. */
export function firstStepAt(share: number, steps: number): number {
  // The product is rounded, so it is off by one at times.
  let step = Math.max(0, Math.ceil(share * steps) - 1);
  while (step / steps < share) step++;
  return step;
}
