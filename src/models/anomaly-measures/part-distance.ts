import { InputError } from '../../errors.js';
import { encoderParameters } from '../../finetuning/frozen-encoder.js';
import { TokenStates } from '../../finetuning/token-states.js';
import { gatherRows } from '../../numerics/matrix.js';
import { openProduct } from '../../numerics/matrix-product.js';
import { takeRecords } from '../../records/batch.js';
import type { TokenBlock } from '../../records/token-block.js';
import { euclideanSearch } from '../../search/euclidean.js';
import { permutation, random } from '../../tensor/random.js';
import type { OpenModel } from '../open-model.js';
import type { AnomalyMeasure, FittedMeasure } from './measure.js';

/** Normal records whose parts are looked at, and parts that are kept, drawn from all of them. */
const MOST = { records: 1000, parts: 10_000 };

/** Records whose parts are in memory together. */
const AT_ONCE = 256;

/** The share of a record's parts, those farthest from normal ones, whose mean distance is its own. */
const FARTHEST = 0.25;

/**
 * A memory of normal parts: the states of the tokens of normal records, of which at most 10,000 are kept at random. A part is as far
 * as its nearest in the memory, by the Euclidean distance; a record as its farthest quarter, on average. After PatchCore (Roth et al., CVPR 2022). Departures: states of one layer that see the whole record, and no
 * patches of several; the memory is a random part and no greedy coreset; a quarter for the farthest alone, since anomalies may be all of a record.
 */
export const partDistance: AnomalyMeasure = {
  description: 'how far its parts lie from all parts of normal records (memory bank)',
  fit: (model, normal, signal) => memoryOfParts(model, normal, { signal }),
};

/** Rows float32[n, width] → float32[n, width]. */
export type AdaptRows = (rows: Float32Array) => Float32Array | Promise<Float32Array>;

/**
 * The measure {@link partDistance}, of states that go through what `adapter` makes of the normal ones, where it is given.
 */
export async function memoryOfParts(
  { engine, run, folder }: OpenModel,
  normal: TokenBlock,
  {
    adapter,
    signal,
  }: {
    adapter?: (states: TokenStates, normal: TokenBlock, signal?: AbortSignal) => Promise<AdaptRows>;
    signal?: AbortSignal;
  } = {},
): Promise<FittedMeasure> {
  if (!run) throw new InputError(`${folder}: has no run whose parts could be compared`);
  const states = new TokenStates(engine, run.model, encoderParameters(run.model, run.tensors, folder));
  const product = await openProduct(engine);
  const release = async () => {
    await states.release();
    await product.release();
  };
  try {
    const { width } = states;
    const order = permutation(normal.count, random(0, 'records of parts')).slice(0, MOST.records).sort();
    const drawn = takeRecords(normal, order);
    const adapt = (await adapter?.(states, drawn, signal)) ?? ((rows: Float32Array) => rows);
    const all = await states.of(drawn, 0, signal);
    const parts = permutation(all.length / width, random(0, 'parts')).slice(0, MOST.parts);
    const kept = await adapt(gatherRows(new Float32Array(parts.length * width), all, parts, width));
    const nearest = euclideanSearch(kept, width, product.multiply);
    return {
      async measure(block, signal) {
        const found = new Float64Array(block.count);
        for (let first = 0; first < block.count; first += AT_ONCE) {
          const length = Math.min(AT_ONCE, block.count - first);
          const some = takeRecords(
            block,
            Int32Array.from({ length }, (_, i) => first + i),
          );
          const { distances, k } = await nearest(await adapt(await states.of(some, 0, signal)), 1);
          for (let record = 0; record < length; record++)
            found[first + record] = meanOfLargest(
              distances.slice(some.offsets[record] * k, some.offsets[record + 1] * k).sort(),
            );
        }
        return found;
      },
      release,
    };
  } catch (error) {
    await release();
    throw error;
  }
}

/** Of ascending values the mean of the largest quarter, of one at least. */
function meanOfLargest(ascending: Float64Array): number {
  const count = Math.max(1, Math.round(FARTHEST * ascending.length));
  return ascending.subarray(-count).reduce((sum, value) => sum + value, 0) / count;
}
