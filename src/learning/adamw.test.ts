import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normals } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { input, multiply, parameter, subtract } from '../graph/index.js';
import type { ParameterNode } from '../graph/value.js';
import { hostTensor } from '../tensor/tensor.js';
import { adamW, adamWMoments, unfitLearningRate, vectorNorm } from './adamw.js';
import { KERNEL_ELEMENTS } from './adamw-kernel.js';
import { parameterLayout } from './parameters.js';

const node = (name: string, size: number, decay: boolean) =>
  parameter(name, [size], { kind: 'constant', value: 0 }, { decay }).node as ParameterNode;

/** AdamW of one element as the paper writes it, in double precision. */
function reference(start: number, decays: boolean, gradientAt: (step: number) => number, steps: number) {
  let [value, first, second] = [start, 0, 0];
  for (let step = 1; step <= steps; step++) {
    const gradient = gradientAt(step) * scaleAt(step);
    first = 0.9 * first + 0.1 * gradient;
    second = 0.999 * second + 0.001 * gradient ** 2;
    if (decays) value -= rateAt(step) * 0.05 * value;
    value -= (rateAt(step) * (first / (1 - 0.9 ** step))) / (Math.sqrt(second / (1 - 0.999 ** step)) + 1e-8);
  }
  return { value, first, second };
}
const scaleAt = (step: number) => (step % 5 === 0 ? 0.5 : 1);
const rateAt = (step: number) => 0.01 * (1 + Math.cos(step / 30));

