/** The loop of training on labels: steps, validations, the parameters that were best at one, and where it goes on after a stop. */

import type { HostTensors } from '../engine/engine.js';
import { LacunaError } from '../errors.js';
import { initializeParameters, matchParameters, type ParameterLayout } from '../learning/parameters.js';
import { learningRateAt } from '../learning/schedule.js';
import type { TrainedStep } from '../learning/step-reporter.js';
import { NonFiniteStep, type StepBatch, trainingSteps } from '../learning/steps.js';
import type { StepSettings, Trainer } from '../learning/trainer.js';
import type { BatchPlan } from '../records/batch.js';
import { ofEncoder } from './labelled-graph.js';

/** Parameters of a pretrained encoder, by dotted name, and where they come from, for errors. */
export interface Start {
  readonly tensors: HostTensors;
  readonly folder: string;
}

/** The parameters that were best on the validation part. */
export interface Trained {
  readonly parameters: Float32Array;
  readonly valid: number;
  readonly step: number;
}

export interface TrainOptions {
  readonly steps: number;
  /** Peak of the schedule, for the head. */
  readonly learningRate: number;
  /** Fresh parameters where there is none. */
  readonly start?: Start;
  /** Decides the fresh parameters and the order of batches. */
  readonly seed: number;
  /** Which of several trainings from the same parameters: each has an order of batches and draws of its own; 0 by default. */
  readonly ingredient?: number;
  /** Validations, evenly spaced; 10 by default. */
  readonly validations?: number;
  /** After so many validations none of which was better than the best before, training ends; never by default. */
  readonly patience?: number;
  readonly signal?: AbortSignal;
  readonly onStep?: (at: TrainedStep) => void;
  /** The better of the parameters' score on the validation part and that of their average, where there is one. */
  readonly onValid?: (at: { step: number; valid: number }) => void;
  /** Goes on from here, to the same parameters as if it had not been stopped. */
  readonly state?: TrainingState;
  /** Keeps where it is, from time to time and where the signal stops it. */
  readonly keep?: (state: TrainingState) => Promise<void>;
}

/** Where a training is: all that the steps to come depend on. */
export interface TrainingState {
  /** Steps done. */
  readonly step: number;
  readonly parameters: Float32Array;
  readonly firstMoment: Float32Array;
  readonly secondMoment: Float32Array;
  /** Where a running average is kept. */
  readonly average?: Float32Array;
  readonly best?: Trained;
  /** Validations since the best one. */
  readonly since: number;
}

/** Steps between two states that are kept. */
const KEPT_STEPS = 200;

/** Validations per training where nothing is said. */
const VALIDATIONS = 10;

/** What training needs of the data: the batches of an epoch, what each feeds, and a score on the validation part. */
export interface TrainingData {
  readonly plans: (epoch: number) => readonly BatchPlan[];
  readonly feeds: (plan: BatchPlan, step: number, epoch: number) => HostTensors;
  /** What is fed to a step in place of its feeds, made with the trainer as it is before the step, which stays so. */
  readonly prepare?: (batch: StepBatch, settings: StepSettings) => Promise<HostTensors>;
  readonly validate: () => Promise<number>;
  readonly isBetter: (value: number, best: number) => boolean;
}

/**
 * Trains from fresh or pretrained parameters and keeps those of the best validation, or their running average.
 * Throws LacunaError when the loss is not finite.
 */
