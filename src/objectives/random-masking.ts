import type { Batch } from '../records/batch.js';
import type { Random } from '../tensor/random.js';
import { hostTensor } from '../tensor/tensor.js';
import {
  checkMasking,
  hiddenCount,
  leadingOnes,
  type MaskingOptions,
  maskedAutoencoding,
  maskingDefaults,
  maskingOptions,
  mostHidden,
  type Selection,
  selectLargest,
} from './masked-autoencoding.js';
import type { BatchShape, Objective, ObjectiveInputs } from './objective.js';

/** float32[size, tokens]: uniform numbers in [0, 1), one sequence per row. */
export function uniformScores(
  { size, tokens }: BatchShape,
  batch: Batch,
  source: (purpose: string, row: number) => Random,
) {
  const scores = new Float32Array(size * tokens);
  for (let row = 0; row < batch.rows; row++) {
    const { uniform } = source('scores', row);
    for (let i = 0; i < batch.lengths[row]; i++) scores[row * tokens + i] = uniform();
  }
  return hostTensor('float32', [size, tokens], scores);
}

/** The noise of positions drawn uniformly, without replacement. */
export const randomPositions: Pick<Objective<Pick<MaskingOptions, 'masking_ratio'>>, 'noise' | 'draw'> = {
  noise: (options, spec, shape) => ({
    scores: { dtype: 'float32', shape: [shape.size, shape.tokens] },
    used: { dtype: 'float32', shape: [shape.size, mostHidden(options, spec, shape)] },
  }),
  draw: (options, spec, shape, batch, _progress, source) => ({
    scores: uniformScores(shape, batch, source),
    used: leadingOnes(batch, mostHidden(options, spec, shape), (length) =>
      hiddenCount(spec, length, options.masking_ratio),
    ),
  }),
};

/** The positions that {@link randomPositions} drew. */
export const selectRandom = ({ noise, tokens }: ObjectiveInputs): Selection =>
  selectLargest(noise.scores, tokens, noise.used);

/** Masked autoencoding with positions drawn uniformly: SMA's own baseline, equal to it in everything else. */
export const randomMasking: Objective<MaskingOptions> = {
  paper: 'Devlin et al., NAACL 2019; He et al., CVPR 2022; the baseline of Xie et al., ICLR 2024',
  options: maskingOptions,
  defaults: maskingDefaults,
  byRecord: () => 'noise and loss',
  check: checkMasking,
  ...randomPositions,
  build: (options, inputs) => maskedAutoencoding(options, inputs, () => selectRandom(inputs)),
};
