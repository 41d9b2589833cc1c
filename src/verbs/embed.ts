/** The verb `embed`: the embedding of every record of a file, streamed into another file. */

import type { ReadingOptions } from '../config/schema.js';
import type { DeviceName } from '../engine/engine.js';
import { InputError } from '../errors.js';
import { refuseOverwrite } from '../files/refuse-overwrite.js';
import { type EmbeddedRecords, embeddingWriter } from '../files/vector-files.js';
import type { Hooks } from '../learning/progress-event.js';
import { encoderOf, openModel } from '../models/open-model.js';
import { ownFiles } from '../runs/folder.js';
import { inputFiles } from '../sources/data-files.js';
import { openRecords } from './open-records.js';
import { type Shard, shardPath, writeShardManifest } from './shard.js';

/** What `embed` is given. */
export interface EmbedOptions {
  /** Folder of a run. */
  readonly run: string;
  /** A file, or a folder of files that belong together. */
  readonly data: string;
  /** The file to write: .parquet, .npy or .csv. */
  readonly out: string;
  /** Columns of the data that are written beside the embeddings, in the file's own characters; `all` alone means all. */
  readonly keep?: readonly string[];
  readonly config?: ReadingOptions;
  /** What the encoder is computed on; the CPU by default. */
  readonly device?: DeviceName;
  /** Only this part of the records, into a file of its own with a manifest beside it: see `shardPath`. */
  readonly shard?: Shard;
}

/** What `embed` wrote. */
export interface EmbedSummary {
  readonly file: string;
  readonly rows: number;
  readonly rejected: number;
  /** Records with a letter or category that the run was not trained on. */
  readonly unknown: number;
  /** Numbers in an embedding. */
  readonly dimension: number;
}

/** Records between two messages of progress. */
const REPORT_ROWS = 50_000;

/**
 * Embeds the records in input order; bad ones are left out and counted. Nothing is left of `out` when it fails or is
 * stopped, which throws the signal's reason.
 */
export async function embed(
  options: EmbedOptions,
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<EmbedSummary> {
  const { keep = [], config = {}, shard } = options;
  const out = shardPath(options.out, shard);
  const write = embeddingWriter(out);
  if (keep.length > 0 && /\.npy$/i.test(out))
    throw new InputError(
      `${out}: .npy holds embeddings alone; keep columns in a file named .parquet or .csv`,
    );
  await refuseOverwrite(await inputFiles(options.data, config.format), out);
  await refuseOverwrite(await ownFiles(options.run), out);
  const model = await openModel(options.run, { device: options.device }, { onEvent });
  const encoder = encoderOf(model);
  const isOwn = (name: string) => /^embedding(_\d+)?$/i.test(name);
  const records = await openRecords(options.data, model, { config, out, keep, isOwn, shard });
  let rows = 0;

  async function* embedded(): AsyncGenerator<EmbeddedRecords> {
    for await (const { block, cells } of records.read()) {
      const embeddings = await encoder.embed(block, signal);
      const before = rows;
      rows += block.count;
      yield { rows: block.rows, texts: cells, embeddings };
      if (Math.floor(rows / REPORT_ROWS) > Math.floor(before / REPORT_ROWS)) {
        onEvent({ type: 'info', message: `${rows.toLocaleString('en-US')} records embedded` });
      }
    }
  }

  try {
    const names = records.kept.map(({ name }) => name);
    await write(out, encoder.width, names, embedded());
  } finally {
    await model.release();
  }
  const written = { file: out, rows, ...records.finish('embedded', { onEvent }), dimension: encoder.width };
  await writeShardManifest(options.out, shard, written);
  return written;
}
