import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import type { DeviceEngine, DeviceTensor } from '../../src/engine/device-engine.js';
import { nodeEngine } from '../../src/engine/node.js';
import { webgpuEngine } from '../../src/engine/webgpu.js';
import { modelOnRecords, ROWS } from '../../src/learning/device-models.case.js';
import { DeviceTrainer } from '../../src/learning/device-trainer.js';
import { initializeParameters } from '../../src/learning/parameters.js';
import { range } from '../../src/objectives/objective.case.js';

const STEPS = 2000;
setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');
const cpu = await nodeEngine({ threads: 1 });

/** An engine that knows which of its tensors are not yet disposed of. */
function counted(device: DeviceEngine): { engine: DeviceEngine; alive: Set<DeviceTensor> } {
  const alive = new Set<DeviceTensor>();
  const count = (tensor: DeviceTensor): DeviceTensor => {
    alive.add(tensor);
    const dispose = tensor.dispose.bind(tensor);
    tensor.dispose = () => {
      alive.delete(tensor);
      dispose();
    };
    return tensor;
  };
  const engine: DeviceEngine = {
    ...device,
    upload: async (tensor) => count(await device.upload(tensor)),
    async compile(program) {
      const { run, release } = await device.compile(program);
      return {
        release,
        run: async (feeds) =>
          Object.fromEntries(Object.entries(await run(feeds)).map(([name, tensor]) => [name, count(tensor)])),
      };
    },
  };
  return { engine, alive };
}

/** Resident memory in MiB, in which a software adapter has its buffers, too. */
function residentMemory(): number {
  collectGarbage();
  const pages = Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[1]);
  return (pages * 4096) / 2 ** 20;
}

it(`the memory of ${STEPS} steps does not grow`, async () => {
  const { spec, build, feedsOf, pack } = modelOnRecords(['byol', 'convolution', 'fields'])!;
  const { engine, alive } = counted(await webgpuEngine());
  const options = { build, weightDecay: 0.01, clipNorm: 1, restarts: true };
  const trainer = new DeviceTrainer(engine, cpu, options, spec.maxTokens);
  trainer.begin(initializeParameters(trainer.layout, 3));
  const memory: Record<number, number> = {};
  const tensors = new Set<number>();
  const feeds = range(16).map((step) => feedsOf(pack(range(ROWS).map((row) => (row + step) % 16)), step));
  for (let step = 1; step <= STEPS; step++) {
    await trainer.step(spec.maxTokens, feeds[step % 16], { step, learningRate: 1e-3, momentum: 0.99 });
    tensors.add(alive.size);
    if (step % 500 === 0) {
      await trainer.evaluate(spec.maxTokens, feeds[0]);
      await trainer.fetchState();
      memory[step] = residentMemory();
    }
    if (step === 1000) await trainer.restart();
  }
  console.log(
    `resident memory in MiB after so many steps: ${JSON.stringify(memory)}; tensors on the device: ${[...tensors].join(', ')}`,
  );
  // Parameters, two moments, average.
  expect([...tensors]).toEqual([4]);
  expect(memory[STEPS] / memory[500]).toBeLessThan(1.05);
  await trainer.release();
  expect(alive.size).toBe(0);
});
