/** The verb `trajectories`: how the error of each hidden token moved over the checkpoints of a run, as one page. */

import { basename } from 'node:path';
import { checkWhole } from '../config/check-numbers.js';
import type { ReadingOptions } from '../config/schema.js';
import { defaultThreads, nodeEngine } from '../engine/node.js';
import { InputError } from '../errors.js';
import { writeFileAtomically } from '../files/atomic-file.js';
import { refuseOverwrite } from '../files/refuse-overwrite.js';
import type { Hooks } from '../learning/progress-event.js';
import { MaskedErrors } from '../models/masked-errors.js';
import {
  FEWEST_POINTS,
  meanError,
  type TokenTrajectories,
  tokenTrajectories,
} from '../models/token-trajectories.js';
import { concatenateBlocks, takeRecords } from '../records/batch.js';
import type { TokenBlock } from '../records/token-block.js';
import { reportPage } from '../report/page.js';
import { trajectoriesPage } from '../report/trajectories-page.js';
import { listCheckpoints, loadCheckpoint } from '../runs/checkpoints.js';
import { openRun, ownFiles } from '../runs/folder.js';
import { openRecords } from './open-records.js';

/** What `trajectories` is given. */
export interface TrajectoriesOptions {
  /** Folder of a pretrained run. */
  readonly run: string;
  readonly data: string;
  /** The page to write, .html. */
  readonly out: string;
  /** Records, at most: the first ones of the file. 200 by default. */
  readonly limit?: number;
  readonly config?: ReadingOptions;
}

/** What `trajectories` found. */
export interface TrajectoriesSummary extends Omit<TokenTrajectories, 'of'> {
  readonly file: string;
  readonly rejected: number;
  /** Records with a letter or category that the run was not trained on. */
  readonly unknown: number;
}

const LIMIT = 200;

/**
 * Every token of the records is hidden once, with others as in training and by the same masks at each checkpoint.
 * Throws InputError for a run with fewer than four checkpoints, or one that does not predict hidden tokens.
 */
export async function trajectories(
  { run: folder, data, out, limit = LIMIT, config = {} }: TrajectoriesOptions,
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<TrajectoriesSummary> {
  checkWhole('limit', limit, 1);
  if (!/\.html?$/i.test(out))
    throw new InputError(`${out}: the page is HTML; name a file that ends in .html`);
  await refuseOverwrite(await ownFiles(folder), out);
  const run = await openRun(folder, (message) => onEvent({ type: 'warning', message }));
  const checkpoints = (await listCheckpoints(folder)).reverse();
  if (checkpoints.length < FEWEST_POINTS) {
    throw new InputError(
      `${folder}: has ${checkpoints.length} checkpoints, and a course needs at least ${FEWEST_POINTS}; pretrain with --kept-checkpoints 20`,
    );
  }
  const engine = await nodeEngine({ threads: run.config.training.threads ?? defaultThreads() });
  const records = await openRecords(data, run, { config, out });
  const { block, more } = await firstTokens(records.read(), limit);
  if (more)
    onEvent({
      type: 'info',
      message: `the first ${limit.toLocaleString('en-US')} records; --limit says how many`,
    });
  const steps: number[] = [];
  const errors: Float32Array[] = [];
  for (const { path, step } of checkpoints) {
    const { tensors } = await loadCheckpoint(path);
    const masked = MaskedErrors.of(engine, { model: run.model, tensors });
    if (masked === undefined) {
      throw new InputError(
        `${folder}: does not predict hidden tokens (its objective is ${run.model.objective.kind}); trajectories are of runs that do`,
      );
    }
    try {
      errors.push(await masked.tokenErrors(block, signal));
    } finally {
      await masked.release();
    }
    steps.push(step);
    onEvent({
      type: 'info',
      message: `step ${step}: error ${meanError(errors[errors.length - 1]).toFixed(4)}`,
    });
  }
  const found = tokenTrajectories(run.tokenizer, block, steps, errors);
  const page = await trajectoriesPage(
    `How ${basename(folder)} learned ${basename(data)}`,
    found,
    run.tokenizer,
    block,
  );
  await writeFileAtomically(out, [new TextEncoder().encode(reportPage(page))]);
  const { of: _, ...summary } = found;
  return { file: out, ...summary, ...records.finish('looked at', { onEvent }) };
}

/** The tokens of the first records. */
async function firstTokens(
  read: AsyncIterable<{ readonly block: TokenBlock }>,
  limit: number,
): Promise<{ block: TokenBlock; more: boolean }> {
  const blocks: TokenBlock[] = [];
  let left = limit;
  for await (const { block } of read) {
    const some = Array.from({ length: Math.min(left, block.count) }, (_, record) => record);
    blocks.push(takeRecords(block, some));
    left -= some.length;
    if (some.length < block.count) return { block: concatenateBlocks(blocks), more: true };
  }
  return { block: concatenateBlocks(blocks), more: false };
}
