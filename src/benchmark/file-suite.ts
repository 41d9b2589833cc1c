/** A benchmark of one's own file: what is in it decides the task, the metric and the methods. */
import { basename, dirname, resolve } from 'node:path';
import { HELD_OUT, resolveFinetuning } from '../config/defaults.js';
import type { UserConfig } from '../config/schema.js';
import { readLabelled } from '../datasets/labelled-data.js';
import { RejectedRecords } from '../datasets/rejected-records.js';
import { describeTelltales } from '../datasets/telltales.js';
import { fitSource } from '../datasets/token-plan.js';
import { chooseMetric } from '../scoring/metrics.js';
import { checkDefined } from '../scoring/undefined-scores.js';
import { openSource } from '../sources/open-source.js';
import { given } from './files.js';
import {
  encoderMethods,
  finetunedRandom,
  finetunedSma,
  fromScratch,
  longTraining,
} from './methods/encoders.js';
import { fitMethods } from './methods/fit.js';
import { constant } from './methods/simple.js';
import type { BenchmarkTask, Suite } from './suite.js';

/** A frozen encoder and `fit` have one embedding for a record, and labels of tokens need one for each. */
const perToken = [constant, fromScratch, finetunedRandom, finetunedSma];

/** A name of letters and digits of any script, for files and folders. */
const plain = (name: string): string => name.replaceAll(/[^\p{L}\p{N}_.-]+/gu, '-');

/** The folder that the suite of a file is read from. */
export const folderOf = (path: string): string => dirname(resolve(path));

/**
 * One task: the targets from the file's other columns, with simple models, `fit`, and the encoder that suits the file from
 * scratch, frozen and fine-tuned, pretrained on the file's own records but those that are held out. `warn` hears what a user
 * should know of the file. Throws InputError for what cannot be learned from.
 */
export async function suiteOfFile(
  path: string,
  targets: readonly string[],
  warn: (message: string) => void = () => {},
): Promise<Suite> {
  const rejected = new RejectedRecords();
  const source = await openSource(path, { onBadRecord: 'skip', report: rejected.report });
  const heldOut = { valid: HELD_OUT.valid, test: HELD_OUT.test };
  const { tokenizer } = await fitSource(source, { data: { targets: [...targets] } }, heldOut);
  const labelled = await readLabelled(source, {
    tokenizer,
    targets,
    rejected,
    onBadRecord: 'skip',
    heldOut,
  });
  const { spec, counts, splitBy } = labelled;
  const metric = chooseMetric(spec.task, undefined);
  const defined = checkDefined(labelled, metric, { remedy: 'give more labels, or a split column' });
  for (const message of [
    rejected.summary(),
    ...(source.notes ?? []),
    ...labelled.notes,
    ...describeTelltales(tokenizer, labelled),
    ...defined.notes,
  ])
    if (message) warn(message);
  const file = basename(path);
  const dataset = given(file, file);
  const config: UserConfig = {
    // The same draw as that of the labels, so that no held-out record is learned from.
    data: { columns: [...tokenizer.columns], valid_fraction: heldOut.valid, test_fraction: heldOut.test },
    tokenizer: { kind: tokenizer.kind },
    encoder: {},
  };
  const { steps, batchSize } = resolveFinetuning({}, counts.train);
  const task: BenchmarkTask = {
    name: plain(targets.join('-')),
    title: `${targets.join(', ')} of ${file}`,
    dataset,
    targets,
    task: spec.task,
    metric,
    split: `by ${splitBy}`,
    source: file,
    pretraining: { dataset, config },
    finetuning: { steps, batchSize, ...longTraining },
    seeds: 3,
    methods: spec.task === 'per-token' ? perToken : [constant, ...encoderMethods, ...fitMethods],
  };
  return { name: `${plain(file)}-${task.name}`, title: file, tasks: [task] };
}
