/** The verb `predict`: what a fine-tuned run says of every record of a file. */
import { z } from 'zod';
import type { ReadingOptions } from '../config/schema.js';
import { keptCells, keptColumns } from '../datasets/kept-columns.js';
import { RejectedRecords, tokenRejecter } from '../datasets/rejected-records.js';
import { checkTokenizerColumns, placesOf } from '../datasets/token-stream.js';
import { UnknownValues } from '../datasets/unknown-values.js';
import type { DeviceName, Engine } from '../engine/engine.js';
import { openEngine } from '../engine/open-engine.js';
import { InputError } from '../errors.js';
import { refuseOverwrite } from '../files/refuse-overwrite.js';
import { type TableCell, type TableColumn, tableWriter } from '../files/table-files.js';
import { type LabelScale, labelScaleSchema } from '../finetuning/label-scale.js';
import { finetuningGraph } from '../finetuning/labelled-graph.js';
import { predictBlock } from '../finetuning/labelled-training.js';
import { predictedValues } from '../fit/ensemble.js';
import { type OpenFit, openFit } from '../fit/open-fit.js';
import { trainerOn } from '../learning/device-trainer.js';
import { encoderWork } from '../learning/model.js';
import { matchParameters } from '../learning/parameters.js';
import type { Hooks } from '../learning/progress-event.js';
import { holdsFit, openRun, ownFiles, readRunJson, runFile } from '../runs/folder.js';
import { labelOffsets } from '../scoring/label-rows.js';
import { className, type LabelSpec, labelSpecSchema, predictionNames } from '../scoring/labels.js';
import { inputFiles } from '../sources/data-files.js';
import { openData } from './open-data.js';

/** What `predict` is given. */
export interface PredictOptions {
  /** Folder of a fine-tuned run, or of the model that `fit` left. */
  readonly run: string;
  readonly data: string;
  /** The file to write: .csv or .parquet. */
  readonly out: string;
  /** Columns of the data that are written beside the predictions, in the file's own characters; `all` alone means all. */
  readonly keep?: readonly string[];
  readonly config?: ReadingOptions;
  /** What an encoder is computed on; the CPU by default. */
  readonly device?: DeviceName;
}

/** What `predict` wrote. */
export interface PredictSummary {
  readonly file: string;
  readonly rows: number;
  readonly rejected: number;
  /** Records with a letter or category that the run was not trained on. */
  readonly unknown: number;
}

