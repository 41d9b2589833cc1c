import type { Ranks } from '../cluster/ranks.js';
import type { Monitors } from './monitors.js';

/** What a verb tells while it works. Losses are means over the masked tokens; times are in seconds. */
export type ProgressEvent =
  | { readonly type: 'info' | 'warning'; readonly message: string }
  | StepEvent
  | ValidEvent
  | SeedEvent;

/** A training step that was logged. Monitors are the newest, as `val_loss` is. */
export interface StepEvent extends Partial<Monitors> {
  readonly type: 'step';
  readonly step: number;
  readonly steps: number;
  /** Which of several trainings it is, for people, such as `split 2 of 5, 10 shots`. */
  readonly context?: string;
  readonly epoch: number;
  readonly loss: number;
  /** The newest validation loss, once there is one. */
  readonly val_loss?: number;
  /** The validation loss of predicting the marginal of the training tokens: the line to beat. */
  readonly val_loss_marginal?: number;
  /** Of a training on labels: its best score on the validation part so far, and the step that had it. */
  readonly best_valid?: number;
  readonly best_step?: number;
  readonly lr: number;
  readonly samples_per_second: number;
  /** Part of the time spent waiting for data, 0 … 1. */
  readonly data_wait: number;
  /** The most memory that the process has had, in MiB. */
  readonly peak_memory_mib?: number;
  readonly seconds_left: number;
}

/** A validation. */
export interface ValidEvent extends Partial<Monitors> {
  readonly type: 'valid';
  readonly step: number;
  readonly steps: number;
  readonly epoch: number;
  readonly val_loss: number;
  readonly val_loss_marginal?: number;
}

/** One method finished and scored with one seed. */
export interface SeedEvent {
  readonly type: 'seed';
  readonly method: string;
  readonly seed: number;
  readonly seeds: number;
  /** As of {@link StepEvent}. */
  readonly context?: string;
  readonly metric: string;
  readonly value: number;
}

/** What every verb can be given: a way to stop it and a way to watch it. */
export interface Hooks {
  /** When it aborts, the verb finishes its step, writes a checkpoint where it keeps any, and returns. */
  readonly signal?: AbortSignal;
  /** Hears of the progress. */
  readonly onEvent?: (event: ProgressEvent) => void;
}

/** Of a verb that several processes can do together. */
export interface SharedHooks extends Hooks {
  /** Those processes, where a launcher started several. Only rank 0 writes, and tells of the progress. */
  readonly ranks?: Ranks;
}
