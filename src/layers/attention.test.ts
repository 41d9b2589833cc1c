import { describe, expect, it } from 'vitest';
import {
  evaluate,
  floats,
  integers,
  largestDifference,
  normals,
  ordinaryParameters,
  truths,
} from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import * as g from '../graph/index.js';
import type { HostTensor } from '../tensor/tensor.js';
import { attention, attentionBlock } from './attention.js';

const engine = await nodeEngine({ threads: 1 });

const [BATCH, QUERIES, KEYS, WIDTH, SOURCE] = [2, 3, 5, 8, 6];

type Weights = Readonly<Record<string, HostTensor<'float32'>>>;

/** x[…] · W, one number at a time. */
const project = (x: ArrayLike<number>, start: number, weight: HostTensor, column: number) => {
  const [inputs, width] = weight.shape;
  let total = 0;
  for (let i = 0; i < inputs; i++) total += x[start + i] * Number(weight.data[i * width + column]);
  return total;
};

/** Multi-head attention as its formula reads, in double precision. */
function naiveAttention(
  queries: ArrayLike<number>,
  source: ArrayLike<number>,
  weights: Weights,
  { heads, rows, blocked }: { heads: number; rows: number; blocked: (row: number, key: number) => boolean },
): { result: number[]; maps: number[][][][] } {
  const [, keyWidth] = weights.query.shape;
  const [, valueWidth] = weights.value.shape;
  const [, width] = weights.output.shape;
  const d = keyWidth / heads;
  const result: number[] = [];
  const maps: number[][][][] = [];
  for (let row = 0; row < BATCH; row++) {
    const byHead: number[][][] = Array.from({ length: heads }, () => []);
    maps.push(byHead);
    for (let n = 0; n < QUERIES; n++) {
      const at = ((row % rows) * QUERIES + n) * WIDTH;
      const mixed: number[] = [];
      for (let head = 0; head < heads; head++) {
        const scores: number[] = [];
        for (let key = 0; key < KEYS; key++) {
          let dot = 0;
          for (let c = head * d; c < (head + 1) * d; c++) {
            dot +=
              project(queries, at, weights.query, c) *
              project(source, (row * KEYS + key) * SOURCE, weights.key, c);
          }
          scores.push(blocked(row, key) ? Number.NEGATIVE_INFINITY : dot / Math.sqrt(d));
        }
        const top = Math.max(...scores);
        const exponentials = scores.map((score) => Math.exp(score - top));
        const total = exponentials.reduce((sum, e) => sum + e);
        const map = exponentials.map((e) => e / total);
        byHead[head].push(map);
        for (let c = (head * valueWidth) / heads; c < ((head + 1) * valueWidth) / heads; c++) {
          let value = 0;
          map.forEach((share, key) => {
            value += share * project(source, (row * KEYS + key) * SOURCE, weights.value, c);
          });
          mixed.push(value);
        }
      }
      for (let c = 0; c < width; c++) result.push(project(mixed, 0, weights.output, c));
    }
  }
  return { result, maps };
}

interface Case {
  heads: number;
  keyWidth?: number;
  valueWidth?: number;
  /** Rows of queries: one for each of the batch, or one for all. */
  rows: number;
  excluded?: boolean[];
  hidden?: boolean[];
}

const padding = [false, false, false, true, true, false, false, false, false, false];
const hiding = [false, true, false, false, false, true, true, false, true, false];

const cases: Record<string, Case> = {
  'one head': { heads: 1, rows: BATCH },
  'four heads': { heads: 4, rows: BATCH },
  'other widths of keys and values': { heads: 2, keyWidth: 12, valueWidth: 4, rows: BATCH },
  'one row of queries for the whole batch': { heads: 2, rows: 1 },
  'excluded keys': { heads: 2, rows: 1, excluded: padding },
  'hidden keys': { heads: 2, rows: BATCH, hidden: hiding },
  'excluded and hidden keys': { heads: 4, rows: 1, excluded: padding, hidden: hiding },
};

