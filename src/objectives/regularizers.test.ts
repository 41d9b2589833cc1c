import { describe, expect, it } from 'vitest';
import { evaluate, floats, normals, ordinaryParameters } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { gradients, input, type Value } from '../graph/index.js';
import { batchShape, pretrainingGraph } from '../learning/model.js';
import { batchFeeds } from '../learning/self-supervision.js';
import { packBatch } from '../records/batch.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import { checkOwnOptions, objectives } from './index.js';
import {
  diffusiveLossOf,
  distance,
  meanOf,
  rowsOf,
  scaled,
  singularValueLossOf,
} from './joint-embedding.case.js';
import { range, smallModel } from './objective.case.js';
import { diffusiveLoss, singularValueLoss } from './regularizers.js';

const engine = await nodeEngine({ threads: 1 });
const [ROWS, WIDTH] = [24, 4];
const x = input('x', 'float32', [ROWS, WIDTH]);
const steps = input('steps', 'float32', [ROWS, WIDTH]);
const rows = input('rows', 'float32', [ROWS]);
const all = new Float32Array(ROWS).fill(1);

const feeds = (
  values: ArrayLike<number>,
  counted: ArrayLike<number> = all,
  directions = new Float32Array(ROWS * WIDTH),
) => ({
  x: floats([ROWS, WIDTH], values),
  steps: floats([ROWS, WIDTH], directions),
  rows: floats([ROWS], counted),
});

const spectrum = singularValueLoss(x, rows);
const spectrumOf = async (values: ArrayLike<number>, counted: ArrayLike<number> = all) =>
  (await evaluate(engine, { y: spectrum }, feeds(values, counted))).y[0];

/** The rows of float32[ROWS, WIDTH] scaled to length 1. */
const directions = (values: ArrayLike<number>): number[][] => rowsOf(values, WIDTH).map(scaled);

/** Plain gradient descent on one term. */
async function descend(
  loss: Value,
  start: Float32Array,
  rate: number,
  count: number,
  given = (_step: number) => feeds(start),
) {
  const [slope] = gradients(loss, [x]);
  let values = start;
  for (let step = 0; step < count; step++) {
    const { y } = await evaluate(engine, { y: slope }, { ...given(step), x: floats([ROWS, WIDTH], values) });
    values = values.map((value, i) => value - rate * y[i]);
  }
  return values;
}

/** Eigenvalues of the second moments of directions share their sum and the sum of their squares with this matrix. */
function participation(values: ArrayLike<number>): number {
  const vectors = directions(values);
  const mean = vectors[0].map((_, c) => vectors.reduce((sum, vector) => sum + vector[c], 0) / ROWS);
  let [trace, squares] = [0, 0];
  for (let a = 0; a < WIDTH; a++) {
    for (let b = 0; b < WIDTH; b++) {
      const covariance = vectors.reduce((sum, v) => sum + (v[a] - mean[a]) * (v[b] - mean[b]), 0) / ROWS;
      squares += covariance ** 2;
      if (a === b) trace += covariance;
    }
  }
  return trace ** 2 / squares;
}

describe('the singular value loss', () => {
  it('is 0 for directions along every axis both ways, 1 for one direction, width − 1 for one line', async () => {
    const axes = Float32Array.from({ length: ROWS * WIDTH }, (_, i) => {
      const [row, c] = [Math.floor(i / WIDTH), i % WIDTH];
      return row % WIDTH === c ? (Math.floor(row / WIDTH) % 2 ? -3 : 0.5) : 0;
    });
    expect(await spectrumOf(axes)).toBeCloseTo(0, 5);
    const one = Float32Array.from({ length: ROWS * WIDTH }, (_, i) => i % WIDTH);
    expect(await spectrumOf(one)).toBeCloseTo(1, 5);
    expect(await spectrumOf(one.map((value, i) => (Math.floor(i / WIDTH) % 2 ? -value : value)))).toBeCloseTo(
      WIDTH - 1,
      5,
    );
  });

  it('is that of the covariance, over the rows that count', async () => {
    const values = normals('x', ROWS * WIDTH);
    const counted = all.map((_, row) => (row < 10 ? 1 : 0));
    const expected = singularValueLossOf(rowsOf(values, WIDTH).slice(0, 10));
    expect(await spectrumOf(values, counted)).toBeCloseTo(expected, 4);
  });

  it('flattens the spectrum', async () => {
    const narrow = normals('x', ROWS * WIDTH).map((value, i) => value * (i % WIDTH === 0 ? 3 : 0.3));
    const after = await descend(spectrum, narrow, 2, 60);
    expect(participation(narrow)).toBeLessThan(2);
    expect(participation(after)).toBeGreaterThan(3.5);
    expect(await spectrumOf(after)).toBeLessThan(0.2 * (await spectrumOf(narrow)));
  });
});

