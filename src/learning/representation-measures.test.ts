import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normals } from '../engine/evaluate.case.js';
import { random } from '../tensor/random.js';
import {
  alignment,
  cosines,
  effectiveRank,
  NEIGHBORS,
  nearestNeighborScore,
  relativeDistance,
  standardDeviations,
  uniformity,
} from './representation-measures.js';

const rows = (...vectors: readonly (readonly number[])[]) => Float32Array.from(vectors.flat());

/** The same record again and again. */
const collapsed = rows(...Array.from({ length: 20 }, () => [0.3, -2, 0.7, 1.1]));

/** Points at equal angles on a circle. */
const circle = (n: number) =>
  rows(
    ...Array.from({ length: n }, (_, i) => [
      Math.cos((2 * Math.PI * i) / n),
      Math.sin((2 * Math.PI * i) / n),
    ]),
  );

describe('the standard deviation of each dimension', () => {
  it('is that of the embeddings at unit length, whatever their length was', () => {
    // (0.6, 0.8, 0) and (0.8, 0.6, 0): each of the first two is 0.1 to either side of 0.7.
    const { mean, minimum } = standardDeviations(rows([3, 4, 0], [40, 30, 0]), 3);
    expect(mean).toBeCloseTo(0.2 / 3, 7);
    expect(minimum).toBe(0);
  });

  it('is 0 under collapse, and 1/√width for embeddings that spread evenly', () => {
    expect(standardDeviations(collapsed, 4).mean).toBeCloseTo(0, 12);
    const even = standardDeviations(circle(12), 2);
    expect(even.mean).toBeCloseTo(Math.SQRT1_2, 6);
    expect(even.minimum).toBeCloseTo(Math.SQRT1_2, 6);
    expect(standardDeviations(normals('even', 2000 * 16), 16).mean).toBeCloseTo(1 / 4, 2);
  });
});

describe('the effective rank', () => {
  it('is exp of the entropy of the shares 3/4 and 1/4 for singular values 3 and 1', () => {
    const expected = Math.exp(0.75 * Math.log(4 / 3) + 0.25 * Math.log(4));
    expect(effectiveRank(rows([3, 0], [0, 1]), 2)).toBeCloseTo(expected, 9);
    expect(effectiveRank(rows([0, 0, 1], [0, 3, 0], [0, 0, 0]), 3)).toBeCloseTo(expected, 6);
  });

  it('is 1 under collapse, in one direction, and of nothing but zeros', () => {
    expect(effectiveRank(collapsed, 4)).toBeCloseTo(1, 5);
    const lengths = normals('lengths', 30);
    expect(effectiveRank(rows(...Array.from(lengths, (x) => [2 * x, -x, 3 * x])), 3)).toBeCloseTo(1, 5);
    expect(effectiveRank(new Float32Array(12), 3)).toBe(1);
  });

  it('is near the width for noise, and k where noise fills k dimensions of it', () => {
    const width = 12;
    const noise = normals('isotropic', 1000 * width);
    expect(effectiveRank(noise, width)).toBeGreaterThan(0.99 * width);
    expect(effectiveRank(noise, width)).toBeLessThanOrEqual(width + 1e-9);
    const five = effectiveRank(
      noise.map((value, i) => (i % width < 5 ? value : 0)),
      width,
    );
    expect(five).toBeGreaterThan(0.99 * 5);
    expect(five).toBeLessThanOrEqual(5 + 1e-9);
    // Never more than there are records.
    expect(effectiveRank(noise.subarray(0, 3 * width), width)).toBeLessThanOrEqual(3 + 1e-5);
  });

  it('falls when all embeddings share a large mean', () => {
    const noise = normals('mean', 200 * 8);
    expect(
      effectiveRank(
        noise.map((value) => value + 100),
        8,
      ),
    ).toBeLessThan(1.2);
  });
});

describe('uniformity', () => {
  it('is solved by hand for two and for three points', () => {
    // ‖x − y‖² is 2 at a right angle and 4 at opposite ends.
    expect(uniformity(cosines(rows([1, 0], [0, 5]), 2))).toBeCloseTo(-4, 6);
    const three = Math.log((2 * Math.exp(-4) + Math.exp(-8)) / 3);
    expect(uniformity(cosines(rows([1, 0], [0, 5], [-2, 0]), 2))).toBeCloseTo(three, 6);
  });

  it('is 0 under collapse, and on the circle that of the Bessel function', () => {
    expect(uniformity(cosines(collapsed, 4))).toBeCloseTo(0, 6);
    // The mean of exp(4 cos φ − 4) is I₀(4) / e⁴; the n pairs of a point with itself are left out.
    const n = 64;
    const expected = Math.log((n * 11.301921952136331 * Math.exp(-4) - 1) / (n - 1));
    expect(uniformity(cosines(circle(n), 2))).toBeCloseTo(expected, 6);
  });
});

