/** TensorFlow.js in a page, on its WebAssembly backend as the package has it. */
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import { setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { trainer } from '../peers/tensorflow-js/training.mjs';
import { answer } from './conversation.mjs';

answer(async (files, { threads }) => {
  // The module takes half of the processors at most, counting two to a core.
  Object.defineProperty(navigator, 'hardwareConcurrency', { value: 2 * threads });
  setWasmPaths(`${location.origin}/peers/@tensorflow/tfjs-backend-wasm/wasm-out/`);
  setThreadsCount(threads);
  await tf.setBackend('wasm');
  const train = trainer(tf, files);
  return { version: `tensorflow.js ${tf.version_core}, wasm`, train: async (steps) => train(steps) };
});
