/** What a run is about to do, in words. */
import type { Config } from '../config/schema.js';
import { epochPlans } from '../learning/self-supervision.js';
import { describeOptions } from '../objectives/index.js';
import type { TokenBlock, TokenSpec } from '../records/token-block.js';
import type { Checkpoint } from '../runs/checkpoints.js';

/** How many groups there are, and what the first epoch cannot use. */
export function describeGroups(
  groups: Int32Array,
  context: Parameters<typeof epochPlans>[0],
  block: TokenBlock,
): string {
  const used = epochPlans(context, block, 0, 0).reduce((sum, { rows }) => sum + rows, 0);
  return `${new Set(groups).size} groups of records; no batch holds two of one group, so that an epoch leaves out ${block.count - used} of ${block.count} records`;
}

export function describeRun(
  { encoder, objective, training }: Config,
  spec: TokenSpec,
  parameters: number,
  { records, counted }: { readonly records: number; readonly counted: boolean },
  buckets: readonly number[],
  checkpoint: Checkpoint | undefined,
): string {
  const tokens = buckets.join('/') + (spec.kind === 'discrete' ? ` of ${spec.vocabulary} symbols` : '');
  const start = training.from === undefined ? 'from the start' : `from the parameters of ${training.from}`;
  const from = checkpoint ? `going on from step ${checkpoint.step}` : start;
  return (
    `${objective.kind} on ${counted ? '' : 'at least '}${records} records, tokens ${tokens}; ${encoder.kind}` +
    `${encoder.kind === 'perceiver' ? ` ${encoder.latents} latents ×` : ''} width ${encoder.width}, ${encoder.layers} layers, ${(parameters / 1e6).toFixed(2)} M parameters; ` +
    `${describeOptions(objective)}, batch ${training.batch_size}, learning rate ${training.learning_rate}, ${training.steps} steps, seed ${training.seed}, ${training.threads} threads${training.device ? ` and ${training.device}` : ''}; ${from}`
  );
}
