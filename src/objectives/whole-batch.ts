/** The whole batch in a program of one rank of several, each of which has a part of it. */
import type { Ranks } from '../cluster/ranks.js';
import {
  add,
  concatenate,
  input,
  multiply,
  pad,
  reachableNodes,
  reshape,
  scalar,
  slice,
  staticSize,
  stopGradient,
  subtract,
  sumAll,
  type Value,
} from '../graph/index.js';
import { weightedMean } from '../layers/losses.js';
import type { ObjectiveInputs, ObjectiveOutputs } from './objective.js';

/** Values of a process's own rows, which the graph is fed of all ranks: see `ObjectiveInputs.across`. */
export interface SharedRows {
  /** The input that takes those of the whole batch. */
  readonly name: string;
  /** The rows of this process, a function of the other inputs. */
  readonly own: Value;
  /** How many views of the batch its rows are, one after the other. */
  readonly views: number;
}

const SHARED = 'across.';

/** Whether a value depends on rows of all ranks. */
export const dependsOnAllRows = (value: Value): boolean =>
  reachableNodes([value]).some((node) => node.kind === 'input' && node.name.startsWith(SHARED));

/** The rows that ranks have to share before these values can be computed. */
export function sharedBy(values: readonly Value[], shared: readonly SharedRows[]): SharedRows[] {
  const inputs = new Set(
    reachableNodes(values).flatMap((node) => (node.kind === 'input' ? [node.name] : [])),
  );
  return shared.filter(({ name }) => inputs.has(name));
}

/** What `ObjectiveInputs.across` is, with the rows that it was asked for. */
export function acrossRanks({ rank, size }: Ranks, isConstant: () => boolean) {
  const shared: SharedRows[] = [];
  const nameOf = (own: Value, views: number): string => {
    const known = shared.find((rows) => rows.own === own && rows.views === views);
    if (known) return known.name;
    if (dependsOnAllRows(own)) throw new Error('across: rows of all ranks are not shared once more');
    shared.push({ name: `${SHARED}${shared.length}`, own, views });
    return shared[shared.length - 1].name;
  };
  return {
    shared,
    across(own: Value, views = 1): Value {
      if (size === 1) return own;
      const [count, ...rest] = own.shape.map(staticSize);
      const all = input(nameOf(own, views), own.dtype, [count * size, ...rest]);
      if (own.dtype !== 'float32' || isConstant()) return all;
      // It is 0, and its gradient is `size`: so a mean over the ranks has the gradients of all rows.
      const moving = multiply(subtract(own, stopGradient(own)), scalar(size));
      const rows = count / views;
      const placed = pad(reshape(moving, [views, rows, ...rest]), 1, rank * rows, (size - 1 - rank) * rows);
      return add(all, reshape(placed, all.shape));
    },
  };
}

/**
 * An objective's loss and metrics as those of the whole batch, the same at every rank, where they are means of the rank's part
 * by its weight; as they are for one process.
 */
export function wholeMeans<O extends ObjectiveOutputs>(
  { across }: Pick<ObjectiveInputs, 'across'>,
  outputs: O,
): O {
  if (dependsOnAllRows(outputs.loss)) return outputs;
  const { loss, weight, marginalLoss, metrics = {} } = outputs;
  const names = Object.keys(metrics);
  /** The weight, and the means of these by it. */
  const whole = (means: readonly Value[]): Value[] | undefined => {
    const own = concatenate(
      [weight, ...means].map((value) => reshape(value, [1, 1])),
      1,
    );
    const all = across(own);
    if (all === own) return undefined;
    const column = (i: number): Value => slice(all, 1, i, i + 1);
    return [sumAll(column(0)), ...means.map((_, i) => weightedMean(column(1 + i), column(0)).mean)];
  };
  const all = whole([loss, ...names.map((name) => metrics[name])]);
  if (all === undefined) return outputs;
  // Apart, as it is wanted in evaluation alone.
  const reference = marginalLoss && whole([marginalLoss]);
  return {
    ...outputs,
    weight: all[0],
    loss: all[1],
    ...(reference && { marginalLoss: reference[1] }),
    metrics: Object.fromEntries(names.map((name, i) => [name, all[2 + i]])),
  };
}
