import { describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import { input, matmul, parameter, relu, sumAll } from '../graph/index.js';
import { refuseTooLarge, trainingMemory } from './memory.js';

describe('the memory of a training', () => {
  const x = input('x', 'float32', [10, 3]);
  const hidden = relu(matmul(x, parameter('a', [3, 5], { kind: 'constant', value: 1 })));
  const loss = sumAll(matmul(hidden, parameter('b', [5, 2], { kind: 'constant', value: 1 })));

  it('is that of the vectors and of the products, or of the largest where they are computed again', () => {
    const sizes = { parameters: 25, vectors: 4 };
    expect(trainingMemory(loss, sizes)).toEqual({ vectors: 400, activations: 4 * (50 + 20) });
    expect(trainingMemory(loss, { ...sizes, recompute: true }).activations).toBe(4 * 50);
  });

  it('is refused with figures and advice where the machine has less', () => {
    refuseTooLarge({ vectors: 2 ** 30, activations: 2 ** 30 }, 2 ** 31);
    const refused = (vectors: number, activations: number) => () =>
      refuseTooLarge({ vectors: vectors * 2 ** 30, activations: activations * 2 ** 30 }, 2 ** 31);
    expect(refused(1, 2)).toThrow(InputError);
    expect(refused(1, 2)).toThrow(
      'needs at least 3 GiB of memory, 1 GiB for the parameters with their moments and 2 GiB for a step, and this machine has 2 GiB; try a smaller --batch-size',
    );
    expect(refused(2, 1)).toThrow('try a smaller --width');
  });
});
