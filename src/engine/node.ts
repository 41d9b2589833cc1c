/** Programs on onnxruntime-node, CPU provider. */
import { availableParallelism, cpus, totalmem } from 'node:os';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { launchedBy } from '../cluster/launcher.js';
import type { Program } from '../graph/program.js';
import { encodeProgram } from '../onnx/encode.js';
import type { HostTensor } from '../tensor/tensor.js';
import type { Engine, EngineOptions, Executable, HostTensors } from './engine.js';

export { type DType, type DTypeArrays, type HostTensor, hostTensor, zeros } from '../tensor/tensor.js';
export type { DeviceEngine, DeviceExecutable, DeviceTensor, MixedTensors } from './device-engine.js';
export type { CompileOptions, Engine, EngineOptions, Executable, HostTensors } from './engine.js';

/** Processes of one launch on this machine, which share it. */
const localRanks = (): number => launchedBy(process.env)?.localSize ?? 1;

/** Threads used unless told otherwise: one per core, of those that this process has of the machine. */
export const defaultThreads = (): number => {
  const share = Math.max(1, Math.floor(cpus().length / localRanks()));
  return localRanks() === 1 ? availableParallelism() : Math.min(availableParallelism(), share);
};

/** What the configuration of a run says that it was computed by. */
export const runtimeVersions = (): Record<string, string> => ({ node: process.versions.node });

/** The most memory that the process has had, in MiB, where that is known. */
export const peakMemory = (): number | undefined => Math.round(process.resourceUsage().maxRSS / 1024);

/** An engine on this machine's CPU. Loads the native library at the first call. */
export async function nodeEngine(options: EngineOptions): Promise<Engine> {
  const runtime = await import('onnxruntime-node');
  const ort = runtime.default ?? runtime;
  const sessionOptions: InferenceSession.SessionOptions = {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    // The pattern of a run's memory is one block beside what the first run took: nearly twice as much in all.
    enableMemPattern: false,
    logSeverityLevel: 3,
    ...(options.profilePrefix && { enableProfiling: true, profileFilePrefix: options.profilePrefix }),
    extra: {
      session: {
        // Denormals cost a hundred times a normal product and say nothing.
        set_denormal_as_zero: '1',
        // Each program has threads of its own. Left to spin after a run they take the cores from the next program:
        // programs that alternate ran half as fast.
        force_spinning_stop: '1',
      },
    },
  };

  // A tensor's buffer is described to the runtime once, however often it is fed.
  const described = new WeakMap<HostTensor, Tensor>();
  const describe = (tensor: HostTensor): Tensor => {
    let result = described.get(tensor);
    if (result === undefined) {
      result = new ort.Tensor(tensor.dtype, tensor.data, tensor.shape);
      described.set(tensor, result);
    }
    return result;
  };
  const describeAll = (tensors: HostTensors, names: readonly string[], program: string, side: string) =>
    Object.fromEntries(
      names.map((name) => {
        if (tensors[name] === undefined) {
          throw new Error(
            `${program}: ${side} "${name}" is missing; given are ${Object.keys(tensors).join(', ')}`,
          );
        }
        return [name, describe(tensors[name])];
      }),
    );

  return {
    memory: machineMemory() / localRanks(),
    async compile(program: Program, { parameters } = {}): Promise<Executable> {
      const model = encodeProgram(program, {
        parameters: parameters && ((name) => parameters[name]),
        device: 'cpu',
      });
      const session = await ort.InferenceSession.create(model, sessionOptions);
      return {
        async run(feeds, results) {
          await session.run(
            describeAll(feeds, session.inputNames, program.name, 'input'),
            describeAll(results, session.outputNames, program.name, 'output'),
          );
        },
        async release() {
          if (options.profilePrefix) session.endProfiling();
          await session.release();
        },
      };
    },
  };
}

/** Bytes of the machine, or of the control group that this process is in, such as a job's, where that is less. */
const machineMemory = (): number => Math.min(totalmem(), process.constrainedMemory() || Infinity);
