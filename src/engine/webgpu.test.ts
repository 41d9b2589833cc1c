import { expect, it } from 'vitest';
import * as g from '../graph/index.js';
import type { DeviceEngine } from './device-engine.js';
import { evaluate, floats, integers, largestDifference, normals } from './evaluate.case.js';
import { nodeEngine } from './node.js';
import { webgpuEngine } from './webgpu.js';

const cpu = await nodeEngine({ threads: 1 });
// SwiftShader, a Vulkan driver without a GPU, is enough: see docs/performance.md.
const device = await webgpuEngine().catch(({ message }: Error): DeviceEngine | undefined => {
  console.warn(`programs on a device are not tested: ${message}`);
  return undefined;
});

const x = g.input('x', 'float32', [8192, 5]);
const w = g.input('w', 'float32', [8192, 3]);
const table = g.input('table', 'float32', [4, 6, 3]);
const places = g.input('places', 'int32', [4, 2, 3]);
const feeds = {
  x: floats([8192, 5], normals('x', 8192 * 5)),
  w: floats([8192, 3], normals('w', 8192 * 3)),
  table: floats([4, 6, 3], normals('table', 72)),
  places: integers(
    [4, 2, 3],
    Array.from({ length: 24 }, (_, i) => (i * 5) % 6),
  ),
};

/** What is written with other operators for a device than for the CPU. */
const outputs: Record<string, g.Value> = {
  'log softmax': g.logSoftmax(table),
  'elements at places of the middle axis': g.gatherElements(table, places, 1),
  'elements at places of the last axis': g.gatherElements(
    g.transpose(table, [0, 2, 1]),
    g.transpose(places, [0, 2, 1]),
    2,
  ),
  'positions of the largest': g.cast(g.topK(table, 2).indices, 'float32'),
  'a sum of many rows': g.sum(x, [0]),
  'a sum of all': g.sumAll(g.multiply(x, x)),
  'a product of tall matrices': g.matmul(x, w, { transposeA: true }),
};

it.runIf(device).each(Object.entries(outputs))('%s: on a device as on the CPU', async (_, output) => {
  const expected = (await evaluate(cpu, { output }, feeds)).output;
  const program = await device!.compile({ name: 'test', outputs: { output } });
  const computed = await program.run(feeds);
  const found = await device!.download(computed.output);
  const largest = Math.max(...expected.map(Math.abs));
  expect(largestDifference(found, expected)).toBeLessThan(1e-5 * largest);
  await program.release();
});

it.runIf(device)('a program with a part that the device has no kernel for is refused', async () => {
  const places64 = g.input('places', 'int64', [4, 2, 3]);
  const output = g.cast(g.add(places64, places64), 'float32');
  await expect(device!.compile({ name: 'sums', outputs: { output } })).rejects.toThrow(
    'training.device webgpu: sums cannot be computed there',
  );
});
