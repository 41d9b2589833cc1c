import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { random } from '../tensor/random.js';
import reference from './fixtures/reference.json' with { type: 'json' };
import { applyLinear, fitStandardization, standardize } from './linear-model.js';
import { linearProbe } from './linear-probe.js';
import { logistic } from './logistic.js';
import type { OutputLayout } from './metrics.js';
import { minimize } from './minimize.js';
import { product } from './protocol.js';
import { principalAxes, ridge, solveShifted } from './ridge.js';

const normal = (length: number, seed: number) => {
  const source = random(seed, 'features');
  return Float32Array.from({ length }, () => source.normal());
};

describe('standardization', () => {
  it('gives mean 0 and variance 1 and drops a constant feature', () => {
    const x = Float32Array.of(1, 5, 1e6, 3, 5, 1e6 + 1);
    const { mean, scale } = fitStandardization(x, 3);
    expect([...mean]).toEqual([2, 5, 1e6 + 0.5]);
    expect([...scale]).toEqual([1, 0, 2]);
    expect([...standardize({ mean, scale }, x)]).toEqual([-1, 0, -1, 1, 0, 1]);
  });
});

describe('principalAxes', () => {
  it('inverts scale · covariance + shift', () => {
    const x = normal(40 * 5, 1);
    const principal = principalAxes(x, 5);
    const vector = Float64Array.of(1, -2, 3, 0, 5);
    const solved = new Float64Array(5);
    solveShifted(principal, Float64Array.of(0.3), 0.2, vector, solved);
    for (let i = 0; i < 5; i++) {
      let back = 0.2 * solved[i];
      for (let j = 0; j < 5; j++) {
        let covariance = 0;
        for (let row = 0; row < 40; row++) {
          covariance += ((x[row * 5 + i] - principal.mean[i]) * (x[row * 5 + j] - principal.mean[j])) / 40;
        }
        back += 0.3 * covariance * solved[j];
      }
      expect(back).toBeCloseTo(vector[i], 10);
    }
  });
});

describe('ridge', () => {
  it('agrees with scikit-learn', () => {
    const { x, y, solutions } = reference.ridge;
    const solve = ridge(Float32Array.from(x.flat()), Float64Array.from(y), 4);
    for (const { lambda, weights, bias } of solutions) {
      const model = solve(lambda);
      weights.forEach((weight, j) => {
        expect(Math.abs(model.weights[j] - weight)).toBeLessThan(1e-6);
      });
      expect(Math.abs(model.bias[0] - bias)).toBeLessThan(1e-6);
    }
  });

  it('has a solution with fewer rows than features', () => {
    const solve = ridge(normal(3 * 8, 2), Float64Array.of(1, 2, 4), 8);
    const fitted = applyLinear(solve(1e-8), normal(3 * 8, 2));
    [1, 2, 4].forEach((value, row) => {
      expect(fitted[row]).toBeCloseTo(value, 5);
    });
  });
});

describe('minimize', () => {
  it('solves an ill-conditioned quadratic from the wrong metric', () => {
    const stiffness = [1e-3, 1, 50, 2e3];
    const problem = {
      evaluate(point: Float64Array, gradient: Float64Array) {
        let value = 0;
        stiffness.forEach((k, i) => {
          gradient[i] = k * (point[i] - i);
          value += (k / 2) * (point[i] - i) ** 2;
        });
        return value;
      },
      precondition: (vector: Float64Array, out: Float64Array) => out.set(vector),
    };
    const { point } = minimize(problem, Float64Array.of(9, -9, 9, 9), 1e-9);
    stiffness.forEach((_, i) => {
      expect(point[i]).toBeCloseTo(i, 5);
    });
  });

  it('says so when there is no minimum', () => {
    const falling = {
      evaluate(point: Float64Array, gradient: Float64Array) {
        gradient[0] = 1;
        return point[0];
      },
      precondition: (vector: Float64Array, out: Float64Array) => out.set(vector),
    };
    expect(() => minimize(falling, Float64Array.of(0), 1e-6)).toThrow('after 1000 iterations');
  });
});