describe('attention is its formula', () => {
  it.each(Object.entries(cases))('%s', async (_, { heads, keyWidth, valueWidth, rows, excluded, hidden }) => {
    const queries = g.input('queries', 'float32', [rows, QUERIES, WIDTH]);
    const source = g.input('source', 'float32', [BATCH, KEYS, SOURCE]);
    const mask = (name: string) => g.input(name, 'bool', [BATCH, KEYS]);
    let map: g.Value | undefined;
    const y = attention(queries, source, {
      heads,
      keyWidth,
      valueWidth,
      excluded: excluded && mask('excluded'),
      hideKeys: hidden
        ? (attentionMap) => {
            map = attentionMap;
            return mask('hidden');
          }
        : undefined,
    });
    const feeds = {
      queries: floats(queries.shape.map(g.staticSize), normals('queries', rows * QUERIES * WIDTH)),
      source: floats([BATCH, KEYS, SOURCE], normals('source', BATCH * KEYS * SOURCE)),
      excluded: truths([BATCH, KEYS], excluded ?? padding),
      hidden: truths([BATCH, KEYS], hidden ?? hiding),
    };
    const parameters = ordinaryParameters([y]);
    const weights: Weights = Object.fromEntries(
      ['query', 'key', 'value', 'output'].map((name) => [name, parameters[`${name}.weight`]]),
    );
    const computed = await evaluate(engine, { y, map: map ?? y }, { ...feeds, ...parameters });
    const excludes = (row: number, key: number) => excluded?.[row * KEYS + key] ?? false;
    const naive = (blocked: (row: number, key: number) => boolean) =>
      naiveAttention(feeds.queries.data as Float32Array, feeds.source.data as Float32Array, weights, {
        heads,
        rows,
        blocked,
      });
    const expected = naive((row, key) => excludes(row, key) || (hidden?.[row * KEYS + key] ?? false));
    expect(y.shape).toEqual([BATCH, QUERIES, valueWidth ?? WIDTH]);
    expect(largestDifference(computed.y, expected.result)).toBeLessThan(1e-5);
    // Who hides keys sees the map before anything is hidden.
    if (map) expect(largestDifference(computed.map, naive(excludes).maps.flat(3))).toBeLessThan(1e-6);
  });

  it.each([1, 2])(
    '%i heads: what is asked for of one row of queries is as if gathered before',
    async (heads) => {
      const queries = g.input('queries', 'float32', [1, QUERIES, WIDTH]);
      const source = g.input('source', 'float32', [BATCH, KEYS, SOURCE]);
      const asked = g.input('asked', 'int32', [BATCH, 2]);
      const gathered = g.gather(g.reshape(queries, [QUERIES, WIDTH]), asked);
      const [one, other] = [
        attention(queries, source, { heads, asked }),
        attention(gathered, source, { heads }),
      ].map((y) => ({ y, slope: g.gradients(g.sumAll(g.multiply(y, y)), [queries])[0] }));
      const computed = await evaluate(
        engine,
        { y: one.y, slope: one.slope, expected: other.y, expectedSlope: other.slope },
        {
          ...ordinaryParameters([one.y]),
          queries: floats([1, QUERIES, WIDTH], normals('queries', QUERIES * WIDTH)),
          source: floats([BATCH, KEYS, SOURCE], normals('source', BATCH * KEYS * SOURCE)),
          asked: integers([BATCH, 2], [2, 0, 1, 1]),
        },
      );
      expect(largestDifference(computed.y, [...computed.expected])).toBeLessThan(1e-5);
      expect(largestDifference(computed.slope, [...computed.expectedSlope])).toBeLessThan(1e-4);
    },
  );

  it('lets no gradient through the map that chooses what to hide', async () => {
    const queries = g.input('queries', 'float32', [BATCH, QUERIES, WIDTH]);
    const source = g.input('source', 'float32', [BATCH, KEYS, SOURCE]);
    let map: g.Value | undefined;
    const y = attention(queries, source, {
      heads: 2,
      hideKeys: (attentionMap) => {
        map = attentionMap;
        return g.less(g.scalar(1), g.sum(attentionMap, [1, 2]));
      },
    });
    const throughMap = g.gradients(g.sumAll(g.multiply(map!, map!)), [queries, source]);
    const { a, b } = await evaluate(
      engine,
      { a: throughMap[0], b: throughMap[1] },
      {
        ...ordinaryParameters([y]),
        queries: floats([BATCH, QUERIES, WIDTH], normals('queries', BATCH * QUERIES * WIDTH)),
        source: floats([BATCH, KEYS, SOURCE], normals('source', BATCH * KEYS * SOURCE)),
      },
    );
    expect([...a, ...b].every((value) => value === 0)).toBe(true);
  });

  it('stays finite where a row has no key left', async () => {
    const x = g.input('x', 'float32', [BATCH, KEYS, WIDTH]);
    const y = attention(x, x, { heads: 2, excluded: g.input('excluded', 'bool', [BATCH, KEYS]) });
    const [dx] = g.gradients(g.sumAll(g.multiply(y, y)), [x]);
    const computed = await evaluate(
      engine,
      { y, dx },
      {
        ...ordinaryParameters([y]),
        x: floats([BATCH, KEYS, WIDTH], normals('x', BATCH * KEYS * WIDTH)),
        excluded: truths([BATCH, KEYS], new Array(BATCH * KEYS).fill(true)),
      },
    );
    expect([...computed.y, ...computed.dx].every(Number.isFinite)).toBe(true);
  });

  it('refuses a width that its heads do not divide', () => {
    const x = g.input('x', 'float32', [1, 2, 8]);
    expect(() => attention(x, x, { heads: 3 })).toThrow('width 8 is not divisible by 3 heads');
  });
});

describe('an attention block', () => {
  it('adds its parts to what came in, unless told not to', async () => {
    const x = g.input('x', 'float32', [BATCH, KEYS, WIDTH]);
    const added = attentionBlock('added', x, { heads: 2, widening: 2 });
    const alone = attentionBlock('alone', x, { heads: 2, widening: 2, residual: false });
    // With all weights zero, attention and MLP give nothing.
    const parameters = Object.fromEntries(
      Object.entries(ordinaryParameters([added, alone])).map(([name, { shape, data }]) => [
        name,
        floats(shape, name.endsWith('weight') ? new Float32Array(data.length) : data),
      ]),
    );
    const values = normals('x', BATCH * KEYS * WIDTH);
    const computed = await evaluate(
      engine,
      { added, alone },
      { ...parameters, x: floats([BATCH, KEYS, WIDTH], values) },
    );
    expect(largestDifference(computed.added, values)).toBe(0);
    expect(computed.alone.every((value) => value === 0)).toBe(true);
  });
});
