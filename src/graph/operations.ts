/** How much a graph computes. */
import { elementCount } from '../tensor/tensor.js';
import { staticSize } from './size.js';
import { type OperationNode, reachableNodes, type Value } from './value.js';

const elements = ({ shape }: Value): number => elementCount(shape.map(staticSize));
const size = ({ shape }: Value, axis: number): number => staticSize(shape.at(axis)!);

/** Multiplications of the primitives that have most of them. */
const multiplications: Readonly<Record<string, (node: OperationNode) => number>> = {
  matmul: ({ inputs: [a], outputs: [y], attributes }) =>
    elements(y) * size(a, attributes.transposeA ? -2 : -1),
  attend: ({ inputs: [a], outputs: [y] }) => elements(y) * size(a, -1),
  convolution: ({ inputs: [, filters], outputs: [y] }) =>
    (elements(y) * elements(filters)) / size(filters, 0),
  transposedConvolution: ({ inputs: [g, filters] }) => (elements(g) * elements(filters)) / size(filters, 0),
  shiftedProducts: ({ inputs: [, g], outputs: [filters] }) =>
    (elements(g) * elements(filters)) / size(filters, 0),
};

/**
 * Floating-point operations of the products that values depend on, two for each multiplication. Throws Error for a size
 * that is a name.
 */
export function productOperations(values: readonly Value[]): number {
  let total = 0;
  for (const node of reachableNodes(values))
    if (node.kind === 'operation') total += 2 * (multiplications[node.primitive.name]?.(node) ?? 0);
  return total;
}
