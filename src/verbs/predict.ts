/** The verb `predict`: what a fine-tuned run says of every record of a file. */
import type { ReadingOptions } from '../config/schema.js';
import { keptCells, keptColumns } from '../datasets/kept-columns.js';
import { RejectedRecords, tokenRejecter } from '../datasets/rejected-records.js';
import { checkTokenizerColumns } from '../datasets/token-stream.js';
import { UnknownValues } from '../datasets/unknown-values.js';
import type { DeviceName } from '../engine/engine.js';
import { InputError } from '../errors.js';
import { refuseOverwrite } from '../files/refuse-overwrite.js';
import { type TableCell, type TableColumn, tableWriter } from '../files/table-files.js';
import type { Hooks } from '../learning/progress-event.js';
import { encodedRecords } from '../models/encoded-records.js';
import { openModel, predictorOf } from '../models/open-model.js';
import { predictedCells, predictedColumns } from '../models/predicted-columns.js';
import { ownFiles } from '../runs/folder.js';
import { labelOffsets } from '../scoring/label-rows.js';
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

/** Predicts the records in input order; bad ones are left out and counted. Nothing is left of `out` when it fails. */
export async function predict(
  { run: folder, data, out, keep = [], config = {}, device }: PredictOptions,
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<PredictSummary> {
  const write = tableWriter(out);
  await refuseOverwrite(await inputFiles(data, config.format), out);
  await refuseOverwrite(await ownFiles(folder), out);
  const model = await openModel(folder, { device }, { onEvent });
  const predictor = predictorOf(model);
  const { labels: spec } = predictor;
  const { tokenizer, schema } = model;
  const rejected = new RejectedRecords();
  const onBadRecord = config.on_bad_record ?? 'auto';
  const source = await openData(data, config, { schema, report: rejected.report });
  checkTokenizerColumns(source, tokenizer);
  await refuseOverwrite(source.files, out);
  const reject = tokenRejecter(source, onBadRecord, rejected);
  const unknown = new UnknownValues(data, config.on_unknown, onBadRecord);
  const predicted = predictedColumns(spec);
  const taken = new Set(predicted.map(({ name }) => name.toLowerCase()));
  const kept = keptColumns(source, keep, (name) => taken.has(name.toLowerCase()));
  let count = 0;

  async function* predictions(): AsyncGenerator<TableCell[][]> {
    const verbatim = kept.map(({ column }) => column);
    const { encoding } = unknown;
    for await (const records of encodedRecords(tokenizer, source, { verbatim, reject, encoding })) {
      signal?.throwIfAborted();
      const { batch, block, places } = records;
      const outputs = await predictor.predict(records);
      const texts = keptCells(batch, kept, places);
      const offsets = labelOffsets(spec, block).map((row) => row * spec.outputs);
      count += block.count;
      yield Array.from({ length: block.count }, (_, record) => [
        block.rows[record],
        ...texts.map((cells) => cells[record]),
        ...predictedCells(spec, outputs.subarray(offsets[record], offsets[record + 1])),
      ]);
    }
    if (count === 0) throw new InputError(`${data}: no record could be read; ${rejected.summary()}`);
  }

  try {
    const texts = kept.map(({ name }): TableColumn => ({ name, type: 'VARCHAR' }));
    await write(out, [{ name: 'row', type: 'INTEGER' }, ...texts, ...predicted], predictions());
  } finally {
    await model.release();
  }
  for (const message of [rejected.summary(), unknown.summary('predicted')])
    if (message) onEvent({ type: 'warning', message });
  return { file: out, rows: count, rejected: rejected.count, unknown: unknown.count };
}
