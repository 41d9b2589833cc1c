import type { Tuning } from './tuning.js';

/**
 * Biases and the scales of norms are trained, matrices and embeddings are not: BitFit. Departure: scales move too, since
 * the linear layers of the encoders have hardly a bias.
 */
export const norms: Tuning = {
  paper: 'Ben Zaken et al., ACL 2022',
  options: {},
  defaults: {},
  learningRate: 0.01,
  moves: (name) => /^encoder\..*\.(bias|scale)$/.test(name) || /^embedding\.norm\./.test(name),
};
