/** Clusters that were found without labels, named by labels, so that they can be scored. */
import { bestAssignment } from '../numerics/assignment.js';
import type { LabelSpec } from '../scoring/labels.js';

/**
 * The class of each of as many clusters: the one-to-one assignment that is right most often on these rows.
 * @param members int32[n]
 * @param labels float64[n]; NaN is missing
 */
export function nameClusters(members: Int32Array, labels: Float64Array, classes: number): number[] {
  const counts = new Float64Array(classes * classes);
  members.forEach((cluster, row) => {
    if (!Number.isNaN(labels[row])) counts[cluster * classes + labels[row]]++;
  });
  return bestAssignment(counts, classes, classes);
}

/** Outputs float64[n, spec.outputs] that predict the class of each row's cluster. */
export function namedOutputs(
  members: Int32Array,
  named: readonly number[],
  { outputs: width }: Pick<LabelSpec, 'outputs'>,
): Float64Array {
  const outputs = new Float64Array(members.length * width);
  members.forEach((cluster, row) => {
    // Of two classes one number tells, positive for the second.
    if (width === 1) outputs[row] = named[cluster] === 1 ? 1 : -1;
    else outputs[row * width + named[cluster]] = 1;
  });
  return outputs;
}
