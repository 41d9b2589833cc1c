/** Which of an encoder's parameters fine-tuning moves, and by what. */
import type { ParameterNode, Value } from '../../graph/index.js';
import type { Declared } from '../../options.js';
import type { HostTensor } from '../../tensor/tensor.js';

/** The options of all tunings, by the names of the configuration. */
export interface TuningOptions {
  readonly lora_rank?: number;
  readonly dictionary_entries?: number;
}

/** A way to train an encoder with its head, which every one trains whole. */
export interface Tuning extends Declared {
  /** Where it comes from, if anywhere. */
  readonly paper?: string;
  readonly defaults: TuningOptions;
  /** The peak rate that suits it where none is chosen. */
  readonly learningRate: number;
  /** Whether the encoder's parameter of this name is moved itself. */
  readonly moves: (name: string) => boolean;
  /** What stands in the graph for a parameter that is not moved itself, made of the fixed value; that value by default. */
  readonly instead?: (parameter: ParameterNode, fixed: Value, options: TuningOptions) => Value;
  /** Writes what was trained beside parameters into them, in place: the network stays the same function. */
  readonly merge?: (
    parameters: Readonly<Record<string, HostTensor<'float32'>>>,
    options: TuningOptions,
  ) => void;
}

/** Parameters of training alone, which no run keeps, start so. */
export const AUXILIARY = 'auxiliary.';
