/** Where a metric is undefined because of the labels alone, told in words before anything is trained. */
import { InputError, listed } from '../errors.js';
import type { Part } from '../records/split.js';
import { labelOffsets, takeLabelRows } from './label-rows.js';
import { className, type LabelSpec } from './labels.js';
import { type Metric, type MetricName, metrics } from './metrics.js';
import type { LabelledRecords } from './parts.js';
import { summarize } from './statistics.js';

const PARTS_IN_WORDS: Record<Part, string> = {
  train: 'the training part',
  valid: 'the validation part',
  test: 'the test part',
};

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
 * @param options.remedy what to try, for the error
 * @param options.names what the parts are called, where they are not those of one split
 */
export function checkDefined(
  labelled: LabelledRecords,
  name: MetricName,
  options: { readonly remedy?: string; readonly names?: Partial<Record<Part, string>> } = {},
): Definedness {
  const { remedy = 'give more labels, larger --valid-fraction and --test-fraction, a split column' } =
    options;
  const names = { ...PARTS_IN_WORDS, ...options.names };
  const reasonOf = (faults: readonly Fault[], part: Part) =>
    `${faults.map(({ target, what }) => `of ${target} ${what}`).join(', ')} in ${names[part]}`;
  const { title, distinctLabels }: Metric = metrics[name];
  const { spec } = labelled;
  const [valid, test] = (['valid', 'test'] as const).map((part) => faultsOf(labelled, distinctLabels, part));
  // Whatever the metric needs, of one value alone there is nothing to learn.
  const train = faultsOf(labelled, 2, 'train');
  const all = (faults: readonly Fault[]) => faults.length === spec.targets;
  if (all(valid)) {
    const also = all(test) ? `, nor on ${names.test}` : '';
    throw new InputError(
      `${title} is not defined on ${names.valid}${also}, so nothing can be chosen by it: ${reasonOf(valid, 'valid')}; ${remedy}${alternatives(name, spec)}`,
    );
  }
  const notes: string[] = [];
  const reason = all(test) ? `${title} is not defined: ${reasonOf(test, 'test')}` : undefined;
  if (reason) notes.push(`the scores of ${names.test} are undefined, as ${reason}`);
  for (const [part, faults] of [
    ['valid', valid],
    ['test', test],
  ] as const) {
    if (faults.length === 0 || all(faults)) continue;
    notes.push(
      `${title} of ${names[part]} is a mean over ${spec.targets - faults.length} of ${spec.targets} targets: ${reasonOf(faults, part)}`,
    );
  }
  const unlearned = unlearnedClasses(labelled);
  if (unlearned) notes.push(`${unlearned} in ${names.test}, which nothing can predict`);
  const unequal = unequalSpreads(labelled, name);
  if (unequal) notes.push(unequal);
  if (train.length > 0)
    notes.push(
      `${all(train) ? 'nothing' : `of ${train.length} of ${spec.targets} targets nothing`} can be learned: ${reasonOf(train, 'train')}`,
    );
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

/** The targets of which a part has fewer than so many distinct labels. */
function faultsOf(
  { block, labels, members, spec }: LabelledRecords,
  distinctLabels: number,
  part: Part,
): Fault[] {
  const own = takeLabelRows(labels, labelOffsets(spec, block), members[part], spec.targets);
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

/** How many labels of the test part are of classes that the training part has not, where there are several classes. */
function unlearnedClasses({ block, labels, members, spec }: LabelledRecords): string | undefined {
  if (spec.task !== 'multiclass' && spec.task !== 'per-token') return undefined;
  const [train, test] = (['train', 'test'] as const).map((part) =>
    takeLabelRows(labels, labelOffsets(spec, block), members[part], spec.targets).filter(
      (label) => !Number.isNaN(label),
    ),
  );
  const known = new Set(train);
  const others = test.filter((label) => !known.has(label));
  if (others.length === 0) return undefined;
  const classes = [...new Set(others)].map((label) => className(spec, 0, label));
  return `${others.length} of ${test.length} labels are of classes without a training record (${listed(classes, 5)})`;
}

/** Metrics in the units of their target. */
const IN_UNITS: readonly MetricName[] = ['rmse', 'mae'];

/** A warning where a mean over targets is decided by those of the larger units. */
function unequalSpreads(
  { block, labels, members, spec }: LabelledRecords,
  name: MetricName,
): string | undefined {
  if (spec.targets === 1 || !IN_UNITS.includes(name)) return undefined;
  const own = takeLabelRows(labels, labelOffsets(spec, block), members.train, spec.targets);
  const spreads = spec.columns.map((target, column) => ({
    target,
    sd: summarize(Array.from(own.filter((label, i) => i % spec.targets === column && !Number.isNaN(label))))
      .sd,
  }));
  const [least, most] = [0, -1].map((at) => spreads.toSorted((a, b) => a.sd - b.sd).at(at)!);
  if (!(most.sd > 10 * least.sd)) return undefined;
  return `${metrics[name].title} is a mean over targets in their own units, and ${most.target} varies more than ten times as much as ${least.target}, so it decides; --metric r2 counts all alike`;
}

/** Metrics of the task that one label defines. */
function alternatives(name: MetricName, { task }: LabelSpec): string {
  const others = (Object.entries(metrics) as [string, Metric][])
    .filter(([other, { tasks, distinctLabels }]) => other !== name && task in tasks && distinctLabels === 1)
    .map(([other]) => other);
  return others.length > 0 ? `, or --metric ${others[0]}` : '';
}
