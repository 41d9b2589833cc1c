import { scalar } from './ops/constants.js';
import { add, zerosOf } from './ops/elementwise.js';
import { type Node, reachableNodes, type Value } from './value.js';

/**
 * Reverse-mode differentiation: the gradients of a scalar with respect to each of `targets`, as values of the same
 * program. Each has its target's shape; a target the loss does not depend on gets zeros.
 */
export function gradients(loss: Value, targets: readonly Value[]): Value[] {
  if (loss.dtype !== 'float32' || loss.shape.length !== 0) {
    throw new Error(`gradients: the loss must be float32[], got ${loss.dtype}[${loss.shape.join(', ')}]`);
  }
  const nodes = reachableNodes([loss]);
  const wanted = new Set<Node>(targets.map((target) => target.node));
  for (const node of nodes) {
    if (node.inputs.some((value) => wanted.has(value.node))) wanted.add(node);
  }

  const accumulated = new Map<Value, Value>([[loss, scalar(1)]]);
  for (const node of nodes.reverse()) {
    if (node.kind !== 'operation' || node.primitive.gradient === 'none' || !wanted.has(node)) continue;
    const outputGradients = node.outputs.map((value) => accumulated.get(value));
    if (outputGradients.every((gradient) => gradient === undefined)) continue;
    const inputGradients = node.primitive.gradient(node, outputGradients);
    node.inputs.forEach((value, index) => {
      const gradient = inputGradients[index];
      if (gradient === undefined || !wanted.has(value.node)) return;
      const previous = accumulated.get(value);
      accumulated.set(value, previous === undefined ? gradient : add(previous, gradient));
    });
  }
  return targets.map((target) => accumulated.get(target) ?? zerosOf(target));
}
