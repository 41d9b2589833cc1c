import { describe, expect, it } from 'vitest';
import { evaluate, floats, normals, ordinaryParameters } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { input, outerScope } from '../graph/index.js';
import { batchShape, pretrainingGraph } from '../learning/model.js';
import { batchFeeds } from '../learning/self-supervision.js';
import { packBatch } from '../records/batch.js';
import { hostTensor } from '../tensor/tensor.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import {
  cosine,
  distance,
  exchangedDistance,
  lossAndVectors,
  meanOf,
  RECORDS,
  ROWS,
  recordsOfViews,
} from './joint-embedding.case.js';
import { batchNormOver, project, stackedCopies } from './joint-embedding.js';
import { mine, minedWeight, myow } from './myow.js';
import { range, smallModel } from './objective.case.js';

const engine = await nodeEngine({ threads: 1 });
const real = await realRecords();

describe('mined views', () => {
  const [ROWS, WIDTH] = [6, 3];
  const [x, y] = [input('x', 'float32', [ROWS, WIDTH]), input('y', 'float32', [ROWS, WIDTH])];
  const rows = input('rows', 'float32', [ROWS]);
  const choice = input('choice', 'int32', [ROWS, 1]);
  const minedFrom = (
    anchors: Float32Array,
    candidates: Float32Array,
    { counted, choices, neighbors }: { counted: number[]; choices: number[]; neighbors: number },
  ) =>
    evaluate(engine, mine(x, y, { rows, choice, neighbors }), {
      x: floats([ROWS, WIDTH], anchors),
      y: floats([ROWS, WIDTH], candidates),
      rows: floats([ROWS], counted),
      choice: hostTensor('int32', [ROWS, 1], Int32Array.from(choices)),
    });

  it('are the chosen of the nearest other rows that count', async () => {
    const [anchors, candidates] = [normals('anchors', ROWS * WIDTH), normals('candidates', ROWS * WIDTH)];
    const vector = (values: Float32Array, row: number) => [...values.slice(row * WIDTH, (row + 1) * WIDTH)];
    const cosine = (i: number, j: number) => {
      const [u, v] = [vector(anchors, i), vector(candidates, j)];
      return u.reduce((sum, value, c) => sum + value * v[c], 0) / Math.hypot(...u) / Math.hypot(...v);
    };
    const counted = [1, 1, 1, 1, 1, 0];
    const choices = [0, 1, 2, 0, 2, 0];
    const { place, found } = await minedFrom(anchors, candidates, { counted, choices, neighbors: 3 });
    for (let row = 0; row < 5; row++) {
      const order = [0, 1, 2, 3, 4].filter((j) => j !== row).sort((a, b) => cosine(row, b) - cosine(row, a));
      expect(Number(place[row])).toBe(order[choices[row]]);
    }
    expect([...found]).toEqual(counted);
  });

  it('are not there for a row without another', async () => {
    const values = normals('anchors', ROWS * WIDTH);
    const counted = [1, 1, 0, 0, 0, 0];
    const { found } = await minedFrom(values, values, {
      counted,
      choices: [0, 1, 0, 0, 0, 0],
      neighbors: 2,
    });
    expect([...found]).toEqual([1, 0, 0, 0, 0, 0]);
  });
});

describe('the weight of mined views', () => {
  it('is 0, rises in a straight line, and stays', () => {
    const { spec } = real.fields.tokenizer;
    const model = smallModel(spec, 'myow');
    const options = {
      ...myow.defaults(spec, model.encoder, model.objective),
      mined_weight: 2,
      mining_start: 0.2,
      mining_ramp: 0.4,
    };
    for (const [progress, weight] of [
      [0, 0],
      [0.2, 0],
      [0.3, 0.5],
      [0.6, 2],
      [1, 2],
    ])
      expect(minedWeight(options, progress)).toBeCloseTo(weight, 10);
    expect(minedWeight({ ...options, mining_ramp: 0 }, 0.2)).toBe(2);
  });
});

describe('MYOW', () => {
  it.each(Object.entries(real))(
    'is BYOL before it mines, and their weighted mean later: %s tokens',
    async (_, { tokenizer, block }) => {
      const { spec } = tokenizer;
      const [ROWS, tokens] = [4, spec.maxTokens];
      const lossAt = async (kind: 'byol' | 'myow', progress: number, more = {}) => {
        const model = smallModel(spec, kind, more);
        const { loss, metrics } = pretrainingGraph(model, batchShape(model, ROWS, tokens));
        const batch = packBatch(block, [1, 7, 3], ROWS, tokens);
        const feeds = batchFeeds(model, batch, { seed: 2, purpose: 'training', step: 0, progress });
        const values = { loss, ...metrics };
        const given = { ...ordinaryParameters(Object.values(values)), ...feeds };
        return Object.fromEntries(
          Object.entries(await evaluate(engine, values, given)).map(([name, value]) => [name, value[0]]),
        );
      };
      const own = (await lossAt('byol', 0)).loss;
      expect((await lossAt('myow', 0)).loss).toBeCloseTo(own, 4);
      const { loss, mined_distance } = await lossAt('myow', 1, { mined_weight: 3 });
      expect(loss).toBeCloseTo((own + 3 * mined_distance) / 4, 4);
      expect(mined_distance).toBeGreaterThan(0);
    },
  );

  it.each(Object.entries(real))(
    'predicts from each view what the target has of the mined record, beside BYOL: %s tokens',
    async (_, records) => {
      // The third record chooses the fifth of its four others, which is none.
      const choices = [0, 2, 4, 1, 3, 0];
      const setting = {
        kind: 'myow',
        options: { neighbors: 5, mined_weight: 2, mining_start: 0.2, mining_ramp: 0.4 },
        progress: 0.3,
        noise: { mined_choice: hostTensor('int32', [ROWS, 1], Int32Array.from(choices)) },
      } as const;
      // A quarter of the way up to 2.
      const weight = 0.5;
      const { numbers, vectors } = await lossAndVectors(
        records,
        setting,
        ({ options, rows, views, whole }) => {
          const [both, alone] = [batchNormOver(stackedCopies(rows, 2), true), batchNormOver(rows, true)];
          const anchors = views(2);
          const projection = project('projector', anchors, options, both);
          const cascaded = project('mined_projector', projection, options, both);
          return {
            anchors,
            predicted: project('predictor', projection, options, both),
            minedPrediction: project('mined_predictor', cascaded, options, both),
            ...outerScope('target', () => {
              const candidates = whole();
              const projected = project('projector', candidates, options, alone);
              return {
                targets: project('projector', views(2), options, both),
                candidates,
                minedTargets: project('mined_projector', projected, options, alone),
              };
            }),
          };
        },
      );
      const [anchors] = recordsOfViews(vectors.anchors, 2);
      const likeness = (row: number, other: number) => cosine(anchors[row], vectors.candidates[other]);
      const minedDistance = meanOf(
        anchors.flatMap((_, row) => {
          const others = range(RECORDS).filter((other) => other !== row);
          others.sort((a, b) => likeness(row, b) - likeness(row, a));
          if (choices[row] >= others.length) return [];
          const target = vectors.minedTargets[others[choices[row]]];
          return recordsOfViews(vectors.minedPrediction, 2).map((view) => distance(view[row], target));
        }),
      );
      const own = exchangedDistance(vectors.predicted, vectors.targets);
      expect(numbers.mined_distance).toBeCloseTo(minedDistance, 4);
      expect(numbers.loss).toBeCloseTo((own + weight * minedDistance) / (1 + weight), 4);
      expect(numbers.weight).toBe(RECORDS);
    },
  );
});
