/** Values of a batch that a running value follows over the steps of training. */
import { sameShape } from '../size.js';
import { apply, formatType, type Primitive, reachableNodes, type Value } from '../value.js';

export const tracking = {
  /** The first operand itself. The second is a parameter that whoever trains moves towards it; no gradient does. */
  track: {
    name: 'track',
    infer: ([x, running]) => {
      if (running.node.kind !== 'parameter') throw new Error('the running value must be a parameter');
      if (x.dtype !== running.dtype || !sameShape(x.shape, running.shape))
        throw new Error(`the running value must be ${formatType(x)}`);
      return [{ dtype: x.dtype, shape: x.shape }];
    },
    lower: (lowering, [x], results) => {
      lowering.emit('Identity', [x], undefined, results);
    },
    gradient: (_, [g]) => [g, undefined],
  } satisfies Primitive,
};

/** The value itself, which the parameter `running` is to follow: see {@link trackedOf}. */
export const track = (x: Value, running: Value): Value => apply(tracking.track, [x, running], {})[0];

/** What the values depend on that is tracked: the parameter's name, and the value that it follows. */
export function trackedOf(values: readonly Value[]): { readonly name: string; readonly value: Value }[] {
  return reachableNodes(values).flatMap((node) => {
    if (node.kind !== 'operation' || node.primitive.name !== tracking.track.name) return [];
    const running = node.inputs[1].node;
    return running.kind === 'parameter' ? [{ name: running.name, value: node.outputs[0] }] : [];
  });
}
