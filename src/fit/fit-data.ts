/** The labelled records of a fit: what is learned from and chosen by, the test part under its seal, and the folds. */
import type { LabelledData } from '../datasets/labelled-data.js';
import type { Engine } from '../engine/engine.js';
import { takeRecords } from '../records/batch.js';
import type { LabelSpec } from '../scoring/labels.js';
import type { MetricName } from '../scoring/metrics.js';
import { type LabelledPart, type SealedPart, splitParts } from '../scoring/parts.js';
import { type Fold, groupFolds } from './folds.js';

/** The labelled records of a fit. One label row for each record. */
export interface FitData {
  readonly spec: LabelSpec;
  readonly metric: MetricName;
  /** Training and validation records together, which the folds part. */
  readonly development: LabelledPart;
  readonly test: SealedPart;
  /** The text of each record, where records are texts. */
  readonly texts: { readonly development?: readonly string[]; readonly test?: readonly string[] };
  readonly folds: readonly Fold[];
  /** Why there are fewer folds than asked for, where there are. */
  readonly note?: string;
  readonly engine: Engine;
}

/** Up to so many records to learn from and choose by are parted into folds; of more, the validation part is enough. */
const FEW_RECORDS = 20_000;
const FOLDS = 5;

/**
 * Parts labelled records for a fit. Records of one id, or equal ones where there is none, share a fold, unless training has most of
 * those of the test, too. So do molecules of one scaffold where the parts are by scaffold.
 * @param options.folds 1 is the validation part that there is; by default 5 where records are few
 */
export async function fitDataOf(
  labelled: LabelledData,
  options: {
    readonly metric: MetricName;
    readonly engine: Engine;
    readonly folds?: number;
  },
): Promise<FitData> {
  const { spec, members, block } = labelled;
  const { metric, engine } = options;
  const { train, valid, test } = splitParts(labelled);
  const own = [...members.train, ...members.valid];
  const textsOf = (records: ArrayLike<number>) =>
    labelled.texts && Array.from(records, (record) => labelled.texts![record]);
  const texts = { development: textsOf(own), test: textsOf(members.test) };
  const labels = new Float64Array(train.labels.length + valid.labels.length);
  labels.set(train.labels);
  labels.set(valid.labels, train.labels.length);
  const wanted = options.folds ?? (own.length <= FEW_RECORDS ? FOLDS : 1);
  const groups = wanted > 1 ? await keptTogether(labelled, own, texts.development) : [];
  const found = new Set(groups).size;
  const validation = {
    train: Int32Array.from(members.train.keys()),
    held: Int32Array.from(members.valid, (_, i) => members.train.length + i),
  };
  return {
    spec,
    metric,
    engine,
    texts,
    development: { records: takeRecords(block, own), labels },
    test,
    folds: found < 2 ? [validation] : groupFolds(groups, wanted, 0),
    ...(found < wanted && wanted > 1 && { note: fewerFolds(wanted, found) }),
  };
}

/** Records that share an id, a scaffold or all that is read of them are kept in one fold. */
const fewerFolds = (wanted: number, found: number): string =>
  found < 2
    ? `${wanted} folds cannot be made: the training and validation records all share one id, one scaffold or their contents, which are kept in one fold; the validation part chooses instead`
    : `${found} folds instead of ${wanted}: the training and validation records have ${found} different ids, scaffolds or contents, which are kept in one fold each`;

/** What each development record belongs to: a model must be judged by records that are to the others as those of the test are. */
async function keptTogether(
  { keys, members, splitBy }: LabelledData,
  own: readonly number[],
  texts: readonly string[] | undefined,
): Promise<string[]> {
  const keyOf = (record: number) => `${keys.low[record]}:${keys.high[record]}`;
  const known = new Set(own.map(keyOf));
  const shared = members.test.filter((record) => known.has(keyOf(record))).length;
  const groups = own.map(shared > members.test.length / 2 ? String : keyOf);
  if (/scaffold/i.test(splitBy) && texts !== undefined) {
    const { scaffoldsOf } = await import('../molecules/scaffold.js');
    // Molecules without a ring have no scaffold in common.
    for (const [i, scaffold] of (await scaffoldsOf(texts)).entries()) if (scaffold) groups[i] = scaffold;
  }
  return groups;
}
