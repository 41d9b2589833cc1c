import { afterEach, describe, expect, it } from 'vitest';
import { floats } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import * as g from '../graph/index.js';
import { Trainer } from '../learning/trainer.js';
import type { TokenBlock } from '../records/token-block.js';
import type { LabelSpec } from '../scoring/labels.js';
import type { Task } from '../scoring/metrics.js';
import { labelledGraph } from './labelled-graph.js';
import { labelledByTeacher, pseudoLabelled } from './self-training.js';

const engine = await nodeEngine({ threads: 1 });
const specOf = (task: Task, outputs: number, targets = 1): LabelSpec => ({
  task,
  columns: Array.from({ length: targets }, (_, i) => `y${i}`),
  targets,
  outputs,
  classes: [],
  reason: '',
});
const blockOf = (count: number): TokenBlock => ({ count }) as TokenBlock;

const trainers: Trainer[] = [];
afterEach(async () => {
  for (const trainer of trainers.splice(0)) await trainer.release();
});

/** One weight and one input: the output is their product. */
function trainerOf(spec: LabelSpec): Trainer {
  const build = () => {
    const weight = g.parameter('head.weight', [1, spec.outputs], { kind: 'constant', value: 1 });
    return labelledGraph(g.matmul(g.input('x', 'float32', [4, 1]), weight), spec);
  };
  const trainer = new Trainer(engine, { build, weightDecay: 0, clipNorm: 100, averaged: true }, 1);
  trainers.push(trainer);
  return trainer;
}

describe('a teacher', () => {
  const spec = specOf('regression', 1);
  const feeds = {
    x: floats([4, 1], [1, 2, 3, 4]),
    labels: floats([4, 1], [5, 6, 0, 0]),
    label_weights: floats([4, 1], [1, 0, 0, 0]),
  };
  const settings = { step: 3, learningRate: 0.1, momentum: 0.75 };
  const taught = (kind: 'mean-teacher' | 'future') => ({
    spec,
    from: 2,
    config: { kind, unlabelled_weight: 0.5 },
  });
  const begun = () => {
    const trainer = trainerOf(spec);
    trainer.begin(Float32Array.of(2));
    trainer.state.average!.fill(1.5);
    trainer.state.firstMoment.fill(0.1);
    trainer.state.secondMoment.fill(0.2);
    return trainer;
  };

  it('labels the rows without a label by the average of the parameters', async () => {
    const trainer = begun();
    const before = structuredClone(trainer.state);
    const batch = { tokens: 1, feeds };
    const { labels, label_weights, x } = await labelledByTeacher(
      trainer,
      batch,
      settings,
      taught('mean-teacher'),
    );
    expect(Array.from(labels.data, Number)).toEqual([5, 6, 4.5, 6]);
    expect(Array.from(label_weights.data, Number)).toEqual([1, 0, 0.5, 0.5]);
    expect(x).toBe(feeds.x);
    expect(trainer.state).toEqual(before);
  });

  it('of the future labels by the average that a step would make, and leaves all as it was', async () => {
    const trainer = begun();
    const before = structuredClone(trainer.state);
    const batch = { tokens: 1, feeds };
    const { labels } = await labelledByTeacher(trainer, batch, settings, taught('future'));
    const { parameters, firstMoment, secondMoment, average } = trainer.state;
    expect({ parameters, firstMoment, secondMoment, average }).toEqual({
      parameters: before.parameters,
      firstMoment: before.firstMoment,
      secondMoment: before.secondMoment,
      average: before.average,
    });
    // The same by hand: a step on the present teacher's labels, then its average.
    const other = begun();
    const present = await labelledByTeacher(other, batch, settings, taught('mean-teacher'));
    await other.step(1, present, settings);
    const ahead = other.state.average![0];
    expect(ahead).toBe(Math.fround(0.75 * 1.5 + 0.25 * other.state.parameters[0]));
    expect(ahead).not.toBe(1.5);
    expect(Array.from(labels.data.slice(2), Number)).toEqual([
      Math.fround(3 * ahead),
      Math.fround(4 * ahead),
    ]);
  });

  it('counts for how sure it is of a class: not at all by chance, wholly where it has no doubt', async () => {
    const classes = specOf('multiclass', 3);
    const trainer = trainerOf(classes);
    trainer.begin(Float32Array.of(0, Math.log(2), 0));
    const { labels, label_weights } = await labelledByTeacher(
      trainer,
      {
        tokens: 1,
        feeds: { ...feeds, labels: floats([4, 1], [0, 2, 0, 0]), x: floats([4, 1], [1, 1, 0, 1]) },
      },
      settings,
      { ...taught('mean-teacher'), spec: classes },
    );
    expect(Array.from(labels.data, Number)).toEqual([0, 2, 0, 1]);
    // Of three classes one has probability 1/2, and chance is 1/3.
    expect(label_weights.data[2]).toBe(0);
    expect(label_weights.data[3]).toBeCloseTo(0.5 * ((1 / 2 - 1 / 3) / (1 - 1 / 3)), 6);
  });
});

describe('pseudo-labels', () => {
  it('are what the outputs stand for', () => {
    const labels = (spec: LabelSpec, outputs: readonly number[]) =>
      Array.from(pseudoLabelled(blockOf(2), Float64Array.from(outputs), spec).labels);
    expect(labels(specOf('regression', 1), [7.5, -2])).toEqual([7.5, -2]);
    expect(labels(specOf('binary', 1), [0.1, -3])).toEqual([1, 0]);
    expect(labels(specOf('multilabel', 2, 2), [1, -1, -2, 3])).toEqual([1, 0, 0, 1]);
    expect(labels(specOf('multiclass', 3), [0, 1, 4, 9, 1, 1])).toEqual([2, 0]);
  });
});
