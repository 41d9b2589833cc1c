import { tracking } from './ops/tracking.js';
import { apply, type Node, type ParameterNode, reachableNodes, type Value } from './value.js';

/**
 * The values computed from other values in the place of parameters: each parameter is what `replacement` gives for it, a
 * value of its dtype and shape. Nodes that depend on none are shared with the old program. What a parameter
 * tracked (see `track`) is tracked no more: whoever wants to know asks before.
 */
export function replaceParameters(
  values: readonly Value[],
  replacement: (parameter: ParameterNode) => Value,
): Value[] {
  const replaced = new Map<Node, readonly Value[]>();
  const replacedValue = (value: Value): Value => replaced.get(value.node)?.[value.output] ?? value;
  for (const node of reachableNodes(values)) {
    if (node.kind === 'parameter') replaced.set(node, [replacement(node)]);
    else if (node.kind === 'operation' && node.primitive.name === tracking.track.name)
      replaced.set(node, [replacedValue(node.inputs[0])]);
    else if (node.kind === 'operation' && node.inputs.some((value) => replaced.has(value.node)))
      replaced.set(node, apply(node.primitive, node.inputs.map(replacedValue), node.attributes));
  }
  return values.map(replacedValue);
}
