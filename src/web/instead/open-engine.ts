/** Instead of `engine/open-engine.ts`: wasm on the processor, and the browser's WebGPU where it is asked for or is faster. */
import type { Engine } from '../../engine/engine.js';
import type { OpenEngineOptions } from '../../engine/open-engine.js';
import { LacunaError } from '../../errors.js';
import { cpuEngine, gpuEngine } from '../runtime.js';

/** Throws LacunaError where `webgpu` is asked for and no GPU answers. */
export async function openEngine({ device = 'cpu', work, report }: OpenEngineOptions): Promise<Engine> {
  const cpu = await cpuEngine();
  if (device === 'cpu') return cpu;
  const found = await gpuEngine(device).catch((error: unknown) => {
    if (device === 'webgpu' || !(error instanceof LacunaError)) throw error;
    report(`device: cpu, since ${error.message.split(';')[0]}`);
  });
  if (found === undefined) return cpu;
  if (device === 'auto') {
    if (work === undefined) throw new Error('openEngine: auto needs to be told what is computed');
    const { estimatedSeconds, measureRates } = await import('../../engine/device-choice.js');
    const wanted = work();
    const onCpu = estimatedSeconds(wanted, await measureRates(cpu));
    const onDevice = estimatedSeconds(wanted, await measureRates(found.forHost));
    if (onCpu <= onDevice) {
      report(`device: cpu, where a batch takes less time than on ${found.name}`);
      await found.release();
      return cpu;
    }
  }
  report(`device: webgpu, ${found.name}`);
  return { ...cpu, device: found };
}
