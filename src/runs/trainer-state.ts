/** The state of a trainer as the tensors of a checkpoint, and back. */

import { vectorNorm } from '../learning/adamw.js';
import { matchParameters, parameterViews } from '../learning/parameters.js';
import type { Trainer, TrainerState } from '../learning/trainer.js';
import type { HostTensor } from '../tensor/tensor.js';
import {
  AVERAGE,
  addPrefix,
  type Checkpoint,
  FIRST_MOMENT,
  SECOND_MOMENT,
  START,
  selectPrefix,
} from './checkpoints.js';

/** The vectors that a checkpoint holds, each under its prefix. */
const vectorsOf = ({ parameters, firstMoment, secondMoment, average, start }: TrainerState) =>
  ({
    '': parameters,
    [FIRST_MOMENT]: firstMoment,
    [SECOND_MOMENT]: secondMoment,
    ...(average && { [AVERAGE]: average }),
    ...(start && { [START]: start }),
  }) satisfies Record<string, Float32Array>;

/** What a checkpoint keeps of a trainer, by dotted name. */
export const trainerTensors = ({ layout, state }: Trainer): Record<string, HostTensor> =>
  Object.assign(
    {},
    ...Object.entries(vectorsOf(state)).map(([prefix, flat]) =>
      addPrefix(prefix, parameterViews(layout, flat)),
    ),
  );

/** Whether all that a checkpoint would keep is finite. */
export const isFiniteState = ({ state }: Trainer): boolean =>
  Object.values(vectorsOf(state)).every((vector) => Number.isFinite(vectorNorm(vector)));

/** The state of a trainer as a checkpoint left it. Throws InputError listing whatever does not fit. */
export function restoreTrainer({ layout, state }: Trainer, { path, tensors }: Checkpoint): void {
  for (const [prefix, flat] of Object.entries(vectorsOf(state))) {
    const values = selectPrefix(prefix, tensors);
    matchParameters(layout.slots, values, path);
    for (const [name, view] of Object.entries(parameterViews(layout, flat))) {
      view.data.set(values[name].data as Float32Array);
    }
  }
}
