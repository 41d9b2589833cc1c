import { describe, expect, it } from 'vitest';
import { nodeEngine } from '../engine/node.js';
import { random } from '../tensor/random.js';
import { type DType, elementCount, type HostTensor, hostTensor, zeros } from '../tensor/tensor.js';
import * as g from './index.js';
import { apply } from './value.js';

/**
 * One row per primitive: float32 operand shapes, and a function of them that uses it. The derivative along a random
 * direction is compared with a central difference; `distance` keeps operands away from kinks and poles.
 */
interface Case {
  shapes: number[][];
  build: (...operands: g.Value[]) => g.Value;
  /** Maps a standard normal draw to an operand element. */
  draw?: (normal: number, index: number) => number;
  /** The gradient is zero by definition: the check is that none arrives. */
  cut?: true;
}

const positive = (normal: number) => 0.5 + Math.abs(normal);
const awayFromZero = (normal: number) => Math.sign(normal) * (0.2 + Math.abs(normal));
/** Distinct elements at least 0.3 apart, so that a small step changes no order. */
const spread = (_: number, index: number) => ((index * 7) % 24) * 0.3 - 3;

const indices = (shape: number[], values: number[]) =>
  g.constant(hostTensor('int32', shape, Int32Array.from(values)));
const condition = (shape: number[]) =>
  g.constant(
    hostTensor(
      'bool',
      shape,
      Uint8Array.from({ length: elementCount(shape) }, (_, i) => ((i * 5) % 3) & 1),
    ),
  );

