/** Records that what is exported is tried on, and what ONNX Runtime alone makes of them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { InferenceSession } from 'onnxruntime-node';
import type { ReadingOptions } from '../config/schema.js';
import { placesOf } from '../datasets/token-stream.js';
import { InputError, LacunaError } from '../errors.js';
import type { LabelScale } from '../finetuning/label-scale.js';
import { tokenFeeds } from '../layers/token-embedding.js';
import { packBatch } from '../records/batch.js';
import { isCellType, type RecordBatch } from '../records/record-batch.js';
import { selectRecords } from '../records/select-records.js';
import { PRESENT_ID, type TokenBlock, type TokenSpec } from '../records/token-block.js';
import type { PlainRecord } from '../runs/card-example.js';
import { exportedFiles } from '../runs/exported-files.js';
import type { Run } from '../runs/folder.js';
import type { LabelSpec } from '../scoring/labels.js';
import { random } from '../tensor/random.js';
import { type HostTensor, hostTensor } from '../tensor/tensor.js';
import { openData } from './open-data.js';

const TRIED_RECORDS = 64;
/** Not a divisor of the records, so that the exported model sees two batch sizes. */
const TRIED_BATCH = 24;

/** Records of a file. */
export interface TriedRecords {
  readonly block: TokenBlock;
  /** Each as a program that has it in memory gives it. */
  readonly records: readonly PlainRecord[];
  /** The text of each, where the tokenizer reads one column of texts. */
  readonly texts?: readonly string[];
}

/** The first records of the data that a run learned from. Undefined where they cannot be read any more. */
export async function firstRecords(
  data: ReadingOptions & { readonly path: string },
  { tokenizer, schema }: Pick<Run, 'tokenizer' | 'schema'>,
): Promise<TriedRecords | undefined> {
  const { columns } = tokenizer;
  const textColumn = tokenizer.text?.column;
  // Standard input is gone.
  if (data.path === '-') return undefined;
  try {
    const source = await openData(data.path, { ...data, on_bad_record: 'skip' }, { schema });
    const verbatim = columns.filter(
      (name) =>
        name !== source.canonicalSmiles &&
        source.columns.some((column) => column.name === name && isCellType(column.type)),
    );
    for await (const batch of source.read({ columns, verbatim })) {
      const places = Array.from(batch.rows.subarray(0, TRIED_RECORDS).keys());
      const block = tokenizer.encode(selectRecords(batch, places));
      if (block.count === 0) continue;
      const own = placesOf(block, batch);
      const records = Array.from(own, (place) => plainRecord(batch, columns, place));
      const texts =
        textColumn === undefined
          ? undefined
          : Array.from(own, (place) => String(batch.columns[textColumn].values[place] ?? ''));
      return { block, records, texts };
    }
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
  }
  return undefined;
}

/** A record of a batch as JSON has it: its cells in the file's own characters, but for plain numbers, and its lists. */
function plainRecord(batch: RecordBatch, columns: readonly string[], place: number): PlainRecord {
  return Object.fromEntries(columns.map((name) => [name, plainCell(batch, name, place)]));
}

function plainCell({ columns, texts }: RecordBatch, name: string, place: number): PlainRecord[string] {
  const column = columns[name];
  switch (column.type) {
    case 'number':
    case 'text': {
      const text = texts?.[name] === undefined ? column.values[place] : texts[name][place];
      const plain = column.type === 'number' && String(column.values[place]) === text;
      return plain ? column.values[place] : text;
    }
    case 'pixels': {
      const size = column.shape.reduce((product, side) => product * side, 1);
      return Array.from(column.values.subarray(place * size, (place + 1) * size));
    }
    case 'series': {
      const { channels, offsets, values } = column;
      const step = (at: number) =>
        Array.from(values.subarray(at * channels, (at + 1) * channels), (value) =>
          Number.isNaN(value) ? null : value,
        );
      const steps = Array.from({ length: offsets[place + 1] - offsets[place] }, (_, i) =>
        step(offsets[place] + i),
      );
      return channels === 1 ? steps.flat() : steps;
    }
  }
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

/** A hundred times as much of the spread of a target's values as of the largest of them. */
const OF_SPREAD = 100;

/**
 * What a difference of the number at a place of predictions[rows, outputs] is divided by: 1 for probabilities; of a regression
 * the largest value of the target, or a hundred times the spread of its values where that is less, but of labels learned as
 * quantiles at least the slope of the steepest step back, so that the difference is one of the network's output.
 */
export function predictionScale(
  predictions: Float64Array,
  { task, outputs }: Pick<LabelSpec, 'task' | 'outputs'>,
  { quantiles }: Pick<LabelScale, 'quantiles'> = {},
): (place: number) => number {
  if (task !== 'regression') return () => 1;
  const scale = Array.from({ length: outputs }, (_, output) => {
    const own = predictions.filter((_value, i) => i % outputs === output);
    const [least, most] = [Math.min(...own), Math.max(...own)];
    const largest = Math.max(-least, most) || 1;
    const usual = most > least ? Math.min(largest, OF_SPREAD * (most - least)) : largest;
    const { labels = [], scores = [] } = quantiles?.[output] ?? {};
    const slopes = labels.slice(1).map((label, k) => (label - labels[k]) / (scores[k + 1] - scores[k]));
    return Math.max(usual, ...slopes);
  });
  return (place) => scale[place % outputs];
}

/**
 * Throws LacunaError unless the tokenize.js of an export, given tokenizer.json and schema.json beside it, makes of the
 * records the tokens that the run's tokenizer made of them.
 */
export async function proveTokens(
  folder: string,
  { block, records }: Pick<TriedRecords, 'block' | 'records'>,
  { maxTokens }: TokenSpec,
): Promise<void> {
  const json = async (name: string): Promise<unknown> =>
    JSON.parse(await readFile(join(folder, name), 'utf8'));
  const { openTokenizer }: typeof import('../models/tokenize.js') = await import(
    pathToFileURL(join(folder, exportedFiles.tokenize)).href
  );
  const tokenize = openTokenizer(await json(exportedFiles.tokenizer), await json(exportedFiles.schema));
  const got = await tokenize(records);
  const all = Int32Array.from({ length: block.count }, (_, record) => record);
  const expected = tokenFeeds(packBatch(block, all, block.count, maxTokens));
  for (const [name, { data, shape }] of Object.entries(expected)) {
    const place = data.findIndex((value, i) => value !== got[name]?.data[i]);
    if (place < 0 && String(got[name].dims) === String(shape)) continue;
    const record = Math.floor(Math.max(0, place) / (data.length / block.count));
    throw new LacunaError(
      `${exportedFiles.tokenize}: makes other ${name} than the run's tokenizer of record ${record}, ${JSON.stringify(records[record]).slice(0, 200)}; nothing was written`,
    );
  }
}
