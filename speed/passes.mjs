/** The passes of the encoder that a training step cannot do without, as the objective's own graph has them. */
import { multiply, parametersOf, reachableNodes, staticSize, sumAll } from '../dist/graph/index.js';
import { gradientProgram } from '../dist/learning/model.js';

/**
 * @typedef {import('../dist/graph/index.js').Program} Program
 * @typedef {import('../dist/learning/model.js').PretrainingGraph} PretrainingGraph
 * @typedef {{ rows: number, backward: boolean, program: Program }} Pass
 */

/**
 * A program for each call of the encoder that the loss depends on, on the same tokens with the same of them hidden. Of the
 * trained network it gives the gradient of Σ pooled² by the parameters, of a target network the pooled states alone.
 * @returns {Pass[]}
 */
export function encoderPasses(
  /** @type {Pick<PretrainingGraph, 'loss' | 'encodings' | 'targets'>} */ { loss, encodings, targets },
) {
  const needed = new Set(reachableNodes([loss]));
  const fixed = new Set(targets);
  return encodings
    .filter(({ states, pooled }) => needed.has(states.node) || needed.has(pooled.node))
    .map(({ pooled }) => {
      const rows = staticSize(pooled.shape[0]);
      const trained = parametersOf([pooled]).filter((node) => !fixed.has(node));
      if (trained.length === 0)
        return { rows, backward: false, program: { name: 'forward', outputs: { pooled } } };
      const length = sumAll(multiply(pooled, pooled));
      return { rows, backward: true, program: gradientProgram('backward', length, trained, {}) };
    });
}

/** How often the batch's `size` records are encoded with a gradient, and how often without. */
export function passCounts(
  /** @type {readonly Pick<Pass, 'rows' | 'backward'>[]} */ passes,
  /** @type {number} */ size,
) {
  const times = (/** @type {boolean} */ backward) =>
    passes.reduce((sum, pass) => sum + (pass.backward === backward ? pass.rows / size : 0), 0);
  return { backward: times(true), forward: times(false) };
}