const table: Record<keyof typeof g.primitives, Case> = {
  add: { shapes: [[3, 4], [4]], build: g.add },
  subtract: {
    shapes: [
      [3, 1],
      [2, 1, 4],
    ],
    build: g.subtract,
  },
  multiply: {
    shapes: [
      [3, 4],
      [3, 1],
    ],
    build: g.multiply,
  },
  divide: { shapes: [[3, 4], [4]], build: g.divide, draw: positive },
  negate: { shapes: [[5]], build: g.negate },
  exp: { shapes: [[3, 4]], build: g.exp },
  log: { shapes: [[3, 4]], build: g.log, draw: positive },
  sqrt: { shapes: [[3, 4]], build: g.sqrt, draw: positive },
  erf: { shapes: [[3, 4]], build: g.erf },
  tanh: { shapes: [[3, 4]], build: g.tanh },
  sigmoid: { shapes: [[3, 4]], build: g.sigmoid },
  softplus: { shapes: [[3, 4]], build: g.softplus },
  relu: { shapes: [[3, 4]], build: g.relu, draw: awayFromZero },
  gelu: { shapes: [[3, 4]], build: g.gelu },
  hardSigmoid: { shapes: [[3, 4]], build: g.hardSigmoid },
  equal: { shapes: [[4]], build: (x) => g.multiply(x, g.cast(g.equal(x, x), 'float32')) },
  less: {
    shapes: [[4]],
    build: (x) => g.multiply(x, g.cast(g.less(x, g.scalar(0)), 'float32')),
    draw: awayFromZero,
  },
  logicalNot: { shapes: [[4]], build: (x) => g.where(g.logicalNot(condition([4])), x, g.scalar(2)) },
  logicalAnd: {
    shapes: [[3, 4]],
    build: (x) => g.where(g.logicalAnd(condition([3, 4]), condition([4])), x, g.scalar(2)),
  },
  where: { shapes: [[3, 4], [4]], build: (a, b) => g.where(condition([3, 1]), a, b) },
  cast: { shapes: [[4]], build: (x) => g.cast(g.cast(x, 'int32'), 'float32'), cut: true },
  stopGradient: { shapes: [[4]], build: g.stopGradient, cut: true },
  sum: { shapes: [[2, 3, 4]], build: (x) => g.sum(x, [0, -1]) },
  maximum: { shapes: [[4, 6]], build: (x) => g.maximum(x, [-1], { keepSizes: true }), draw: spread },
  reshape: { shapes: [[2, 3, 4]], build: (x) => g.reshape(x, [4, -1]) },
  transpose: { shapes: [[2, 3, 4]], build: (x) => g.transpose(x, [2, 0, 1]) },
  expand: { shapes: [[3, 1]], build: (x) => g.expand(x, [2, 3, 4]) },
  slice: { shapes: [[3, 5]], build: (x) => g.slice(x, 1, 1, 4) },
  pad: { shapes: [[3, 2]], build: (x) => g.pad(x, 1, 2, 1) },
  concatenate: {
    shapes: [
      [2, 3],
      [2, 1],
    ],
    build: (a, b) => g.concatenate([a, b, a], 1),
  },
  matmul: {
    shapes: [
      [2, 3, 4],
      [4, 5],
      [2, 5, 3],
      [2, 6, 4],
    ],
    build: (a, b, c, d) => {
      const plain = g.matmul(a, b); // [2, 3, 5]
      const square = g.matmul(plain, c); // [2, 3, 3]
      const crossed = g.matmul(a, d, { transposeB: true }); // [2, 3, 6]
      const both = g.matmul(crossed, square, { transposeA: true, transposeB: true }); // [2, 6, 3]
      const flat = g.matmul(g.reshape(both, [6, 6]), g.reshape(d, [6, 8]), { transposeA: true });
      return g.add(
        g.sumAll(flat),
        g.sumAll(g.matmul(g.reshape(d, [8, 6]), g.reshape(both, [6, 6]), { transposeB: true })),
      );
    },
    draw: (normal) => normal * 0.3,
  },
  convolution: {
    shapes: [
      [2, 3, 5, 4],
      [4, 3, 3, 2],
    ],
    build: (x, weights) => g.convolution(x, weights, { stride: 2, padding: [1, 0] }),
  },
  transposedConvolution: {
    shapes: [
      [2, 3, 3, 3],
      [3, 2, 3, 2],
    ],
    build: (...operands) =>
      apply(g.primitives.transposedConvolution, operands, { stride: 2, padding: [1, 0], size: [6, 7] })[0],
  },
  shiftedProducts: {
    shapes: [
      [2, 2, 6, 7],
      [2, 3, 3, 3],
    ],
    build: (...operands) =>
      apply(g.primitives.shiftedProducts, operands, { stride: 2, padding: [1, 0], size: [3, 2] })[0],
  },
  softmax: { shapes: [[3, 5]], build: g.softmax },
  attend: {
    shapes: [
      [2, 1, 3, 4],
      [2, 4, 5],
    ],
    build: g.attend,
  },
  logSoftmax: { shapes: [[3, 5]], build: g.logSoftmax },
  layerNorm: { shapes: [[2, 3, 8], [8], [8]], build: (x, scale, bias) => g.layerNorm(x, scale, bias, 1e-5) },
  moments: {
    shapes: [[4, 3, 2]],
    build: (x) => {
      const { mean, variance } = g.moments(x, g.scalar(8));
      return g.concatenate([mean, variance], 0);
    },
  },
  gather: { shapes: [[4, 3]], build: (x) => g.gather(x, indices([2, 3], [0, 3, 3, 1, 0, 3])) },
  gatherElements: {
    shapes: [[3, 4]],
    build: (x) => g.gatherElements(x, indices([3, 3], [0, 3, 3, 1, 0, 2, 2, 2, 2]), 1),
  },
  scatterElements: {
    shapes: [
      [3, 4],
      [3, 2],
    ],
    build: (data, updates) =>
      g.multiply(
        g.scatterElements(data, indices([3, 2], [0, 3, 1, 0, 2, 1]), updates, 1, 'none'),
        g.scatterElements(data, indices([3, 2], [3, 3, 1, 0, 2, 2]), updates, 1, 'add'),
      ),
  },
  topK: { shapes: [[3, 6]], build: (x) => g.topK(x, 3).values, draw: spread },
  track: {
    shapes: [[4]],
    build: (x) => g.track(x, g.parameter('running', [4], { kind: 'constant', value: 0 })),
  },
};

const engine = await nodeEngine({ threads: 1 });

