import type { Tuning } from './tuning.js';

/** Every parameter is trained. */
export const full: Tuning = { options: {}, defaults: {}, learningRate: 0.001, moves: () => true };
