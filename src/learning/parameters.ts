import { InputError } from '../errors.js';
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

/**
 * Checks that `got` holds a float32 tensor of the right shape for every expected parameter, and no other parameter
 * (what is under `optimizer.` does not count). Throws InputError, starting with `origin`, that lists every mismatch.
 */
export function matchParameters(
  expected: readonly { readonly name: string; readonly shape: readonly number[] }[],
  got: Readonly<Record<string, HostTensor>>,
  origin: string,
): void {
  const names = new Set(expected.map(({ name }) => name));
  const print = (dtype: string, shape: readonly number[]) => `${dtype}[${shape.join(', ')}]`;
  const problems: string[] = [];
  for (const { name, shape } of expected) {
    const wanted = print('float32', shape);
    const found = Object.hasOwn(got, name) ? print(got[name].dtype, got[name].shape) : 'nothing';
    if (found !== wanted) problems.push(`${name}: expected ${wanted}, got ${found}`);
  }
  for (const [name, { dtype, shape }] of Object.entries(got))
    if (!names.has(name) && !name.startsWith('optimizer.'))
      problems.push(`${name}: expected nothing, got ${print(dtype, shape)}`);
  if (problems.length > 0)
    throw new InputError(
      `${origin}: does not fit this configuration, ${problems.length} of its parameters differ: ${problems.join('; ')}`,
    );
}
