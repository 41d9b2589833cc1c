/** What a fine-tuning trains: the labelled records, the draws of them that are learned from, and the settings of each. */

import type { Ranks } from '../cluster/ranks.js';
import { resolveFinetuning } from '../config/defaults.js';
import type { FinetuneOptions } from '../config/schema.js';
import type { LabelledData } from '../datasets/labelled-data.js';
import { describeReadable, type RandomizedSmiles, randomizedSmiles } from '../datasets/randomized-smiles.js';
import { describeShots } from '../datasets/shots.js';
import { InputError } from '../errors.js';
import { checkPartSize, refuseChoice } from '../learning/batch-parts.js';
import type { SharedHooks } from '../learning/progress-event.js';
import { concatenateBlocks, takeRecords } from '../records/batch.js';
import type { TokenBlock } from '../records/token-block.js';
import { openRun, type Run } from '../runs/folder.js';
import { chooseMetric } from '../scoring/metrics.js';
import { splitParts } from '../scoring/parts.js';
import { checkFinetuning } from './check-finetuning.js';
import { drawsOf } from './draws.js';
import { describeRecords, readingOf, readLabelledFile } from './labelled-file.js';

/** Runs that one table compares, each a method of its own. Throws InputError where they do not go together. */
export async function openRuns(folders: readonly string[], warn: (message: string) => void): Promise<Run[]> {
  const runs: Run[] = [];
  for (const folder of folders) runs.push(await openRun(folder, warn));
  if (new Set(runs.map(({ config: { objective } }) => objective.kind)).size < runs.length)
    throw new InputError('finetune: expected runs of different objectives, which name the methods');
  return runs;
}

/**
 * What is trained: the labelled records, the draws of them that are learned from, and how. Throws InputError where options do
 * not fit the labels, or the ranks.
 */
export async function planFinetuning(
  runs: readonly Run[],
  { data, targets }: { data: string; targets: readonly string[] },
  config: FinetuneOptions,
  { ranks, onEvent }: { ranks: Ranks; onEvent: NonNullable<SharedHooks['onEvent']> },
) {
  const [run] = runs;
  const { labelled, hash, warnings, learned } = await readLabelledFile(
    readingOf(runs),
    data,
    targets,
    config,
    {
      ...(config.randomize_smiles && { textColumn: run.tokenizer.columns[0] }),
      keepUnlabelled: config.self_training !== undefined,
    },
  );
  const { spec } = labelled;
  const metric = chooseMetric(spec.task, config.metric);
  checkFinetuning(config, labelled);
  const { seeds } = resolveFinetuning(config, labelled.counts.train);
  const { draws, defined } = drawsOf(labelled, { shots: config.shots, seeds, metric });
  for (const message of [...warnings, ...defined.notes]) onEvent({ type: 'warning', message });
  const randomized = config.randomize_smiles
    ? await openRandomized(run, labelled, (message) => onEvent({ type: 'info', message }))
    : undefined;
  /** The parts of one draw, and how the training records change in each epoch. */
  const partsOf = (drawn: LabelledData) => ({
    ...splitParts(drawn),
    ...(randomized && {
      trainingRecords: (seed: number, epoch: number) => randomized.blockOf(drawn.members.train, seed, epoch),
    }),
  });
  /** What a trainer needs of one draw. */
  const taskOf = (drawn: LabelledData, split: number) => ({
    ...partsOf(drawn),
    ...(config.self_training && { unlabelled: withoutLabel(drawn, labelled.splits[split].members.train) }),
  });
  // A draw that leaves no record without a label is refused before anything is trained.
  if (config.self_training) for (const { split, records } of draws) taskOf(records(0), split);
  // One training for each number of shots, sized by the first split.
  const firstSplit = draws.filter(({ split }) => split === 0);
  const trainings = firstSplit.map(({ shots, records }) => ({
    shots,
    settings: resolveFinetuning(config, records(0).counts.train),
  }));
  for (const { settings } of trainings) checkPartSize('finetune.batch_size', settings.batchSize, ranks);
  refuseChoice('finetune.device', config.device, ranks);
  onEvent({
    type: 'info',
    message:
      `${spec.task}: ${spec.reason}; ${describeRecords(labelled)}; ` +
      `${labelled.croppedLabels > 0 ? `${labelled.croppedLabels.toLocaleString('en-US')} labels beyond the first ${run.tokenizer.spec.maxTokens} tokens are left out; ` : ''}` +
      `${trainings.map(({ shots, settings }) => `${shots === undefined ? '' : `${describeShots(shots)}: `}${settings.steps} steps of ${settings.batchSize}`).join(', ')}, ` +
      `learning rate ${trainings[0].settings.learningRate}, ${seeds} seeds`,
  });
  /** Of all records, so that batches of any draw are long enough. */
  const all = { ...partsOf(labelled), unlabelled: labelled.unlabelledBlock };
  return { labelled, hash, learned, metric, seeds, draws, defined, all, taskOf, trainings };
}

/** What `planFinetuning` gives. */
export type FinetuningPlan = Awaited<ReturnType<typeof planFinetuning>>;

/**
 * The records without a label, those of the training part `train` among them whose labels are not drawn. Throws InputError
 * where there is none.
 */
function withoutLabel({ block, members, unlabelledBlock }: LabelledData, train: Int32Array): TokenBlock {
  const known = new Set(members.train);
  const others = train.filter((record) => !known.has(record));
  const blocks = [...(unlabelledBlock ? [unlabelledBlock] : [])];
  if (others.length > 0) blocks.push(takeRecords(block, others));
  if (blocks.length > 0) return concatenateBlocks(blocks);
  throw new InputError(
    'finetune.self_training: the largest of --shots takes every training label, so that no record is without one; leave it out',
  );
}

/** The records as molecules to be written anew. Throws InputError where they are none, or their tokens have labels. */
async function openRandomized(
  { tokenizer }: Run,
  { spec, texts = [], members }: LabelledData,
  tell: (message: string) => void,
): Promise<RandomizedSmiles> {
  if (spec.task === 'per-token') {
    throw new InputError(
      'finetune.randomize_smiles: labels of tokens belong to the letters of the file, in their order; leave out --randomize-smiles',
    );
  }
  const randomized = await randomizedSmiles(tokenizer, texts);
  const [all, readable] = [members.train.length, randomized.readable(members.train)];
  tell(describeReadable(tokenizer, { all, readable }, 'finetune'));
  return randomized;
}
