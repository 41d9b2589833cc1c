/**
 * How many kernels a training step launches on a device, from the runtime's trace of one:
 * `node speed/launches.mjs FOLDER` prints `{"launches": …, "nodes": …, "kernelMilliseconds": …, "nodesOnCpu": …}`.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeEngine } from '../dist/engine/node.js';
import { deviceEngine, trainerOf } from './trainer.mjs';
import { batchOfWorkload, readWorkload } from './workload.mjs';

/** @typedef {{ cat: string, name: string, dur: number, args: { provider?: string } }} TraceEvent */

const files = await readWorkload(process.argv[2]);
const { model, optimizer } = files.workload;
const traces = await mkdtemp(join(tmpdir(), 'lacuna-launches-'));
/** The first compiles the shaders. */
const STEPS = 2;
try {
  const device = await deviceEngine('webgpu', { profilePrefix: join(traces, 'trace') });
  const trainer = trainerOf(files, await nodeEngine({ threads: 1 }), { device });
  for (let step = 1; step <= STEPS; step++)
    await trainer.step(model.spec.maxTokens, batchOfWorkload(files.batches, 0), {
      step,
      learningRate: optimizer.learningRate,
    });
  await trainer.release();
  const [trace] = await readdir(traces);
  /** @type {TraceEvent[]} */
  const events = JSON.parse(await readFile(join(traces, trace), 'utf8'));
  // One for each kernel, with the times that the device measured.
  const kernels = events.filter(({ cat }) => cat === 'Api');
  const nodes = events.filter(({ name }) => name.endsWith('_kernel_time'));
  console.log(
    JSON.stringify({
      // Where the device measures no times there are no such events.
      launches: kernels.length > 0 ? kernels.length / STEPS : undefined,
      nodes: nodes.length / STEPS,
      kernelMilliseconds: kernels.slice(kernels.length / STEPS).reduce((sum, { dur }) => sum + dur, 0) / 1000,
      nodesOnCpu: nodes.filter(({ args }) => args.provider === 'CPUExecutionProvider').length / STEPS,
    }),
  );
} catch (error) {
  console.error(/** @type {Error} */ (error).message);
  process.exitCode = 1;
} finally {
  await rm(traces, { recursive: true, force: true });
}
