/** What fine-tuning minimises instead of the loss of the labels alone. */
import type { HostTensors } from '../../engine/engine.js';
import type { Value } from '../../graph/index.js';
import type { Declared } from '../../options.js';
import type { Task } from '../../scoring/metrics.js';
import type { Random } from '../../tensor/random.js';

/** The options of all regularizers, by the names of the configuration. */
export interface RegularizerOptions {
  readonly regularizer_weight?: number;
  readonly mixup_alpha?: number;
  readonly look_neighbors?: number;
}

/** What a regularizer is given. */
export interface Labelled {
  readonly task: Task;
  /** float32[size, width]: what the head reads of each record. */
  readonly read: Value;
  /** The head: float32[n, width] → float32[n, outputs], for any number of rows. */
  readonly head: (read: Value) => Value;
  /** float32[size, targets] */
  readonly labels: Value;
  /** float32[size, targets]: 0 where a label is missing or a row is none. */
  readonly weights: Value;
  /** float32[n, targets] of losses, of outputs float32[n, outputs] and labels float32[n, targets]. */
  readonly losses: (outputs: Value, labels: Value) => Value;
}

/** How one loss is made of a batch. */
export interface Regularizer extends Declared {
  readonly paper: string;
  /** The tasks in which it has a meaning. */
  readonly tasks: readonly Task[];
  readonly defaults: RegularizerOptions;
  /** Whether records of a batch are compared with each other, so that it should hold many. */
  readonly comparesRecords?: boolean;
  /** Draws what it wants from the host for a batch whose first `rows` of `size` are records, by the names of its inputs. */
  readonly draw?: (
    options: RegularizerOptions,
    batch: { readonly size: number; readonly rows: number },
    source: (purpose: string) => Random,
  ) => HostTensors;
  /** The mean loss and the sum of the weights behind it: float32[] each. */
  readonly loss: (options: RegularizerOptions, labelled: Labelled) => { mean: Value; weight: Value };
}
