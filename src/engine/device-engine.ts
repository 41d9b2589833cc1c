/** Programs on a device, by the WebGPU provider of onnxruntime-node or onnxruntime-web. */
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { LacunaError } from '../errors.js';
import { input, type Program, stopGradient } from '../graph/index.js';
import { encodeProgram } from '../onnx/encode.js';
import { type HostTensor, hostTensor } from '../tensor/tensor.js';
import type { CompileOptions, Engine } from './engine.js';
import { KeptPrograms } from './kept-programs.js';

/** A float32 tensor on the device. It takes memory there until it is disposed of. */
export interface DeviceTensor {
  readonly dims: readonly number[];
  dispose(): void;
}

/** Tensors by name, on either side. */
export type MixedTensors = Readonly<Record<string, HostTensor | DeviceTensor>>;

/** A program ready to run on the device. */
export interface DeviceExecutable {
  /**
   * Hands the work to the device and returns without waiting for it: the outputs are on the device, new at every run, and
   * the caller's to dispose of. Inputs on the device are left as they are. Throws DeviceLost.
   */
  run(feeds: MixedTensors): Promise<Record<string, DeviceTensor>>;
  /** Frees the native session. */
  release(): Promise<void>;
}

/** Compiles programs for a device, and moves tensors there and back. */
export interface DeviceEngine {
  /** The graphics card, or those that the machine says it has where the runtime does not tell which of them it took. */
  readonly name: string;
  /** Compiles programs that run on the device, whose tensors are on the host before and after. */
  readonly forHost: Pick<Engine, 'compile'>;
  /** Throws LacunaError where the runtime refuses the program, as it does where the device has no kernel for a part of it. */
  compile(program: Program): Promise<DeviceExecutable>;
  /** A copy on the device. Throws DeviceLost. */
  upload(tensor: HostTensor<'float32'>): Promise<DeviceTensor>;
  /** A copy of what is on the device, when all that it depends on is computed. Throws DeviceLost. */
  download(tensor: DeviceTensor): Promise<Float32Array>;
  /** Frees the native sessions of moving tensors. */
  release(): Promise<void>;
}

/** A device that failed at a program that it had taken: what it holds may be lost. */
export class DeviceLost extends LacunaError {}

const failing = async <T>(work: Promise<T>): Promise<T> => {
  try {
    return await work;
  } catch (cause) {
    throw new DeviceLost(`training.device webgpu: the device failed (${(cause as Error).message})`, {
      cause,
    });
  }
};

const isHost = (tensor: HostTensor | DeviceTensor): tensor is HostTensor => 'dtype' in tensor;

/** What both packages of ONNX Runtime are. */
export type Runtime = Pick<typeof import('onnxruntime-node'), 'InferenceSession' | 'Tensor'>;

/**
 * The engine of the device that a runtime finds.
 * @param name what the device is called
 * @param advice what to try where none answers, which throws LacunaError
 */
export async function deviceEngine(ort: Runtime, name: string, advice: string): Promise<DeviceEngine> {
  const open = (
    program: Program,
    location: 'cpu' | 'gpu-buffer',
    { parameters }: CompileOptions = {},
  ): Promise<InferenceSession> =>
    ort.InferenceSession.create(
      encodeProgram(program, { device: 'webgpu', parameters: parameters && ((name) => parameters[name]) }),
      {
        executionProviders: ['webgpu'],
        graphOptimizationLevel: 'all',
        intraOpNumThreads: 1,
        enableMemPattern: false,
        logSeverityLevel: 3,
        preferredOutputLocation: location,
        // What is not on the device would be copied to the processor and back at every run.
        extra: { session: { disable_cpu_ep_fallback: '1' } },
      },
    );

  const copy = (shape: readonly number[]): Program => ({
    name: 'copy',
    outputs: { copy: stopGradient(input('original', 'float32', shape)) },
  });
  const copies = new KeptPrograms<InferenceSession>((session) => session.release());
  const copyTo = async (location: 'cpu' | 'gpu-buffer', original: Tensor): Promise<Tensor> => {
    const key = `${location} [${original.dims}]`;
    const session = await copies.of(key, () => open(copy(original.dims), location));
    return (await failing(session.run({ original }))).copy;
  };
  const described = (program: Program, session: InferenceSession, feeds: MixedTensors) =>
    Object.fromEntries(
      session.inputNames.map((name) => {
        const tensor = feeds[name];
        if (tensor === undefined)
          throw new Error(
            `${program.name}: input "${name}" is missing; given are ${Object.keys(feeds).join(', ')}`,
          );
        return [name, isHost(tensor) ? new ort.Tensor(tensor.dtype, tensor.data, tensor.shape) : tensor];
      }),
    ) as Record<string, Tensor>;
  const engine: DeviceEngine = {
    name,
    forHost: {
      async compile(program, options) {
        const session = await open(program, 'cpu', options);
        return {
          async run(feeds, results) {
            const computed = await session.run(described(program, session, feeds));
            for (const [name, { data }] of Object.entries(results))
              (data as Float32Array).set(computed[name].data as Float32Array);
          },
          release: () => session.release(),
        };
      },
    },
    async compile(program) {
      const session = await open(program, 'gpu-buffer').catch((cause: Error) => {
        throw new LacunaError(
          `training.device webgpu: ${program.name} cannot be computed there (${cause.message}); try --device cpu`,
          { cause },
        );
      });
      return {
        run: async (feeds) =>
          (await failing(session.run(described(program, session, feeds)))) as unknown as Record<
            string,
            DeviceTensor
          >,
        release: () => session.release(),
      };
    },
    upload: async ({ data, shape }) => copyTo('gpu-buffer', new ort.Tensor('float32', data, shape)),
    download: async (tensor) => (await copyTo('cpu', tensor as unknown as Tensor)).data as Float32Array,
    release: () => copies.release(),
  };
  try {
    const probe = await engine.upload(hostTensor('float32', [1], Float32Array.of(1)));
    probe.dispose();
  } catch (cause) {
    const reason = (cause as Error).message.replace(/^.*was false\. /s, '').trim();
    throw new LacunaError(`no GPU answered (${reason}); ${advice}`, { cause });
  }
  return engine;
}
