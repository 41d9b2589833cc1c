/** Where a metric is undefined because of the labels alone, told in words before anything is trained. */
import { InputError } from '../errors.js';
import type { Part } from '../records/split.js';
import { labelOffsets, takeLabelRows } from './label-rows.js';
import { className, type LabelSpec } from './labels.js';
import { type Metric, type MetricName, metrics } from './metrics.js';
import type { LabelledRecords } from './parts.js';

const partNames: Record<Part, string> = { train: 'training', valid: 'validation', test: 'test' };

/** What to hear of a metric before it is used. */
export interface Definedness {
  /** Why no score of the test part is defined, where none is. */
  readonly test?: string;
  /** Sentences for people: of the test part, of targets that are left out of a mean, and of what cannot be learned. */
  readonly notes: readonly string[];
}

/**
 * Looks where the labels of a part leave a metric undefined. Throws InputError where that is so of validation, by which
 * everything is chosen.
 * @param remedy what to try, for the error
 */
export function checkDefined(
  labelled: LabelledRecords,
  name: MetricName,
  remedy = 'give more labels, larger --valid-fraction and --test-fraction, a split column',
): Definedness {
  const { title }: Metric = metrics[name];
  const { spec } = labelled;
  const [train, valid, test] = (['train', 'valid', 'test'] as const).map((part) =>
    faultsOf(labelled, name, part),
  );
  const all = (faults: readonly Fault[]) => faults.length === spec.targets;
  if (all(valid)) {
    const also = all(test) ? ', nor on the test part' : '';
    throw new InputError(
      `${title} is not defined on the validation part${also}, so nothing can be chosen by it: ${reasonOf(valid, 'valid')}; ${remedy}${alternatives(name, spec)}`,
    );
  }
  const notes: string[] = [];
  const reason = all(test) ? `${title} is not defined: ${reasonOf(test, 'test')}` : undefined;
  if (reason) notes.push(`the scores of the test part are undefined, as ${reason}`);
  for (const [part, faults] of [
    ['valid', valid],
    ['test', test],
  ] as const) {
    if (faults.length === 0 || all(faults)) continue;
    notes.push(
      `${title} of the ${partNames[part]} part is a mean over ${spec.targets - faults.length} of ${spec.targets} targets: ${reasonOf(faults, part)}`,
    );
  }
  if (spec.task !== 'regression' && all(train) && spec.targets > 0 && oneClass(labelled))
    notes.push(`nothing can be learned: ${reasonOf(train, 'train')}`);
  return { ...(reason && { test: reason }), notes };
}

/** Why a score is undefined although its labels define it. */
export const undefinedByPredictions = (name: string): string =>
  `${Object.hasOwn(metrics, name) ? metrics[name as MetricName].title : name} is not defined: the predictions are all the same, or not numbers`;

interface Fault {
  readonly target: string;
  /** `all 25 labels are "0"` */
  readonly what: string;
}

/** The targets of a part whose labels do not define a metric. */
function faultsOf({ block, labels, members, spec }: LabelledRecords, name: MetricName, part: Part): Fault[] {
  const own = takeLabelRows(labels, labelOffsets(spec, block), members[part], spec.targets);
  const { distinctLabels }: Metric = metrics[name];
  return spec.columns.flatMap((target, column) => {
    const seen = new Set<number>();
    let count = 0;
    for (let i = column; i < own.length; i += spec.targets) {
      if (Number.isNaN(own[i])) continue;
      seen.add(own[i]);
      count++;
    }
    if (seen.size >= distinctLabels) return [];
    if (count === 0) return [{ target, what: 'there is no label' }];
    const [value] = seen;
    const label = spec.task === 'regression' ? String(value) : JSON.stringify(className(spec, column, value));
    return [
      { target, what: count === 1 ? `the only label is ${label}` : `all ${count} labels are ${label}` },
    ];
  });
}

const reasonOf = (faults: readonly Fault[], part: Part): string =>
  `${faults.map(({ target, what }) => `of ${target} ${what}`).join(', ')} in the ${partNames[part]} part`;

/** Whether the training part has a single class, whatever the metric needs. */
function oneClass({ labels, members, block, spec }: LabelledRecords): boolean {
  const own = takeLabelRows(labels, labelOffsets(spec, block), members.train, spec.targets);
  return new Set(own.filter((label) => !Number.isNaN(label))).size < 2;
}

/** Metrics of the task that one label defines. */
function alternatives(name: MetricName, { task }: LabelSpec): string {
  const others = (Object.entries(metrics) as [string, Metric][])
    .filter(([other, { tasks, distinctLabels }]) => other !== name && task in tasks && distinctLabels === 1)
    .map(([other]) => other);
  return others.length > 0 ? `, or --metric ${others[0]}` : '';
}
