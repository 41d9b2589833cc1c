/** What a benchmark leaves behind: one JSON object per suite, from which every table and figure is made. */
import { z } from 'zod';
import { InputError } from '../errors.js';

const numberOrNull = z.number().nullable();

/** One method on one task with one seed. A score that is not a number is null. */
export const cellSchema = z.strictObject({
  task: z.string(),
  method: z.string(),
  seed: z.int(),
  metric: z.string(),
  valid: numberOrNull,
  test: numberOrNull,
  perTarget: z.array(numberOrNull).optional(),
  /** The test score of resampled test records: the same records for every method and seed. */
  replicates: z.array(numberOrNull),
  /** What validation chose. */
  chosen: z.record(z.string(), z.number()),
  /** Processor time of fitting this seed with the chosen settings and scoring it, in seconds. */
  seconds: z.number(),
  /** Processor time of the settings that were tried and not chosen. */
  seconds_choosing: z.number(),
  /** The pretrained encoder that it started from, the first of several. */
  pretraining: z.string().optional(),
  /** How many encoders of that pretraining it started from, each with a seed of its own; 1 by default. */
  pretrainings: z.int().positive().optional(),
  /** Hash of everything the cell was computed from. */
  key: z.string(),
});

const curveSchema = z.array(z.strictObject({ step: z.int(), val_loss: z.number() }));

export const pretrainingSchema = z.strictObject({
  name: z.string(),
  objective: z.string(),
  /** What the objective has of these. */
  masking_ratio: z.number().optional(),
  per_query: z.number().optional(),
  /** Features of whole records that were predicted, too. */
  feature_targets: z.string().optional(),
  steps: z.int(),
  batch_size: z.int(),
  records: z.int(),
  parameters: z.int(),
  /** Of a record, in the mean; results of earlier versions do not tell. */
  tokens: z.number().optional(),
  removed: z.strictObject({ records: z.int(), of: z.int(), reason: z.string() }).optional(),
  val_loss: z.number(),
  /** Where the objective has such a reference. */
  val_loss_marginal: z.number().optional(),
  seconds: z.number(),
  curve: curveSchema,
});

/** What an objective hid of a text that its encoder did not learn from: `hidden[i]` is character i. */
const maskExampleSchema = z.strictObject({
  text: z.string(),
  objective: z.string(),
  hidden: z.array(z.boolean()),
});

const resultsSchema = z.strictObject({
  suite: z.string(),
  title: z.string(),
  tasks: z.array(
    z.strictObject({
      name: z.string(),
      title: z.string(),
      metric: z.string(),
      higherIsBetter: z.boolean(),
      split: z.string(),
      source: z.string(),
      records: z.strictObject({ train: z.int(), valid: z.int(), test: z.int() }),
    }),
  ),
  methods: z.array(
    z.strictObject({
      name: z.string(),
      description: z.string(),
      /** Where chance plays no part, so that there is one seed. */
      random: z.literal(false).optional(),
    }),
  ),
  pretraining: z.array(pretrainingSchema),
  cells: z.array(cellSchema),
  /** Each text once for every pretrained objective; left out where records are no texts. */
  masks: z.array(maskExampleSchema).optional(),
  machine: z.string(),
  versions: z.record(z.string(), z.string()),
});

export type Cell = z.infer<typeof cellSchema>;
export type MaskExample = z.infer<typeof maskExampleSchema>;
export type PretrainingResult = z.infer<typeof pretrainingSchema>;
export type Results = z.infer<typeof resultsSchema>;

/**
 * Floating-point operations of a pretraining as usually estimated: 6 for each parameter and token that was read, which is
 * twice where features are predicted, too. undefined where the number of tokens is not known.
 */
export const pretrainingOperations = (run: PretrainingResult): number | undefined =>
  run.tokens && 6 * (run.feature_targets ? 2 : 1) * run.parameters * run.tokens * run.steps * run.batch_size;

/** Results as they were written. Throws InputError that names the first key at fault. */
export function parseResults(text: string, path: string): Results {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new InputError(`${path}: is not JSON: ${(cause as Error).message}`, { cause });
  }
  const result = resultsSchema.safeParse(value);
  if (result.success) return result.data;
  const { path: key, message } = result.error.issues[0];
  throw new InputError(
    `${path}: is not what bench writes: ${key.join('.')}: ${message}; run bench again to write it anew`,
  );
}
