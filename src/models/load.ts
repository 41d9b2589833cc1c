/** A model in memory: records in as plain objects or texts, embeddings and predictions out. */
import type { TableCell } from '../files/table-files.js';
import type { Hooks } from '../learning/progress-event.js';
import type { MemoryRecord } from '../records/memory-records.js';
import { labelOffsets } from '../scoring/label-rows.js';
import { type EncodedRecords, encodedMemory } from './encoded-records.js';
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
  /** Frees its programs when the calls before are answered. Later calls throw Error. */
  dispose(): Promise<void>;
}

export interface CallOptions {
  /** Ends the call between two batches. */
  readonly signal?: AbortSignal;
}

/**
 * Opens a run, its export, or what `fit` left. It computes on the caller's thread and keeps that busy for as long as a batch
 * takes. Throws InputError where the folder holds no model.
 */
export async function load(
  folder: string,
  options: OpenModelOptions = {},
  hooks: Pick<Hooks, 'onEvent'> = {},
): Promise<Model> {
  const model = await openModel(folder, options, hooks);
  const { tokenizer, encoder, predictor } = model;
  let last: Promise<unknown> = Promise.resolve();
  let disposed = false;
  const afterOthers = <T>(call: () => Promise<T>): Promise<T> => {
    if (disposed) throw new Error(`${folder}: this model was disposed of`);
    const result = last.then(call);
    last = result.catch(() => {});
    return result;
  };
  /** What is made of each batch, for all records in their order. */
  const each = async <T>(
    records: readonly MemoryRecord[],
    { signal }: CallOptions,
    make: (encoded: EncodedRecords) => Promise<readonly T[]>,
  ): Promise<T[]> => {
    const made: T[] = [];
    for await (const encoded of encodedMemory(model, records)) {
      signal?.throwIfAborted();
      made.push(...(await make(encoded)));
    }
    return made;
  };
  return {
    columns: tokenizer.columns,
    width: encoder?.width,
    targets: predictor?.labels.columns,
    embed: (records, call = {}) =>
      afterOthers(() => {
        const own = encoderOf(model);
        const { width } = own;
        return each(records, call, async ({ block }) => {
          const embeddings = await own.embed(block, call.signal);
          return Array.from({ length: block.count }, (_, record) =>
            embeddings.subarray(record * width, (record + 1) * width),
          );
        });
      }),
    predict: (records, call = {}) =>
      afterOthers(() => {
        const own = predictorOf(model);
        const { labels } = own;
        const names = predictedColumns(labels).map(({ name }) => name);
        return each(records, call, async ({ block, texts }) => {
          const outputs = await own.predict({ block, texts });
          const offsets = labelOffsets(labels, block).map((row) => row * labels.outputs);
          return Array.from({ length: block.count }, (_, record) => {
            const cells = predictedCells(labels, outputs.subarray(offsets[record], offsets[record + 1]));
            return Object.fromEntries(names.map((name, i) => [name, cells[i]]));
          });
        });
      }),
    async dispose() {
      if (disposed) return;
      const released = afterOthers(() => model.release());
      disposed = true;
      await released;
    },
  };
}
