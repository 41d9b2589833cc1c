/** jax-js in a page, in WebAssembly or on WebGPU. */
import * as jax from '@jax-js/jax';
import { trainer } from '../peers/jax-js/training.mjs';
import { answer } from './conversation.mjs';

answer(async (files, { device }) => {
  const wanted = device === 'webgpu' ? 'webgpu' : 'wasm';
  const ready = await jax.init(wanted);
  if (!ready.includes(wanted)) throw new Error(`jax-js has no ${wanted} here; it has ${ready.join(', ')}`);
  jax.defaultDevice(wanted);
  return { version: `jax-js, ${wanted}`, train: trainer(jax, files) };
});
