import type { Program } from '../graph/program.js';
import type { HostTensor } from '../tensor/tensor.js';
import type { DeviceEngine } from './device-engine.js';

/** Tensors by name. */
export type HostTensors = Readonly<Record<string, HostTensor>>;

/** A program ready to run. */
export interface Executable {
  /**
   * Runs once: `feeds` are the program's inputs and parameters by name, `results` the tensors that its outputs are
   * written into, which may be views. An output may share its memory with an input only where the program reads
   * each element of that input no later than it writes the same element of the output.
   */
  run(feeds: HostTensors, results: HostTensors): Promise<void>;
  /** Frees the native session. */
  release(): Promise<void>;
}

/** What networks are computed on: `auto` is the GPU where there is one that would be faster. */
export const devices = ['cpu', 'webgpu', 'auto'] as const;

export type DeviceName = (typeof devices)[number];

/** How programs are run. */
export interface EngineOptions {
  /** Threads inside one operator. */
  readonly threads: number;
  /** Writes a trace of each executable to files that start so. */
  readonly profilePrefix?: string;
}

/** How one program is compiled. */
export interface CompileOptions {
  /**
   * Fixed values of the parameters by name, which are then no inputs any more: the engine lays them out once, as its
   * kernels want them. Others than the program's are ignored.
   */
  readonly parameters?: HostTensors;
}

/** Compiles programs for the CPU. */
export interface Engine {
  /** Throws what the runtime throws where it refuses the program. */
  compile(program: Program, options?: CompileOptions): Promise<Executable>;
  /** What networks are computed on, where it is not the CPU: training, predicting and embedding look for it. */
  readonly device?: DeviceEngine;
  /** Bytes that there are for it, where that is known: what needs more is refused before it is begun. */
  readonly memory?: number;
}

/** The versions of what computes, and the adapter that it computes on. */
export const versionsOn = (
  { device }: Engine,
  versions: Readonly<Record<string, string>>,
): Record<string, string> => ({ ...versions, ...(device && { adapter: device.name }) });

/** What compiles the programs of a network whose tensors are on the host before and after: the device where there is one. */
export const networkCompiler = (engine: Engine): Pick<Engine, 'compile'> => engine.device?.forHost ?? engine;
