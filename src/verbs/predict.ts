/** The verb `predict`: what a fine-tuned run says of every record of a file. */

import type { ReadingOptions } from '../config/schema.js';
import type { DeviceName } from '../engine/engine.js';
import { InputError } from '../errors.js';
import { OddRecords } from '../features/odd-records.js';
import { refuseOverwrite } from '../files/refuse-overwrite.js';
import { type TableCell, type TableColumn, tableWriter } from '../files/table-files.js';
import type { Hooks } from '../learning/progress-event.js';
import { predictorOf, withModel } from '../models/open-model.js';
import { predictedCells, predictedColumns } from '../models/predicted-columns.js';
import { ownFiles } from '../runs/folder.js';
import { labelOffsets } from '../scoring/label-rows.js';
import { inputFiles } from '../sources/data-files.js';
import { openRecords } from './open-records.js';
import { type Shard, shardPath, writeShardManifest } from './shard.js';

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
  /** Only this part of the records, into a file of its own with a manifest beside it: see `shardPath`. */
  readonly shard?: Shard;
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
  { run: folder, data, out: whole, keep = [], config = {}, device, shard }: PredictOptions,
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<PredictSummary> {
  const out = shardPath(whole, shard);
  const write = tableWriter(out);
  await refuseOverwrite(await inputFiles(data, config.format), out);
  await refuseOverwrite(await ownFiles(folder), out);
  return withModel(folder, { device }, { onEvent }, async (model) => {
    const predictor = predictorOf(model);
    const { labels: spec } = predictor;
    const predicted = predictedColumns(spec);
    const taken = new Set(predicted.map(({ name }) => name.toLowerCase()));
    const isOwn = (name: string) => taken.has(name.toLowerCase());
    const opened = await openRecords(data, model, { config, out, keep, isOwn, shard });
    if (spec.task === 'per-token' && opened.source.canonicalSmiles !== undefined) {
      throw new InputError(
        `${data}: predictions of tokens belong to the letters of the file, in their order; leave out canonical_smiles`,
      );
    }
    let count = 0;
    const odd = new OddRecords();

    async function* predictions(): AsyncGenerator<TableCell[][]> {
      for await (const records of opened.read()) {
        signal?.throwIfAborted();
        const { block, cells } = records;
        const outputs = await predictor.predict(records, odd);
        const offsets = labelOffsets(spec, block).map((row) => row * spec.outputs);
        count += block.count;
        yield Array.from({ length: block.count }, (_, record) => [
          block.rows[record],
          ...cells.map((column) => column[record]),
          ...predictedCells(spec, outputs.subarray(offsets[record], offsets[record + 1])),
        ]);
      }
    }

    const texts = opened.kept.map(({ name }): TableColumn => ({ name, type: 'VARCHAR' }));
    // A target may have the name that the number of a record has elsewhere.
    const row = taken.has('row') ? 'record' : 'row';
    await write(out, [{ name: row, type: 'INTEGER' }, ...texts, ...predicted], predictions());
    const strange = odd.summary('predicted');
    if (strange) onEvent({ type: 'warning', message: strange });
    const written = { file: out, rows: count, ...opened.finish('predicted', { onEvent }) };
    await writeShardManifest(whole, shard, written);
    return written;
  });
}
