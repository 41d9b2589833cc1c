/** The verb `predict`: what a fine-tuned run says of every record of a file. */
import { z } from 'zod';
import type { ReadingOptions } from '../config/schema.js';
import { idColumnOf, idTexts } from '../datasets/partition.js';
import { RejectedRecords, tokenRejecter } from '../datasets/rejected-records.js';
import { checkTokenizerColumns, placesOf } from '../datasets/token-stream.js';
import { nodeEngine } from '../engine/node.js';
import { InputError } from '../errors.js';
import { type TableCell, tableWriter } from '../files/table-files.js';
import { finetuningGraph } from '../finetuning/labelled-graph.js';
import { type LabelScale, predictBlock } from '../finetuning/labelled-training.js';
import { matchParameters } from '../learning/parameters.js';
import type { Hooks } from '../learning/progress-event.js';
import { Trainer } from '../learning/trainer.js';
import { openRun, readRunJson, runFile } from '../runs/folder.js';
import { labelOffsets } from '../scoring/label-rows.js';
import { className, type LabelSpec } from '../scoring/labels.js';
import { tasks } from '../scoring/metrics.js';
import { openData } from './open-data.js';

/** What `predict` is given. */
export interface PredictOptions {
  /** Folder of a fine-tuned run. */
  readonly run: string;
  readonly data: string;
  /** The file to write: .csv or .parquet. */
  readonly out: string;
  readonly config?: ReadingOptions;
}

/** What `predict` wrote. */
export interface PredictSummary {
  readonly file: string;
  readonly rows: number;
  readonly rejected: number;
}

const labelsSchema = z.object({
  spec: z.object({
    task: z.enum(tasks),
    columns: z.array(z.string()).min(1),
    targets: z.int(),
    outputs: z.int(),
    classes: z.array(z.array(z.string())),
    reason: z.string(),
  }),
  scale: z.object({ mean: z.array(z.number()), deviation: z.array(z.number()) }),
});

/** What labels.json of a fine-tuned run holds. Throws InputError when the run has none or it is not whole. */
async function readLabels(run: string): Promise<{ spec: LabelSpec; scale: LabelScale }> {
  const result = labelsSchema.safeParse(await readRunJson(run, 'labels'));
  if (result.success) return result.data;
  throw new InputError(
    `${runFile(run, 'labels')}: is not what finetune writes: ${result.error.issues[0].message}`,
  );
}

const BATCH = 32;

/** Predicts the records in input order; bad ones are left out and counted. Nothing is left of `out` when it fails. */
export async function predict(
  { run: folder, data, out, config = {} }: PredictOptions,
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<PredictSummary> {
  const write = tableWriter(out);
  const run = await openRun(folder, (message) => onEvent({ type: 'warning', message }));
  const { spec, scale } = await readLabels(folder);
  const rejected = new RejectedRecords();
  const onBadRecord = config.on_bad_record ?? 'auto';
  const source = await openData(data, config, { schema: run.schema, report: rejected.report });
  checkTokenizerColumns(source, run.tokenizer);
  const reject = tokenRejecter(source, onBadRecord, rejected);
  const id = idColumnOf(source);
  const buckets = predictionLengths(run.model.spec.maxTokens, run.model.spec.kind !== 'fields');
  const engine = await nodeEngine({ threads: run.config.training.threads });
  const trainer = new Trainer(
    engine,
    { build: (tokens) => finetuningGraph(run.model, spec, BATCH, tokens), weightDecay: 0, clipNorm: 1 },
    buckets[0],
  );
  matchParameters(trainer.layout.slots, run.tensors, folder);
  for (const { name } of trainer.layout.slots)
    trainer.parameters[name].data.set(run.tensors[name].data as Float32Array);
  let count = 0;

  async function* predictions(): AsyncGenerator<TableCell[][]> {
    const columns = [...new Set([...run.tokenizer.columns, ...(id === undefined ? [] : [id])])];
    for await (const batch of source.read({ columns })) {
      signal?.throwIfAborted();
      const block = run.tokenizer.encode(batch, reject);
      if (block.count === 0) continue;
      const outputs = await predictBlock(trainer, block, { spec, scale, batchSize: BATCH, buckets });
      const ids = id === undefined ? undefined : idTexts(batch.columns[id], placesOf(block, batch));
      const offsets = labelOffsets(spec, block).map((row) => row * spec.outputs);
      count += block.count;
      yield Array.from({ length: block.count }, (_, record) => [
        block.rows[record],
        ...(ids ? [ids[record]] : []),
        ...describeOutputs(spec, outputs.subarray(offsets[record], offsets[record + 1])),
      ]);
    }
    if (count === 0) throw new InputError(`${data}: no record could be read; ${rejected.summary()}`);
  }

  try {
    await write(out, ['row', ...(id === undefined ? [] : ['id']), ...outputNames(spec)], predictions());
  } finally {
    await trainer.release();
  }
  const summary = rejected.summary();
  if (summary) onEvent({ type: 'warning', message: summary });
  return { file: out, rows: count, rejected: rejected.count };
}

/** A few lengths that any file can use: half and whole. */
const predictionLengths = (maxTokens: number, varying: boolean): number[] =>
  varying && maxTokens >= 32 ? [Math.ceil(maxTokens / 16) * 8, maxTokens] : [maxTokens];

/**
 * Regression: the value. Yes or no: the probability of the second class. Several classes: the likeliest, then each.
 * Tokens: a text with the likeliest class of each token that is read, a cropped text's first ones.
 */
function outputNames(spec: LabelSpec): string[] {
  switch (spec.task) {
    case 'regression':
      return [...spec.columns];
    case 'binary':
    case 'multilabel':
      return spec.columns.map((column, target) => `${column}=${className(spec, target, 1)}`);
    case 'multiclass':
      return [spec.columns[0], ...spec.classes[0].map((name) => `${spec.columns[0]}=${name}`)];
    case 'per-token':
      return [spec.columns[0]];
  }
}

const logistic = (logit: number) => 1 / (1 + Math.exp(-logit));
/** As many digits as tell one float32 from the next. */
const digits = (value: number) => Number(value.toPrecision(9));

function describeOutputs(spec: LabelSpec, outputs: Float64Array): TableCell[] {
  switch (spec.task) {
    case 'regression':
      return Array.from(outputs, digits);
    case 'binary':
    case 'multilabel':
      return Array.from(outputs, (logit) => digits(logistic(logit)));
    case 'multiclass': {
      const largest = Math.max(...outputs);
      const weights = Array.from(outputs, (logit) => Math.exp(logit - largest));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      return [
        className(spec, 0, outputs.indexOf(largest)),
        ...weights.map((weight) => digits(weight / total)),
      ];
    }
    case 'per-token': {
      const letters: string[] = [];
      for (let start = 0; start < outputs.length; start += spec.outputs) {
        const own = outputs.subarray(start, start + spec.outputs);
        letters.push(className(spec, 0, own.indexOf(Math.max(...own))));
      }
      // As they were given: words and digits with spaces between them, letters without.
      return [letters.join(spec.classes[0].every((name) => /^\D$/u.test(name)) ? '' : ' ')];
    }
  }
}
