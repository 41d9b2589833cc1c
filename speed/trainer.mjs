import { DeviceTrainer } from '../dist/learning/device-trainer.js';
import { pretrainingGraphFor } from '../dist/learning/self-supervision.js';
import { Trainer } from '../dist/learning/trainer.js';

/**
 * A trainer of a workload at its starting weights: on the CPU, or with its steps on `device`.
 *
 * @param {Awaited<ReturnType<typeof import('./workload.mjs').readWorkload>>} files
 * @param {import('../dist/engine/engine.js').Engine} engine
 * @param {{
 *   recompute?: boolean,
 *   device?: import('../dist/engine/device-engine.js').DeviceEngine,
 *   ranks?: import('../dist/cluster/ranks.js').Ranks,
 * }} [options]
 */
export function trainerOf({ workload, weights }, engine, { recompute = false, device, ranks } = {}) {
  const { model, batch, optimizer } = workload;
  const { weightDecay, clipNorm } = optimizer;
  const settings = {
    build: (/** @type {number} */ tokens) => pretrainingGraphFor(model, batch, tokens),
    weightDecay,
    clipNorm,
    recompute,
    ranks,
  };
  const { maxTokens } = model.spec;
  const trainer = device
    ? new DeviceTrainer(device, engine, settings, maxTokens)
    : new Trainer(engine, settings, maxTokens);
  for (const [name, { data }] of Object.entries(trainer.parameters))
    data.set(/** @type {Float32Array} */ (weights[name].data));
  return trainer;
}

/** The tensors of one batch, by the names of the graph's inputs. */
export const batchOfWorkload = (
  /** @type {Readonly<import('./workload.mjs').Tensors>} */ batches,
  /** @type {number} */ index,
) =>
  Object.fromEntries(
    Object.entries(batches)
      .filter(([name]) => name.startsWith(`${index}.`))
      .map(([name, tensor]) => [name.slice(`${index}.`.length), tensor]),
  );

/** The device that was asked for; where there is no such, ends the program with the names of those there are. */
export function deviceNamed(/** @type {string} */ name) {
  if (name === 'cpu' || name === 'webgpu') return name;
  console.error(`--device is ${name}; there are cpu and webgpu`);
  process.exit(2);
}
