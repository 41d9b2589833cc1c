/**
 * How many kernels a training step launches on a device, from the runtime's trace of one:
 * `node speed/launches.mjs FOLDER` prints `{"launches": …, "nodes": …, "kernelMilliseconds": …, "nodesOnCpu": …}`.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ort from 'onnxruntime-node';
import { nodeEngine } from '../dist/engine/node.js';
import { webgpuEngine } from '../dist/engine/webgpu.js';
import { batchOfWorkload, trainerOf } from './trainer.mjs';
import { readWorkload } from './workload.mjs';

/** @typedef {{ cat: string, name: string, dur: number, args: { provider?: string } }} TraceEvent */

const files = await readWorkload(process.argv[2]);
const { model, optimizer } = files.workload;
const traces = await mkdtemp(join(tmpdir(), 'lacuna-launches-'));
/** The first compiles the shaders. */
const STEPS = 2;
/** The programs on the device, which are traced. @type {import('onnxruntime-node').InferenceSession[]} */
const sessions = [];
const create = /** @type {Function} */ (ort.InferenceSession.create).bind(ort.InferenceSession);
/** @typedef {import('onnxruntime-node').InferenceSession.SessionOptions} SessionOptions */
const traced = async (/** @type {Uint8Array} */ model, /** @type {SessionOptions} */ options) => {
  // The CPU's, of the first step alone, is gone before the end.
  if (!options.executionProviders?.includes('webgpu')) return create(model, options);
  const prefix = join(traces, `trace ${sessions.length}`);
  const session = await create(model, { ...options, enableProfiling: true, profileFilePrefix: prefix });
  sessions.push(session);
  return session;
};
ort.InferenceSession.create = /** @type {any} */ (traced);
try {
  const trainer = trainerOf(files, await nodeEngine({ threads: 1 }), { device: await webgpuEngine() });
  for (let step = 1; step <= STEPS; step++)
    await trainer.step(model.spec.maxTokens, batchOfWorkload(files.batches, 0), {
      step,
      learningRate: optimizer.learningRate,
    });
  for (const session of sessions) session.endProfiling();
  const read = async (/** @type {string} */ file) =>
    /** @type {TraceEvent[]} */ (JSON.parse(await readFile(join(traces, file), 'utf8'))).filter(
      ({ cat, args }) => cat === 'Api' || args?.provider !== undefined,
    );
  const onDevice = (/** @type {TraceEvent} */ { cat, args }) =>
    cat === 'Api' || args.provider === 'WebGpuExecutionProvider';
  // The step is the largest of the programs on the device.
  const counted = (await Promise.all((await readdir(traces)).map(read))).filter((events) =>
    events.some(onDevice),
  );
  const [events] = counted.sort((a, b) => b.length - a.length);
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
