/** The verb `embed`: the embedding of every record of a file, streamed into another file. */

import type { ReadingOptions } from '../config/schema.js';
import { keptCells, keptColumns } from '../datasets/kept-columns.js';
import { RejectedRecords, tokenRejecter } from '../datasets/rejected-records.js';
import { checkTokenizerColumns } from '../datasets/token-stream.js';
import { UnknownValues } from '../datasets/unknown-values.js';
import type { DeviceName } from '../engine/engine.js';
import { InputError } from '../errors.js';
import { refuseOverwrite } from '../files/refuse-overwrite.js';
import { type EmbeddedRecords, embeddingWriter } from '../files/vector-files.js';
import type { Hooks } from '../learning/progress-event.js';
import { encodedRecords } from '../models/encoded-records.js';
import { encoderOf, openModel } from '../models/open-model.js';
import { ownFiles } from '../runs/folder.js';
import { inputFiles } from '../sources/data-files.js';
import { openData } from './open-data.js';

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
  const { out, keep = [], config = {} } = options;
  const write = embeddingWriter(out);
  if (keep.length > 0 && /\.npy$/i.test(out))
    throw new InputError(
      `${out}: .npy holds embeddings alone; keep columns in a file named .parquet or .csv`,
    );
  await refuseOverwrite(await inputFiles(options.data, config.format), out);
  await refuseOverwrite(await ownFiles(options.run), out);
  const model = await openModel(options.run, { device: options.device }, { onEvent });
  const encoder = encoderOf(model);
  const { tokenizer, schema } = model;
  const rejected = new RejectedRecords();
  const onBadRecord = config.on_bad_record ?? 'auto';
  const source = await openData(options.data, config, { schema, report: rejected.report });
  checkTokenizerColumns(source, tokenizer);
  await refuseOverwrite(source.files, out);
  const reject = tokenRejecter(source, onBadRecord, rejected);
  const unknown = new UnknownValues(options.data, config.on_unknown, onBadRecord);
  const kept = keptColumns(source, keep, (name) => /^embedding(_\d+)?$/i.test(name));
  let rows = 0;

  async function* embedded(): AsyncGenerator<EmbeddedRecords> {
    const verbatim = kept.map(({ column }) => column);
    const { encoding } = unknown;
    for await (const { batch, block, places } of encodedRecords(tokenizer, source, {
      verbatim,
      reject,
      encoding,
    })) {
      const embeddings = await encoder.embed(block, signal);
      const texts = keptCells(batch, kept, places);
      const before = rows;
      rows += block.count;
      yield { rows: block.rows, texts, embeddings };
      if (Math.floor(rows / REPORT_ROWS) > Math.floor(before / REPORT_ROWS)) {
        onEvent({ type: 'info', message: `${rows.toLocaleString('en-US')} records embedded` });
      }
    }
    if (rows === 0) throw new InputError(`${options.data}: no record could be read; ${rejected.summary()}`);
  }

  try {
    const names = kept.map(({ name }) => name);
    await write(out, encoder.width, names, embedded());
  } finally {
    await model.release();
  }
  for (const message of [rejected.summary(), unknown.summary('embedded')])
    if (message) onEvent({ type: 'warning', message });
  return { file: out, rows, rejected: rejected.count, unknown: unknown.count, dimension: encoder.width };
}
