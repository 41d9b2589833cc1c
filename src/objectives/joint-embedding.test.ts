import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluate, floats, normals, ordinaryParameters } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { gradients, input, sumAll } from '../graph/index.js';
import { packBatch } from '../records/batch.js';
import { random } from '../tensor/random.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import {
  batchNormOver,
  checkViews,
  cosineDistance,
  cosineMomentum,
  drawViewNoise,
  layerNormalization,
  type Normalization,
  project,
  splitViews,
  spread,
  stackedCopies,
  unit,
  viewDefaults,
  viewNoise,
} from './joint-embedding.js';
import { drawViews, isImage } from './views.js';

const engine = await nodeEngine({ threads: 1 });
const real = await realRecords();
const [ROWS, WIDTH] = [4, 3];
const [x, y] = [input('x', 'float32', [ROWS, WIDTH]), input('y', 'float32', [ROWS, WIDTH])];
const rows = input('rows', 'float32', [ROWS]);
const vectors = (...values: number[]) => floats([ROWS, WIDTH], values);

describe('the distance of two vectors', () => {
  it('is 2 − 2 cos of their angle, whatever their lengths', async () => {
    const { distance } = await evaluate(
      engine,
      { distance: cosineDistance(x, y) },
      {
        x: vectors(1, 0, 0, 0, 2, 0, 3, 0, 0, 1, 1, 0),
        y: vectors(5, 0, 0, 0, 0, 1, -1, 0, 0, 7, 0, 0),
      },
    );
    for (const [i, expected] of [0, 2, 4, 2 - Math.SQRT2].entries())
      expect(distance[i]).toBeCloseTo(expected, 5);
  });

  it('has a finite gradient at zero', async () => {
    const [slope] = gradients(sumAll(cosineDistance(x, y)), [x]);
    const zero = new Float32Array(ROWS * WIDTH);
    for (const other of [zero, normals('y', ROWS * WIDTH)]) {
      const feeds = { x: floats([ROWS, WIDTH], zero), y: floats([ROWS, WIDTH], other) };
      expect((await evaluate(engine, { slope }, feeds)).slope.every(Number.isFinite)).toBe(true);
    }
  });
});

describe('the spread of directions', () => {
  const spreadOf = async (values: ArrayLike<number>, counted = [1, 1, 1, 1]) =>
    (
      await evaluate(
        engine,
        { y: spread(x, rows) },
        { x: floats([ROWS, WIDTH], values), rows: floats([ROWS], counted) },
      )
    ).y[0];

  it('is 0 where all point one way, 1 where they cancel out, and ignores rows that do not count', async () => {
    expect(await spreadOf([1, 2, 3, 2, 4, 6, 0.5, 1, 1.5, 1, 2, 3])).toBeCloseTo(0, 5);
    const opposite = [1, 0, 0, -2, 0, 0, 0, 3, 0, 0, -1, 0];
    expect(await spreadOf(opposite)).toBeCloseTo(1, 5);
    expect(await spreadOf(opposite, [1, 0, 0, 0])).toBeCloseTo(0, 5);
  });

  it('is the variance of the vectors of length 1', async () => {
    const values = normals('x', ROWS * WIDTH);
    const { u } = await evaluate(engine, { u: unit(x) }, { x: floats([ROWS, WIDTH], values) });
    let variance = 0;
    for (let c = 0; c < WIDTH; c++) {
      const column = [0, 1, 2].map((row) => u[row * WIDTH + c]);
      const mean = column.reduce((a, b) => a + b) / 3;
      variance += column.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 3;
    }
    expect(await spreadOf(values, [1, 1, 1, 0])).toBeCloseTo(variance, 5);
  });
});

