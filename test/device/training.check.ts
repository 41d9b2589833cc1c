import { afterAll, expect, it } from 'vitest';
import { nodeEngine } from '../../src/engine/node.js';
import { webgpuEngine } from '../../src/engine/webgpu.js';
import { combinations, modelOnRecords, ROWS } from '../../src/learning/device-models.case.js';
import { DeviceTrainer } from '../../src/learning/device-trainer.js';
import { objectiveOf } from '../../src/learning/model.js';
import { initializeParameters } from '../../src/learning/parameters.js';
import { Trainer } from '../../src/learning/trainer.js';
import { range } from '../../src/objectives/objective.case.js';

const STEPS = 20;
const cpu = await nodeEngine({ threads: 1 });
// While it is there, the runtime keeps what it compiled for the device.
const keeper = await webgpuEngine();

/** The largest difference of a loss in twenty steps, as a part of it, by combination. */
const worst: Record<string, number> = {};
afterAll(async () => {
  await keeper.release();
  for (const [name, difference] of Object.entries(worst))
    console.log(`${name}\t${difference.toExponential(1)}`);
  const all = Object.values(worst).sort((a, b) => a - b);
  console.log(
    `${all.length} combinations; losses of ${STEPS} steps differ by at most ${all.at(-1)?.toExponential(1)} of them, by ${all[all.length >> 1]?.toExponential(1)} in the middle`,
  );
});

/** Programs that have a part on the processor are refused, so what is trained here is wholly on the device. */
it.each(combinations)('%s on %s on %s', { timeout: 600_000 }, async (...combination) => {
  const found = modelOnRecords(combination);
  if (found === undefined) return;
  const { spec, model, build, feedsOf, pack } = found;
  const { momentum } = objectiveOf(model);
  const options = {
    build,
    weightDecay: 0.01,
    clipNorm: 1,
    rateOf: (name: string) => (name.startsWith('encoder') ? 0.5 : 1),
  };
  const trainers = [
    new Trainer(cpu, options, spec.maxTokens),
    new DeviceTrainer(await webgpuEngine(), cpu, options, spec.maxTokens),
  ];
  let difference = 0;
  const compare = ([expected, seen]: number[]) => {
    difference = Math.max(difference, Math.abs(seen / expected - 1));
  };
  try {
    for (const trainer of trainers) trainer.begin(initializeParameters(trainer.layout, 3));
    for (let step = 1; step <= STEPS; step++) {
      const feeds = feedsOf(pack(range(ROWS).map((row) => (row + step * ROWS) % 16)), step);
      const losses: number[] = [];
      for (const trainer of trainers) {
        const settings = { step, learningRate: 1e-3, momentum: momentum && 0.99 };
        losses.push((await trainer.step(spec.maxTokens, feeds, settings)).loss);
      }
      compare(losses);
    }
    const feeds = feedsOf(pack(range(ROWS)), 0, 'validation');
    const losses: number[] = [];
    for (const trainer of trainers)
      losses.push(Number((await trainer.evaluate(spec.maxTokens, feeds)).loss.data[0]));
    compare(losses);
    worst[combination.join(' ')] = difference;
    expect(difference).toBeLessThan(1e-5);
  } finally {
    for (const trainer of trainers) await trainer.release();
  }
});
