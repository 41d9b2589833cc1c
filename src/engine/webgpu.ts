/** The GPU of this machine, on onnxruntime-node's WebGPU provider: Vulkan, Metal or Direct3D, without a browser. */
import { type DeviceEngine, deviceEngine } from './device-engine.js';
import { graphicsCards } from './graphics-cards.js';

/** Throws LacunaError where there is none that a driver offers. */
export async function webgpuEngine(): Promise<DeviceEngine> {
  const runtime = await import('onnxruntime-node');
  return deviceEngine(
    runtime.default ?? runtime,
    await graphicsCards(),
    "try --device cpu, or install a Vulkan driver and its loader (libvulkan1; beside NVIDIA's driver also libglvnd0, libgl1 and libegl1)",
  );
}
