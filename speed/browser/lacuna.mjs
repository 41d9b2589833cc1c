/** Lacuna in a page: ONNX Runtime in WebAssembly, or on the browser's WebGPU. */
import { deviceEngine } from '../../dist/engine/device-engine.js';
import { webEngine } from '../../dist/engine/web.js';
import { input, matmul } from '../../dist/graph/index.js';
import { version } from '../../dist/version.js';
import { batchOfWorkload, trainerOf } from '../trainer.mjs';
import { answer, factorsOf } from './conversation.mjs';

/** The product of two tensors on a device, computed anew at each call. */
async function multiplierOn(
  /** @type {import('../../dist/engine/device-engine.js').DeviceEngine} */ device,
  /** @type {ReturnType<typeof factorsOf>} */ { states, weight },
) {
  const of = (/** @type {string} */ name, /** @type {typeof states} */ { shape }) =>
    input(name, 'float32', shape);
  const product = matmul(of('states', states), of('weight', weight));
  const program = await device.compile({ name: 'product', outputs: { product } });
  const factors = {
    states: await device.upload({ dtype: 'float32', ...states }),
    weight: await device.upload({ dtype: 'float32', ...weight }),
  };
  return async () => {
    const { product } = await program.run(factors);
    await device.download(product);
    product.dispose();
  };
}

answer(async (files, { threads, device }) => {
  const load = async (/** @type {string} */ file, /** @type {number} */ count) => {
    const ort = await import(`${location.origin}/onnxruntime/${file}`);
    Object.assign(ort.env.wasm, { numThreads: count, wasmPaths: `${location.origin}/onnxruntime/` });
    ort.env.logLevel = 'error';
    return ort;
  };
  const ort = await load('ort.wasm.bundle.min.mjs', threads);
  const onDevice =
    device === 'webgpu' &&
    (await deviceEngine(await load('ort.webgpu.bundle.min.mjs', 1), 'WebGPU', 'leave it out'));
  const trainer = trainerOf(files, webEngine(ort), onDevice ? { device: onDevice } : {});
  const { workload, batches } = files;
  const { maxTokens } = workload.model.spec;
  const multiply = onDevice && (await multiplierOn(onDevice, factorsOf(workload)));
  const feeds = Array.from({ length: workload.batches }, (_, index) => batchOfWorkload(batches, index));
  let step = 0;
  return {
    version: `lacuna ${version}, onnxruntime-web ${ort.env.versions.web}`,
    ...(multiply && { multiply }),
    async train(count) {
      /** @type {{ milliseconds: number[], losses: number[] }} */
      const reply = { milliseconds: [], losses: [] };
      for (let i = 0; i < count; i++) {
        const started = performance.now();
        const { loss } = await trainer.step(maxTokens, feeds[step % feeds.length], {
          step: ++step,
          learningRate: workload.optimizer.learningRate,
        });
        reply.milliseconds.push(performance.now() - started);
        reply.losses.push(loss);
      }
      return reply;
    },
  };
});
