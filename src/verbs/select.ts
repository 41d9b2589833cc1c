/** The verb `select`: the records of a large file that are worth learning from. */
import { checkWhole } from '../config/check-numbers.js';
import type { ReadingOptions } from '../config/schema.js';
import type { DeviceName } from '../engine/engine.js';
import { InputError } from '../errors.js';
import { float32Digits } from '../files/float32-digits.js';
import { inBlocks } from '../files/in-blocks.js';
import { refuseOverwrite } from '../files/refuse-overwrite.js';
import { type TableCell, type TableColumn, tableWriter } from '../files/table-files.js';
import type { Hooks } from '../learning/progress-event.js';
import { MaskedErrors } from '../models/masked-errors.js';
import { encoderOf, type OpenModel, withModel } from '../models/open-model.js';
import { withProduct } from '../numerics/matrix-product.js';
import type { TokenBlock } from '../records/token-block.js';
import { ownFiles } from '../runs/folder.js';
import { unitRows } from '../search/nearest-neighbors.js';
import { directionSpace, place } from '../search/vector-space.js';
import { type SelectorName, selectors } from '../selection/index.js';
import type { Selector } from '../selection/selector.js';
import { inputFiles } from '../sources/data-files.js';
import { embeddedRecords } from './embedded-records.js';
import { finishAll, openRecords } from './open-records.js';

/** What `select` is given. */
export interface SelectOptions {
  /** Folder of a run, of its export, or of what `fit` left with an encoder. */
  readonly run: string;
  /** The file to choose from. */
  readonly data: string;
  readonly method: SelectorName;
  /** The file of the records that learning is for, where the method chooses by it. */
  readonly for?: string;
  /** How many records are chosen; by default a tenth, with `near-duplicates` all that are no copies, and with `simcore` all that are like the target. */
  readonly count?: number;
  /** 0 by default. */
  readonly seed?: number;
  /** The file to write: .csv or .parquet. */
  readonly out: string;
  /** Columns that are written beside, in the file's own characters; `all` alone means all. */
  readonly keep?: readonly string[];
  readonly config?: ReadingOptions;
  /** What the encoder is computed on; the CPU by default. */
  readonly device?: DeviceName;
}

/** What `select` wrote. */
export interface SelectSummary {
  readonly file: string;
  /** Records that were chosen. */
  readonly rows: number;
  /** Records that they were chosen from. */
  readonly pool: number;
  /** Why fewer were chosen than were wanted. */
  readonly ended?: string;
  readonly rejected: number;
  readonly unknown: number;
}

/**
 * Writes a line for each chosen record, the first chosen first, with the number that it was chosen by. Nothing is left of `out` when
 * it fails or is stopped. Throws InputError for fewer than two records, and where the method needs a target or a run that predicts hidden
 * tokens.
 */
export async function select(
  { run, data, method, for: target, count, seed = 0, out, keep, config, device }: SelectOptions,
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<SelectSummary> {
  const selector: Selector | undefined = Object.hasOwn(selectors, method) ? selectors[method] : undefined;
  if (!selector)
    throw new InputError(`method ${method}: expected one of ${Object.keys(selectors).join(', ')}`);
  if ((selector.needs === 'target') !== (target !== undefined))
    throw new InputError(
      target === undefined
        ? `${method} chooses by the records that learning is for: name their file with --for`
        : `${method} chooses without other records, so leave out --for; simcore chooses by them`,
    );
  if (count !== undefined) checkWhole('count', count, 1);
  checkWhole('seed', seed, 0);
  const write = tableWriter(out);
  for (const path of [data, target].filter((path) => path !== undefined))
    await refuseOverwrite(await inputFiles(path, config?.format), out);
  await refuseOverwrite(await ownFiles(run), out);
  return withModel(run, { device }, { onEvent }, (model) =>
    withProduct(model.engine, async (multiply) => {
      const { width } = encoderOf(model);
      const isOwn = (name: string) => name.toLowerCase() === selector.value;
      const records = await openRecords(data, model, { config, out, keep, isOwn });
      const pool = await embeddedRecords(model, records, { signal });
      if (pool.rows.length < 2)
        throw new InputError(`${data}: expected at least 2 records to choose among, and 1 can be read`);
      const targets = target === undefined ? undefined : await openRecords(target, model, { config, out });
      const space = directionSpace(pool.embeddings, width);
      const unit = (embeddings: Float32Array) => unitRows(place(space, embeddings), width);
      const chosen = await selector.select({
        vectors: unit(pool.embeddings),
        width,
        count,
        seed,
        multiply,
        ...(targets && { target: unit((await embeddedRecords(model, targets, { signal })).embeddings) }),
        ...(selector.needs === 'errors' && { errors: await meanErrors(run, model, pool.block, signal) }),
      });
      if (chosen.ended !== undefined) onEvent({ type: 'info', message: chosen.ended });
      const columns: TableColumn[] = [
        { name: 'row', type: 'INTEGER' },
        ...records.kept.map(({ name }): TableColumn => ({ name, type: 'VARCHAR' })),
        { name: selector.value, type: 'DOUBLE' },
      ];
      const { records: taken, values } = chosen;
      const line = (place: number): TableCell[] => [
        pool.rows[taken[place]],
        ...pool.cells[taken[place]],
        float32Digits(values[place]),
      ];
      await write(
        out,
        columns,
        inBlocks(taken.length, (place) => [line(place)]),
      );
      return {
        file: out,
        rows: chosen.records.length,
        pool: pool.rows.length,
        ...(chosen.ended !== undefined && { ended: chosen.ended }),
        ...finishAll([records, targets], 'compared', { onEvent }),
      };
    }),
  );
}

/** float64[block.count]: the mean error of a record's tokens when they are hidden; records without any come last. */
async function meanErrors(
  folder: string,
  { engine, run }: OpenModel,
  block: TokenBlock,
  signal?: AbortSignal,
): Promise<Float64Array> {
  const errors = run && MaskedErrors.of(engine, run);
  if (!errors)
    throw new InputError(
      `${folder}: does not predict hidden tokens, so that it has no perplexity; a run of --objective sma or random-masking does`,
    );
  try {
    const tokens = await errors.tokenErrors(block, signal);
    return Float64Array.from({ length: block.count }, (_, record) => {
      const own = tokens
        .subarray(block.offsets[record], block.offsets[record + 1])
        .filter((error) => !Number.isNaN(error));
      return own.length === 0
        ? Number.POSITIVE_INFINITY
        : own.reduce((sum, error) => sum + error, 0) / own.length;
    });
  } finally {
    await errors.release();
  }
}
