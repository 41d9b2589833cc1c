/** Running a few values once, for tests that state what a graph computes. */
import type { Value } from '../graph/index.js';
import { parametersOf, staticSize } from '../graph/index.js';
import { random } from '../tensor/random.js';
import { elementCount, type HostTensor, hostTensor, zeros } from '../tensor/tensor.js';
import type { Engine, HostTensors } from './engine.js';

export const floats = (shape: readonly number[], values: ArrayLike<number>): HostTensor =>
  hostTensor('float32', shape, Float32Array.from(values));

export const integers = (shape: readonly number[], values: ArrayLike<number>): HostTensor =>
  hostTensor('int32', shape, Int32Array.from(values));

export const truths = (shape: readonly number[], values: ArrayLike<number | boolean>): HostTensor =>
  hostTensor('bool', shape, Uint8Array.from(values, Number));

/** Standard normal numbers that depend on the name alone. */
export function normals(name: string, count: number, scale = 1): Float32Array {
  const { normal } = random(5, name);
  return Float32Array.from({ length: count }, () => scale * normal());
}

/** A value of ordinary size for every parameter that the values depend on, so that nothing is zero or all alike. */
export function ordinaryParameters(values: readonly Value[]): Record<string, HostTensor<'float32'>> {
  return Object.fromEntries(
    parametersOf(values).map(({ name, outputs }) => {
      const shape = outputs[0].shape.map(staticSize);
      const drawn = normals(name, elementCount(shape), shape.length > 1 ? shape[0] ** -0.5 : 0.2);
      const around1 = name.endsWith('scale') || name.endsWith('variance');
      return [name, hostTensor('float32', shape, around1 ? drawn.map((value) => 1 + value) : drawn)];
    }),
  );
}

export interface Evaluation<K extends string> {
  readonly run: (feeds: HostTensors) => Promise<Record<K, number[]>>;
  readonly release: () => Promise<void>;
}

/** The values, to be computed from any feeds; every size must be known. */
export async function evaluation<K extends string>(
  engine: Engine,
  outputs: Readonly<Record<K, Value>>,
): Promise<Evaluation<K>> {
  const executable = await engine.compile({ name: 'test', outputs });
  const entries = Object.entries<Value>(outputs);
  const results = Object.fromEntries(
    entries.map(([name, { dtype, shape }]) => [name, zeros(dtype, shape.map(staticSize))]),
  );
  return {
    async run(feeds) {
      await executable.run(feeds, results);
      return Object.fromEntries(
        entries.map(([name]) => [name, Array.from(results[name].data, Number)]),
      ) as Record<K, number[]>;
    },
    release: () => executable.release(),
  };
}

/** The values, computed from the feeds once. */
export async function evaluate<K extends string>(
  engine: Engine,
  outputs: Readonly<Record<K, Value>>,
  feeds: HostTensors,
): Promise<Record<K, number[]>> {
  const { run, release } = await evaluation(engine, outputs);
  const computed = await run(feeds);
  await release();
  return computed;
}

/** The largest absolute difference between two vectors of one length. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`expected ${b.length} numbers, got ${a.length}`);
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    if (!(Math.abs(a[i] - b[i]) <= largest)) largest = Math.abs(a[i] - b[i]);
  }
  return largest;
}
