import { reachableNodes, staticSize } from '../dist/graph/index.js';
import { batchShape, pretrainingGraph } from '../dist/learning/model.js';

/** @typedef {import('../dist/graph/index.js').Value} Value */

const elements = (/** @type {Value} */ { shape }) => shape.map(staticSize).reduce((a, b) => a * b, 1);

/** @typedef {import('../dist/graph/value.js').OperationNode} OperationNode */

const size = (/** @type {Value} */ { shape }, /** @type {number} */ axis) =>
  staticSize(/** @type {any} */ (shape.at(axis)));

/** Multiplications of the primitives that have most of them. @type {Readonly<Record<string, (node: OperationNode) => number>>} */
const multiplications = {
  matmul: ({ inputs: [a], outputs: [y], attributes }) =>
    elements(y) * size(a, attributes.transposeA ? -2 : -1),
  attend: ({ inputs: [a], outputs: [y] }) => elements(y) * size(a, -1),
  convolution: ({ inputs: [, filters], outputs: [y] }) =>
    (elements(y) * elements(filters)) / size(filters, 0),
  transposedConvolution: ({ inputs: [g, filters] }) => (elements(g) * elements(filters)) / size(filters, 0),
  shiftedProducts: ({ inputs: [, g], outputs: [filters] }) =>
    (elements(g) * elements(filters)) / size(filters, 0),
};

/** Floating-point operations of the products that values depend on: two for each multiplication. */
export function productOperations(/** @type {readonly Value[]} */ values) {
  let total = 0;
  for (const node of reachableNodes(values))
    if (node.kind === 'operation') total += 2 * (multiplications[node.primitive.name]?.(node) ?? 0);
  return total;
}

/**
 * Floating-point operations of one training step: each product forward, and twice backward. It counts the products
 * that Lacuna's graph has; whoever takes them in a dearer order does more, and is not credited for it.
 */
export function stepOperations(/** @type {import('./configurations.mjs').Configuration} */ { model, batch }) {
  return (
    3 * productOperations([pretrainingGraph(model, batchShape(model, batch, model.spec.maxTokens)).loss])
  );
}
