import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { Engine } from '../engine/engine.js';
import { nodeEngine } from '../engine/node.js';
import { LacunaError } from '../errors.js';
import { applyLinear, fitStandardization, standardize } from '../numerics/linear-model.js';
import { logistic } from '../numerics/logistic.js';
import { minimize } from '../numerics/minimize.js';
import { principalRows } from '../numerics/principal-axes.js';
import { ridge } from '../numerics/ridge.js';
import type { OutputLayout } from '../scoring/metrics.js';
import { random } from '../tensor/random.js';
import reference from './fixtures/reference.json' with { type: 'json' };
import { linearCost, linearProbe, solutions } from './linear-probe.js';
import type { Candidate } from './protocol.js';

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

describe('principalRows', () => {
  it.each([
    [70, 4, 4],
    [7, 20, 6],
  ])(
    'of %i rows and %i columns have uncorrelated coordinates of those variances, which turn back into the rows',
    (n, dimension, rank) => {
      const x = normal(n * dimension, 1).map((value, i) => value * (1 + (i % dimension)) + 0.3 * (i % 3));
      const { axes, rows } = principalRows(x, dimension);
      expect(axes.variances).toHaveLength(rank);
      const mean = (column: (row: number) => number) =>
        Array.from({ length: n }, (_, row) => column(row)).reduce((sum, value) => sum + value, 0) / n;
      const centred = (row: number, i: number) => at(row, i) - mean((other) => at(other, i));
      const at = (row: number, i: number) => rows[row * (rank + 1) + i];
      for (let i = 0; i < rank; i++) {
        for (let j = 0; j < rank; j++) {
          const covariance = mean((row) => centred(row, i) * centred(row, j));
          expect(covariance).toBeCloseTo(i === j ? axes.variances[i] : 0, 4);
        }
      }
      const coordinates = Float64Array.from({ length: n * rank }, (_, k) =>
        centred(Math.floor(k / rank), k % rank),
      );
      const back = axes.combine(coordinates, n);
      for (let row = 0; row < n; row++) {
        expect(at(row, rank)).toBe(1);
        for (let j = 0; j < dimension; j++)
          expect(back[row * dimension + j] + axes.mean[j]).toBeCloseTo(x[row * dimension + j], 4);
      }
    },
  );
});

describe('ridge', () => {
  it('agrees with scikit-learn', () => {
    const { x, y, solutions } = reference.ridge;
    const solve = ridge(principalRows(Float32Array.from(x.flat()), 4), Float64Array.from(y));
    for (const { lambda, weights, bias } of solutions) {
      const model = solve(lambda);
      weights.forEach((weight, j) => {
        expect(Math.abs(model.weights[j] - weight)).toBeLessThan(1e-6);
      });
      expect(Math.abs(model.bias[0] - bias)).toBeLessThan(1e-6);
    }
  });

  it('has a solution with fewer rows than features', () => {
    const solve = ridge(principalRows(normal(3 * 8, 2), 8), Float64Array.of(1, 2, 4));
    const fitted = applyLinear(solve(1e-8), normal(3 * 8, 2));
    [1, 2, 4].forEach((value, row) => {
      expect(fitted[row]).toBeCloseTo(value, 5);
    });
  });
});

describe('minimize', () => {
  const limits = { tolerance: 1e-6, precision: 4 * Number.EPSILON, iterations: 1000 };

  it('solves an ill-conditioned quadratic from the wrong metric', async () => {
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
    const { point } = await minimize(problem, Float64Array.of(9, -9, 9, 9), { ...limits, tolerance: 1e-9 });
    stiffness.forEach((_, i) => {
      expect(point[i]).toBeCloseTo(i, 5);
    });
  });

  it('says so when there is no minimum', async () => {
    const falling = {
      evaluate(point: Float64Array, gradient: Float64Array) {
        gradient[0] = 1;
        return point[0];
      },
      precondition: (vector: Float64Array, out: Float64Array) => out.set(vector),
    };
    const never = minimize(falling, Float64Array.of(0), limits);
    await expect(never).rejects.toThrow(LacunaError);
    await expect(never).rejects.toThrow('gradient 1.0e+0 after 1000 iterations');
  });

  // (x − 3)² + 1 and its slope as a computer would have them that keeps few digits of both.
  it.each([
    ['a slope that never gets small', (slope: number) => slope + 1e-3],
    ['a slope of the wrong sign', (slope: number) => (slope > 0 ? slope : 1e-3)],
    ['a slope that jumps about', (slope: number, call: number) => slope + 1e-3 * (-1) ** call],
  ])('stops where rounding hides the way down: %s', async (_, wrong) => {
    let calls = 0;
    const rounded = {
      evaluate([x]: Float64Array, gradient: Float64Array) {
        gradient[0] = wrong(2 * (x - 3), ++calls);
        return Math.fround((x - 3) ** 2 + 1);
      },
      precondition: ([value]: Float64Array, out: Float64Array) => out.fill(value / 2),
    };
    const { point } = await minimize(rounded, Float64Array.of(20), { ...limits, precision: 2 ** -23 });
    expect(Math.abs(point[0] - 3)).toBeLessThan(2e-3);
    expect(calls).toBeLessThan(60);
  });
});

