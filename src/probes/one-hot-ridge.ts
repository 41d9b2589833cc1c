import { stackModels } from '../numerics/linear-model.js';
import { type SparseRows, sparseProducts, sparseRidge } from '../numerics/sparse-ridge.js';
import { solutions } from './linear-probe.js';
import type { Probe } from './protocol.js';

/** Strengths of the L2 penalty λ, per record, strongest first. */
const REGULARIZATION = [1e-2, 1e-3, 1e-4, 1e-5, 1e-6] as const;

/**
 * Ridge regression with an intercept that is not penalised, on sparse features as they are, for regression with labels
 * complete. One λ for all targets, chosen on the validation part.
 */
export const oneHotRidge: Probe<SparseRows> = async function* (
  { features, dimension, labels, count },
  { targets },
) {
  const solvers = Array.from({ length: targets }, (_, target) =>
    sparseRidge(
      features,
      dimension,
      Float64Array.from({ length: count }, (__, row) => labels[row * targets + target]),
    ),
  );
  const solve = (lambda: number) => stackModels(solvers.map((own) => own(lambda)));
  for await (const { regularization, model } of solutions(solve, REGULARIZATION)) {
    yield {
      chosen: { regularization },
      predict: (rows) => {
        const outputs = new Float64Array((rows.offsets.length - 1) * targets);
        model.bias.forEach((bias, target) => {
          const weights = model.weights.subarray(target * dimension, (target + 1) * dimension);
          sparseProducts(rows, weights).forEach((product, row) => {
            outputs[row * targets + target] = product + bias;
          });
        });
        return outputs;
      },
    };
  }
};
