import type { Tuning } from './tuning.js';

/** The head alone is trained: a linear probe by gradient steps. */
export const frozen: Tuning = { options: {}, defaults: {}, learningRate: 0.01, moves: () => false };
