import { z } from 'zod';
import { InputError } from '../errors.js';
import { add, cast, expand, logicalNot, multiply, reshape, scalar, type Value } from '../graph/index.js';
import { squaredError, weightedMean } from '../layers/losses.js';
import {
  checkMasking,
  type MaskingOptions,
  maskedAutoencoding,
  maskingDefaults,
  maskingOptions,
} from './masked-autoencoding.js';
import type { Objective } from './objective.js';
import { randomPositions, selectRandom } from './random-masking.js';
import { wholeMeans } from './whole-batch.js';

/** The options of self-distillation. */
export interface SelfDistillationOptions extends MaskingOptions {
  /** Share of the run after which the first teacher is fixed and the student goes back. */
  readonly restart: number;
  /** Students, one after the other in equal shares of what is left of the run, each the teacher of the next. */
  readonly rounds: number;
  /** Factor of the distance to the teacher. */
  readonly distillation_weight: number;
}

/**
 * Self-distillation for further pretraining (Lee, Kang, Lee, Hwang & Kawaguchi, ICLR 2023): a pretrained network learns on
 * by masked autoencoding and becomes the teacher; then a student, from the pretrained network again, learns the same way
 * while its states of whole records are kept near the teacher's; in a further round that student is the teacher of the next, who
 * begins from the pretrained network as well.
 *
 * Until the first restart the target network is the trained one, so that the distance to it, but for rounding, is 0 and has no
 * gradient.
 *
 * Departures from the paper: hidden tokens are kept from the encoder and the decoder is SMA's, which the student begins with as
 * the teacher did; the distance is a mean over states and channels.
 */
export const selfDistillation: Objective<SelfDistillationOptions> = {
  paper:
    'Lee, Kang, Lee, Hwang & Kawaguchi, "Self-Distillation for Further Pre-training of Transformers", ICLR 2023',
  options: {
    ...maskingOptions,
    restart: {
      type: z.number().gt(0).lt(1),
      description: 'part of the run after which the first student of self-distillation begins anew',
      example: 0.5,
    },
    rounds: {
      type: z.int().min(1),
      description: 'students of self-distillation, each taught by the one before',
      example: 1,
    },
    distillation_weight: {
      type: z.number().min(0),
      description: "factor of the distance to the teacher's states",
      example: 1,
    },
  },
  defaults: (spec, encoder, chosen) => {
    const { rounds = 1, restart = 1 / (rounds + 1), distillation_weight = 1 } = chosen;
    return { ...maskingDefaults(spec, encoder, chosen), restart, rounds, distillation_weight };
  },
  check(options, run) {
    checkMasking(options, run);
    if (!run.from) {
      throw new InputError(
        'objective.kind: self-distillation goes on from another run, and this one starts from none; give that run with --from RUN, or choose another --objective',
      );
    }
  },
  byRecord: () => 'noise and loss',
  ...randomPositions,
  build(options, inputs) {
    const { rows, encode, target } = inputs;
    const { loss, weight, ...masked } = maskedAutoencoding(options, inputs, () => selectRandom(inputs));
    const { states, unreadable } = encode();
    const distances = squaredError(
      states,
      target(() => encode().states),
    );
    const real = expand(reshape(rows, [rows.shape[0], 1]), distances.shape);
    const readable: Value = unreadable ? multiply(real, cast(logicalNot(unreadable), 'float32')) : real;
    const distance = weightedMean(distances, readable);
    // Hidden tokens and readable states: the two means are weighted apart.
    const reconstruction = wholeMeans(inputs, { ...masked, loss, weight });
    const { loss: teacher_distance } = wholeMeans(inputs, { loss: distance.mean, weight: distance.weight });
    return {
      ...reconstruction,
      loss: add(reconstruction.loss, multiply(teacher_distance, scalar(options.distillation_weight))),
      metrics: { reconstruction: reconstruction.loss, teacher_distance },
    };
  },
  momentum: ({ restart }, progress) => (progress < restart ? 0 : 1),
  restarts: ({ restart, rounds }) =>
    Array.from({ length: rounds }, (_, round) => (restart * (rounds - round) + round) / rounds),
};