describe('AdamW', () => {
  it('is the plain loop over 100 steps, for decayed and plain elements, in slices and across them', async () => {
    const sizes = { decayed: 2 * KERNEL_ELEMENTS + 4321, plain: 777 };
    const layout = parameterLayout([node('plain', sizes.plain, false), node('decayed', sizes.decayed, true)]);
    const flat = () => new Float32Array(layout.length);
    const state = {
      parameters: normals('start', layout.length),
      gradient: flat(),
      firstMoment: flat(),
      secondMoment: flat(),
    };
    const start = state.parameters.slice();
    const direction = normals('direction', layout.length);
    const gradientAt = (i: number) => (step: number) =>
      Math.fround(direction[i] * Math.sin(step * (1 + (i % 7))));
    const optimizer = adamW(layout, state, { weightDecay: 0.05 });
    for (let step = 1; step <= 100; step++) {
      for (let i = 0; i < layout.length; i++) state.gradient[i] = gradientAt(i)(step);
      optimizer.update(step, rateAt(step), scaleAt(step));
    }
    const edges = [
      0,
      1,
      KERNEL_ELEMENTS - 1,
      KERNEL_ELEMENTS,
      KERNEL_ELEMENTS + 1,
      layout.decayed - 1,
      layout.decayed,
      layout.length - 1,
    ];
    for (let i = 500; i < layout.length; i += 389) edges.push(i);
    for (const i of edges) {
      const expected = reference(start[i], i < layout.decayed, gradientAt(i), 100);
      expect(Math.abs(state.parameters[i] - expected.value), `element ${i}`).toBeLessThan(1e-4);
      expect(Math.abs(state.firstMoment[i] - expected.first)).toBeLessThan(1e-5);
      expect(Math.abs(state.secondMoment[i] - expected.second)).toBeLessThan(1e-5);
    }
  });

  it('is, bit for bit, the update that a device computes as operators', async () => {
    const size = 1001;
    const layout = parameterLayout([node('w', size, true)]);
    const state = {
      parameters: normals('start', size),
      gradient: normals('direction', size),
      firstMoment: normals('first', size),
      secondMoment: normals('second', size).map(Math.abs),
    };
    const [rate, scale, step] = [0.01, 0.3, 7];
    const correction = Math.sqrt(1 - 0.999 ** step);
    const numbers = {
      firstShare: (1 - 0.9) * scale,
      secondShareRoot: Math.sqrt(1 - 0.999) * scale,
      epsilon: 1e-8 * correction,
      rate: (rate * correction) / (1 - 0.9 ** step),
      keep: 1 - rate * 0.1,
    };
    const number = (name: keyof typeof numbers) => input(name, 'float32', []);
    const vector = (name: string) => input(name, 'float32', [size]);
    const { first, second, change } = adamWMoments(
      { gradient: vector('gradient'), first: vector('firstMoment'), second: vector('secondMoment') },
      {
        firstShare: number('firstShare'),
        secondShareRoot: number('secondShareRoot'),
        epsilon: number('epsilon'),
        rate: number('rate'),
      },
    );
    const parameters = subtract(multiply(vector('parameters'), number('keep')), change);
    const engine = await nodeEngine({ threads: 1 });
    const executable = await engine.compile({
      name: 'update',
      outputs: { parameters_: parameters, first, second },
    });
    const result = () => hostTensor('float32', [size], new Float32Array(size));
    const results = { parameters_: result(), first: result(), second: result() };
    const vectors = Object.entries(state).map(([name, data]) => [name, hostTensor('float32', [size], data)]);
    const scalars = Object.entries(numbers).map(([name, value]) => [
      name,
      hostTensor('float32', [], Float32Array.of(value)),
    ]);
    await executable.run(Object.fromEntries([...vectors, ...scalars]), results);
    await executable.release();

    adamW(layout, state, { weightDecay: 0.1 }).update(step, rate, scale);
    expect(state.parameters).toEqual(results.parameters_.data);
    expect(state.firstMoment).toEqual(results.first.data);
    expect(state.secondMoment).toEqual(results.second.data);
  });

  it('lets moments that fade end as zero', () => {
    const layout = parameterLayout([node('w', 4, false)]);
    const tiny = () => new Float32Array(4).fill(2 ** -126);
    const state = {
      parameters: new Float32Array(4).fill(3),
      gradient: new Float32Array(4),
      firstMoment: tiny(),
      secondMoment: tiny(),
    };
    adamW(layout, state, { weightDecay: 0.1 }).update(1, 0.1, 1);
    expect([...state.firstMoment, ...state.secondMoment]).toEqual(new Array(8).fill(0));
    expect([...state.parameters]).toEqual([3, 3, 3, 3]);
  });

  it('moves a fresh parameter by the learning rate whatever the size of its gradient', async () => {
    const layout = parameterLayout([node('w', 3, false)]);
    const state = {
      parameters: new Float32Array(3),
      gradient: Float32Array.of(1e-3, -1, 1e3),
      firstMoment: new Float32Array(3),
      secondMoment: new Float32Array(3),
    };
    const optimizer = adamW(layout, state, { weightDecay: 0.1 });
    optimizer.update(1, 0.25, 1);
    [-0.25, 0.25, -0.25].forEach((moved, i) => {
      expect(state.parameters[i]).toBeCloseTo(moved, 4);
    });
  });

  it('takes each parameter its own part of the learning rate, in the step and in the decay', async () => {
    const layout = parameterLayout(['a', 'b', 'c'].map((name) => node(name, 5, true)));
    const update = async (rateOf?: (name: string) => number) => {
      const flat = () => new Float32Array(layout.length);
      const state = {
        parameters: normals('start', layout.length),
        gradient: normals('direction', layout.length),
        firstMoment: flat(),
        secondMoment: flat(),
      };
      const before = state.parameters.slice();
      const optimizer = adamW(layout, state, { weightDecay: 0.1, rateOf });
      optimizer.update(1, 0.01, 1);
      return state.parameters.map((value, i) => value - before[i]);
    };
    const whole = await update();
    const parts: Record<string, number> = { a: 0.25, b: 0, c: 1 };
    const scaled = await update((name) => parts[name]);
    for (const { name, offset, length } of layout.slots) {
      for (let i = offset; i < offset + length; i++) expect(scaled[i]).toBeCloseTo(parts[name] * whole[i], 6);
    }
  });
});

describe('the norm of a vector', () => {
  it('is that of the plain formula, for any length', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { maxLength: 20 }),
        (values) => {
          const expected = Math.hypot(...Float32Array.from(values));
          const norm = vectorNorm(Float32Array.from(values));
          expect(Math.abs(norm - expected)).toBeLessThanOrEqual(1e-12 * expected);
        },
      ),
    );
  });

  it('is not finite where any element is not', () => {
    fc.assert(
      fc.property(fc.nat(18), fc.constantFrom(Number.NaN, Infinity, -Infinity), (place, poison) => {
        const values = new Float32Array(19).fill(1);
        values[place] = poison;
        expect(Number.isFinite(vectorNorm(values))).toBe(false);
      }),
    );
  });
});

describe('a learning rate', () => {
  it('is called high above 0.01, with the usual range', () => {
    expect(unfitLearningRate(0.01)).toBeUndefined();
    expect(unfitLearningRate(0.05)).toMatch(
      /^learning rate 0.05 is high for AdamW.*usual are 0.0001 to 0.003$/,
    );
  });
});
