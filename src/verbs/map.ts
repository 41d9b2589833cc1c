/** The verb `map`: the records of a file on a plane, as one page. */
import { basename } from 'node:path';
import type { ReadingOptions } from '../config/schema.js';
import { keptCells, keptColumns } from '../datasets/kept-columns.js';
import { RejectedRecords, tokenRejecter } from '../datasets/rejected-records.js';
import { checkTokenizerColumns } from '../datasets/token-stream.js';
import type { DeviceName } from '../engine/engine.js';
import { defaultThreads, nodeEngine } from '../engine/node.js';
import { InputError } from '../errors.js';
import { writeFileAtomically } from '../files/atomic-file.js';
import { refuseOverwrite } from '../files/refuse-overwrite.js';
import type { Hooks } from '../learning/progress-event.js';
import { encodedRecords } from '../models/encoded-records.js';
import { encoderOf, openModel } from '../models/open-model.js';
import { withProduct } from '../numerics/matrix-product.js';
import { concatenateBlocks, takeRecords } from '../records/batch.js';
import type { TokenBlock } from '../records/token-block.js';
import { mapPage } from '../report/map-page.js';
import { ownFiles, type Run } from '../runs/folder.js';
import { hiddenTokens } from '../runs/hidden-tokens.js';
import { unitRows } from '../search/nearest-neighbors.js';
import { onPlane } from '../search/plane.js';
import { neighborsWithin, vectorIndex } from '../search/vector-index.js';
import { centredSpace, place } from '../search/vector-space.js';
import { inputFiles } from '../sources/data-files.js';
import { openData } from './open-data.js';

/** What `map` is given. */
export interface MapOptions {
  /** Folder of a run. */
  readonly run: string;
  readonly data: string;
  /** The page to write, .html. */
  readonly out: string;
  /** Columns that are shown, searched and coloured by; all that hold cells by default. */
  readonly keep?: readonly string[];
  /** The column that colours the page at first. */
  readonly colour?: string;
  /** Records, at most: the first ones of the file. 50,000 by default. */
  readonly limit?: number;
  readonly config?: ReadingOptions;
  readonly device?: DeviceName;
}

/** What `map` wrote. */
export interface MapSummary {
  readonly file: string;
  readonly rows: number;
  readonly rejected: number;
}

const LIMIT = 50_000;
/** UMAP's neighbourhoods, and the neighbours that a click shows. */
const [NEIGHBORS, SHOWN] = [15, 6];
/** Masks are shown of so many tokens in all, and computed for so many records at a time. */
const [MASKED_TOKENS, MASKED_BATCH] = [400_000, 64];
const SEED = 0;

/** Throws InputError for a model without an encoder, and for fewer than three records. */
export async function map(
  options: MapOptions,
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<MapSummary> {
  const { out, data, config = {}, limit = LIMIT } = options;
  if (!/\.html?$/i.test(out))
    throw new InputError(`${out}: the page is HTML; name a file that ends in .html`);
  await refuseOverwrite(await inputFiles(data, config.format), out);
  await refuseOverwrite(await ownFiles(options.run), out);
  const model = await openModel(options.run, { device: options.device }, { onEvent });
  try {
    const encoder = encoderOf(model);
    const { tokenizer, schema } = model;
    const rejected = new RejectedRecords();
    const source = await openData(data, config, { schema, report: rejected.report });
    checkTokenizerColumns(source, tokenizer);
    const reject = tokenRejecter(source, config.on_bad_record ?? 'auto', rejected);
    const kept = keptColumns(source, options.keep ?? ['all'], () => false);
    const names = kept.map(({ name }) => name);
    if (options.colour !== undefined && !names.includes(options.colour))
      throw new InputError(`no column "${options.colour}" to colour by; choose among ${names.join(', ')}`);
    const blocks: TokenBlock[] = [];
    const vectors: Float32Array[] = [];
    const cells: (string | null)[][] = [];
    let more = false;
    const verbatim = kept.map(({ column }) => column);
    for await (const { batch, block, places } of encodedRecords(tokenizer, source, { verbatim, reject })) {
      const left = limit - cells.length;
      more = block.count > left;
      const own = more
        ? takeRecords(
            block,
            Array.from({ length: left }, (_, i) => i),
          )
        : block;
      const texts = keptCells(batch, kept, places);
      for (let i = 0; i < own.count; i++) cells.push(texts.map((column) => column[i]));
      if (own.count > 0) {
        vectors.push(await encoder.embed(own, signal));
        blocks.push(own);
      }
      if (more) break;
    }
    const count = cells.length;
    if (count < 3) throw new InputError(`${data}: a map needs at least three records, got ${count}`);
    if (more)
      onEvent({
        type: 'warning',
        message: `the map has the first ${limit.toLocaleString('en-US')} records; --limit says how many`,
      });
    const block = concatenateBlocks(blocks);
    const embeddings = joined(vectors, count * encoder.width);
    const rows = unitRows(place(centredSpace(embeddings, encoder.width), embeddings), encoder.width);
    onEvent({
      type: 'info',
      message: `${count.toLocaleString('en-US')} records; looking for their neighbours`,
    });
    const neighbors = await withProduct(await nodeEngine({ threads: defaultThreads() }), async (multiply) =>
      neighborsWithin(
        await vectorIndex(rows, encoder.width, { multiply }),
        rows,
        Math.min(NEIGHBORS, count - 1),
      ),
    );
    let told = performance.now();
    const places = await onPlane(rows, encoder.width, neighbors, {
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
    const text = mapPage({
      title: `${basename(data)} as ${basename(options.run)} sees it`,
      intro:
        'Records that the encoder finds alike lie beside each other. Distances across the map say little.',
      rows: block.rows,
      places,
      neighbors: nearest,
      k,
      columns: names,
      cells,
      colour: options.colour,
      ...masks,
    });
    await writeFileAtomically(out, [new TextEncoder().encode(text)]);
    const summary = rejected.summary();
    if (summary) onEvent({ type: 'warning', message: summary });
    return { file: out, rows: count, rejected: rejected.count };
  } finally {
    await model.release();
  }
}

function joined(parts: readonly Float32Array[], length: number): Float32Array {
  const whole = new Float32Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** What the model hides of each record, where its objective hides tokens, they can be named and there are not too many. */
async function masksOf(run: Run, block: TokenBlock, columns: readonly string[], signal?: AbortSignal) {
  const { tokenizer } = run;
  const { spec } = tokenizer;
  const text = tokenizer.kind === 'sequence' ? columns.indexOf(tokenizer.columns[0]) : -1;
  const tokens =
    spec.kind === 'fields'
      ? Array.from({ length: spec.maxTokens }, (_, position) => tokenizer.tokenLabel(position))
      : undefined;
  if ((tokens === undefined && text < 0) || block.offsets[block.count] > MASKED_TOKENS) return undefined;
  const hidden: string[] = [];
  for (let start = 0; start < block.count; start += MASKED_BATCH) {
    signal?.throwIfAborted();
    const records = Array.from({ length: Math.min(MASKED_BATCH, block.count - start) }, (_, i) => start + i);
    const marks = await hiddenTokens(run, takeRecords(block, records), SEED);
    if (marks === undefined) return undefined;
    hidden.push(...marks.map((own) => own.map((mark) => (mark ? '1' : '0')).join('')));
  }
  return { hidden, ...(tokens ? { tokens } : { text }) };
}