export async function trainToBest(
  trainer: Trainer,
  options: TrainOptions & { readonly weightAverage?: number },
  { plans, feeds, prepare, validate, isBetter }: TrainingData,
): Promise<Trained> {
  const { steps, learningRate, start, seed, signal, onStep, onValid, weightAverage, state, keep } = options;
  const { validations = VALIDATIONS, patience = Number.POSITIVE_INFINITY } = options;
  const validSteps = Math.ceil(steps / validations);
  const fresh = initializeParameters(trainer.layout, seed);
  trainer.begin(start ? withEncoder(fresh, trainer.layout, start) : fresh);
  if (state) {
    for (const name of ['parameters', 'firstMoment', 'secondMoment', 'average'] as const) {
      const kept = state[name];
      if (kept) trainer.state[name]?.set(kept);
    }
  }
  let done = state?.step ?? 0;
  const rate = (step: number) => learningRateAt(step, steps, Math.ceil(steps / 10), learningRate);
  // The first steps are forgotten sooner.
  const momentum =
    weightAverage === undefined
      ? undefined
      : (step: number) => Math.min(weightAverage, (2 + step) / (11 + step));
  const batches = epochs(plans, feeds, done);
  const taken = trainingSteps(trainer, {
    batches: prepare
      ? prepared(batches, done, (batch, step) =>
          prepare(batch, { step: step + 1, learningRate: rate(step), momentum: momentum?.(step) }),
        )
      : batches,
    start: done,
    // One that had ended by its patience when it was stopped takes no more.
    steps: (state?.since ?? 0) < patience ? steps : done,
    rate,
    momentum,
    signal,
  });
  let best = state?.best;
  let since = state?.since ?? 0;
  const keepState = async () => {
    if (!keep) return;
    await trainer.fetchState();
    const { parameters, firstMoment, secondMoment, average } = trainer.state;
    await keep({ step: done, parameters, firstMoment, secondMoment, average, best, since });
  };
  /** Validates the parameters that the trainer has after a step. */
  const consider = async (step: number) => {
    const valid = await validate();
    if (best !== undefined && !isBetter(valid, best.valid)) return valid;
    await trainer.fetchState();
    best = { parameters: trainer.state.parameters.slice(), valid, step };
    since = -1;
    return valid;
  };
  try {
    for await (const { step, loss, learningRate: lr, batch } of taken) {
      done = step;
      onStep?.({
        step,
        epoch: batch.epoch,
        loss,
        lr,
        ...(best && { best_valid: best.valid, best_step: best.step }),
      });
      if (step % validSteps === 0 || step === steps) {
        let valid = await consider(step);
        if (weightAverage !== undefined) {
          trainer.exchangeAverage();
          const averaged = await consider(step);
          if (isBetter(averaged, valid)) valid = averaged;
          trainer.exchangeAverage();
        }
        onValid?.({ step, valid });
        if (++since >= patience) break;
      }
      if (step % KEPT_STEPS === 0 && step < steps) await keepState();
    }
  } catch (error) {
    if (!(error instanceof NonFiniteStep)) throw error;
    throw new LacunaError(`fine-tuning ${error.message}; try a lower learning rate than ${learningRate}`);
  }
  if (signal?.aborted) {
    if (done > (state?.step ?? 0)) await keepState();
    signal.throwIfAborted();
  }
  if (best === undefined) throw new Error('fine-tuning validated nothing');
  return best;
}

/** The batches of one epoch after the other, without end, those of the first steps left out. */
function* epochs(
  plans: TrainingData['plans'],
  feeds: TrainingData['feeds'],
  done: number,
): Generator<StepBatch & { readonly epoch: number }> {
  let step = 0;
  for (let epoch = 0; ; epoch++)
    for (const plan of plans(epoch)) {
      if (step++ < done) continue;
      yield { tokens: plan.tokens, feeds: feeds(plan, step - 1, epoch), epoch };
    }
}

/** The same batches, fed with what is prepared when each is wanted: between two steps. */
async function* prepared<B extends StepBatch>(
  batches: Iterable<B>,
  start: number,
  prepare: (batch: B, step: number) => Promise<HostTensors>,
): AsyncGenerator<B> {
  let step = start;
  for (const batch of batches) yield { ...batch, feeds: await prepare(batch, step++) };
}

/** The pretrained encoder's parameters in place of the fresh ones; the head stays fresh. */
function withEncoder(fresh: Float32Array, layout: ParameterLayout, { tensors, folder }: Start): Float32Array {
  const encoder = layout.slots.filter(({ name }) => ofEncoder(name));
  const known = Object.fromEntries(
    encoder.map(({ name }) => [name, tensors[name]]).filter(([, tensor]) => tensor),
  );
  matchParameters(encoder, known, folder);
  const parameters = fresh.slice();
  for (const { name, offset } of encoder) parameters.set(known[name].data as Float32Array, offset);
  return parameters;
}
