/** Instead of `engine/node.ts`. */
import type { Engine } from '../../engine/engine.js';
import { cpuEngine, runtimeVersion, threads } from '../runtime.js';

export const defaultThreads = threads;

export const runtimeVersions = (): Record<string, string> => ({ 'onnxruntime-web': runtimeVersion() });

export const peakMemory = (): undefined => undefined;

export const nodeEngine = (): Promise<Engine> => cpuEngine();
