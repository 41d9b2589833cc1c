/** A model in memory: records in as plain objects or texts, embeddings and predictions out. */

import { checkWhole } from '../config/check-numbers.js';
import { inSpellingOf } from '../datasets/canonical-smiles.js';
import type { OnUnknown } from '../datasets/encoding-losses.js';
import { devices } from '../engine/engine.js';
import { InputError } from '../errors.js';
import { OddRecords } from '../features/odd-records.js';
import type { TableCell } from '../files/table-files.js';
import type { Hooks } from '../learning/progress-event.js';
import { copyRecords, type MemoryRecord } from '../records/memory-records.js';
import { labelOffsets } from '../scoring/label-rows.js';
import type { Anomaly } from './anomaly-detector.js';
import { type EncodedRecords, encodedMemory, memoryOf, onConsole } from './encoded-records.js';
import type { ModelPool } from './model-pool.js';
import { encoderOf, type OpenModelOptions, openModel, predictorOf } from './open-model.js';
import { predictedCells, predictedColumns } from './predicted-columns.js';

/** What a model predicts of a record, by the names of the columns that `lacuna predict` writes. */
export type Prediction = Readonly<Record<string, TableCell>>;

/**
 * A model that is ready to be asked. Calls may overlap; they are answered one after the other. Records are objects with the
 * model's columns, or texts or lists where it reads one column; a cell that cannot be read throws InputError that names its
 * record, and nothing is answered of the others.
 */
export interface Model {
  /** The columns that are read. */
  readonly columns: readonly string[];
  /** Numbers in an embedding, where the model has an encoder. */
  readonly width?: number;
  /** The columns that are predicted, where it predicts. */
  readonly targets?: readonly string[];
  /** float32[width] for each record, all parts of one array. Throws InputError where the model has no encoder. */
  embed(records: readonly MemoryRecord[], options?: CallOptions): Promise<Float32Array[]>;
  /** Throws InputError where the model has learned no labels. */
  predict(records: readonly MemoryRecord[], options?: CallOptions): Promise<Prediction[]>;
  /**
   * The `k` records of the pool, or all of fewer, that are most alike to each record, the nearest first. The first call reads
   * and embeds the pool. Throws InputError where the model has no encoder or the pool cannot be read.
   */
  neighbors(records: readonly MemoryRecord[], k: number, options?: CallOptions): Promise<FoundNeighbor[][]>;
  /**
   * How unusual each record is among those of the pool, which are taken to be normal. The first call reads and scores the
   * pool. Throws InputError as `neighbors` does.
   */
  score(records: readonly MemoryRecord[], options?: CallOptions): Promise<Anomaly[]>;
  /** Frees its programs when the calls before are answered. Later calls throw Error. */
  dispose(): Promise<void>;
}

/** A record of the pool that was found. */
export interface FoundNeighbor {
  /** Its place in the pool, or its row in the pool's file. */
  readonly row: number;
  /** The cosine of both embeddings less the mean of the pool's. */
  readonly similarity: number;
  /** Its cells of the columns that the model reads, and its id, as they were written; no images or series. */
  readonly record: Readonly<Record<string, string | null>>;
}

/** How a model is opened, and what it compares records with. */
export interface LoadOptions extends OpenModelOptions {
  /** Records, or the path of a file of some; the file that the run learned from by default. */
  readonly pool?: string | readonly MemoryRecord[];
  /** Whether a letter or category that the model was not trained on stands as unknown and is told (the default), or is refused with InputError. */
  readonly onUnknown?: OnUnknown;
}

/**
 * `signal` ends the call between two batches; `onEvent` is told of values that the model was not trained on. Without one, that
 * of `load` is, or else the console.
 */
export type CallOptions = Hooks;

/** Throws InputError for an option that `load` has not, and a value that is none of it. */
function checkLoad(folder: unknown, options: LoadOptions): void {
  if (typeof folder !== 'string')
    throw new InputError(`load: expected the path of a folder as a text, got ${typeof folder}`);
  const values: Record<keyof LoadOptions, readonly string[] | undefined> = {
    pool: undefined,
    onUnknown: ['keep', 'fail'],
    threads: undefined,
    device: devices,
  };
  for (const [name, value] of Object.entries(options) as [string, unknown][]) {
    if (value === undefined) continue;
    if (!Object.hasOwn(values, name))
      throw new InputError(`load: ${name}: unknown option; known here are ${Object.keys(values).join(', ')}`);
    const choices = values[name as keyof LoadOptions];
    if (choices && !choices.includes(value as string))
      throw new InputError(`load: ${name}: expected ${choices.join(' or ')}, got ${JSON.stringify(value)}`);
  }
  if (options.threads !== undefined) checkWhole('load: threads', options.threads, 1);
}

