/** The records of a file on a plane, with what a picture of them shows. */
import { checkWhole } from '../config/check-numbers.js';
import type { ReadingOptions } from '../config/schema.js';
import type { DeviceName } from '../engine/engine.js';
import { defaultThreads, nodeEngine } from '../engine/node.js';
import { InputError, listed } from '../errors.js';
import type { Hooks } from '../learning/progress-event.js';
import { encoderOf, withModel } from '../models/open-model.js';
import { withProduct } from '../numerics/matrix-product.js';
import type { TokenBlock } from '../records/token-block.js';
import type { Run } from '../runs/folder.js';
import { hiddenLetters, hiddenTokens } from '../runs/hidden-tokens.js';
import { unitRows } from '../search/nearest-neighbors.js';
import { onPlane } from '../search/plane.js';
import { neighborsWithin, vectorIndex } from '../search/vector-index.js';
import { directionSpace, place } from '../search/vector-space.js';
import { embeddedRecords } from './embedded-records.js';
import { openRecords } from './open-records.js';

/** What is placed. */
export interface MappedRecordsOptions {
  /** Folder of a run. */
  readonly run: string;
  readonly data: string;
  /** Columns that are shown, searched and coloured by; all that hold cells by default. */
  readonly keep?: readonly string[];
  /** The column that colours the page at first. */
  readonly colour?: string;
  /** Records, at most: the first ones of the file. 50,000 by default. */
  readonly limit?: number;
  readonly config?: ReadingOptions;
  readonly device?: DeviceName;
}

/** Records on a plane. */
export interface MappedRecords {
  /** The row of each record in the file. */
  readonly rows: Int32Array;
  /** float32[records, 2] */
  readonly places: Float32Array;
  /** int32[records, k]: the records that are most alike to each, the nearest first. */
  readonly neighbors: Int32Array;
  readonly k: number;
  /** The names of the kept columns, and their cells, record by record. */
  readonly columns: readonly string[];
  readonly cells: readonly (readonly (string | null)[])[];
  /** What the model hides of each record: a 1 for each hidden token and a 0 for any other. */
  readonly hidden?: readonly string[];
  /** What the tokens are called, where all records have the same. */
  readonly tokens?: readonly string[];
  /** Or the column whose letters they are. */
  readonly text?: number;
  readonly rejected: number;
  /** Records with a letter or category that the run was not trained on. */
  readonly unknown: number;
}

const LIMIT = 50_000;
/** Neighbours of so many records are found among all; of more, in the likeliest cells, where two in a hundred are missed at most. */
const EXACT_ROWS = 20_000;
/** UMAP's neighbourhoods, and the neighbours that a click shows. */
const [NEIGHBORS, SHOWN] = [15, 6];
/** Masks are shown of so many tokens in all. */
const MASKED_TOKENS = 400_000;
const SEED = 0;

/**
 * UMAP of the embeddings. `out` is the file that is to be written of it.
 * Throws InputError for a model without an encoder, and for fewer than three records.
 */
export async function mappedRecords(
  options: MappedRecordsOptions,
  out: string,
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<MappedRecords> {
  const { data, config = {}, limit = LIMIT } = options;
  checkWhole('limit', limit, 1);
  return withModel(options.run, { device: options.device }, { onEvent }, async (model) => {
    const { width } = encoderOf(model);
    const records = await openRecords(data, model, { config, out, keep: options.keep ?? ['all'] });
    const names = records.kept.map(({ name }) => name);
    if (options.colour !== undefined && !names.includes(options.colour))
      throw new InputError(`no column "${options.colour}" to colour by; choose among ${listed(names)}`);
    const { block, cells, embeddings, more } = await embeddedRecords(model, records, { limit, signal });
    const { count } = block;
    if (count < 3) throw new InputError(`${data}: a map needs at least three records, got ${count}`);
    if (more)
      onEvent({
        type: 'warning',
        message: `the map has the first ${limit.toLocaleString('en-US')} records; --limit says how many`,
      });
    const rows = unitRows(place(directionSpace(embeddings, width), embeddings), width);
    onEvent({
      type: 'info',
      message: `${count.toLocaleString('en-US')} records; looking for their neighbours`,
    });
    const neighbors = await withProduct(await nodeEngine({ threads: defaultThreads() }), async (multiply) =>
      neighborsWithin(
        await vectorIndex(rows, width, { multiply, exactRows: EXACT_ROWS }),
        rows,
        Math.min(NEIGHBORS, count - 1),
      ),
    );
    let told = performance.now();
    const places = await onPlane(rows, width, neighbors, {
      seed: SEED,
      signal,
      onProgress: (part) => {
        if (performance.now() - told < 5000) return;
        told = performance.now();
        onEvent({ type: 'info', message: `${Math.round(100 * part)} % of the map` });
      },
    });
    const k = Math.min(SHOWN, neighbors.k);
    const nearest = new Int32Array(count * k);
    for (let i = 0; i < count; i++)
      nearest.set(neighbors.rows.subarray(i * neighbors.k, i * neighbors.k + k), i * k);
    const masks = model.run && (await masksOf(model.run, block, names, signal));
    return {
      rows: block.rows,
      places,
      neighbors: nearest,
      k,
      columns: names,
      cells,
      ...masks,
      ...records.finish('drawn', { onEvent }),
    };
  });
}

/** What the model hides of each record, where its objective hides tokens, they can be named and there are not too many. */
async function masksOf(run: Run, block: TokenBlock, columns: readonly string[], signal?: AbortSignal) {
  const { tokenizer } = run;
  const { spec } = tokenizer;
  const text = tokenizer.text ? columns.indexOf(tokenizer.text.column) : -1;
  const tokens =
    spec.kind === 'fields'
      ? Array.from({ length: spec.maxTokens }, (_, position) => tokenizer.tokenLabel(position))
      : undefined;
  if ((tokens === undefined && text < 0) || block.offsets[block.count] > MASKED_TOKENS) return undefined;
  const marks = await hiddenTokens(run, block, SEED, signal);
  if (marks === undefined) return undefined;
  const shown = tokenizer.text ? hiddenLetters(tokenizer.text, block, marks) : marks;
  const hidden = shown.map((own) => own.map((mark) => (mark ? '1' : '0')).join(''));
  return { hidden, ...(tokens ? { tokens } : { text }) };
}
