/** jax-js in a page, in WebAssembly or on WebGPU. */
import * as jax from '@jax-js/jax';
import { trainer } from '../peers/jax-js/training.mjs';
import { answer, factorsOf } from './conversation.mjs';

answer(async (files, { device }) => {
  const wanted = device === 'webgpu' ? 'webgpu' : 'wasm';
  const ready = await jax.init(wanted);
  if (!ready.includes(wanted)) throw new Error(`jax-js has no ${wanted} here; it has ${ready.join(', ')}`);
  jax.defaultDevice(wanted);
  const { states, weight } = factorsOf(files.workload);
  const [a, b] = [states, weight].map(({ data, shape }) => jax.numpy.array(data, { shape }));
  const product = jax.jit(jax.numpy.matmul);
  return {
    version: `jax-js, ${wanted}`,
    train: trainer(jax, files),
    multiply: () => product(a.ref, b.ref).data(),
  };
});