describe('cosines', () => {
  it('are 1 of each with itself, the same both ways, and 0 with an embedding of zeros', () => {
    const found = cosines(rows([3, 4], [0, 0], [-6, -8], [4, -3]), 2);
    const expected = [
      [1, 0, -1, 0],
      [0, 0, 0, 0],
      [-1, 0, 1, 0],
      [0, 0, 0, 1],
    ];
    for (const [i, value] of expected.flat().entries()) expect(found[i]).toBeCloseTo(value, 6);
  });
});

describe('alignment', () => {
  it('is the mean squared distance at unit length: 0 of the same, 2 at right angles, 4 of opposites', () => {
    const x = rows([1, 0], [0, 3]);
    expect(
      alignment(
        x,
        x.map((value) => 7 * value),
        2,
      ),
    ).toBe(0);
    expect(alignment(x, rows([0, 2], [1, 0]), 2)).toBeCloseTo(2, 6);
    expect(
      alignment(
        x,
        x.map((value) => -value),
        2,
      ),
    ).toBeCloseTo(4, 6);
    expect(alignment(x, rows([1, 0], [-2, 0]), 2)).toBeCloseTo(1, 6);
  });
});

describe('the score of nearest neighbours', () => {
  /** Two tight groups of 11 at right angles: the ten nearest of each are the others of its group. */
  const groups = rows(...Array.from({ length: 22 }, (_, i) => (i < 11 ? [1, i / 1000] : [i / 1000, 1])));
  const cosine = () => cosines(groups, 2);
  const groupOf = () => Float64Array.from({ length: 22 }, (_, i) => (i < 11 ? 0 : 1));

  it('is 1 where the label is the group, and counts what a majority gets wrong', () => {
    const values = groupOf();
    expect(nearestNeighborScore(cosine(), { kind: 'classes', values })).toBe(1);
    values[3] = 1;
    values[15] = 0;
    expect(nearestNeighborScore(cosine(), { kind: 'classes', values })).toBeCloseTo(20 / 22, 12);
  });

  it('is R² of the mean of the ten for numbers', () => {
    const values = groupOf();
    expect(nearestNeighborScore(cosine(), { kind: 'numbers', values })).toBeCloseTo(1, 12);
    // An outlier is missed by 1, and moves the mean of the ten others of its group by a tenth.
    values[0] = 1;
    const spread = 12 * (10 / 22) ** 2 + 10 * (12 / 22) ** 2;
    const expected = 1 - (1 + 10 * 0.1 ** 2) / spread;
    expect(nearestNeighborScore(cosine(), { kind: 'numbers', values })).toBeCloseTo(expected, 9);
  });

  it('asks of equally near records the earlier ones', () => {
    // All are equally near to each other: the labels of the first ten others decide.
    const same = cosines(collapsed.subarray(0, 4 * 14), 4).fill(1);
    const values = Float64Array.from({ length: 14 }, (_, i) => (i < 10 ? 0 : 1));
    values[0] = 2;
    // Of the last four each has records 0 to 9 as neighbours; their mean is 1/5.
    const last = (wanted: number) => {
      const some = values.map((value, i) => (i < 10 ? value : wanted));
      return nearestNeighborScore(same, { kind: 'classes', values: some });
    };
    expect(last(0)).toBe(13 / 14);
    expect(last(1)).toBe(9 / 14);
    const mean = (2 + 4) / 14;
    const predicted = values.map((_, i) => (i === 0 ? 0.1 : i < 10 ? 0.3 : 0.2));
    const squares = (of: (i: number) => number) => values.reduce((all, y, i) => all + (y - of(i)) ** 2, 0);
    const expected = 1 - squares((i) => predicted[i]) / squares(() => mean);
    expect(nearestNeighborScore(same, { kind: 'numbers', values })).toBeCloseTo(expected, 12);
  });

  it('takes of equally frequent labels that of the nearest, which of equally near records is the earliest', () => {
    const same = new Float64Array(11 * 11).fill(1);
    const values = Float64Array.from({ length: 11 }, (_, i) => (i >= 5 && i < 10 ? 1 : 0));
    // Five say 0 and five say 1 to the last record and to the first five, the first of them 0; the other five hear six say 0.
    expect(nearestNeighborScore(same, { kind: 'classes', values })).toBe(6 / 11);
  });

  it('takes no notice of records without a label', () => {
    const labels = groupOf();
    const without = Float32Array.from([...groups, 1, 0.0015, 0.002, 1, 1, 0.002]);
    const some = Float64Array.from([...labels, Number.NaN, Number.NaN, Number.NaN]);
    const score = (x: Float32Array, values: Float64Array) =>
      nearestNeighborScore(cosines(x, 2), { kind: 'classes', values });
    expect(score(without, some)).toBe(score(groups, labels));
    some[22] = 1;
    expect(score(without, some)).toBeCloseTo(22 / 23, 12);
  });

  it('is about the share of a guess where labels are drawn at random', () => {
    const { integer } = random(3, 'labels');
    const x = cosines(normals('unrelated', 400 * 8), 8);
    const values = Float64Array.from({ length: 400 }, () => integer(4));
    // Within four standard deviations of 1/4.
    const score = nearestNeighborScore(x, { kind: 'classes', values });
    expect(Math.abs(score - 0.25)).toBeLessThan(4 * Math.sqrt((0.25 * 0.75) / 400));
    expect(nearestNeighborScore(x, { kind: 'numbers', values })).toBeLessThan(0.05);
  });
});

