import { describe, expect, it } from 'vitest';
import { nodeEngine } from '../engine/node.js';
import { webgpuEngine } from '../engine/webgpu.js';
import { onRealRecords, range, smallModel } from '../objectives/objective.case.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import { DeviceTrainer } from './device-trainer.js';
import { objectiveOf } from './model.js';
import { initializeParameters } from './parameters.js';
import { pretrainingGraphFor } from './self-supervision.js';
import { Trainer } from './trainer.js';

// SwiftShader, a Vulkan driver without a GPU, is enough: see docs/development.md.
const answers = await webgpuEngine().then(
  async (engine) => engine.release().then(() => true),
  ({ message }: Error) => {
    console.warn(`training on a device is not tested: ${message}`);
    return false;
  },
);
const cpu = await nodeEngine({ threads: 1 });
const real = await realRecords();

describe.runIf(answers)('training on a device', () => {
  it.each([
    ['sma', 'perceiver', 'discrete'],
    ['sma', 'transformer', 'discrete'],
    ['random-masking', 'transformer', 'discrete'],
    ['t-jepa', 'transformer', 'fields'],
  ] as const)(
    '%s with %s on %s: losses, metrics and state are those of the CPU',
    async (kind, encoder, tokens) => {
      const { spec, model, feedsOf, pack } = onRealRecords(real[tokens], (tokenSpec) =>
        smallModel(tokenSpec, kind, {}, encoder),
      );
      const { momentum } = objectiveOf(model);
      const options = {
        build: (length: number) => pretrainingGraphFor(model, 8, length),
        weightDecay: 0.01,
        clipNorm: 0.5,
      };
      const trainers = [
        new Trainer(cpu, options, spec.maxTokens),
        new DeviceTrainer(await webgpuEngine(), cpu, options, spec.maxTokens),
      ];
      for (const trainer of trainers) trainer.begin(initializeParameters(trainer.layout, 3));
      let asked = 0;
      for (let step = 1; step <= 5; step++) {
        const feeds = feedsOf(pack(range(8)), step);
        const settings = {
          step,
          learningRate: 1e-3,
          momentum: momentum && 0.9,
          meanwhile: () => void asked++,
        };
        const [expected, found] = [
          await trainers[0].step(spec.maxTokens, feeds, settings),
          await trainers[1].step(spec.maxTokens, feeds, settings),
        ];
        expect(Math.abs(found.loss / expected.loss - 1)).toBeLessThan(1e-5);
        expect(Math.abs(found.norm / expected.norm - 1)).toBeLessThan(1e-4);
        for (const [name, value] of Object.entries(expected.metrics))
          expect(found.metrics[name]).toBeCloseTo(value, 4);
      }
      expect(asked).toBe(5);
      // Of the state, the device's is asked for.
      await trainers[1].fetchState();
      for (const name of ['parameters', 'firstMoment', 'secondMoment', 'average'] as const) {
        const [expected, found] = trainers.map(({ state }) => state[name]);
        expect(found?.length).toBe(expected?.length);
        const differences = [...(expected ?? [])].map((value, i) => Math.abs(value - found![i]));
        // A step moves a parameter by about the rate, along a gradient that may be nothing but rounding.
        expect(differences.reduce((sum, value) => sum + value, 0) / (differences.length || 1)).toBeLessThan(
          2e-5,
        );
      }
      const feeds = feedsOf(pack(range(8)), 9);
      const [expected, found] = [
        Number((await trainers[0].evaluate(spec.maxTokens, feeds)).loss.data[0]),
        Number((await trainers[1].evaluate(spec.maxTokens, feeds)).loss.data[0]),
      ];
      expect(Math.abs(found / expected - 1)).toBeLessThan(1e-4);
      for (const trainer of trainers) await trainer.release();
    },
  );
});
