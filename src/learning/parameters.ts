import type { Initializer, ParameterNode } from '../graph/index.js';
import { staticSize } from '../graph/index.js';
import { random } from '../tensor/random.js';
import { elementCount, type HostTensor, hostTensor } from '../tensor/tensor.js';

/** One parameter in the flat vector. */
export interface ParameterSlot {
  readonly name: string;
  readonly shape: readonly number[];
  /** First element in the flat vector. */
  readonly offset: number;
  readonly length: number;
  readonly initializer: Initializer;
}

/** Where each parameter lies in the flat vector. Those with weight decay come first, so each kind is one range. */
export interface ParameterLayout {
  readonly slots: readonly ParameterSlot[];
  /** Elements of the whole vector. */
  readonly length: number;
  /** Elements `0 … decayed - 1` have weight decay, the rest none. */
  readonly decayed: number;
}

/** The layout of parameters, each kind in the order given. Throws for a parameter with a size that is only a name. */
export function parameterLayout(parameters: readonly ParameterNode[]): ParameterLayout {
  const slots: ParameterSlot[] = [];
  let length = 0;
  let decayed = 0;
  for (const decay of [true, false]) {
    for (const { name, outputs, initializer } of parameters.filter((node) => node.decay === decay)) {
      const shape = outputs[0].shape.map(staticSize);
      slots.push({ name, shape, offset: length, length: elementCount(shape), initializer });
      length += elementCount(shape);
    }
    if (decay) decayed = length;
  }
  return { slots, length, decayed };
}

/** One tensor per parameter, each a view into `flat`, which has the layout's length. */
export function parameterViews(
  { slots }: ParameterLayout,
  flat: Float32Array,
): Record<string, HostTensor<'float32'>> {
  return Object.fromEntries(
    slots.map(({ name, shape, offset, length }) => [
      name,
      hostTensor('float32', shape, flat.subarray(offset, offset + length)),
    ]),
  );
}

/** Scope of a target network: its parameter `target.NAME` is an average of the trained parameter NAME. */
export const TARGET = 'target';

/**
 * What each parameter of a target network is fed: the part of the averaged vector `average` that has the name behind
 * `target.`. Throws Error for one that is the average of nothing trained.
 */
export function targetViews(
  layout: ParameterLayout,
  targets: readonly ParameterNode[],
  average: Float32Array,
): Record<string, HostTensor<'float32'>> {
  const views = parameterViews(layout, average);
  return Object.fromEntries(
    targets.map(({ name, outputs: [{ shape }] }) => {
      const trained = name.slice(TARGET.length + 1);
      const view = views[trained];
      if (view === undefined || `${view.shape}` !== `${shape}`) {
        const found = view ? `float32[${view.shape.join(', ')}]` : 'nothing';
        throw new Error(
          `${name}: expected a trained parameter ${trained} of shape [${shape.join(', ')}] to average, found ${found}`,
        );
      }
      return [name, view];
    }),
  );
}

/** Starting values float32[length]: each parameter draws from its own stream, so that adding one changes no other. */
export function initializeParameters({ slots, length }: ParameterLayout, seed: number): Float32Array {
  const flat = new Float32Array(length);
  for (const { name, offset, length: count, initializer } of slots) {
    const view = flat.subarray(offset, offset + count);
    if (initializer.kind === 'constant') view.fill(initializer.value);
    else {
      const source = random(seed, `parameter ${name}`);
      for (let i = 0; i < count; i++) view[i] = initializer.deviation * source.normal();
    }
  }
  return flat;
}
