import { expect, it } from 'vitest';
import * as g from '../graph/index.js';
import { estimatedSeconds, measureRates } from './device-choice.js';
import { versionsOn } from './engine.js';
import { nodeEngine } from './node.js';
import { openEngine } from './open-engine.js';

const x = g.input('x', 'float32', [100, 50]);
const w = g.input('w', 'float32', [50, 20]);
const outputs = [g.tanh(g.matmul(x, w))];

it('estimates products by their operations, every operator by a launch, and the run itself', () => {
  const rates = { run: 0.5, products: 1e6, launch: 0.25 };
  expect(estimatedSeconds({ outputs, passes: 1 }, rates)).toBeCloseTo(
    0.5 + (2 * 100 * 50 * 20) / 1e6 + 2 * 0.25,
  );
  expect(estimatedSeconds({ outputs, passes: 3 }, rates)).toBeCloseTo(0.5 + 3 * (0.2 + 0.5));
});

it('measures a CPU: some operations a second, and a launch shorter than a hundredth of a second', async () => {
  const { run, products, launch } = await measureRates(await nodeEngine({ threads: 1 }));
  expect(products).toBeGreaterThan(1e6);
  expect(products).toBeLessThan(1e14);
  expect(run).toBeGreaterThan(0);
  expect(launch).toBeGreaterThan(0);
  expect(launch).toBeLessThan(0.01);
});

it('opens the CPU without a word unless told otherwise', async () => {
  const told: string[] = [];
  const engine = await openEngine({ threads: 1, report: (message) => told.push(message) });
  expect(engine.device).toBeUndefined();
  expect(versionsOn(engine, { node: '20' })).toEqual({ node: '20' });
  expect(told).toEqual([]);
});

it('says what auto took and why, and never takes a device for next to nothing', async () => {
  const told: string[] = [];
  const work = () => ({ outputs: [g.tanh(x)], passes: 1 });
  const engine = await openEngine({ threads: 1, device: 'auto', work, report: (text) => told.push(text) });
  expect(engine.device).toBeUndefined();
  expect(told).toHaveLength(1);
  expect(told[0]).toMatch(/^device: cpu, (since no GPU answered|about .* a batch on .* and .* on the CPU)/);
});
