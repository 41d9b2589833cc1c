/**
 * What every contender is given, as files in one folder: the model and the optimizer (workload.json), starting weights,
 * batches with the noise their masks are drawn from, and records to embed. See peers/README.md for the format.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { batchShape, pretrainingGraph } from '../dist/learning/model.js';
import { initializeParameters, parameterLayout, parameterViews } from '../dist/learning/parameters.js';
import { batchFeeds } from '../dist/learning/self-supervision.js';
import { random } from '../dist/tensor/random.js';
import { decodeSafetensors, encodeSafetensors } from '../dist/tensor/safetensors.js';
import { hostTensor } from '../dist/tensor/tensor.js';

/**
 * @typedef {import('./configurations.mjs').Configuration} Configuration
 * @typedef {import('../dist/records/batch.js').Batch} Batch
 * @typedef {import('../dist/records/token-block.js').TokenSpec} TokenSpec
 * @typedef {Record<string, import('../dist/tensor/tensor.js').HostTensor>} Tensors
 * @typedef {Configuration & {
 *   batches: number, decayed: string[],
 *   optimizer: { learningRate: number, beta1: number, beta2: number, epsilon: number, weightDecay: number, clipNorm: number },
 * }} Workload
 */

/** Batches that are trained on in turn. */
const BATCHES = 4;

/** Ids below it are padding, unknown and the like. */
const FIRST_LETTER = 4;

/** Records of 60 to 100 % of the longest, as texts of one kind vary. Columns are always all there. */
function randomRecords(
  /** @type {TokenSpec} */ spec,
  /** @type {number} */ size,
  /** @type {string} */ purpose,
) {
  const { maxTokens } = spec;
  const source = random(1, `speed ${purpose}`);
  const lengths = new Int32Array(size).fill(maxTokens);
  const ids = new Int32Array(size * maxTokens);
  const values = spec.kind === 'discrete' ? undefined : new Float32Array(size * maxTokens);
  for (let row = 0; row < size; row++) {
    if (spec.kind === 'discrete') lengths[row] = Math.round(maxTokens * (0.6 + 0.4 * source.uniform()));
    for (let i = row * maxTokens; i < row * maxTokens + lengths[row]; i++) {
      if (values) values[i] = source.normal();
      else if (spec.kind === 'discrete')
        ids[i] = FIRST_LETTER + source.integer(spec.vocabulary - FIRST_LETTER);
    }
  }
  return { size, tokens: maxTokens, rows: size, lengths, ids, values, fileRows: new Int32Array(size) };
}

const prefixed = (/** @type {string} */ prefix, /** @type {Readonly<Tensors>} */ tensors) =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [`${prefix}${name}`, tensor]));

const write = (/** @type {string} */ path, /** @type {Readonly<Tensors>} */ tensors) =>
  writeFile(path, Buffer.concat(encodeSafetensors(tensors)));

/** Writes the files of one configuration; the same ones every time. */
export async function writeWorkload(
  /** @type {string} */ folder,
  /** @type {Configuration} */ { model, batch: size },
) {
  const { spec } = model;
  const { parameters } = pretrainingGraph(model, batchShape(model, size, spec.maxTokens));
  const layout = parameterLayout(parameters);
  /** @type {Workload} */
  const workload = {
    model,
    batch: size,
    batches: BATCHES,
    decayed: layout.slots.filter(({ offset }) => offset < layout.decayed).map(({ name }) => name),
    optimizer: {
      learningRate: 1e-4,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0.01,
      clipNorm: 1,
    },
  };
  await writeFile(join(folder, 'workload.json'), JSON.stringify(workload, null, 2));
  await write(join(folder, 'weights.safetensors'), parameterViews(layout, initializeParameters(layout, 0)));
  /** @type {Tensors} */
  const batches = {};
  for (let index = 0; index < BATCHES; index++) {
    const batch = randomRecords(spec, size, `batch ${index}`);
    const noise = { seed: 1, purpose: 'speed', step: index, progress: 1 };
    Object.assign(batches, prefixed(`${index}.`, batchFeeds(model, batch, noise)));
  }
  await write(join(folder, 'batches.safetensors'), batches);
  const records = randomRecords(spec, 32 * size, 'records');
  await write(join(folder, 'records.safetensors'), {
    lengths: hostTensor('int32', [records.size], records.lengths),
    ids: hostTensor('int32', [records.size, spec.maxTokens], records.ids),
    ...(records.values && {
      values: hostTensor('float32', [records.size, spec.maxTokens, 1], records.values),
    }),
  });
}

/** Reads what `writeWorkload` wrote. */
export async function readWorkload(/** @type {string} */ folder) {
  const tensors = async (/** @type {string} */ name) =>
    decodeSafetensors(await readFile(join(folder, name)), name).tensors;
  return {
    workload: /** @type {Workload} */ (JSON.parse(await readFile(join(folder, 'workload.json'), 'utf8'))),
    weights: await tensors('weights.safetensors'),
    batches: await tensors('batches.safetensors'),
    records: await tensors('records.safetensors'),
  };
}
