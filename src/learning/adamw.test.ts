import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Engine } from '../engine/engine.js';
import { normals } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { parameter } from '../graph/index.js';
import type { ParameterNode } from '../graph/value.js';
import { adamW, unfitLearningRate, vectorNorm } from './adamw.js';
import { parameterLayout } from './parameters.js';

const engine = await nodeEngine({ threads: 1 });

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
    const sizes = { decayed: (1 << 18) + 4321, plain: 777 };
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
    const optimizer = await adamW(engine, layout, state, { weightDecay: 0.05 });
    for (let step = 1; step <= 100; step++) {
      for (let i = 0; i < layout.length; i++) state.gradient[i] = gradientAt(i)(step);
      await optimizer.update(step, rateAt(step), scaleAt(step));
    }
    await optimizer.release();
    const edges = [0, 1, 262143, 262144, 262145, layout.decayed - 1, layout.decayed, layout.length - 1];
    for (let i = 500; i < layout.length; i += 3989) edges.push(i);
    for (const i of edges) {
      const expected = reference(start[i], i < layout.decayed, gradientAt(i), 100);
      expect(Math.abs(state.parameters[i] - expected.value), `element ${i}`).toBeLessThan(1e-4);
      expect(Math.abs(state.firstMoment[i] - expected.first)).toBeLessThan(1e-5);
      expect(Math.abs(state.secondMoment[i] - expected.second)).toBeLessThan(1e-5);
    }
  });

  it('is one program for all its slices, which is freed with it', async () => {
    const open: string[] = [];
    const counted: Engine = {
      async compile(program) {
        const { run, release } = await engine.compile(program);
        open.push(program.name);
        return {
          run,
          async release() {
            open.pop();
            await release();
          },
        };
      },
    };
    const layout = parameterLayout([node('a', 3, true), node('b', 3, false)]);
    const flat = () => new Float32Array(6);
    const state = { parameters: flat(), gradient: flat(), firstMoment: flat(), secondMoment: flat() };
    const optimizer = await adamW(counted, layout, state, { weightDecay: 0.1 });
    await optimizer.update(1, 0.1, 1);
    expect(open).toEqual(['adamw']);
    await optimizer.release();
    expect(open).toEqual([]);
  });

  it('moves a fresh parameter by the learning rate whatever the size of its gradient', async () => {
    const layout = parameterLayout([node('w', 3, false)]);
    const state = {
      parameters: new Float32Array(3),
      gradient: Float32Array.of(1e-3, -1, 1e3),
      firstMoment: new Float32Array(3),
      secondMoment: new Float32Array(3),
    };
    const optimizer = await adamW(engine, layout, state, { weightDecay: 0.1 });
    await optimizer.update(1, 0.25, 1);
    await optimizer.release();
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
      const optimizer = await adamW(engine, layout, state, { weightDecay: 0.1, rateOf });
      await optimizer.update(1, 0.01, 1);
      await optimizer.release();
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
