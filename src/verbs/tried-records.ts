/** Records that what is exported is tried on, and what ONNX Runtime alone makes of them. */
import type { InferenceSession } from 'onnxruntime-node';
import type { ReadingOptions } from '../config/schema.js';
import { placesOf } from '../datasets/token-stream.js';
import { InputError } from '../errors.js';
import { tokenFeeds } from '../layers/token-embedding.js';
import { packBatch } from '../records/batch.js';
import { isCellType } from '../records/record-batch.js';
import { selectRecords } from '../records/select-records.js';
import { PRESENT_ID, type TokenBlock, type TokenSpec } from '../records/token-block.js';
import type { CardExample } from '../runs/card-example.js';
import type { Run } from '../runs/folder.js';
import { random } from '../tensor/random.js';
import { type HostTensor, hostTensor } from '../tensor/tensor.js';
import { openData } from './open-data.js';

const TRIED_RECORDS = 64;
/** Not a divisor of the records, so that the exported model sees two batch sizes. */
const TRIED_BATCH = 24;

/** Records of a file. */
export interface TriedRecords {
  readonly block: TokenBlock;
  /** The cells of each, by column, where the columns hold cells. */
  readonly cells: readonly (CardExample['cells'] | undefined)[];
  /** The text of each, where the tokenizer reads one column of texts. */
  readonly texts?: readonly string[];
}

/**
 * The first records of the data that the run learned from, with the cells of each where its columns hold cells. Undefined
 * where they cannot be read any more.
 */
export async function firstRecords(
  data: ReadingOptions & { readonly path: string },
  { tokenizer, schema }: Pick<Run, 'tokenizer' | 'schema'>,
): Promise<TriedRecords | undefined> {
  const { columns } = tokenizer;
  const textColumn = tokenizer.kind === 'sequence' ? columns[0] : undefined;
  // Standard input is gone.
  if (data.path === '-') return undefined;
  try {
    const source = await openData(data.path, { ...data, on_bad_record: 'skip' }, { schema });
    const hasCells = columns.every((name) =>
      source.columns.some((column) => column.name === name && isCellType(column.type)),
    );
    for await (const batch of source.read({ columns, ...(hasCells && { verbatim: columns }) })) {
      const places = Array.from(batch.rows.subarray(0, TRIED_RECORDS).keys());
      const block = tokenizer.encode(selectRecords(batch, places));
      if (block.count === 0) continue;
      const own = placesOf(block, batch);
      const cells = Array.from(
        own,
        (place) =>
          batch.texts &&
          Object.fromEntries(columns.map((name) => [name, batch.texts?.[name]?.[place] ?? null])),
      );
      const texts =
        textColumn === undefined
          ? undefined
          : Array.from(own, (place) => String(batch.columns[textColumn].values[place] ?? ''));
      return { block, cells, texts };
    }
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
  }
  return undefined;
}

/** Records of random tokens, the same at every call. */
export function drawnRecords(spec: TokenSpec): TokenBlock {
  const source = random(0, 'exported records');
  const count = TRIED_RECORDS;
  const { maxTokens } = spec;
  const rows = Int32Array.from({ length: count }, (_, row) => row);
  const offsets = new Int32Array(count + 1);
  for (let row = 0; row < count; row++) {
    offsets[row + 1] = offsets[row] + (spec.kind === 'fields' ? maxTokens : 1 + source.integer(maxTokens));
  }
  const tokens = offsets[count];
  if (spec.kind === 'continuous') {
    const values = Float32Array.from({ length: tokens * spec.channels }, () => source.normal());
    return { count, offsets, values, rows };
  }
  if (spec.kind === 'discrete') {
    const ids = Int32Array.from({ length: tokens }, () => source.integer(spec.vocabulary));
    return { count, offsets, ids, rows };
  }
  const ids = new Int32Array(tokens);
  const values = new Float32Array(tokens);
  for (let token = 0; token < tokens; token++) {
    const { type, firstId, size } = spec.fields[token % maxTokens];
    ids[token] = type === 'numeric' ? PRESENT_ID : firstId + source.integer(size);
    values[token] = type === 'numeric' ? source.normal() : 0;
  }
  return { count, offsets, ids, values, rows };
}

/** Rows of features, float32[records, dimension], by the name of an input. */
export type InputRows = ReadonlyMap<string, readonly [rows: Float32Array, dimension: number]>;

/**
 * What a model file makes of records, by ONNX Runtime and the file alone: float32[block.count, width] by the name of the
 * output. It is fed what it asks for of the tokens and the features.
 */
export async function runModelFile(
  path: string,
  spec: TokenSpec,
  { block, features = new Map() }: { readonly block: TokenBlock; readonly features?: InputRows },
  widths: Readonly<Record<string, number>>,
): Promise<Record<string, Float32Array>> {
  const runtime = await import('onnxruntime-node');
  const ort = runtime.default ?? runtime;
  const session: InferenceSession = await ort.InferenceSession.create(path, { logSeverityLevel: 3 });
  const outputs = Object.fromEntries(
    Object.entries(widths).map(([name, width]) => [name, new Float32Array(block.count * width)]),
  );
  try {
    for (let start = 0; start < block.count; start += TRIED_BATCH) {
      const size = Math.min(TRIED_BATCH, block.count - start);
      const records = Int32Array.from({ length: size }, (_, row) => start + row);
      const feeds: Record<string, HostTensor> = tokenFeeds(packBatch(block, records, size, spec.maxTokens));
      for (const [name, [rows, dimension]] of features) {
        const own = rows.subarray(start * dimension, (start + size) * dimension);
        feeds[name] = hostTensor('float32', [size, dimension], own);
      }
      const given = await session.run(
        Object.fromEntries(
          session.inputNames.map((name) => {
            const { dtype, data, shape } = feeds[name];
            return [name, new ort.Tensor(dtype, data, shape)];
          }),
        ),
        Object.keys(widths),
      );
      for (const [name, width] of Object.entries(widths)) {
        outputs[name].set((await given[name].getData()) as Float32Array, start * width);
      }
    }
  } finally {
    await session.release();
  }
  return outputs;
}

/** The largest difference, a number's divided by `scale` of its place; NaN where a value is not a number. */
export function largestDifference(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  scale: (place: number) => number = () => 1,
): number {
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = a[i] === b[i] ? 0 : Math.abs(a[i] - b[i]) / scale(i);
    if (!(difference <= largest)) largest = difference;
    if (Number.isNaN(largest)) break;
  }
  return largest;
}