describe('the momentum of a target network', () => {
  it('rises from its base to 1 along half a cosine', () => {
    expect(cosineMomentum(0.996, 0)).toBeCloseTo(0.996, 12);
    expect(cosineMomentum(0.996, 0.5)).toBeCloseTo(0.998, 12);
    expect(cosineMomentum(0.996, 1)).toBe(1);
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(share, share, share, (base, a, b) => {
        const [early, late] = [Math.min(a, b), Math.max(a, b)].map((at) => cosineMomentum(base, at));
        expect(early).toBeLessThanOrEqual(late + 1e-12);
        expect(early).toBeGreaterThanOrEqual(base - 1e-12);
        expect(late).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe('a projector', () => {
  const values = normals('x', ROWS * WIDTH);
  async function projectedRows(normalize: Normalization, given: Float32Array, counted = [1, 1, 1, 1]) {
    const projected = project('projector', x, { projector_width: 8, projection_width: 2 }, normalize);
    expect(projected.shape).toEqual([ROWS, 2]);
    const feeds = { x: floats([ROWS, WIDTH], given), rows: floats([ROWS], counted) };
    return (await evaluate(engine, { y: projected }, { ...ordinaryParameters([projected]), ...feeds })).y;
  }
  const changed = (row: number) =>
    values.map((value, i) => (Math.floor(i / WIDTH) === row ? 3 * value - 1 : value));

  it('projects each row alone under layer norm', async () => {
    const [before, after] = [
      await projectedRows(layerNormalization, values),
      await projectedRows(layerNormalization, changed(0)),
    ];
    expect(after.slice(2)).toEqual(before.slice(2));
    expect(after.slice(0, 2)).not.toEqual(before.slice(0, 2));
  });

  it('compares the rows that count under batch norm, and no others', async () => {
    const normalize = batchNormOver(rows, true);
    const counted = [1, 1, 1, 0];
    const before = await projectedRows(normalize, values, counted);
    expect((await projectedRows(normalize, changed(3), counted)).slice(0, 6)).toEqual(before.slice(0, 6));
    expect((await projectedRows(normalize, changed(0), counted)).slice(2, 6)).not.toEqual(before.slice(2, 6));
  });
});

describe('views of a batch', () => {
  it.each(Object.entries(real))(
    'are what drawViews draws, and one pass of the encoder: %s',
    (_, { tokenizer, block }) => {
      const { spec } = tokenizer;
      const changes = viewDefaults(spec, {});
      const batch = packBatch(block, [1, 7, 3], 4, spec.maxTokens);
      const source = (purpose: string, row: number) => random(5, purpose, 0, row);
      const drawn = drawViewNoise(changes, spec, batch, 3, source);
      const declared = viewNoise(changes, spec, { size: 4, tokens: spec.maxTokens, width: 8 }, 3);
      expect(Object.keys(drawn).sort()).toEqual(Object.keys(declared).sort());
      for (const [name, { dtype, shape }] of Object.entries(declared))
        expect({ dtype: drawn[name].dtype, shape: drawn[name].shape }, name).toEqual({ dtype, shape });
      const views = drawViews(spec, batch, { count: 3 }, source);
      expect(drawn.view_ids?.data).toEqual(views.ids);
      expect(drawn.view_values?.data).toEqual(views.values);
      expect('view_dropped' in drawn).toBe(!isImage(spec));
    },
  );

  it('are stacked view by view', async () => {
    const stacked = stackedCopies(x, 3);
    expect(stacked.shape).toEqual([3 * ROWS, WIDTH]);
    const values = normals('x', ROWS * WIDTH);
    const [first, second, third] = splitViews(stacked, 3);
    const parts = await evaluate(engine, { first, second, third }, { x: floats([ROWS, WIDTH], values) });
    for (const part of Object.values(parts)) expect(part).toEqual([...values]);
  });
});

describe('what only images can be told', () => {
  it.each(Object.entries(real))('is refused of other records: %s', (_, { tokenizer: { spec } }) => {
    const changes = (chosen: Parameters<typeof viewDefaults>[1]) => () =>
      checkViews(viewDefaults(spec, chosen), { spec });
    expect(changes({})).not.toThrow();
    for (const [key, chosen] of Object.entries({
      smallest_crop: { smallest_crop: 0.5 },
      flip_probability: { flip_probability: 0 },
    })) {
      if (isImage(spec)) expect(changes(chosen)).not.toThrow();
      else expect(changes(chosen)).toThrow(`objective.${key}: is for images`);
    }
  });
});
