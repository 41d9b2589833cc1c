/** The state of a trainer as the tensors of a checkpoint, and back. */

import { createHash } from 'node:crypto';
import type { Ranks } from '../cluster/ranks.js';
import { LacunaError } from '../errors.js';
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

/** Throws LacunaError unless all ranks have the same parameters, to the last bit. */
export async function checkSameParameters(
  parameters: Float32Array,
  step: number,
  ranks: Ranks,
): Promise<void> {
  if (ranks.size === 1) return;
  const { buffer, byteOffset, byteLength } = parameters;
  const own = createHash('sha256')
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest('hex');
  const hashes = await ranks.gather(own);
  const other = hashes.findIndex((hash) => hash !== hashes[0]);
  if (other === -1) return;
  throw new LacunaError(
    `step ${step}: the parameters of rank ${other} are not those of rank 0, so they are not written; run all ranks on machines of one kind with one version, and go on from the last checkpoint`,
  );
}
