/** Labels for records without one, by a network that was trained on those with one. */

import { z } from 'zod';
import type { HostTensors } from '../engine/engine.js';
import type { StepBatch } from '../learning/steps.js';
import type { StepSettings, Trainer } from '../learning/trainer.js';
import { softmax } from '../numerics/softmax.js';
import type { OptionsOf } from '../options.js';
import type { TokenBlock } from '../records/token-block.js';
import type { LabelSpec } from '../scoring/labels.js';
import type { LabelledPart } from '../scoring/parts.js';
import { hostTensor } from '../tensor/tensor.js';

/**
 * Ways to learn from records without a label. `pseudo-labels` is a stage between pretraining and fine-tuning: a fine-tuned
 * network labels them, the pretrained one learns these labels, and what it has become is fine-tuned on the true ones. By
 * the others a teacher, the running average of the weights, labels some in each step (Tarvainen & Valpola, NeurIPS 2017);
 * with `future` after a step that is then taken back.
 */
export const selfTrainings = ['pseudo-labels', 'mean-teacher', 'future'] as const;
export type SelfTraining = (typeof selfTrainings)[number];

/** A teacher in the training loop, and what a record that it labels counts for beside one with a label. */
export interface TeacherConfig {
  readonly kind: Exclude<SelfTraining, 'pseudo-labels'>;
  readonly unlabelled_weight: number;
}

/** The declaration of what the teachers are told. */
export const teacherOptions: OptionsOf<Pick<TeacherConfig, 'unlabelled_weight'>> = {
  unlabelled_weight: {
    type: z.number().gt(0),
    description: 'what a record counts for that a sure teacher labelled (mean-teacher, future)',
    example: 0.5,
  },
};

/** How fast a teacher follows where nothing is said. */
export const TEACHER_MOMENTUM = 0.99;

/** The label that outputs stand for, and how sure they are of it: 0 as by chance, 1 wholly; always 1 of a value. */
function given(
  outputs: ArrayLike<number>,
  { task }: Pick<LabelSpec, 'task'>,
): { label: number; sure: number }[] {
  if (task === 'regression') return Array.from(outputs, (label) => ({ label, sure: 1 }));
  if (task === 'binary' || task === 'multilabel')
    return Array.from(outputs, (logit) => ({
      label: Number(logit > 0),
      sure: Math.abs(Math.tanh(logit / 2)),
    }));
  const probabilities = softmax(outputs);
  const most = Math.max(...probabilities);
  const chance = 1 / outputs.length;
  return [{ label: probabilities.indexOf(most), sure: (most - chance) / (1 - chance) }];
}

/** Records with the labels that outputs float64[records, outputs] stand for, regression in the label's own units. */
export function pseudoLabelled(records: TokenBlock, outputs: Float64Array, spec: LabelSpec): LabelledPart {
  const labels = Float64Array.from(
    Array.from({ length: records.count }, (_, record) =>
      given(outputs.subarray(record * spec.outputs, (record + 1) * spec.outputs), spec),
    ).flat(),
    ({ label }) => label,
  );
  return { records, labels };
}

/** The batch's feeds in which the teacher, the average of the parameters, has labelled the rows from `from` on. */
async function labelledBy(
  trainer: Trainer,
  { tokens, feeds }: StepBatch,
  { spec, config, from }: Taught,
): Promise<HostTensors> {
  trainer.exchangeAverage();
  const { outputs } = await trainer.evaluate(tokens, feeds);
  trainer.exchangeAverage();
  const [labels, weights] = [feeds.labels, feeds.label_weights].map(({ data }) =>
    Float32Array.from(data, Number),
  );
  const [size] = feeds.labels.shape;
  for (let row = from; row < size; row++) {
    const own = Array.from(outputs.data.subarray(row * spec.outputs, (row + 1) * spec.outputs), Number);
    for (const [target, { label, sure }] of given(own, spec).entries()) {
      labels[row * spec.targets + target] = label;
      weights[row * spec.targets + target] = config.unlabelled_weight * sure;
    }
  }
  const { shape } = feeds.labels;
  return {
    ...feeds,
    labels: hostTensor('float32', shape, labels),
    label_weights: hostTensor('float32', shape, weights),
  };
}

/** What a teacher labels, and from which row of a batch on. */
interface Taught {
  readonly spec: LabelSpec;
  readonly config: TeacherConfig;
  readonly from: number;
}

/**
 * The feeds of a step, in which a teacher has labelled the rows from `from` on. The trainer stays as it is.
 *
 * Future self-training (Du et al., NeurIPS 2022): the step is taken by the labels of the present teacher, the average
 * follows, the average labels anew, and all is put back; so the teacher is one virtual step ahead of the student.
 * Departures: a record counts by how sure the teacher is, and not by a threshold; records are labelled as they are, without
 * augmentations.
 */
export async function labelledByTeacher(
  trainer: Trainer,
  batch: StepBatch,
  settings: StepSettings,
  taught: Taught,
): Promise<HostTensors> {
  const present = await labelledBy(trainer, batch, taught);
  if (taught.config.kind === 'mean-teacher') return present;
  const { state } = trainer;
  const names = ['parameters', 'firstMoment', 'secondMoment', 'average'] as const;
  const before = names.map((name) => state[name]?.slice());
  await trainer.step(batch.tokens, present, settings);
  const future = await labelledBy(trainer, batch, taught);
  names.forEach((name, i) => {
    const kept = before[i];
    if (kept) state[name]?.set(kept);
  });
  return future;
}