async function evaluate(
  program: g.Program,
  feeds: Record<string, HostTensor>,
): Promise<Record<string, HostTensor<DType>>> {
  const executable = await engine.compile(program);
  const ofShape = (value: g.Value) => zeros(value.dtype, value.shape.map(g.staticSize));
  const outputs = Object.entries(program.outputs);
  const results = Object.fromEntries(outputs.map(([name, value]) => [name, ofShape(value)]));
  const parameters = g.parametersOf(Object.values(program.outputs));
  const zeroed = Object.fromEntries(parameters.map(({ name, outputs: [value] }) => [name, ofShape(value)]));
  await executable.run({ ...zeroed, ...feeds }, results);
  await executable.release();
  return results;
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i] * b[i];
  return total;
};

describe('every primitive has the gradient of its finite difference', () => {
  for (const [name, { shapes, build, draw = (normal: number) => normal, cut }] of Object.entries(table)) {
    it(name, async () => {
      const source = random(11, name);
      const operands = shapes.map((shape, index) => g.input(`x${index}`, 'float32', shape));
      const result = build(...operands);
      const resultShape = result.shape.map(g.staticSize);
      const weights = Float32Array.from({ length: elementCount(resultShape) }, source.normal);
      const loss = g.sumAll(g.multiply(result, g.constant(hostTensor('float32', resultShape, weights))));
      const gradients = g.gradients(loss, operands);
      gradients.forEach((gradient, index) => {
        expect(gradient.shape).toEqual(shapes[index]);
      });

      const point = shapes.map((shape) =>
        Float32Array.from({ length: elementCount(shape) }, (_, i) => draw(source.normal(), i)),
      );
      const direction = point.map((data) => Float32Array.from(data, () => source.normal()));
      const feedsAt = (step: number) =>
        Object.fromEntries(
          point.map((data, index) => [
            `x${index}`,
            hostTensor(
              'float32',
              shapes[index],
              data.map((value, i) => value + step * direction[index][i]),
            ),
          ]),
        );
      const outputs = Object.fromEntries(gradients.map((gradient, index) => [`d${index}`, gradient]));
      const computed = await evaluate({ name, outputs }, feedsAt(0));
      const derivative = gradients.reduce(
        (total, _, index) => total + dot(computed[`d${index}`].data as Float32Array, direction[index]),
        0,
      );
      if (cut) {
        expect(derivative).toBe(0);
        return;
      }
      const step = 1e-2;
      const forward = { name, outputs: { loss } };
      const [above, below] = [
        await evaluate(forward, feedsAt(step)),
        await evaluate(forward, feedsAt(-step)),
      ];
      const difference = (Number(above.loss.data[0]) - Number(below.loss.data[0])) / (2 * step);
      expect(Math.abs(difference)).toBeGreaterThan(1e-4);
      expect(Math.abs(derivative - difference)).toBeLessThan(2e-3 * Math.max(1, Math.abs(difference)));
    });
  }
});

