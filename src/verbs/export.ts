/** The verb `exportRun`: a run as files for other tools, proven on real records before they appear. */
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Config } from '../config/schema.js';
import { placesOf } from '../datasets/token-stream.js';
import { defaultThreads, nodeEngine } from '../engine/node.js';
import { InputError, LacunaError } from '../errors.js';
import { writeFolderAtomically } from '../files/atomic-folder.js';
import { refuseOverwriteFolder } from '../files/refuse-overwrite.js';
import { Embedder, encoderParameters } from '../finetuning/frozen-encoder.js';
import { tokenFeeds } from '../layers/token-embedding.js';
import type { Hooks } from '../learning/progress-event.js';
import { type Batch, packBatch } from '../records/batch.js';
import { isCellType } from '../records/record-batch.js';
import { selectRecords } from '../records/select-records.js';
import { PRESENT_ID, type TokenBlock, type TokenSpec } from '../records/token-block.js';
import { type CardExample, shortRecord } from '../runs/card-example.js';
import { exportedFiles, writeExport } from '../runs/exported-files.js';
import { holdsFit, openRun, ownFiles, type Run } from '../runs/folder.js';
import { random } from '../tensor/random.js';
import { openData } from './open-data.js';

/** What `exportRun` is given. */
export interface ExportOptions {
  /** Folder of a run. */
  readonly run: string;
  /** Folder to write; it must not be there yet, or be empty. */
  readonly out: string;
}

/** What `exportRun` wrote. */
export interface ExportSummary {
  readonly files: readonly string[];
  /** Largest difference between the run's embeddings and the exported encoder's, over `rows` records. */
  readonly maximumDifference: number;
  readonly rows: number;
}

/** Two compilations of one program differ by rounding; by more than this they are not one program. */
const TOLERANCE = 1e-5;

/** Records that the exported encoder is tried on. */
const TRIED_RECORDS = 64;
/** Not a divisor of the records, so that the exported encoder sees two batch sizes. */
const TRIED_BATCH = 24;

/**
 * Writes encoder.onnx, model.safetensors, tokenizer.json, config.json and README.md, and compares the encoder, opened
 * by ONNX Runtime alone, with the run. Throws LacunaError, leaving no folder, when an embedding differs by more than 1e-5.
 */
export async function exportRun(
  { run: folder, out }: ExportOptions,
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<ExportSummary> {
  await refuseOverwriteFolder(await ownFiles(folder), out);
  const run = await openRun(folder, (message) => onEvent({ type: 'warning', message }));
  if (await holdsFit(folder)) {
    const message = `${folder}: is a model that fit left; only its encoder is exported, without what reads its embeddings`;
    onEvent({ type: 'warning', message });
  }
  await refuseOverwriteFolder([run.config.data.path], out);
  const parameters = encoderParameters(run.model, run.tensors, folder);
  const { spec } = run.tokenizer;
  const found = await firstRecords(run);
  if (found === undefined) {
    onEvent({
      type: 'info',
      message: `${run.config.data.path} cannot be read any more; the export is checked on drawn tokens`,
    });
  }
  const records = found?.block ?? drawnRecords(spec);
  const { record, ...short } = shortRecord(records, spec);
  const engine = await nodeEngine({ threads: defaultThreads() });
  const embedder = new Embedder(engine, run.model, parameters);
  try {
    const expected = await embedder.embed(records, signal);
    const example = {
      ...short,
      cells: found?.cells[record],
      embedding: await embedder.embed(short.block, signal),
    };
    return await writeFolderAtomically(out, async (partial) => {
      await writeExport(partial, run, parameters, example);
      const got = await embedExported(`${partial}/${exportedFiles.encoder}`, records, run);
      const maximumDifference = largestDifference(expected, got);
      if (!(maximumDifference <= TOLERANCE)) {
        throw new LacunaError(
          `${out}: the exported encoder differs from the run by ${maximumDifference}, expected at most ${TOLERANCE}; nothing was written`,
        );
      }
      const names = Object.values(exportedFiles).filter(
        (name) => run.schema || name !== exportedFiles.schema,
      );
      const files = names.map((name) => `${out.replace(/[/\\]+$/, '')}/${name}`);
      return { files, maximumDifference, rows: records.count };
    });
  } finally {
    await embedder.release();
  }
}

/**
 * The first records of the data that the run learned from, with the cells of each where its columns hold cells. Undefined
 * where they cannot be read any more.
 */
async function firstRecords({
  config,
  tokenizer,
  schema,
}: Run): Promise<{ block: TokenBlock; cells: (CardExample['cells'] | undefined)[] } | undefined> {
  const data: Config['data'] = config.data;
  const { columns } = tokenizer;
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
      const cells = Array.from(
        placesOf(block, batch),
        (place) =>
          batch.texts &&
          Object.fromEntries(columns.map((name) => [name, batch.texts?.[name]?.[place] ?? null])),
      );
      return { block, cells };
    }
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
  }
  return undefined;
}

/** Records of random tokens, the same at every call. */
function drawnRecords(spec: TokenSpec): TokenBlock {
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

/** float32[block.count, width], by ONNX Runtime and the file alone. */
async function embedExported(path: string, block: TokenBlock, { model }: Run): Promise<Float32Array> {
  const runtime = await import('onnxruntime-node');
  const ort = runtime.default ?? runtime;
  const session: InferenceSession = await ort.InferenceSession.create(path, { logSeverityLevel: 3 });
  const { width } = model.encoder;
  const embeddings = new Float32Array(block.count * width);
  const feedsOf = (batch: Batch): Record<string, Tensor> =>
    Object.fromEntries(
      Object.entries(tokenFeeds(batch)).map(([name, { dtype, data, shape }]) => [
        name,
        new ort.Tensor(dtype, data, shape),
      ]),
    );
  try {
    for (let start = 0; start < block.count; start += TRIED_BATCH) {
      const size = Math.min(TRIED_BATCH, block.count - start);
      const records = Int32Array.from({ length: size }, (_, row) => start + row);
      const batch = packBatch(block, records, size, model.spec.maxTokens);
      const { embedding } = await session.run(feedsOf(batch), ['embedding']);
      embeddings.set((await embedding.getData()) as Float32Array, start * width);
    }
  } finally {
    await session.release();
  }
  return embeddings;
}

/** NaN where a value is not a number. */
function largestDifference(a: Float32Array, b: Float32Array): number {
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i] - b[i]);
    if (!(difference <= largest)) largest = difference;
    if (Number.isNaN(largest)) break;
  }
  return largest;
}
