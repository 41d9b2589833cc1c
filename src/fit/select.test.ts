import { describe, expect, it } from 'vitest';
import type { Engine } from '../engine/engine.js';
import { seal } from '../scoring/parts.js';
import { random } from '../tensor/random.js';
import type { FitData } from './fit-data.js';
import { groupFolds } from './folds.js';
import { type Fitted, FULL_ENSEMBLE, fitFolds, SIMPLE_ENSEMBLE, select } from './select.js';

const spec = {
  task: 'regression',
  columns: ['y'],
  targets: 1,
  outputs: 1,
  classes: [],
  reason: '',
} as const;
const { normal } = random(8, 'select');
const draw = (count: number) => Float64Array.from({ length: count }, normal);
const [KNOWN, TESTED] = [300, 200];
const labels = draw(KNOWN);
const testLabels = draw(TESTED);
const offsets = Int32Array.from({ length: TESTED + 1 }, (_, i) => i);
const block = { count: 0, offsets: new Int32Array(1), rows: new Int32Array() };

const data: FitData = {
  spec,
  metric: 'rmse',
  development: { records: block, labels },
  test: seal(block, testLabels, spec, offsets),
  folds: groupFolds(Array.from(labels.keys()), 5, 0),
  engine: {} as Engine,
  texts: {},
};

/** A model with errors of this size, the same on validation and test. */
const model = (name: string, error: number, representation = false): Fitted => ({
  name,
  representation,
  features: [],
  held: labels.map((label) => label + error * normal()),
  test: testLabels.map((label) => label + error * normal()),
  models: [],
  seconds: 1,
});

describe('fitting an attempt to folds', () => {
  it('judges each record by the model that did not learn from it, and averages the test', async () => {
    let calls = 0;
    const fitted = await fitFolds(
      {
        name: 'place',
        representation: false,
        features: ['values'],
        async fit({ held }) {
          calls++;
          return { held: Float64Array.from(held), test: new Float64Array(TESTED).fill(calls), model: calls };
        },
      },
      data,
    );
    expect([...fitted.held]).toEqual(Array.from({ length: KNOWN }, (_, record) => record));
    expect(fitted.test[0]).toBe(3);
    expect(fitted.models).toEqual([1, 2, 3, 4, 5]);
  });
});

describe('the choice', () => {
  it('joins what adds something, and says how much over the best simple model', () => {
    const { rows, simple, chosen, differences, parts } = select(
      [model('linear', 1), model('trees', 0.8), model('on embedding', 0.8, true)],
      data,
    );
    expect(rows.map(({ name }) => name)).toEqual([
      'linear',
      'trees',
      'on embedding',
      SIMPLE_ENSEMBLE,
      FULL_ENSEMBLE,
    ]);
    expect([simple, chosen]).toEqual(['trees', FULL_ENSEMBLE]);
    expect(parts.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1, 12);
    for (const { low, value, high } of differences) {
      expect(low).toBeGreaterThan(0);
      expect(value).toBeGreaterThan(low);
      expect(value).toBeLessThan(high);
    }
    const score = (name: string) => rows.find((row) => row.name === name)!.test.value;
    expect(differences[0].value).toBeCloseTo(score('trees') - score(FULL_ENSEMBLE), 12);
  });

  it('leaves a representation out that adds nothing, and does not take an ensemble for a simple model', () => {
    const { simple, differences, parts } = select(
      [model('linear', 0.5), model('trees', 0.5), model('on embedding', 5, true)],
      data,
    );
    expect(['linear', 'trees']).toContain(simple);
    expect(parts.map(({ fitted }) => fitted.name).sort()).toEqual(['linear', 'trees']);
    const learned = differences.find(({ of }) => of === FULL_ENSEMBLE)!;
    expect(learned.low <= 0 && learned.high >= 0).toBe(true);
  });

  it('is by the log-loss where accuracy is reported: sure mistakes weigh more than one record more on the right side', () => {
    const sides = Float64Array.from({ length: KNOWN }, (_, i) => i % 2);
    const binary = { ...spec, task: 'binary', classes: [['no', 'yes']] } as const;
    const test = seal(
      block,
      sides,
      binary,
      Int32Array.from({ length: KNOWN + 1 }, (_, i) => i),
    );
    /** So many records on the wrong side, all of them as sure. */
    const predicts = (name: string, wrong: number, sure: number): Fitted => {
      const logits = sides.map((side, i) => ((side === 1) === i >= wrong ? sure : -sure));
      return { ...model(name, 0), held: logits, test: logits };
    };
    const { rows, chosen } = select([predicts('overconfident', 40, 9), predicts('calibrated', 41, 1.8)], {
      ...data,
      spec: binary,
      metric: 'accuracy',
      development: { records: block, labels: sides },
      test,
    });
    const [overconfident, calibrated] = rows;
    expect(overconfident.valid).toBeGreaterThan(calibrated.valid);
    expect(overconfident.choice).toBeGreaterThan(calibrated.choice!);
    expect(chosen).not.toBe('overconfident');
    expect(rows.find(({ name }) => name === chosen)!.choice).toBeLessThanOrEqual(calibrated.choice!);
  });

  it('is a model itself where its ensemble has no other, whatever rounding makes of the mean', () => {
    for (let turn = 0; turn < 6; turn++) {
      const yes = draw(KNOWN).map((value) => Number(value > 0));
      const tested = draw(TESTED).map((value) => Number(value > 0));
      const logits = (of: Float64Array, size: number) => of.map((label) => size * (label - 0.5) + normal());
      const answers = (name: string, size: number): Fitted => ({
        ...model(name, 1),
        held: logits(yes, size),
        test: logits(tested, size),
      });
      const { chosen, simple } = select([answers('linear', 8), answers('constant', 0)], {
        ...data,
        spec: { ...spec, task: 'binary', classes: [['no', 'yes']] },
        metric: 'accuracy',
        development: { ...data.development, labels: yes },
        test: seal(block, tested, { ...spec, task: 'binary', classes: [['no', 'yes']] }, offsets),
      });
      expect([simple, chosen]).toEqual(['linear', 'linear']);
    }
  });
});
