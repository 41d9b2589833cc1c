/** TensorFlow.js on its WebAssembly backend, with threads in Node and matrix products that all go through XNNPACK. */
import { createRequire } from 'node:module';
import os from 'node:os';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const tf = require('@tensorflow/tfjs');
const { BackendWasm, getThreadsCount, setThreadsCount } = require('@tensorflow/tfjs-backend-wasm');

const BINARIES = '@tensorflow/tfjs-backend-wasm/wasm-out';

/**
 * The package's threaded WebAssembly module. The package itself loads it in browsers only: it hands workers their
 * script as a blob, and Node wants a file.
 */
async function threadedModule(threads) {
  const script = require.resolve(`${BINARIES}/tfjs-backend-wasm-threaded-simd.js`);
  const worker = fileURLToPath(new URL('worker.cjs', import.meta.url));
  const { cpus } = os;
  // The module takes at most half of the processors, counting two to a core, and asks for them while it loads.
  os.cpus = () => Array(2 * threads).fill(cpus()[0]);
  try {
    const module = await require(script)({
      mainScriptUrlOrBlob: script,
      locateFile: (path) => (path.endsWith('.worker.js') ? worker : require.resolve(`${BINARIES}/${path}`)),
    });
    // Its handlers would print the module's source, one line, with every error.
    for (const event of ['uncaughtException', 'unhandledRejection']) process.removeAllListeners(event);
    const { cwrap } = module;
    module.tfjs = {
      init: cwrap('init', null, []),
      initWithThreadsCount: cwrap('init_with_threads_count', null, ['number']),
      getThreadsCount: cwrap('get_threads_count', 'number', []),
      registerTensor: cwrap('register_tensor', null, ['number', 'number', 'number']),
      disposeData: cwrap('dispose_data', null, ['number']),
      dispose: cwrap('dispose', null, []),
    };
    return module;
  } finally {
    os.cpus = cpus;
  }
}

/** Without this a tensor that does not fit lies at address 0, over others. */
function refuseFullMemory(module) {
  // The first call replaces the function by another.
  module._free(module._malloc(1));
  const allocate = module._malloc;
  module._malloc = (bytes) => {
    let address = 0;
    try {
      address = allocate(bytes);
    } catch {
      // Past the last address it traps.
    }
    if (address === 0 && bytes > 0) {
      throw new Error(
        `expected room for ${bytes} bytes in the backend's memory, but it has grown to ${module.HEAPU8.byteLength} of the ` +
          '4 GB that WebAssembly can address; try a smaller batch or model',
      );
    }
    return address;
  };
}

/** A matrix, or several of one shape, of a tensor: where it lies, and how many rows and columns each has. */
const matrices = ({ dataId, shape, dtype }) => {
  const [rows, columns] = shape.slice(-2);
  return { dataId, dtype, count: tf.util.sizeFromShape(shape.slice(0, -2)), rows, columns };
};

/** Copies matrices with rows and columns exchanged. */
function transposed(backend, x) {
  const { count, rows, columns } = x;
  // Of one large matrix, columns are split into two axes: the kernel for three axes writes in order and is up to seven
  // times as fast as that for two, which does not.
  const split = count === 1 && rows >= columns && columns % 16 === 0;
  const { dataId, dtype } = tf.getKernel('Transpose', 'wasm').kernelFunc({
    inputs: { x: { ...x, shape: split ? [rows, columns / 16, 16] : [count, rows, columns] } },
    attrs: { perm: split ? [1, 2, 0] : [0, 2, 1] },
    backend,
  });
  return { dataId, dtype, count, rows: columns, columns: rows };
}

const elements = ({ count, rows, columns }) => count * rows * columns;

let multiply;

