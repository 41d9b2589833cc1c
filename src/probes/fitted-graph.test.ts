import { describe, expect, it } from 'vitest';
import { nodeEngine } from '../engine/node.js';
import * as g from '../graph/index.js';
import { packData, unpackData } from '../runs/plain-data.js';
import type { LabelSpec } from '../scoring/labels.js';
import type { OutputLayout } from '../scoring/metrics.js';
import { random } from '../tensor/random.js';
import { hostTensor } from '../tensor/tensor.js';
import { boostedTrees } from './boosted-trees-probe.js';
import { fittedGraph } from './fitted-graph.js';
import { type FittedModel, predictFitted } from './fitted-model.js';
import { extraTrees, randomForest } from './forest-probe.js';
import { linearProbe } from './linear-probe.js';
import type { Probe } from './protocol.js';

const ROWS = 120;
const DIMENSION = 4;
const spec = (layout: OutputLayout): LabelSpec => ({ ...layout, columns: [], classes: [], reason: '' });
const tasks: readonly LabelSpec[] = [
  spec({ task: 'regression', targets: 2, outputs: 2 }),
  spec({ task: 'binary', targets: 1, outputs: 1 }),
  spec({ task: 'multilabel', targets: 3, outputs: 3 }),
  spec({ task: 'multiclass', targets: 1, outputs: 4 }),
];
const probes: Readonly<Record<string, Probe>> = { linearProbe, boostedTrees, randomForest, extraTrees };

/** Values, small whole numbers and missing ones; the last target and the last class have no label. */
function rowsFor({ task, targets, outputs }: LabelSpec) {
  const source = random(5, `rows ${task}`);
  const features = Float32Array.from({ length: ROWS * DIMENSION }, (_, i) => {
    if (source.uniform() < 0.2) return Number.NaN;
    return i % 2 === 0 ? source.normal() : source.integer(3);
  });
  const labels = Float64Array.from({ length: ROWS * targets }, (_, i) => {
    const row = Math.floor(i / targets);
    const score =
      (features[row * DIMENSION] || 0) + (features[row * DIMENSION + 1] || 0) + 0.3 * source.normal();
    if (targets > 1 && i % targets === targets - 1) return Number.NaN;
    if (task === 'regression') return score;
    return task === 'multiclass' ? Math.min(outputs - 2, Math.max(0, Math.round(score))) : Number(score > 1);
  });
  return { count: ROWS, dimension: DIMENSION, features, labels };
}

async function runGraph(model: FittedModel, features: Float32Array, outputs: number): Promise<Float32Array> {
  const engine = await nodeEngine({ threads: 1 });
  const input = g.input('features', 'float32', ['batch', DIMENSION]);
  const executable = await engine.compile({ name: 'fitted', outputs: { out: fittedGraph(model, input) } });
  const rows = features.length / DIMENSION;
  const out = hostTensor('float32', [rows, outputs], new Float32Array(rows * outputs));
  await executable.run({ features: hostTensor('float32', [rows, DIMENSION], features) }, { out });
  await executable.release();
  return out.data as Float32Array;
}

const squashed = (value: number) => 1 / (1 + Math.exp(-value));

describe.each(Object.entries(probes))('%s', (_, probe) => {
  it.each(tasks)('is the same as plain data, as JSON and in ONNX, $task', async (task) => {
    const rows = rowsFor(task);
    const others = rowsFor({ ...task }).features.map((value) => value + 0.25);
    for await (const { model, predict } of probe({ ...rows, valid: rows }, task)) {
      const expected = await predict(others);
      const { json, tensors } = packData(model, 'model');
      const kept = unpackData(JSON.parse(JSON.stringify(json)), tensors) as FittedModel;
      expect(predictFitted(kept, others)).toEqual(expected);
      const computed = await runGraph(kept, others, task.outputs);
      // Logits of single precision say as much as their probabilities.
      const scale = task.task === 'regression' ? (value: number) => value : squashed;
      const off = expected.reduce(
        (most, value, i) =>
          Math.max(most, value === computed[i] ? 0 : Math.abs(scale(value) - scale(computed[i]))),
        0,
      );
      expect(off).toBeLessThan(1e-5);
      break;
    }
  });
});
