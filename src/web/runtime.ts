/** ONNX Runtime in a worker: its files lie in one folder, and each is loaded when it is first needed. */
import type { Env } from 'onnxruntime-web';
import { type DeviceEngine, deviceEngine, type Runtime } from '../engine/device-engine.js';
import type { Engine } from '../engine/engine.js';
import { webEngine } from '../engine/web.js';
import { LacunaError } from '../errors.js';

type Loaded = Runtime & { readonly env: Env };

export interface RuntimeSettings {
  /** Where the files of `onnxruntime-web/dist` lie, with `/` at the end. */
  readonly folder: string;
  readonly threads: number;
  /** The file of the runtime for the processor. */
  readonly file: string;
}

let settings: RuntimeSettings;
let cpu: Promise<Engine> | undefined;
let version = '';

/** Before anything is computed. */
export function setRuntime(given: RuntimeSettings): void {
  settings = given;
}

export const threads = (): number => settings.threads;

export const runtimeVersion = (): string => version;

async function load(file: string, numThreads: number): Promise<Loaded> {
  const ort: Loaded = await import(/* @vite-ignore */ settings.folder + file).catch((cause: Error) => {
    throw new LacunaError(
      `${settings.folder}${file}: could not be loaded (${cause.message}); put the files of onnxruntime-web/dist there, or name their folder as \`runtime\``,
      { cause },
    );
  });
  ort.env.wasm.numThreads = numThreads;
  ort.env.wasm.wasmPaths = settings.folder;
  ort.env.logLevel = 'error';
  return ort;
}

/** The processor, by WebAssembly. */
export function cpuEngine(): Promise<Engine> {
  cpu ??= load(settings.file, settings.threads).then((ort) => {
    version = ort.env.versions.web ?? ort.env.versions.common;
    return webEngine(ort);
  });
  return cpu;
}

/** What is used of `navigator.gpu`. */
interface Gpu {
  requestAdapter(): Promise<{
    readonly info?: {
      readonly description?: string;
      readonly vendor?: string;
      readonly architecture?: string;
      readonly isFallbackAdapter?: boolean;
    };
  } | null>;
}

/**
 * The browser's WebGPU. Throws LacunaError where there is none, and for `auto` where its adapter is a program on the
 * processor: nothing of the runtime is loaded to find out how slow that is.
 */
export async function gpuEngine(device: 'webgpu' | 'auto'): Promise<DeviceEngine> {
  const { gpu } = (globalThis as { readonly navigator?: { readonly gpu?: Gpu } }).navigator ?? {};
  const adapter = await gpu?.requestAdapter();
  if (!adapter)
    throw new LacunaError('no GPU answered (this browser offers WebGPU none); try the device cpu');
  const { description, vendor, architecture, isFallbackAdapter } = adapter.info ?? {};
  const name = description || [vendor, architecture].filter(Boolean).join(' ') || 'WebGPU';
  if (device === 'auto' && isFallbackAdapter)
    throw new LacunaError(`no GPU answered (${name} computes on the processor); try the device cpu`);
  const ort = await load('ort.webgpu.bundle.min.mjs', 1);
  return deviceEngine(oneAtATime(ort), name, 'try the device cpu');
}

/** The runtime takes one run at a time on a device, of whatever session. */
function oneAtATime(ort: Loaded): Runtime {
  let last: Promise<unknown> = Promise.resolve();
  const afterOthers = <T>(work: () => Promise<T>): Promise<T> => {
    const result = last.then(work);
    last = result.catch(() => {});
    return result;
  };
  const create = async (...given: Parameters<typeof ort.InferenceSession.create>) => {
    const session = await afterOthers(() => ort.InferenceSession.create(...given));
    const run = session.run.bind(session) as (...given: unknown[]) => Promise<never>;
    session.run = (...feeds: unknown[]) => afterOthers(() => run(...feeds));
    return session;
  };
  return { Tensor: ort.Tensor, InferenceSession: { create } as typeof ort.InferenceSession };
}