describe('logistic', () => {
  it.each(reference.logistic)('agrees with scikit-learn, $width logits', ({ x, y, width, solutions }) => {
    const features = Float32Array.from(x.flat());
    const solve = logistic(features, Float64Array.from(y), width, principalAxes(features, 3));
    for (const { lambda, weights, loss } of solutions) {
      const model = solve(lambda);
      expect(Math.abs(model.loss - loss)).toBeLessThan(1e-6);
      const expected = weights.flat();
      const size = Math.max(...expected.map(Math.abs));
      expected.forEach((weight, i) => {
        expect(Math.abs(model.weights[i] - weight)).toBeLessThan(2e-2 * size);
      });
    }
  });

  it('leaves rows without a label out', () => {
    const x = normal(30 * 3, 4);
    const labels = Float64Array.from({ length: 20 }, (_, row) => Number(x[row * 3] + x[row * 3 + 1] > 0.2));
    const some = x.slice(0, 60);
    const padded = Float64Array.from({ length: 30 }, (_, row) => labels[row] ?? Number.NaN);
    const alone = logistic(some, labels, 1, principalAxes(some, 3))(0.1);
    const among = logistic(x, padded, 1, principalAxes(x, 3))(0.1);
    expect(among.loss).toBeCloseTo(alone.loss, 10);
  });

  it('converges in a few passes on separable data of almost collinear features', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const noise = normal(60 * 6, seed);
        const x = noise.map((value, i) => noise[i - (i % 6)] + 1e-2 * value);
        const labels = Float64Array.from({ length: 60 }, (_, row) => Number(noise[row * 6] > 0));
        const solve = logistic(x, labels, 1, principalAxes(x, 6));
        for (const lambda of [1, 1e-2, 1e-5]) expect(solve(lambda).iterations).toBeLessThan(60);
      }),
      { numRuns: 20 },
    );
  });
});

describe('linearProbe', () => {
  const spec = (layout: OutputLayout) => ({ ...layout, columns: [], classes: [], reason: '' });
  const models = (features: Float32Array, dimension: number, labels: Float64Array, layout: OutputLayout) => [
    ...linearProbe(
      { count: features.length / dimension, dimension, features, labels },
      spec(layout),
      product,
    ),
  ];

  it('does not depend on the units of the features', async () => {
    const x = normal(40 * 3, 5);
    const y = Float64Array.from({ length: 40 }, (_, row) => x[row * 3] - 2 * x[row * 3 + 2]);
    const scaled = x.map((value, i) => 1024 * value + 8 * (i % 3));
    const layout = { task: 'regression', targets: 1, outputs: 1 } as const;
    const [plain, other] = [models(x, 3, y, layout), models(scaled, 3, y, layout)];
    for (let i = 0; i < plain.length; i++) {
      const a = await plain[i].predict(x);
      const b = await other[i].predict(scaled);
      for (let row = 0; row < 40; row++) expect(b[row]).toBeCloseTo(a[row], 3);
    }
  });

  it('fits each target to the rows that have it', async () => {
    const x = normal(20 * 2, 6);
    const nan = Number.NaN;
    const labels = new Float64Array(20 * 2);
    for (let row = 0; row < 20; row++) {
      labels[row * 2] = 3 * x[row * 2] + 1;
      labels[row * 2 + 1] = row < 12 ? -x[row * 2 + 1] : nan;
    }
    const weakest = models(x, 2, labels, { task: 'regression', targets: 2, outputs: 2 }).at(-1);
    const outputs = await weakest?.predict(x);
    for (let row = 0; row < 20; row++) {
      expect(outputs?.[row * 2]).toBeCloseTo(3 * x[row * 2] + 1, 2);
      expect(outputs?.[row * 2 + 1]).toBeCloseTo(-x[row * 2 + 1], 2);
    }
  });

  it('says the one class a target has, and 0 without any', async () => {
    const nan = Number.NaN;
    const labels = Float64Array.of(1, 0, nan, 1, nan, nan, 1, 0, nan);
    const [strongest] = models(normal(6, 7), 2, labels, { task: 'multilabel', targets: 3, outputs: 3 });
    expect([...(await strongest.predict(Float32Array.of(5, -5)))]).toEqual([1, -1, 0]);
  });

  it('never predicts a class that training lacks, also with two or one of many left', async () => {
    const x = Float32Array.of(-2, -1, 1, 2);
    const layout = { task: 'multiclass', targets: 1, outputs: 4 } as const;
    const two = models(x, 1, Float64Array.of(1, 1, 3, 3), layout).at(-1);
    const outputs = (await two?.predict(Float32Array.of(-1, 1))) ?? new Float64Array();
    expect([outputs[0], outputs[2]]).toEqual([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]);
    expect(outputs[1]).toBeGreaterThan(outputs[3]);
    expect(outputs[7]).toBeGreaterThan(outputs[5]);
    const [one] = models(x, 1, Float64Array.of(2, 2, 2, 2), layout);
    const never = Number.NEGATIVE_INFINITY;
    expect([...(await one.predict(Float32Array.of(7)))]).toEqual([never, never, 0, never]);
  });
});
