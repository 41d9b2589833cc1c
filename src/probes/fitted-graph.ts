import * as g from '../graph/index.js';
import type { Primitive } from '../graph/value.js';
import { apply } from '../graph/value.js';
import type { TreeEnsemble } from '../numerics/tree-ensemble.js';
import { hostTensor } from '../tensor/tensor.js';
import { type FittedModel, LEAST_VOTE, type TreesFitted } from './fitted-model.js';

/**
 * A fitted predictor as part of a graph: features float32[batch, dimension] → outputs float32[batch, outputs], those of
 * `predictFitted` in single precision. Trees are the operator TreeEnsembleRegressor of ONNX's domain ai.onnx.ml, and have no
 * gradient.
 */
export function fittedGraph(model: FittedModel, features: g.Value): g.Value {
  if (model.kind === 'trees') return treesGraph(model, features);
  const { dimension, weights, bias } = model.linear;
  const vector = (values: Float64Array) =>
    g.constant(hostTensor('float32', [values.length], Float32Array.from(values)));
  const { mean, scale } = model.standardization;
  // NaN is not equal to itself; what is missing is the mean.
  const present = g.equal(features, features);
  const standardized = g.where(
    present,
    g.multiply(g.subtract(features, vector(mean)), vector(scale)),
    g.scalar(0),
  );
  const matrix = g.constant(hostTensor('float32', [bias.length, dimension], Float32Array.from(weights)));
  return g.add(g.matmul(standardized, matrix, { transposeB: true }), vector(bias));
}

function treesGraph({ outputs, parts, others, link }: TreesFitted, features: g.Value): g.Value {
  const constant = (shape: readonly number[], values: Float32Array) =>
    g.constant(hostTensor('float32', shape, values));
  const unknown = new Float32Array(outputs).fill(others === 'zero' ? 0 : Number.NEGATIVE_INFINITY);
  for (const { columns } of parts) for (const column of columns) unknown[column] = 0;
  // No number is below itself, so this is 0 for each row, also where it is NaN.
  const first = g.slice(features, 1, 0, 1);
  let sum = g.add(g.cast(g.less(first, first), 'float32'), constant([outputs], unknown));
  for (const { columns, ensemble } of parts) {
    const values = links[link](apply(treesPrimitive(ensemble), [features], {})[0]);
    const places = new Float32Array(columns.length * outputs);
    columns.forEach((column, i) => {
      places[i * outputs + column] = 1;
    });
    sum = g.add(sum, g.matmul(values, constant([columns.length, outputs], places)));
  }
  return sum;
}

const kept = (share: g.Value) => {
  const [least, most] = [g.scalar(LEAST_VOTE), g.scalar(1 - LEAST_VOTE)];
  const above = g.where(g.less(share, least), least, share);
  return g.where(g.less(most, above), most, above);
};

const links: Record<TreesFitted['link'], (value: g.Value) => g.Value> = {
  identity: (value) => value,
  'log odds': (value) => g.log(g.divide(kept(value), g.subtract(g.scalar(1), kept(value)))),
  logarithm: (value) => g.log(kept(value)),
};

/** `predictTrees` of an ensemble. */
const treesPrimitive = (ensemble: TreeEnsemble): Primitive => ({
  name: 'trees',
  infer: ([features]) => {
    if (
      features.dtype !== 'float32' ||
      features.shape.length !== 2 ||
      features.shape[1] !== ensemble.dimension
    )
      throw new Error(`expected float32[batch, ${ensemble.dimension}]`);
    return [{ dtype: 'float32', shape: [features.shape[0], ensemble.start.length] }];
  },
  lower: (lowering, operands, results) => {
    lowering.emit('ai.onnx.ml.TreeEnsembleRegressor', operands, treeAttributes(ensemble), results);
  },
  gradient: 'none',
});

function treeAttributes({ start, offsets, feature, threshold, missingLeft, left, value }: TreeEnsemble) {
  const outputs = start.length;
  const nodes = left.length;
  const single = value.length === nodes;
  const tree = new Array<number>(nodes);
  const inTree = new Array<number>(nodes);
  const leaves = {
    tree: [] as number[],
    node: [] as number[],
    output: [] as number[],
    weight: [] as number[],
  };
  for (let t = 0; t + 1 < offsets.length; t++) {
    for (let at = offsets[t]; at < offsets[t + 1]; at++) {
      tree[at] = t;
      inTree[at] = at - offsets[t];
      if (left[at] !== 0) continue;
      for (let k = 0; k < (single ? 1 : outputs); k++) {
        leaves.tree.push(t);
        leaves.node.push(inTree[at]);
        leaves.output.push(single ? t % outputs : k);
        leaves.weight.push(single ? value[at] : value[at * outputs + k]);
      }
    }
  }
  return {
    aggregate_function: 'SUM',
    post_transform: 'NONE',
    n_targets: outputs,
    base_values: [...start],
    nodes_treeids: tree,
    nodes_nodeids: inTree,
    nodes_featureids: Array.from(feature),
    nodes_values: Array.from(threshold),
    nodes_modes: Array.from(left, (child) => (child === 0 ? 'LEAF' : 'BRANCH_LT')) as unknown as g.Shape,
    nodes_truenodeids: Array.from(left),
    nodes_falsenodeids: Array.from(left, (child) => (child === 0 ? 0 : child + 1)),
    nodes_missing_value_tracks_true: Array.from(missingLeft),
    target_treeids: leaves.tree,
    target_nodeids: leaves.node,
    target_ids: leaves.output,
    target_weights: leaves.weight,
  };
}
