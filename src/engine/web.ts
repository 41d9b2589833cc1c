/** Programs on onnxruntime-web, in WebAssembly on the processor. */
import type { InferenceSession, Tensor } from 'onnxruntime-web';
import { encodeProgram } from '../onnx/encode.js';
import type { HostTensor } from '../tensor/tensor.js';
import type { Runtime } from './device-engine.js';
import type { Engine, HostTensors } from './engine.js';

/** The most that 32-bit WebAssembly can address. */
const MEMORY = 2 ** 32;

/**
 * An engine on a runtime whose threads are set already. Feeds are copied into the runtime's memory and results out of it
 * at every run: its interface has no other way.
 */
export function webEngine(ort: Runtime): Engine {
  const sessionOptions: InferenceSession.SessionOptions = {
    executionProviders: ['wasm'],
    graphOptimizationLevel: 'all',
    enableMemPattern: false,
    logSeverityLevel: 3,
    extra: { session: { set_denormal_as_zero: '1', force_spinning_stop: '1' } },
  };
  const described = new WeakMap<HostTensor, Tensor>();
  const describe = (tensor: HostTensor): Tensor => {
    let result = described.get(tensor);
    if (result === undefined) {
      result = new ort.Tensor(tensor.dtype, tensor.data, tensor.shape) as Tensor;
      described.set(tensor, result);
    }
    return result;
  };
  const take = (tensors: HostTensors, name: string, program: string, side: string): HostTensor => {
    const tensor = tensors[name];
    if (tensor) return tensor;
    throw new Error(`${program}: ${side} "${name}" is missing; given are ${Object.keys(tensors).join(', ')}`);
  };
  return {
    memory: MEMORY,
    async compile(program, { parameters } = {}) {
      const model = encodeProgram(program, {
        parameters: parameters && ((name) => parameters[name]),
        device: 'cpu',
      });
      const session = await ort.InferenceSession.create(model, sessionOptions);
      return {
        async run(feeds, results) {
          const given = session.inputNames.map((name) => [
            name,
            describe(take(feeds, name, program.name, 'input')),
          ]);
          const wanted = session.outputNames.map(
            (name) => [name, take(results, name, program.name, 'output')] as const,
          );
          const computed = await session.run(Object.fromEntries(given));
          for (const [name, { data }] of wanted)
            (data as Float32Array).set(computed[name].data as Float32Array);
        },
        release: () => session.release(),
      };
    },
  };
}
