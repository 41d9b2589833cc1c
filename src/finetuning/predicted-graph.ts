/** From the outputs of a network to what is predicted, in the graph: what `unscaleLabel` and probabilities are outside it. */
import * as g from '../graph/index.js';
import { encoderGraph } from '../learning/model.js';
import type { LabelSpec } from '../scoring/labels.js';
import type { Task } from '../scoring/metrics.js';
import { hostTensor } from '../tensor/tensor.js';
import type { LabelScale } from './label-scale.js';
import { type FinetunedModel, headOutputs } from './labelled-graph.js';

/** From outputs in the labels' units to what is averaged and given: values, or the probabilities of classes. */
export const predicted: Record<Task, (outputs: g.Value) => g.Value> = {
  regression: (outputs) => outputs,
  binary: g.sigmoid,
  multilabel: g.sigmoid,
  multiclass: g.softmax,
  'per-token': g.softmax,
};

const vector = (values: readonly number[], shape: readonly number[] = [values.length]) =>
  g.constant(hostTensor('float32', shape, Float32Array.from(values)));

/** min(x, 1) for x ≥ 0, and 0 below. */
const clipped = (x: g.Value) => g.subtract(g.relu(x), g.relu(g.subtract(x, g.scalar(1))));

/**
 * The increasing function through the points (from, to) at x float32[batch, 1], straight between them and constant outside:
 * to₀ + Σ (toₖ₊₁ − toₖ) clip((x − fromₖ) / (fromₖ₊₁ − fromₖ), 0, 1), float32[batch, 1].
 */
function interpolated(x: g.Value, from: readonly number[], to: readonly number[]): g.Value {
  // Knots that are one in single precision make one step.
  const kept = from.flatMap((value, k) =>
    k === 0 || Math.fround(value) > Math.fround(from[k - 1]) ? [k] : [],
  );
  const [knots, heights] = [kept.map((k) => from[k]), kept.map((k) => to[k])];
  if (knots.length === 1) return g.add(g.multiply(x, g.scalar(0)), g.scalar(to[to.length - 1]));
  const starts = knots.slice(0, -1);
  const parts = clipped(
    g.multiply(g.subtract(x, vector(starts)), vector(starts.map((start, k) => 1 / (knots[k + 1] - start)))),
  );
  const steps = vector(
    starts.map((_, k) => heights[k + 1] - heights[k]),
    [starts.length, 1],
  );
  return g.add(g.matmul(parts, steps), g.scalar(heights[0]));
}

/** Outputs float32[batch, targets] of a regression in the labels' own units, as `unscaleLabel` has them; those of other tasks as they are. */
export function inLabelUnits(outputs: g.Value, { task }: LabelSpec, scale: LabelScale): g.Value {
  if (task !== 'regression') return outputs;
  const { mean, deviation, log, quantiles } = scale;
  if (quantiles) {
    const targets = quantiles.map(({ labels, scores }, target) =>
      interpolated(g.slice(outputs, 1, target, target + 1), scores, labels),
    );
    return targets.length === 1 ? targets[0] : g.concatenate(targets, 1);
  }
  const values = g.add(g.multiply(outputs, vector(deviation)), vector(mean));
  return log ? g.exp(values) : values;
}

/**
 * A fine-tuned network for batches of any size: the tokens of a batch → `embedding` float32[batch, width], and `predictions`
 * float32[batch, spec.outputs], of labels of tokens float32[batch, maxTokens, spec.outputs].
 */
export function predictionProgram(model: FinetunedModel, spec: LabelSpec, scale: LabelScale): g.Program {
  const encoding = encoderGraph(model, 'batch', model.spec.maxTokens);
  const outputs = inLabelUnits(headOutputs(encoding, model, spec), spec, scale);
  return {
    name: 'prediction',
    outputs: { embedding: encoding.pooled, predictions: predicted[spec.task](outputs) },
  };
}