describe('gradients', () => {
  it('adds the contributions of every use, and gives zeros to what the loss does not depend on', async () => {
    const x = g.input('x', 'float32', [2]);
    const unused = g.input('unused', 'float32', [3]);
    const [dx, dUnused] = g.gradients(g.sumAll(g.add(g.multiply(x, x), x)), [x, unused]);
    const { a, b } = await evaluate(
      { name: 'uses', outputs: { a: dx, b: dUnused } },
      { x: hostTensor('float32', [2], Float32Array.of(3, -1)) },
    );
    expect([...a.data]).toEqual([7, -1]);
    expect([...b.data]).toEqual([0, 0, 0]);
  });

  it('are the same when parts are computed again, each from its inputs once the gradient has come to it', async () => {
    const x = g.input('x', 'float32', [3, 4]);
    const weights = [0, 1, 2].map((layer) => g.input(`w${layer}`, 'float32', [4, 4]));
    const output = weights.reduce(
      (states, weight, layer) =>
        g.scope(`layers.${layer}`, () => g.add(states, g.tanh(g.matmul(g.softmax(states), weight)))),
      x,
    );
    const loss = g.sumAll(g.multiply(output, output));
    const kept = g.gradients(loss, [x, ...weights]);
    const again = g.gradients(loss, [x, ...weights], {
      recompute: (scope) => /^layers\.[12]/.exec(scope)?.[0],
    });
    const matrix = (name: string, shape: number[]) =>
      hostTensor(
        'float32',
        shape,
        Float32Array.from({ length: elementCount(shape) }, random(3, name).normal),
      );
    const results = await evaluate(
      {
        name: 'again',
        outputs: Object.fromEntries([
          ...kept.map((value, i) => [`kept${i}`, value]),
          ...again.map((value, i) => [`again${i}`, value]),
        ]),
      },
      {
        x: matrix('x', [3, 4]),
        ...Object.fromEntries(weights.map((_, i) => [`w${i}`, matrix(`w${i}`, [4, 4])])),
      },
    );
    kept.forEach((_, i) => {
      expect(results[`again${i}`].data).toEqual(results[`kept${i}`].data);
    });
    const count = (values: readonly g.Value[], name: string) =>
      g.reachableNodes(values).filter((node) => node.kind === 'operation' && node.primitive.name === name)
        .length;
    expect(count(kept, 'softmax')).toBe(3);
    expect(count(again, 'softmax')).toBe(5);
    // Only through a value that depends on the gradient is a part's input read again.
    const waits = g
      .reachableNodes(again)
      .filter((node) => node.kind === 'operation' && node.primitive.name === 'where');
    expect(waits.map((node) => g.formatType(node.outputs[0]))).toEqual(['float32[3, 4]', 'float32[3, 4]']);
  });

  it('refuses a loss that is not a scalar', () => {
    const x = g.input('x', 'float32', [2]);
    expect(() => g.gradients(x, [x])).toThrow('the loss must be float32[], got float32[2]');
  });

  it('gathers from a table too large for a one-hot product', async () => {
    const x = g.input('x', 'float32', [5000, 2]);
    const picked = g.gather(x, indices([3], [4999, 7, 4999]));
    const [dx] = g.gradients(g.sumAll(picked), [x]);
    const { d } = await evaluate({ name: 'large', outputs: { d: dx } }, { x: zeros('float32', [5000, 2]) });
    expect(d.data[2 * 4999]).toBe(2);
    expect(d.data[2 * 7 + 1]).toBe(1);
    expect(dot(d.data as Float32Array, new Float32Array(10000).fill(1))).toBe(6);
  });
});

describe('shape rules', () => {
  it('name the operation, the operands and the layer', () => {
    const a = g.input('a', 'float32', ['batch', 64]);
    const b = g.input('b', 'float32', [32, 8]);
    expect(() => g.scope('encoder', () => g.scope('mlp', () => g.matmul(a, b)))).toThrow(
      'matmul of float32[batch, 64] and float32[32, 8] in encoder.mlp: inner sizes 64 and 32 differ',
    );
  });

  it('never unify two different names', () => {
    const a = g.input('a', 'float32', ['batch', 2]);
    const b = g.input('b', 'float32', ['rows', 2]);
    expect(() => g.add(a, b)).toThrow('shapes do not broadcast');
    expect(() => g.reshape(a, ['batch', 3])).toThrow('3*batch');
  });

  it('keep products of names through a reshape and back', () => {
    const a = g.input('a', 'float32', ['batch', 4, 6]);
    const flat = g.reshape(a, [-1, 6]);
    expect(flat.shape).toEqual(['4*batch', 6]);
    expect(g.reshape(flat, [-1, 4, 6]).shape).toEqual(['batch', 4, 6]);
  });
});

describe('printProgram', () => {
  it('reads as one line per node', () => {
    const x = g.input('x', 'float32', ['batch', 3]);
    const w = g.scope('layer', () => g.parameter('weight', [3, 2], { kind: 'normal', deviation: 0.02 }));
    const y = g.relu(g.matmul(x, w));
    expect(g.printProgram({ name: 'small', outputs: { y } })).toMatchInlineSnapshot(`
      "program small
      %0: float32[batch, 3] = input x
      %1: float32[3, 2] = parameter layer.weight
      %2: float32[batch, 2] = matmul(%0, %1) {transposeA: false, transposeB: false}
      %3: float32[batch, 2] = relu(%2)
      return y = %3"
    `);
  });
});
