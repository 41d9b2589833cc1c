/** The verb `embed`: the embedding of every record of a file, streamed into another file. */

import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import type { ReadingOptions } from '../config/schema.js';
import type { DeviceName, HostTensors } from '../engine/engine.js';
import { InputError } from '../errors.js';
import { refuseOverwrite } from '../files/refuse-overwrite.js';
import { type EmbeddedRecords, embeddingWriter } from '../files/vector-files.js';
import type { Hooks } from '../learning/progress-event.js';
import { encoderOf, withModel } from '../models/open-model.js';
import { ownFiles } from '../runs/folder.js';
import { begunWork, type KeptWork, keptWork } from '../runs/kept-work.js';
import { checksum } from '../sources/checksum.js';
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

/** Milliseconds after which what is embedded is kept: what takes less is done again as fast. */
const SHORT = 15_000;

/** Embeddings of a file that is not finished, in a folder beside it, so that a stop loses the last records alone. */
class Unfinished {
  #work: KeptWork | undefined;
  readonly #begun = performance.now();

  /** `settings` tells all that the embeddings depend on, as plain data. */
  constructor(
    private readonly folder: string,
    private readonly settings: () => Promise<Record<string, unknown>>,
  ) {}

  get kept(): boolean {
    return this.#work !== undefined;
  }

  /** Looks for what an earlier command left; what was embedded otherwise is removed. */
  async find(): Promise<void> {
    if (await begunWork(this.folder)) await this.#open();
  }

  /** The embeddings from a row on, so many numbers; undefined where they are not kept. */
  async read(row: number, length: number): Promise<Float32Array | undefined> {
    const piece = await this.#work?.read(`${row}`);
    const embeddings = (piece as { embeddings?: unknown } | undefined)?.embeddings;
    return embeddings instanceof Float32Array && embeddings.length === length ? embeddings : undefined;
  }

  async keep(row: number, embeddings: Float32Array): Promise<void> {
    if (!this.#work && performance.now() - this.#begun < SHORT) return;
    if (!this.#work) await this.#open();
    await this.#work!.write(`${row}`, { embeddings });
  }

  async remove(): Promise<void> {
    if (this.#work) await rm(this.folder, { recursive: true, force: true });
  }

  async #open(): Promise<void> {
    const settings = await this.settings();
    this.#work = await keptWork(this.folder, 'embedding', settings).catch(async (error: unknown) => {
      if (!(error instanceof InputError)) throw error;
      await rm(this.folder, { recursive: true, force: true });
      return keptWork(this.folder, 'embedding', settings);
    });
    await this.#work.begin();
  }
}

/** SHA-256 of parameters and their names. */
function tensorHash(tensors: HostTensors): string {
  const hash = createHash('sha256');
  for (const name of Object.keys(tensors).sort()) {
    const { buffer, byteOffset, byteLength } = tensors[name].data;
    hash.update(name).update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return hash.digest('hex');
}

/**
 * Embeds the records in input order; bad ones are left out and counted. Nothing is left of `out` when it fails or is
 * stopped, which throws the signal's reason; what took longer than 15 seconds is kept in `OUT.unfinished`, and the same call
 * goes on from it.
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
  return withModel(options.run, { device: options.device }, { onEvent }, async (model) => {
    const encoder = encoderOf(model);
    const isOwn = (name: string) => /^embedding(_\d+)?$/i.test(name);
    const records = await openRecords(options.data, model, { config, out, keep, isOwn, shard });
    let rows = 0;
    let taken = 0;
    const unfinished = new Unfinished(`${out}.unfinished`, async () => ({
      data: await checksum(records.source),
      reading: config,
      tokenizer: model.tokenizer.toJSON(),
      encoder: model.run && tensorHash(model.run.tensors),
      device: model.engine.device?.name,
    }));

    async function* embedded(): AsyncGenerator<EmbeddedRecords> {
      await unfinished.find();
      for await (const { block, cells } of records.read()) {
        const before = rows;
        const kept = await unfinished.read(before, block.count * encoder.width);
        if (kept) taken += block.count;
        else if (taken === before && taken > 0)
          onEvent({
            type: 'info',
            message: `${taken.toLocaleString('en-US')} records were embedded before a stop`,
          });
        const embeddings = kept ?? (await encoder.embed(block, signal));
        if (!kept) await unfinished.keep(before, embeddings);
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
      await unfinished.remove();
    } catch (error) {
      if (signal?.aborted && unfinished.kept)
        onEvent({ type: 'info', message: 'what is embedded is kept; the same command goes on' });
      throw error;
    }
    const written = { file: out, rows, ...records.finish('embedded', { onEvent }), dimension: encoder.width };
    await writeShardManifest(options.out, shard, written);
    return written;
  });
}
