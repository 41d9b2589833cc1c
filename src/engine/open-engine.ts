/** The engine of a command: this machine's CPU, and a GPU where one is asked for or is faster. */
import { InputError, LacunaError } from '../errors.js';
import { estimatedSeconds, measureRates, type Work } from './device-choice.js';
import { type DeviceName, devices, type Engine, type EngineOptions } from './engine.js';
import { defaultThreads, nodeEngine } from './node.js';
import { webgpuEngine } from './webgpu.js';

export interface OpenEngineOptions extends Partial<EngineOptions> {
  /** `cpu` by default. */
  readonly device?: DeviceName;
  /** What is computed, for `auto` to estimate. */
  readonly work?: () => Work;
  /** Told what is computed on, and why, unless it is the CPU as always. */
  readonly report: (message: string) => void;
}

/** Throws LacunaError where `webgpu` is asked for and no GPU answers. */
export async function openEngine({
  device = 'cpu',
  work,
  report,
  threads: asked = defaultThreads(),
  ...options
}: OpenEngineOptions): Promise<Engine> {
  if (!devices.includes(device))
    throw new InputError(`device: expected one of ${devices.join(', ')}, got ${JSON.stringify(device)}`);
  if (!Number.isInteger(asked) || asked < 1)
    throw new InputError(`threads: expected a whole number of at least 1, got ${JSON.stringify(asked)}`);
  const threads = Math.min(asked, defaultThreads());
  if (threads < asked)
    report(`threads: ${threads}, one for each core, since more would be slower (${asked} asked for)`);
  const cpu = await nodeEngine({ threads, ...options });
  if (device === 'cpu') return cpu;
  const found = await webgpuEngine().catch((error: unknown) => {
    if (device === 'webgpu' || !(error instanceof LacunaError)) throw error;
    report(`device: cpu, since ${error.message.split(';')[0]}`);
  });
  if (found === undefined) return cpu;
  const engine = { ...cpu, device: found };
  if (device === 'webgpu') {
    report(`device: webgpu, ${found.name}`);
    return engine;
  }
  if (work === undefined) throw new Error('openEngine: auto needs to be told what is computed');
  const wanted = work();
  const onCpu = estimatedSeconds(wanted, await measureRates(cpu));
  const onDevice = estimatedSeconds(wanted, await measureRates(found.forHost));
  const times = `about ${milliseconds(onDevice)} a batch on ${found.name} and ${milliseconds(onCpu)} on the CPU`;
  if (onDevice < onCpu) {
    report(`device: webgpu, ${times}`);
    return engine;
  }
  report(`device: cpu, ${times}`);
  await found.release();
  return cpu;
}

const milliseconds = (seconds: number): string =>
  `${Number((1000 * seconds).toPrecision(2)).toLocaleString('en-US')} ms`;