/** a · b of each pair of matrices; where one side has only one, it goes with all of the other. */
function product(backend, a, b) {
  const { wasm, dataIdMap } = backend;
  const count = Math.max(a.count, b.count);
  const { dataId } = backend.makeOutput([count, a.rows, b.columns], 'float32');
  const out = { dataId, dtype: 'float32', count, rows: a.rows, columns: b.columns };
  const bytesOf = (x) => new Uint8Array(Int32Array.of(1, x.rows, x.columns).buffer);
  const [aShape, bShape] = [bytesOf(a), bytesOf(b)];
  // Each matrix under an id of its own, in the tensor's memory, not a copy.
  const view = (x, index) => {
    const id = backend.dataIdNextNumber++;
    const size = x.rows * x.columns;
    const { memoryOffset } = dataIdMap.get(x.dataId);
    wasm.tfjs.registerTensor(id, size, memoryOffset + 4 * size * (index % x.count));
    return id;
  };
  for (let index = 0; index < count; index++) {
    const ids = [a, b, out].map((x) => view(x, index));
    multiply(ids[0], aShape, 3, ids[1], bShape, 3, 0, 0, ids[2]);
    ids.forEach(wasm.tfjs.disposeData);
  }
  return out;
}

/**
 * Matrix products. The backend's own kernel leaves only products of two plain matrices to XNNPACK; those of several
 * pairs or of transposed ones it computes one number at a time, ten to forty times slower. This one transposes first
 * and goes through the pairs.
 */
function batchMatMul({ inputs, attrs: { transposeA, transposeB }, backend }) {
  const [a, b] = [matrices(inputs.a), matrices(inputs.b)];
  const temporary = [];
  const kept = (x) => {
    temporary.push(x);
    return x;
  };
  const right = transposeB ? kept(transposed(backend, b)) : b;
  let out;
  if (transposeA && a.count === 1 && b.count === 1 && elements(a) > elements(b) + a.columns * right.columns) {
    // aᵀ · b = (bᵀ · a)ᵀ, where that has less to transpose.
    const exchanged = transposeB ? b : kept(transposed(backend, b));
    out = transposed(backend, kept(product(backend, exchanged, a)));
  } else {
    out = product(backend, transposeA ? kept(transposed(backend, a)) : a, right);
  }
  for (const { dataId } of temporary) backend.disposeData(dataId);
  const leading = (a.count >= b.count ? inputs.a : inputs.b).shape.slice(0, -2);
  return { dataId: out.dataId, dtype: 'float32', shape: [...leading, out.rows, out.columns] };
}

/** The same data once more. The backend's own kernel copies it, as often as a gradient keeps a tensor for later. */
function identity({ inputs: { x }, backend }) {
  backend.incRef(x.dataId);
  return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
}

function replaceKernels() {
  const setupFunc = ({ wasm }) => {
    const types = ['number', 'array', 'number', 'number', 'array', 'number', 'number', 'number', 'number'];
    multiply = wasm.cwrap('BatchMatMul', null, types);
  };
  for (const kernel of [
    { kernelName: 'BatchMatMul', kernelFunc: batchMatMul, setupFunc },
    { kernelName: 'Identity', kernelFunc: identity },
  ]) {
    tf.unregisterKernel(kernel.kernelName, 'wasm');
    tf.registerKernel({ ...kernel, backendName: 'wasm' });
  }
}

/**
 * TensorFlow.js, ready to compute, and a line that says what it is. At most 8 threads, which the package is built for.
 * With `ownKernels` two of the backend's kernels are replaced.
 */
export async function tensorFlow(threads, ownKernels) {
  if (ownKernels) replaceKernels();
  setThreadsCount(threads);
  const module = await threadedModule(threads);
  refuseFullMemory(module);
  tf.removeBackend('wasm');
  tf.registerBackend('wasm', () => new BackendWasm(module));
  await tf.setBackend('wasm');
  const version = `tensorflow.js ${tf.version_core}, wasm simd, threads ${getThreadsCount()}, node ${process.versions.node}`;
  return { tf, version };
}