describe('logistic', async () => {
  const engine = await nodeEngine({ threads: 1 });
  const softmax = reference.logistic.filter(({ width }) => width > 1);

  it.each([
    ...reference.logistic.map((given) => ({ ...given, arithmetic: 'double', on: undefined })),
    ...softmax.map((given) => ({ ...given, arithmetic: 'single', on: engine })),
  ])('agrees with scikit-learn, $width logits in $arithmetic precision', async (given) => {
    const { x, y, width, solutions, on } = given;
    const rows = principalRows(Float32Array.from(x.flat()), 3);
    const solve = logistic(rows, Float64Array.from(y), width, on);
    for (const { lambda, weights, loss } of solutions) {
      const model = await solve(lambda);
      expect(Math.abs(model.loss - loss)).toBeLessThan(1e-6);
      const expected = weights.flat();
      const size = Math.max(...expected.map(Math.abs));
      expected.forEach((weight, i) => {
        expect(Math.abs(model.weights[i] - weight)).toBeLessThan(2e-2 * size);
      });
    }
  });

  it('leaves rows without a label out', async () => {
    const x = normal(30 * 3, 4);
    const labels = Float64Array.from({ length: 20 }, (_, row) => Number(x[row * 3] + x[row * 3 + 1] > 0.2));
    const some = x.slice(0, 60);
    const padded = Float64Array.from({ length: 30 }, (_, row) => labels[row] ?? Number.NaN);
    const alone = await logistic(principalRows(some, 3), labels, 1)(0.1);
    const among = await logistic(principalRows(x, 3), padded, 1)(0.1);
    expect(among.loss).toBeCloseTo(alone.loss, 10);
  });

  it('converges in a few passes on separable data of almost collinear features', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        const noise = normal(60 * 6, seed);
        const x = noise.map((value, i) => noise[i - (i % 6)] + 1e-2 * value);
        const labels = Float64Array.from({ length: 60 }, (_, row) => Number(noise[row * 6] > 0));
        const solve = logistic(principalRows(x, 6), labels, 1);
        for (const lambda of [1, 1e-2, 1e-5]) expect((await solve(lambda)).iterations).toBeLessThan(60);
      }),
      { numRuns: 20 },
    );
  });
});

describe('the grid of a linear probe', () => {
  const unreached = new LacunaError('not reached');
  const model = { dimension: 0, weights: new Float64Array(), bias: new Float64Array() };
  /** The penalties whose models come, where a penalty below `least` is not reached. */
  const reached = async (least: number, error: Error = unreached) => {
    const asked: number[] = [];
    const came: number[] = [];
    const grid = solutions((lambda) => {
      asked.push(lambda);
      if (lambda < least) throw error;
      return model;
    });
    for await (const { regularization } of grid) came.push(regularization);
    return { asked, came };
  };

  it('ends before the first penalty whose optimum is not reached, and tries no weaker one', async () => {
    expect(await reached(0)).toMatchObject({ came: [10, 1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5] });
    expect(await reached(1e-2)).toEqual({ came: [10, 1, 1e-1, 1e-2], asked: [10, 1, 1e-1, 1e-2, 1e-3] });
  });

  it('fails where there is nothing to choose among, and on errors of other kinds', async () => {
    await expect(reached(100)).rejects.toThrow(unreached);
    await expect(reached(1e-2, new Error('a mistake'))).rejects.toThrow('a mistake');
  });
});