const labelsSchema = z.object({
  spec: labelSpecSchema,
  scale: labelScaleSchema,
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

type EncoderModel = Parameters<typeof encoderWork>[0];

type Predictor = Pick<OpenFit, 'spec' | 'tokenizer' | 'schema' | 'predict' | 'release'>;

/** What gives the outputs float64[rows, outputs] of records: a fine-tuned encoder, or the model of a fit. */
async function openPredictor(
  folder: string,
  engineFor: (encoder: EncoderModel | undefined, threads?: number) => Promise<Engine>,
  warn: (message: string) => void,
): Promise<Predictor> {
  if (await holdsFit(folder)) return openFit(folder, engineFor);
  const run = await openRun(folder, warn);
  const { tokenizer, schema, tensors } = run;
  const model = { ...run.model, head: run.config.finetune?.head };
  const { spec, scale } = await readLabels(folder);
  const buckets = predictionLengths(model.spec.maxTokens, model.spec.kind !== 'fields');
  const engine = await engineFor(model, run.config.training.threads);
  const trainer = trainerOn(
    engine,
    { build: (tokens) => finetuningGraph(model, spec, BATCH, tokens), weightDecay: 0, clipNorm: 1 },
    buckets[0],
  );
  matchParameters(trainer.layout.slots, tensors, folder);
  for (const { name } of trainer.layout.slots)
    trainer.parameters[name].data.set(tensors[name].data as Float32Array);
  return {
    spec,
    tokenizer,
    schema,
    predict: ({ block }) => predictBlock(trainer, block, { spec, scale, batchSize: BATCH, buckets }),
    release: () => trainer.release(),
  };
}

/** Predicts the records in input order; bad ones are left out and counted. Nothing is left of `out` when it fails. */
export async function predict(
  { run: folder, data, out, keep = [], config = {}, device }: PredictOptions,
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<PredictSummary> {
  const write = tableWriter(out);
  await refuseOverwrite(await inputFiles(data, config.format), out);
  await refuseOverwrite(await ownFiles(folder), out);
  const predictor = await openPredictor(
    folder,
    (encoder, threads) =>
      openEngine({
        threads,
        device: encoder && device,
        work: () => encoderWork(encoder!, { passes: 1 }),
        report: (message) => onEvent({ type: 'info', message }),
      }),
    (message) => onEvent({ type: 'warning', message }),
  );
  const { spec, tokenizer, schema } = predictor;
  const rejected = new RejectedRecords();
  const onBadRecord = config.on_bad_record ?? 'auto';
  const source = await openData(data, config, { schema, report: rejected.report });
  checkTokenizerColumns(source, tokenizer);
  await refuseOverwrite(source.files, out);
  const reject = tokenRejecter(source, onBadRecord, rejected);
  const unknown = new UnknownValues(data, config.on_unknown, onBadRecord);
  const predicted = outputColumns(spec);
  const taken = new Set(predicted.map(({ name }) => name.toLowerCase()));
  const kept = keptColumns(source, keep, (name) => taken.has(name.toLowerCase()));
  const [textColumn] = tokenizer.kind === 'sequence' ? tokenizer.columns : [];
  let count = 0;

  async function* predictions(): AsyncGenerator<TableCell[][]> {
    const verbatim = kept.map(({ column }) => column);
    const columns = [...new Set([...tokenizer.columns, ...verbatim])];
    for await (const batch of source.read({ columns, verbatim })) {
      signal?.throwIfAborted();
      const block = tokenizer.encode(batch, reject, unknown.encoding);
      if (block.count === 0) continue;
      const places = placesOf(block, batch);
      const own =
        textColumn === undefined
          ? undefined
          : Array.from(places, (place) => String(batch.columns[textColumn].values[place] ?? ''));
      const outputs = await predictor.predict({ block, texts: own });
      const texts = keptCells(batch, kept, places);
      const offsets = labelOffsets(spec, block).map((row) => row * spec.outputs);
      count += block.count;
      yield Array.from({ length: block.count }, (_, record) => [
        block.rows[record],
        ...texts.map((cells) => cells[record]),
        ...describeOutputs(spec, outputs.subarray(offsets[record], offsets[record + 1])),
      ]);
    }
    if (count === 0) throw new InputError(`${data}: no record could be read; ${rejected.summary()}`);
  }

  try {
    const texts = kept.map(({ name }): TableColumn => ({ name, type: 'VARCHAR' }));
    await write(out, [{ name: 'row', type: 'INTEGER' }, ...texts, ...predicted], predictions());
  } finally {
    await predictor.release();
  }
  for (const message of [rejected.summary(), unknown.summary('predicted')])
    if (message) onEvent({ type: 'warning', message });
  return { file: out, rows: count, rejected: rejected.count, unknown: unknown.count };
}

/** A few lengths that any file can use: half and whole. */
const predictionLengths = (maxTokens: number, varying: boolean): number[] =>
  varying && maxTokens >= 32 ? [Math.ceil(maxTokens / 16) * 8, maxTokens] : [maxTokens];

/**
 * Regression: the value. Yes or no: the probability of the second class. Several classes: the likeliest, then each.
 * Tokens: a text with the likeliest class of each token that is read, a cropped text's first ones.
 */
function outputColumns(spec: LabelSpec): TableColumn[] {
  const first: TableColumn[] =
    spec.task === 'multiclass' || spec.task === 'per-token'
      ? [{ name: spec.columns[0], type: 'VARCHAR' }]
      : [];
  return [...first, ...predictionNames(spec).map((name): TableColumn => ({ name, type: 'DOUBLE' }))];
}

/** As many digits as tell one float32 from the next. */
const digits = (value: number) => Number(value.toPrecision(9));

function describeOutputs(spec: LabelSpec, outputs: Float64Array): TableCell[] {
  switch (spec.task) {
    case 'regression':
    case 'binary':
    case 'multilabel':
      return Array.from(predictedValues(outputs, spec), digits);
    case 'multiclass':
      return [
        className(spec, 0, outputs.indexOf(Math.max(...outputs))),
        ...Array.from(predictedValues(outputs, spec), digits),
      ];
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