describe('the diffusive loss', () => {
  const loss = diffusiveLoss(x, steps, rows);

  it('is minus the mean cosine with the steps, over the rows that count', async () => {
    const values = normals('x', ROWS * WIDTH);
    const unitSteps = Float32Array.from(directions(normals('steps', ROWS * WIDTH)).flat());
    const counted = all.map((_, row) => (row < 5 ? 1 : 0));
    const { y } = await evaluate(engine, { y: loss }, feeds(values, counted, unitSteps));
    const expected = diffusiveLossOf(rowsOf(values, WIDTH).slice(0, 5), rowsOf(unitSteps, WIDTH));
    expect(y[0]).toBeCloseTo(expected, 5);
  });

  it('raises the dispersion of embeddings that lie near each other', async () => {
    const near = normals('x', ROWS * WIDTH).map((value, i) => (i % WIDTH === 0 ? 1 : 0) + 0.05 * value);
    const dispersion = (values: ArrayLike<number>) => {
      const vectors = directions(values);
      let total = 0;
      for (const a of vectors)
        for (const b of vectors) total += Math.hypot(...a.map((value, c) => value - b[c]));
      return total / ROWS ** 2;
    };
    const given = (step: number) =>
      feeds(near, all, Float32Array.from(directions(normals(`steps ${step}`, ROWS * WIDTH)).flat()));
    expect(dispersion(await descend(loss, near, 1, 40, given))).toBeGreaterThan(2 * dispersion(near));
  });
});

describe('an objective with regularizers', async () => {
  const { tokenizer, block } = (await realRecords()).fields;
  const { spec } = tokenizer;
  const graphOf = (kind: keyof typeof objectives, more = {}) => {
    const model = smallModel(spec, kind, more);
    const shape = batchShape(model, 4, spec.maxTokens);
    return {
      graph: pretrainingGraph(model, shape),
      noise: objectives[kind].noise(model.objective as never, spec, shape),
    };
  };

  it.each(['sma', 'byol', 'simclr'] as const)(
    '%s logs each that has a weight, and is itself without',
    (kind) => {
      const plain = graphOf(kind);
      const both = graphOf(kind, { singular_value_weight: 1, diffusive_weight: 0.1 });
      const terms = ['singular_value_loss', 'diffusive_loss'];
      expect(Object.keys(plain.graph.metrics ?? {}).filter((name) => terms.includes(name))).toEqual([]);
      expect(Object.keys(both.graph.metrics ?? {})).toEqual([
        ...Object.keys(plain.graph.metrics ?? {}),
        ...terms,
      ]);
      expect(Object.keys(both.noise)).toEqual([...Object.keys(plain.noise), 'diffusive_steps']);
      expect(Object.keys(graphOf(kind, { singular_value_weight: 1 }).graph.metrics ?? {})).not.toContain(
        'diffusive_loss',
      );
    },
  );

  const batch = packBatch(block, [1, 7, 3, 12, 9], 6, spec.maxTokens);
  const evaluated = async (kind: keyof typeof objectives, more = {}) => {
    const model = smallModel(spec, kind, more);
    const shape = batchShape(model, batch.size, spec.maxTokens);
    const { loss, metrics, encodings } = pretrainingGraph(model, shape);
    const values: Record<string, Value> = { loss, pooled: encodings[0].pooled, ...metrics };
    const feeds = batchFeeds(model, batch, { seed: 2, purpose: 'training', step: 0, progress: 0 });
    const given = { ...ordinaryParameters(Object.values(values)), ...feeds };
    return { computed: await evaluate(engine, values, given), feeds, width: shape.width };
  };

  it.each(['random-masking', 'self-distillation', 'byol', 'simclr'] as const)(
    '%s adds the weighted terms on the mean states of its first pass; of views, on those of the first',
    async (kind) => {
      const { computed: plain } = await evaluated(kind);
      const weights = { singular_value_weight: 0.3, diffusive_weight: 0.7 };
      const { computed, feeds, width } = await evaluated(kind, weights);
      const embeddings = rowsOf(computed.pooled, width).slice(0, batch.rows);
      const spectrum = singularValueLossOf(embeddings);
      const stir = diffusiveLossOf(embeddings, rowsOf(feeds.diffusive_steps.data as Float32Array, width));
      expect(computed.singular_value_loss[0]).toBeCloseTo(spectrum, 4);
      expect(computed.diffusive_loss[0]).toBeCloseTo(stir, 4);
      expect(computed.loss[0]).toBeCloseTo(plain.loss[0] + 0.3 * spectrum + 0.7 * stir, 4);
    },
  );

  it.each(['byol', 'myow', 'simclr', 'g-simclr'] as const)(
    '%s pulls the two views of a record to their centroid',
    async (kind) => {
      const { computed: plain } = await evaluated(kind);
      const { computed, width } = await evaluated(kind, { centroid_weight: 0.6 });
      const views = rowsOf(computed.pooled, width).map(scaled);
      const term = meanOf(
        range(batch.rows).map((row) => {
          const [first, second] = [views[row], views[batch.size + row]];
          const centroid = first.map((value, c) => value + second[c]);
          return meanOf([distance(first, centroid), distance(second, centroid)]);
        }),
      );
      expect(computed.centroid_loss[0]).toBeCloseTo(term, 4);
      expect(computed.loss[0]).toBeCloseTo(plain.loss[0] + 0.6 * term, 4);
      expect(term).toBeGreaterThan(1e-3);
    },
  );

  it('has no views to pull together where it sees a record once', () => {
    for (const kind of ['sma', 't-jepa', 'mp3'] as const)
      expect(() => checkOwnOptions(kind, { centroid_weight: 1 })).toThrow(
        'objective.centroid_weight: is not an option of',
      );
  });
});
