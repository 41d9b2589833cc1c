/** The studies in recipes/: that each runs, goes on where it was, and that its mathematics are those it is said to have. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Matrix, pseudoInverse } from 'ml-matrix';
import { afterAll, describe, expect, it } from 'vitest';
import { leastSquares, lowerOrthogonal, plainProduct } from '../recipes/double-descent/min-norm.mjs';
import {
  aligned,
  drawMasks,
  explained,
  sharedVariance,
} from '../recipes/feature-decoupling/sparse-coding.mjs';
import {
  alongAxes,
  bestPreconditioner,
  bestRate,
  drawPrompts,
  linearAttention,
  promptGraph,
  readLayer,
  stepError,
} from '../recipes/in-context-regression/linear-attention.mjs';
import { digits, evaluate, orthonormalRows } from '../recipes/study.mjs';
import { hostTensor } from '../src/engine/node.js';
import { random } from '../src/tensor/random.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'lacuna-recipes-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const normals = (count: number, source = random(0, 'test')) =>
  Float64Array.from({ length: count }, source.normal);

describe('recipes', () => {
  it.each(['double-descent', 'feature-decoupling', 'in-context-regression'])(
    '%s runs, draws its figure, and computes nothing twice',
    (name) => {
      const out = join(folder, name);
      const run = () =>
        execFileSync(
          process.execPath,
          [resolve(root, 'recipes', name, 'main.mjs'), '--quick', '--seeds', '1', '--out', out],
          { cwd: root, encoding: 'utf8' },
        );
      const printed = run();
      expect(printed).toMatch(/\|.*\d\.\d{3}/);
      expect(readFileSync(join(out, 'figure.svg'), 'utf8')).toMatch(/^<svg/);
      const study = readFileSync(join(out, 'study.json'), 'utf8');
      expect(run()).toBe(printed);
      expect(readFileSync(join(out, 'study.json'), 'utf8')).toBe(study);
    },
  );

  it('refuses to go on with results of other settings', () => {
    const main = resolve(root, 'recipes/double-descent/main.mjs');
    const run = () =>
      execFileSync(process.execPath, [main, '--seeds', '1', '--out', join(folder, 'double-descent')], {
        cwd: root,
        encoding: 'utf8',
        stdio: 'pipe',
      });
    expect(run).toThrow(/study\.json: expected results of .*name another --out/);
  });

  it('reads digits in another order for each seed, shrunk by means', () => {
    const [one, other] = [0, 1].map((seed) => digits(50, 7, random(seed, 'rows')));
    expect(one.labels).not.toEqual(other.labels);
    expect(Math.max(...one.pixels)).toBeLessThanOrEqual(1);
    expect(Math.max(...one.pixels)).toBeGreaterThan(0.8);
    expect(new Set(one.labels).size).toBe(10);
  });
});

describe('least squares of the smallest norm', () => {
  it.each([
    ['fewer features than rows', 6, 3],
    ['as many', 5, 5],
    ['more', 4, 9],
  ])('is the pseudo-inverse times the targets: %s', (_, rows, width) => {
    const [features, targets] = [normals(rows * width), normals(rows * 2, random(1, 'test'))];
    const { weights } = leastSquares(features, targets, rows);
    const expected = pseudoInverse(Matrix.from1DArray(rows, width, features)).mmul(
      Matrix.from1DArray(rows, 2, targets),
    );
    expected.to1DArray().forEach((value, i) => {
      expect(weights[i]).toBeCloseTo(value, 9);
    });
  });

  it.each([3, 9])(
    'is what ridge regression tends to as its penalty falls: %d features of 4 rows',
    (width) => {
      const [features, targets] = [normals(4 * width), normals(4)];
      const { weights, ridge } = leastSquares(features, targets, 4);
      const near = ridge(1e-10);
      weights.forEach((value, i) => {
        expect(near[i]).toBeCloseTo(value, 6);
      });
      expect(Math.hypot(...ridge(1))).toBeLessThan(Math.hypot(...weights));
    },
  );

  it('gives A as L Q with orthonormal rows, and refuses rows that depend on each other', () => {
    const A = normals(3 * 7);
    const Q = A.slice();
    const L = lowerOrthogonal(Q, 3, 7);
    plainProduct(L, Q, 3).forEach((value, i) => {
      expect(value).toBeCloseTo(A[i], 12);
    });
    expect(() => lowerOrthogonal(Float64Array.of(1, 2, 3, 2, 4, 6), 2, 3)).toThrow('row 1 of 2 depends');
  });
});

describe('one linear attention layer', () => {
  const variances = [2, 0.7, 0.3];
  const problem = { variances, examples: 10, noise: 0.5 };
  const d = variances.length;
  const axes = orthonormalRows(d, d, random(0, 'axes'));

  it('with the matrices of the theory is one step of preconditioned gradient descent', async () => {
    const size = 4;
    const B = alongAxes(bestPreconditioner(problem), axes);
    const keyQuery = new Float32Array((d + 1) ** 2);
    const projectionValue = new Float32Array((d + 1) ** 2);
    // Not symmetric, so that an exchange of key and query would be seen.
    B[1] += 0.5;
    for (let i = 0; i < d * d; i++) keyQuery[(i % d) * (d + 1) + Math.floor(i / d)] = B[i] / 2;
    projectionValue[(d + 1) ** 2 - 1] = 2;
    const graph = promptGraph({ size, axes, ...problem });
    const square = (data: Float32Array) => hostTensor('float32', [d + 1, d + 1], data);
    const found = await evaluate(
      'layer',
      { ...graph, prediction: linearAttention(graph) },
      {
        ...drawPrompts({ size, examples: 10, d }, random(0, 'prompts')),
        'key-query': square(keyQuery),
        'projection-value': square(projectionValue),
      },
    );
    const [x, y, query, prediction] = ['x', 'y', 'query', 'prediction'].map((name) => found[name].data);
    for (let prompt = 0; prompt < size; prompt++) {
      let expected = 0;
      for (let n = 0; n < 10; n++)
        for (let i = 0; i < d; i++)
          for (let j = 0; j < d; j++)
            expected +=
              (Number(query[prompt * d + i]) *
                B[i * d + j] *
                Number(x[(prompt * 10 + n) * d + j]) *
                Number(y[prompt * 10 + n])) /
              10;
      expect(prediction[prompt]).toBeCloseTo(expected, 4);
    }
    const read = readLayer(keyQuery, projectionValue, d);
    read.B.forEach((value, i) => {
      expect(value).toBeCloseTo(B[i], 5);
    });
    expect(read.elsewhere).toEqual([0, 0]);
  });

  it('has the error that the formula says, for prompts of another kind, too', () => {
    const beta = [0.3, 0.9, 1.4];
    const queryVariances = [0.5, 1, 2];
    const source = random(3, 'prompts');
    let [error, nothing] = [0, 0];
    for (let prompt = 0; prompt < 40_000; prompt++) {
      const task = variances.map(() => 2 * source.normal());
      const step = variances.map(() => 0);
      for (let n = 0; n < 10; n++) {
        const x = variances.map((v) => Math.sqrt(v) * source.normal());
        const y = x.reduce((sum, value, i) => sum + value * task[i], 0.5 * source.normal());
        for (let i = 0; i < d; i++) step[i] += (beta[i] * x[i] * y) / 10;
      }
      for (let i = 0; i < d; i++) {
        error += queryVariances[i] * (task[i] - step[i]) ** 2;
        nothing += queryVariances[i] * task[i] ** 2;
      }
    }
    expect(error / nothing).toBeCloseTo(
      stepError(beta, { ...problem, queryVariances, taskDeviation: 2 }),
      1.5,
    );
  });

  it('has no better preconditioner or rate than the given ones', () => {
    const beta = bestPreconditioner(problem);
    const rate = bestRate(problem);
    const least = stepError(beta, problem);
    for (const change of [0.98, 1.02]) {
      for (let i = 0; i < d; i++)
        expect(stepError(beta.with(i, beta[i] * change), problem)).toBeGreaterThan(least);
      expect(
        stepError(
          variances.map(() => rate * change),
          problem,
        ),
      ).toBeGreaterThan(
        stepError(
          variances.map(() => rate),
          problem,
        ),
      );
    }
  });
});

describe('sparse features in dense noise', () => {
  it('has views that share what their strength leaves', () => {
    const [size, width] = [50, 200];
    for (const strength of [0, 0.3, 1]) {
      const masks = drawMasks(strength, size, width, random(0, 'masks')).data;
      let [shown, alone] = [0, 0];
      for (let i = 0; i < size * width; i++) {
        shown += masks[i];
        alone += masks[i] * (1 - masks[size * width + i]);
      }
      expect(shown / (size * width)).toBeCloseTo(0.5, 1);
      expect(alone / shown).toBeCloseTo(strength, strength % 1 === 0 ? 12 : 1);
    }
    expect(drawMasks('whole', 1, 3, random(0, 'masks')).data).toEqual(new Float32Array(6).fill(1));
  });

  it('measures what a line explains: all of what is linear, nothing of what is independent', () => {
    const rows = 4000;
    const source = random(0, 'test');
    const [x, noise] = [0, 1].map(() => Float32Array.from({ length: 2 * rows }, source.normal));
    const features = x.map((value, i) => (i % 2 === 0 ? 3 * value + 5 : x[i - 1] + noise[i]));
    const [first, second] = explained(x, features, rows);
    expect(first).toBeCloseTo(1, 5);
    expect(second).toBeCloseTo(0.5, 1);
    expect(explained(noise, x, rows)[0]).toBeLessThan(0.01);
    // The variances are 9 and 2, of which 9 and 1 are explained.
    expect(sharedVariance(features, x, rows)).toBeCloseTo(10 / 11, 1);
  });

  it('tells weights along an atom from those beside', () => {
    const model = { width: 8, atoms: 2, frequency: 0.1, noise: 1, units: 2 };
    const atoms = orthonormalRows(model.atoms, model.width, random(0, 'atoms'));
    const weights = new Float32Array(16);
    for (let i = 0; i < 8; i++) {
      weights[i * 2] = 3 * atoms[i];
      weights[i * 2 + 1] = atoms[i] + atoms[8 + i];
    }
    const [along, between] = aligned(weights, atoms, model);
    expect(along.nearest).toBeCloseTo(1, 5);
    expect(between.within).toBeCloseTo(1, 5);
    expect(between.nearest).toBeCloseTo(0.5, 5);
  });
});
