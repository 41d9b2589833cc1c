import { describe, expect, it } from 'vitest';
import { evaluate, floats, integers, normals, ordinaryParameters } from '../../engine/evaluate.case.js';
import { nodeEngine } from '../../engine/node.js';
import { input } from '../../graph/index.js';
import { smallModel } from '../../objectives/objective.case.js';
import type { LabelSpec } from '../../scoring/labels.js';
import { random } from '../../tensor/random.js';
import { expectGradient } from '../gradient.case.js';
import { finetuningGraph } from '../labelled-graph.js';
import { focalContrast } from './core-tuning.js';
import { type RegularizerKind, regularizerNamed, regularizers } from './index.js';
import { leaveOneOut } from './look.js';
import { drawBeta } from './mixing.js';
import type { Regularizer } from './regularizer.js';

const engine = await nodeEngine({ threads: 1 });
const [SIZE, TOKENS, CLASSES] = [6, 5, 3];
const tokenSpec = { kind: 'discrete', vocabulary: 7, maxTokens: 8 } as const;
const { encoder } = smallModel(tokenSpec, 'random-masking', {}, 'transformer');
const specs: Record<string, LabelSpec> = {
  multiclass: {
    task: 'multiclass',
    columns: ['y'],
    targets: 1,
    outputs: CLASSES,
    classes: [['a', 'b', 'c']],
    reason: '',
  },
  binary: { task: 'binary', columns: ['y'], targets: 1, outputs: 1, classes: [['0', '1']], reason: '' },
  multilabel: {
    task: 'multilabel',
    columns: ['y', 'z'],
    targets: 2,
    outputs: 2,
    classes: [
      ['0', '1'],
      ['0', '1'],
    ],
    reason: '',
  },
  regression: { task: 'regression', columns: ['y'], targets: 1, outputs: 1, classes: [], reason: '' },
};
const labelsOf: Record<string, number[]> = {
  multiclass: [0, 1, 2, 0, 1, 0],
  binary: [0, 1, 1, 0, 1, 0],
  multilabel: [0, 1, 1, 0, 1, 1, 0, 0, 1, 0, 0, 1],
  regression: [0.3, -1, 2, 0, 0.5, -0.2],
};
const drawn = (task: string, { draw, defaults }: Regularizer, rows = SIZE) => ({
  ids: integers(
    [SIZE, TOKENS],
    Array.from({ length: SIZE * TOKENS }, (_, i) => 2 + ((i * i) % 5)),
  ),
  lengths: integers([SIZE], [5, 3, 4, 5, 2, 5]),
  labels: floats([SIZE, specs[task].targets], labelsOf[task]),
  label_weights: floats(
    [SIZE, specs[task].targets],
    labelsOf[task].map((_, i) => Number(i < rows * specs[task].targets)),
  ),
  ...draw?.(defaults, { size: SIZE, rows }, (purpose) => random(3, purpose)),
});
const graphOf = (kind: RegularizerKind, task: string) =>
  finetuningGraph(
    { spec: tokenSpec, encoder, regularizer: { ...regularizerNamed(kind).defaults, kind } },
    specs[task],
    SIZE,
    TOKENS,
  );

describe.each(Object.keys(regularizers) as RegularizerKind[])('regularizer %s', (kind) => {
  const regularizer = regularizerNamed(kind);

  it.each(regularizer.tasks)('has the gradient of its finite difference in a %s task', async (task) => {
    await expectGradient(engine, graphOf(kind, task), drawn(task, regularizer));
  });

  it('does not count the rows that only fill a batch up', async () => {
    const { loss } = graphOf(kind, 'binary');
    const parameters = ordinaryParameters([loss]);
    const feeds = drawn('binary', regularizer, 4);
    const turned = { ...feeds, labels: floats([SIZE, 1], [...labelsOf.binary.slice(0, 4), 0, 1]) };
    const of = async (own: object) => (await evaluate(engine, { loss }, { ...own, ...parameters })).loss[0];
    expect(await of(turned)).toBeCloseTo(await of(feeds), 6);
    expect(Number.isFinite(await of(feeds))).toBe(true);
  });

  it('leaves the outputs in evaluation as they are', async () => {
    const [own, plain] = [
      graphOf(kind, 'binary'),
      finetuningGraph({ spec: tokenSpec, encoder }, specs.binary, SIZE, TOKENS),
    ];
    const parameters = ordinaryParameters([plain.loss]);
    const outputs = ({ evaluation: { outputs } }: typeof own) =>
      evaluate(engine, { outputs }, { ...drawn('binary', regularizer), ...parameters });
    expect(await outputs(own)).toEqual(await outputs(plain));
  });
});

