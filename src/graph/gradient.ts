import { scalar } from './ops/constants.js';
import { add, less, where, zerosOf } from './ops/elementwise.js';
import { reshape, slice } from './ops/layout.js';
import {
  apply,
  type Node,
  type OperationNode,
  reachableNodes,
  scopeOfGradient,
  scopeOfNode,
  type Value,
} from './value.js';

/** How a gradient trades memory for time. */
export interface GradientOptions {
  /**
   * The part of the program that a scope belongs to, or undefined for none. What is computed inside a part is not kept
   * for the gradient but computed again from the part's inputs: less memory, more time (Chen et al., 2016).
   */
  readonly recompute?: (scope: string) => string | undefined;
}

/**
 * Reverse-mode differentiation: the gradients of a scalar with respect to each of `targets`, as values of the same
 * program. Each has its target's shape; a target the loss does not depend on gets zeros. Throws Error for a loss that is
 * not float32[].
 */
export function gradients(
  loss: Value,
  targets: readonly Value[],
  { recompute = () => undefined }: GradientOptions = {},
): Value[] {
  if (loss.dtype !== 'float32' || loss.shape.length !== 0) {
    throw new Error(`gradients: the loss must be float32[], got ${loss.dtype}[${loss.shape.join(', ')}]`);
  }
  const nodes = reachableNodes([loss]);
  const wanted = new Set<Node>(targets.map((target) => target.node));
  for (const node of nodes) {
    if (node.inputs.some((value) => wanted.has(value.node))) wanted.add(node);
  }

  const parts = new Map<string, ReadonlyMap<Node, OperationNode>>();
  /** The node, or a second copy of it that is computed when the gradient gets there. */
  const present = (node: OperationNode, gradient: Value): OperationNode => {
    const part = recompute(node.scope);
    if (part === undefined) return node;
    let copies = parts.get(part);
    if (copies === undefined) {
      const inPart = (other: Node): other is OperationNode =>
        other.kind === 'operation' && recompute(other.scope) === part;
      copies = computeAgain(nodes.filter(inPart), gradient);
      parts.set(part, copies);
    }
    return copies.get(node)!;
  };

  const accumulated = new Map<Value, Value>([[loss, scalar(1)]]);
  for (const node of nodes.toReversed()) {
    if (node.kind !== 'operation' || !wanted.has(node)) continue;
    const rule = node.primitive.gradient;
    const outputGradients = node.outputs.map((value) => accumulated.get(value));
    const arriving = outputGradients.find((gradient) => gradient !== undefined);
    if (rule === 'none' || arriving === undefined) continue;
    scopeOfGradient(node, () => {
      const inputGradients = rule(present(node, arriving), outputGradients);
      node.inputs.forEach((value, index) => {
        const gradient = inputGradients[index];
        if (gradient === undefined || !wanted.has(value.node)) return;
        const previous = accumulated.get(value);
        accumulated.set(value, previous === undefined ? gradient : add(previous, gradient));
      });
    });
  }
  return targets.map((target) => accumulated.get(target) ?? zerosOf(target));
}

/** Copies of nodes, in creation order, whose computation waits for a value. */
function computeAgain(nodes: readonly OperationNode[], awaited: Value): Map<Node, OperationNode> {
  const copies = new Map<Node, OperationNode>();
  const inputs = new Map<Value, Value>();
  const inputOf = (value: Value): Value => {
    const copy = copies.get(value.node);
    if (copy) return copy.outputs[value.output];
    // Only numbers are worth waiting for: truth values and indices are small.
    if (value.node.kind !== 'operation' || value.dtype !== 'float32') return value;
    const delayed = inputs.get(value) ?? after(value, awaited);
    inputs.set(value, delayed);
    return delayed;
  };
  for (const node of nodes) {
    const [output] = scopeOfNode(node, () =>
      apply(node.primitive, node.inputs.map(inputOf), node.attributes),
    );
    copies.set(node, output.node as OperationNode);
  }
  return copies;
}

/** The value itself, as soon as another one is there: a choice between it and itself, which no optimizer sees through. */
function after(value: Value, awaited: Value): Value {
  const first = slice(reshape(awaited, [-1]), 0, 0, 1);
  return where(less(reshape(first, []), scalar(0)), value, value);
}