/** Everything of embeddings [n, width], as the formulas are written: pair by pair, number by number. */
function naive(x: Float32Array, width: number, labels: Float64Array) {
  const n = x.length / width;
  const unit = Array.from({ length: n }, (_, i) => {
    const row = Array.from(x.subarray(i * width, (i + 1) * width));
    return row.map((value) => value / Math.hypot(...row));
  });
  const distance = (a: readonly number[], b: readonly number[]) =>
    a.reduce((sum, value, k) => sum + (value - b[k]) ** 2, 0);
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviations = Array.from({ length: width }, (_, k) => {
    const column = unit.map((row) => row[k]);
    return Math.sqrt(mean(column.map((value) => (value - mean(column)) ** 2)));
  });
  const pairs = unit.flatMap((a, i) => unit.slice(i + 1).map((b) => Math.exp(-2 * distance(a, b))));
  const right = unit.filter((a, i) => {
    const others = [...unit.keys()].filter((j) => j !== i);
    others.sort((j, k) => distance(a, unit[j]) - distance(a, unit[k]));
    const votes = others.slice(0, NEIGHBORS).map((j) => labels[j]);
    const count = (label: number) => votes.filter((vote) => vote === label).length;
    return votes.reduce((best, label) => (count(label) > count(best) ? label : best)) === labels[i];
  });
  return {
    mean: mean(deviations),
    minimum: Math.min(...deviations),
    uniformity: Math.log(mean(pairs)),
    accuracy: right.length / n,
  };
}

const shapes = fc.record({
  n: fc.integer({ min: 12, max: 30 }),
  width: fc.integer({ min: 2, max: 7 }),
  seed: fc.nat(1e6),
});
const drawn = ({ n, width, seed }: { n: number; width: number; seed: number }) => {
  const { normal } = random(seed, 'embeddings');
  return Float32Array.from({ length: n * width }, (_, i) => normal() * (1 + (i % width)) + 0.5);
};

describe('the relative distance of two vectors', () => {
  it('is that of the plain formula, and 0 of a vector from itself', () => {
    expect(relativeDistance(Float32Array.of(1, 2, 5), Float32Array.of(1, -2, 2))).toBeCloseTo(5 / 3, 12);
    const x = normals('x', 40);
    expect(relativeDistance(x, x)).toBe(0);
    const twice = x.map((value) => 2 * value);
    expect(relativeDistance(twice, x)).toBeCloseTo(1, 6);
  });
});

describe('all of them', () => {
  it('agree with the formulas taken pair by pair', () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const { n, width } = shape;
        const x = drawn(shape);
        const values = Float64Array.from({ length: n }, (_, i) => (i * i) % 3);
        const expected = naive(x, width, values);
        const deviations = standardDeviations(x, width);
        const cosine = cosines(x, width);
        expect(deviations.mean).toBeCloseTo(expected.mean, 9);
        expect(deviations.minimum).toBeCloseTo(expected.minimum, 9);
        expect(uniformity(cosine)).toBeCloseTo(expected.uniformity, 9);
        expect(nearestNeighborScore(cosine, { kind: 'classes', values })).toBeCloseTo(expected.accuracy, 9);
      }),
    );
  });

  it('see no difference when all embeddings are turned together', () => {
    fc.assert(
      fc.property(shapes, fc.double({ min: 0, max: 6, noNaN: true }), (shape, angle) => {
        const { width } = shape;
        const x = drawn(shape);
        // A turn in each pair of neighbouring dimensions, one after the other.
        const turn = (from: Float32Array) => {
          const turned = from.slice();
          for (let axis = 0; axis + 1 < width; axis++) {
            for (let i = axis; i < turned.length; i += width) {
              const [a, b] = [turned[i], turned[i + 1]];
              turned[i] = Math.cos(angle) * a - Math.sin(angle) * b;
              turned[i + 1] = Math.sin(angle) * a + Math.cos(angle) * b;
            }
          }
          return turned;
        };
        const y = drawn({ ...shape, seed: shape.seed + 1 });
        expect(effectiveRank(turn(x), width)).toBeCloseTo(effectiveRank(x, width), 4);
        expect(uniformity(cosines(turn(x), width))).toBeCloseTo(uniformity(cosines(x, width)), 4);
        expect(alignment(turn(x), turn(y), width)).toBeCloseTo(alignment(x, y, width), 4);
      }),
    );
  });

  it('give NaN for embeddings that are not finite', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const x = normals('finite', 40);
      x[17] = bad;
      const cosine = cosines(x, 4);
      const labels = Float64Array.from({ length: 10 }, (_, i) => i % 2);
      const deviations = standardDeviations(x, 4);
      for (const value of [
        deviations.mean,
        deviations.minimum,
        effectiveRank(x, 4),
        uniformity(cosine),
        alignment(x, normals('other', 40), 4),
        nearestNeighborScore(cosine, { kind: 'classes', values: labels }),
      ])
        expect(value).toBeNaN();
    }
  });
});
