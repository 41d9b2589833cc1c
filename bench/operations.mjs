import { reachableNodes, staticSize } from '../dist/graph/index.js';
import { batchShape, pretrainingGraph } from '../dist/training/model.js';

/** @typedef {import('../dist/graph/index.js').Value} Value */

const elements = (/** @type {Value} */ { shape }) => shape.map(staticSize).reduce((a, b) => a * b, 1);

/** Floating-point operations of the matrix products that a value depends on: two for each multiplication. */
function productOperations(/** @type {Value} */ value) {
  let total = 0;
  for (const node of reachableNodes([value])) {
    if (node.kind !== 'operation') continue;
    const [a] = node.inputs;
    if (node.primitive.name === 'matmul') {
      const inner = staticSize(/** @type {any} */ (a.shape.at(node.attributes.transposeA ? -2 : -1)));
      total += 2 * elements(node.outputs[0]) * inner;
    } else if (node.primitive.name === 'attend') {
      total += 2 * elements(node.outputs[0]) * staticSize(/** @type {any} */ (a.shape.at(-1)));
    }
  }
  return total;
}

/**
 * Floating-point operations of one training step: each product forward, and twice backward. It counts the products
 * that Lacuna's graph has; whoever takes them in a dearer order does more, and is not credited for it.
 */
export function stepOperations(/** @type {import('./configurations.mjs').Configuration} */ { model, batch }) {
  return 3 * productOperations(pretrainingGraph(model, batchShape(model, batch, model.spec.maxTokens)).loss);
}
