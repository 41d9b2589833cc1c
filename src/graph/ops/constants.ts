import { hostTensor } from '../../tensor/tensor.js';
import { constant, type Value } from '../value.js';

/** float32[]: a number that is part of the program. */
export function scalar(value: number): Value {
  return constant(hostTensor('float32', [], Float32Array.of(value)));
}

/** int32[length]: 0, 1, … length - 1. */
export function iota(length: number): Value {
  return constant(
    hostTensor(
      'int32',
      [length],
      Int32Array.from({ length }, (_, i) => i),
    ),
  );
}

/** float32[shape]: one value everywhere. */
export function filled(shape: readonly number[], value: number): Value {
  const count = shape.reduce((product, size) => product * size, 1);
  return constant(hostTensor('float32', shape, new Float32Array(count).fill(value)));
}
