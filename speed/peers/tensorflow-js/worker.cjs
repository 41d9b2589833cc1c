/** A thread of the backend: the package's own worker script, which expects a few names of a CommonJS module to be global. */
const { runInThisContext } = require('node:vm');
const {
  wasmWorkerContents,
} = require('@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.worker.js');

Object.assign(globalThis, { require, __filename });
// The package stores the script in a template literal, where its \n have become line breaks inside of strings.
runInThisContext(wasmWorkerContents.replaceAll('\n', '\\n'));