describe('linearProbe', () => {
  const spec = (layout: OutputLayout) => ({ ...layout, columns: [], classes: [], reason: '' });
  const models = async (
    features: Float32Array,
    dimension: number,
    labels: Float64Array,
    layout: OutputLayout,
  ) => {
    const train = { count: features.length / dimension, dimension, features, labels };
    const candidates: Candidate[] = [];
    for await (const candidate of linearProbe(train, spec(layout))) candidates.push(candidate);
    return candidates;
  };

  it('gives large softmax regressions to the engine, small ones not', async () => {
    const [dimension, classes] = [28, 30];
    const layout = { task: 'multiclass', targets: 1, outputs: classes } as const;
    const x = normal(12_000 * dimension, 8);
    const labels = Float64Array.from({ length: 12_000 }, (_, row) => {
      const own = x.subarray(row * dimension, (row + 1) * dimension);
      return row < classes ? row : own.indexOf(Math.max(...own));
    });
    const engine = await nodeEngine({ threads: 1 });
    const compile = vi.spyOn(engine, 'compile');
    const strongest = async (count: number, on?: Engine) => {
      const features = x.subarray(0, count * dimension);
      const train = { count, dimension, features, labels: labels.subarray(0, count) };
      for await (const { predict } of linearProbe(train, spec(layout), on))
        return predict(x.subarray(0, 2800));
      return new Float64Array();
    };
    await strongest(60, engine);
    expect(compile).not.toHaveBeenCalled();
    const single = await strongest(12_000, engine);
    expect(compile).toHaveBeenCalledOnce();
    const double = await strongest(12_000);
    expect(single.length).toBe(100 * classes);
    single.forEach((logit, i) => {
      expect(Math.abs(logit - double[i])).toBeLessThan(1e-4);
    });
  });

  it('does not depend on the units of the features', async () => {
    const x = normal(40 * 3, 5);
    const y = Float64Array.from({ length: 40 }, (_, row) => x[row * 3] - 2 * x[row * 3 + 2]);
    const scaled = x.map((value, i) => 1024 * value + 8 * (i % 3));
    const layout = { task: 'regression', targets: 1, outputs: 1 } as const;
    const [plain, other] = [await models(x, 3, y, layout), await models(scaled, 3, y, layout)];
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
    const all = await models(x, 2, labels, { task: 'regression', targets: 2, outputs: 2 });
    const weakest = all.at(-1);
    const outputs = await weakest?.predict(x);
    for (let row = 0; row < 20; row++) {
      expect(outputs?.[row * 2]).toBeCloseTo(3 * x[row * 2] + 1, 2);
      expect(outputs?.[row * 2 + 1]).toBeCloseTo(-x[row * 2 + 1], 2);
    }
  });

  it('has no gradient left where many columns are mostly 0, which conjugate gradients learn', async () => {
    const source = random(9, 'sparse');
    const [n, dimension] = [2200, 3000];
    const size = { rows: n, columns: dimension, labels: { task: 'regression', outputs: 1 } } as const;
    expect(linearCost({ ...size, density: 0.005 })).toBeLessThan(linearCost({ ...size, density: 1 }) / 50);
    const x = new Float32Array(n * dimension);
    for (let row = 0; row < n; row++)
      for (let one = 0; one < 15; one++) x[row * dimension + source.integer(dimension)] = 1;
    const y = Float64Array.from({ length: n }, (_, row) => x[row * dimension] - x[row * dimension + 1]);
    y[7] = Number.NaN;
    const z = standardize(fitStandardization(x, dimension), x);
    const [strongest, second] = await models(x, dimension, y, { task: 'regression', targets: 1, outputs: 1 });
    for (const { chosen, model, predict } of [strongest, second]) {
      const predicted = await predict(x);
      const weights = model?.kind === 'linear' ? model.linear.weights : new Float64Array();
      const slopes = weights.map((weight) => chosen.regularization * weight);
      for (let row = 0; row < n; row++) {
        if (row === 7) continue;
        const error = predicted[row] - y[row];
        for (let j = 0; j < dimension; j++) slopes[j] += (error * z[row * dimension + j]) / (n - 1);
      }
      expect(Math.max(...slopes.map(Math.abs))).toBeLessThan(1e-5);
      expect(Math.max(...weights.map(Math.abs))).toBeGreaterThan(1e-3);
    }
  });

  it('says the one class a target has, and 0 without any', async () => {
    const nan = Number.NaN;
    const labels = Float64Array.of(1, 0, nan, 1, nan, nan, 1, 0, nan);
    const [strongest] = await models(normal(6, 7), 2, labels, { task: 'multilabel', targets: 3, outputs: 3 });
    expect([...(await strongest.predict(Float32Array.of(5, -5)))]).toEqual([1, -1, 0]);
  });

  it('never predicts a class that training lacks, also with two or one of many left', async () => {
    const x = Float32Array.of(-2, -1, 1, 2);
    const layout = { task: 'multiclass', targets: 1, outputs: 4 } as const;
    const two = (await models(x, 1, Float64Array.of(1, 1, 3, 3), layout)).at(-1);
    const outputs = (await two?.predict(Float32Array.of(-1, 1))) ?? new Float64Array();
    expect([outputs[0], outputs[2]]).toEqual([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]);
    expect(outputs[1]).toBeGreaterThan(outputs[3]);
    expect(outputs[7]).toBeGreaterThan(outputs[5]);
    const [one] = await models(x, 1, Float64Array.of(2, 2, 2, 2), layout);
    const never = Number.NEGATIVE_INFINITY;
    expect([...(await one.predict(Float32Array.of(7)))]).toEqual([never, never, 0, never]);
  });
});