/**
 * Opens a run, its export, or what `fit` left. It computes on the caller's thread and keeps that busy for as long as a batch
 * takes. Throws InputError where the folder holds no model.
 */
export async function load(
  folder: string,
  asked: LoadOptions = {},
  hooks: Pick<Hooks, 'onEvent'> = {},
): Promise<Model> {
  checkLoad(folder, asked);
  const { pool: given, onUnknown, ...options } = asked;
  const model = await openModel(folder, options, hooks);
  /** Who hears of a call what it warns of. */
  const hearing = ({ onEvent = hooks.onEvent }: CallOptions) =>
    onEvent && ((message: string) => onEvent({ type: 'warning', message }));
  // Who only embeds and predicts waits for no library of matrices.
  let made: Promise<ModelPool> | undefined;
  const pool = () => {
    made ??= import('./model-pool.js').then(({ ModelPool: Pool }) => new Pool(model, given));
    return made;
  };
  const { tokenizer, encoder, predictor } = model;
  let last: Promise<unknown> = Promise.resolve();
  let disposed = false;
  /** Answers when the calls before are answered, of the records as they are now. */
  const ofRecords = <T>(
    records: readonly MemoryRecord[],
    call: (records: readonly MemoryRecord[]) => Promise<T>,
  ): Promise<T> => {
    const own = copyRecords(records);
    return afterOthers(() => call(own));
  };
  const afterOthers = <T>(call: () => Promise<T>): Promise<T> => {
    if (disposed) throw new Error(`${folder}: this model was disposed of`);
    const result = last.then(call);
    last = result.catch(() => {});
    return result;
  };
  /** What is made of each batch, for all records in their order. */
  const each = async <T>(
    records: readonly MemoryRecord[],
    call: CallOptions,
    make: (encoded: EncodedRecords) => Promise<readonly T[]>,
  ): Promise<T[]> => {
    const made: T[] = [];
    const source = await inSpellingOf(await memoryOf(model, records), model.schema);
    for await (const encoded of encodedMemory(model.tokenizer, source, { onUnknown, warn: hearing(call) })) {
      call.signal?.throwIfAborted();
      made.push(...(await make(encoded)));
    }
    for (const message of source.found?.() ?? []) hearing(call)?.(message);
    return made;
  };
  return {
    columns: tokenizer.columns,
    width: encoder?.width,
    targets: predictor?.labels.columns,
    embed: (given, call = {}) =>
      ofRecords(given, (records) => {
        const own = encoderOf(model);
        const { width } = own;
        return each(records, call, async ({ block }) => {
          const embeddings = await own.embed(block, call.signal);
          return Array.from({ length: block.count }, (_, record) =>
            embeddings.subarray(record * width, (record + 1) * width),
          );
        });
      }),
    predict: (given, call = {}) =>
      ofRecords(given, (records) => {
        const own = predictorOf(model);
        const { labels } = own;
        const names = predictedColumns(labels).map(({ name }) => name);
        return each(records, call, async ({ block, texts }) => {
          const odd = new OddRecords();
          const outputs = await own.predict({ block, texts }, odd);
          const strange = odd.summary('predicted');
          if (strange) (hearing(call) ?? onConsole)(strange);
          const offsets = labelOffsets(labels, block).map((row) => row * labels.outputs);
          return Array.from({ length: block.count }, (_, record) => {
            const cells = predictedCells(labels, outputs.subarray(offsets[record], offsets[record + 1]));
            return Object.fromEntries(names.map((name, i) => [name, cells[i]]));
          });
        });
      }),
    neighbors: (given, k, call = {}) =>
      ofRecords(given, async (records) => {
        checkWhole('k', k, 1);
        const { search, rows, cells } = await (await pool()).neighbors(hearing(call));
        return each(records, call, async ({ block }) => {
          const found = await search(await encoderOf(model).embed(block, call.signal), k);
          return Array.from({ length: block.count }, (_, record) => {
            const of = (i: number) => record * found.k + i;
            const places = Array.from({ length: found.k }, (_, i) => i).filter((i) => found.rows[of(i)] >= 0);
            return places.map((i) => ({
              row: rows[found.rows[of(i)]],
              similarity: found.similarities[of(i)],
              record: cells[found.rows[of(i)]],
            }));
          });
        });
      }),
    score: (given, call = {}) =>
      ofRecords(given, async (records) => {
        const detector = await (await pool()).detector(hearing(call));
        return each(records, call, ({ block }) => detector.score(block, call.signal));
      }),
    async dispose() {
      if (disposed) return;
      const released = afterOthers(async () => {
        await (await made)?.release();
        await model.release();
      });
      disposed = true;
      await released;
    },
  };
}
