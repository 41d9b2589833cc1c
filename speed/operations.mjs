import { productOperations } from '../dist/graph/operations.js';
import { batchShape, pretrainingGraph } from '../dist/learning/model.js';

/**
 * Floating-point operations of one training step: each product forward, and twice backward. It counts the products
 * that Lacuna's graph has; whoever takes them in a dearer order does more, and is not credited for it.
 */
export function stepOperations(/** @type {import('./configurations.mjs').Configuration} */ { model, batch }) {
  return (
    3 * productOperations([pretrainingGraph(model, batchShape(model, batch, model.spec.maxTokens)).loss])
  );
}
