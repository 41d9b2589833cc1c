/** The verb `embed`: the embedding of every record of a file, streamed into another file. */

import type { ReadingOptions } from '../config/schema.js';
import { idColumnOf, idTexts } from '../datasets/partition.js';
import { RejectedRecords, tokenRejecter } from '../datasets/rejected-records.js';
import { checkTokenizerColumns, placesOf } from '../datasets/token-stream.js';
import { nodeEngine } from '../engine/node.js';
import { InputError } from '../errors.js';
import { type EmbeddedRecords, embeddingWriter } from '../files/vector-files.js';
import { Embedder, encoderParameters } from '../finetuning/frozen-encoder.js';
import type { Hooks } from '../learning/progress-event.js';
import { openRun } from '../runs/folder.js';
import { openData } from './open-data.js';

/** What `embed` is given. */
export interface EmbedOptions {
  /** Folder of a run. */
  readonly run: string;
  /** A file, or a folder of files that belong together. */
  readonly data: string;
  /** The file to write: .parquet, .npy or .csv. */
  readonly out: string;
  readonly config?: ReadingOptions;
}

/** What `embed` wrote. */
export interface EmbedSummary {
  readonly file: string;
  readonly rows: number;
  readonly rejected: number;
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
  const { out, config = {} } = options;
  const write = embeddingWriter(out);
  const run = await openRun(options.run, (message) => onEvent({ type: 'warning', message }));
  const rejected = new RejectedRecords();
  const onBadRecord = config.on_bad_record ?? 'auto';
  const source = await openData(options.data, config, { schema: run.schema, report: rejected.report });
  checkTokenizerColumns(source, run.tokenizer);
  const reject = tokenRejecter(source, onBadRecord, rejected);
  const id = idColumnOf(source);
  const engine = await nodeEngine({ threads: run.config.training.threads });
  const embedder = new Embedder(engine, run.model, encoderParameters(run.model, run.tensors, options.run));
  let rows = 0;

  async function* embedded(): AsyncGenerator<EmbeddedRecords> {
    const columns = [...new Set([...run.tokenizer.columns, ...(id === undefined ? [] : [id])])];
    for await (const batch of source.read({ columns })) {
      const block = run.tokenizer.encode(batch, reject);
      if (block.count === 0) continue;
      const embeddings = await embedder.embed(block, signal);
      const ids = id === undefined ? undefined : idTexts(batch.columns[id], placesOf(block, batch));
      const before = rows;
      rows += block.count;
      yield { rows: block.rows, ids, embeddings };
      if (Math.floor(rows / REPORT_ROWS) > Math.floor(before / REPORT_ROWS)) {
        onEvent({ type: 'info', message: `${rows.toLocaleString('en-US')} records embedded` });
      }
    }
    if (rows === 0) throw new InputError(`${options.data}: no record could be read; ${rejected.summary()}`);
  }

  try {
    await write(out, embedder.width, id !== undefined, embedded());
  } finally {
    await embedder.release();
  }
  const summary = rejected.summary();
  if (summary) onEvent({ type: 'warning', message: summary });
  return { file: out, rows, rejected: rejected.count, dimension: embedder.width };
}
