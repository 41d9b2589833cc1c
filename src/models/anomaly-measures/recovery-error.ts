import { InputError } from '../../errors.js';
import { MaskedErrors } from '../masked-errors.js';
import type { AnomalyMeasure } from './measure.js';

/**
 * How badly what attention goes to most is recovered from the rest and from a mosaic of itself: see
 * `MaskedErrors.recoveredErrors`. Nothing is learned of the normal records.
 */
export const recoveryError: AnomalyMeasure = {
  description: 'the error of the patches that attention goes to most, of which a mosaic is shown (after EAR)',
  async fit({ engine, run, folder }) {
    const errors = run && MaskedErrors.of(engine, run);
    if (!errors?.recovers) {
      await errors?.release();
      throw new InputError(
        `${folder}: recovers no patches, which takes images, an encoder with an attention map and a run that predicts hidden tokens: --encoder transformer, --objective sma or random-masking`,
      );
    }
    return {
      measure: (block, signal) => errors.recoveredErrors(block, signal),
      release: () => errors.release(),
    };
  },
};