describe('mixup', () => {
  it('of a record with itself is the plain loss, and by shares of 1 too', async () => {
    const plain = finetuningGraph({ spec: tokenSpec, encoder }, specs.multiclass, SIZE, TOKENS);
    const { loss } = graphOf('mixup', 'multiclass');
    const parameters = ordinaryParameters([loss]);
    const feeds = { ...drawn('multiclass', regularizers.mixup), ...parameters };
    const { loss: expected } = await evaluate(engine, { loss: plain.loss }, feeds);
    const itself = { ...feeds, mixup_partners: integers([SIZE], [0, 1, 2, 3, 4, 5]) };
    expect((await evaluate(engine, { loss }, itself)).loss[0]).toBeCloseTo(expected[0], 5);
    const whole = { ...feeds, mixup_shares: floats([SIZE], new Array(SIZE).fill(1)) };
    expect((await evaluate(engine, { loss }, whole)).loss[0]).toBeCloseTo(expected[0], 5);
  });

  it('draws its shares from Beta(α, α), of variance 1 / (4 (2 α + 1))', () => {
    for (const alpha of [0.2, 1, 3]) {
      const source = random(1, 'shares');
      const values = Array.from({ length: 20_000 }, () => drawBeta(alpha, source));
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
      expect(mean).toBeCloseTo(0.5, 1);
      expect(variance * 4 * (2 * alpha + 1)).toBeCloseTo(1, 1);
      expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...values)).toBeLessThanOrEqual(1);
    }
  });
});

const [N, WIDTH] = [7, 4];
const rows = normals('rows', N * WIDTH);
const classes = [0, 1, 0, 2, 1, 0, 1];
const counts = [1, 1, 1, 1, 1, 1, 0];
const row = (i: number) => rows.slice(i * WIDTH, (i + 1) * WIDTH);
const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, k) => sum + value * b[k], 0);
const score = (i: number, j: number) =>
  dot(row(i), row(j)) / Math.sqrt(dot(row(i), row(i)) * dot(row(j), row(j))) / 0.07;
const members = [...classes.keys()].filter((i) => counts[i] === 1);
const othersOf = (i: number) => members.filter((j) => j !== i);

describe('the focal contrast of Core-tuning', () => {
  const alike = floats(
    [N, N],
    classes.flatMap((a) => classes.map((b) => Number(a === b))),
  );
  const lossOf = async (scale = 1) =>
    (
      await evaluate(
        engine,
        {
          loss: focalContrast(
            input('rows', 'float32', [N, WIDTH]),
            input('alike', 'float32', [N, N]),
            input('counts', 'float32', [N]),
          ),
        },
        {
          rows: floats(
            [N, WIDTH],
            rows.map((value) => scale * value),
          ),
          alike,
          counts: floats([N], counts),
        },
      )
    ).loss[0];

  it('is −(1 − q) log q, averaged over the positives of each row that has some', async () => {
    const losses = members.flatMap((a) => {
      const positives = othersOf(a).filter((p) => classes[p] === classes[a]);
      if (positives.length === 0) return [];
      const total = othersOf(a).reduce((sum, j) => sum + Math.exp(score(a, j)), 0);
      const terms = positives.map((p) => {
        const q = Math.exp(score(a, p)) / total;
        return -(1 - q) * Math.log(q);
      });
      return [terms.reduce((sum, term) => sum + term, 0) / terms.length];
    });
    expect(losses).toHaveLength(5);
    expect(await lossOf()).toBeCloseTo(losses.reduce((sum, loss) => sum + loss, 0) / losses.length, 4);
  });

  it('does not depend on the length of the rows', async () => {
    expect(await lossOf(3)).toBeCloseTo(await lossOf(), 4);
  });
});

describe('the leave-one-out loss of LOOK', () => {
  const lossOf = async (k: number) =>
    (
      await evaluate(
        engine,
        {
          loss: leaveOneOut(
            input('rows', 'float32', [N, WIDTH]),
            input('classes', 'float32', [N, 1]),
            input('counts', 'float32', [N]),
            k,
          ),
        },
        { rows: floats([N, WIDTH], rows), classes: floats([N, 1], classes), counts: floats([N], counts) },
      )
    ).loss[0];

  it.each([1, 2, 3, 50])('is that of the %d nearest and the nearest of the class', async (k) => {
    const losses = members.flatMap((i) => {
      const near = othersOf(i).sort((a, b) => score(i, b) - score(i, a));
      const own = near.filter((j) => classes[j] === classes[i]);
      if (own.length === 0) return [];
      const neighbors = new Set([...near.slice(0, k), own[0]]);
      const mass = (of: Iterable<number>) => [...of].reduce((sum, j) => sum + Math.exp(score(i, j)), 0);
      return [-Math.log(mass([...neighbors].filter((j) => classes[j] === classes[i])) / mass(neighbors))];
    });
    expect(losses).toHaveLength(5);
    expect(await lossOf(k)).toBeCloseTo(losses.reduce((sum, loss) => sum + loss, 0) / losses.length, 3);
  });
});
