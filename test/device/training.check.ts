import { afterAll, expect, it } from 'vitest';
import { nodeEngine } from '../../src/engine/node.js';
import { webgpuEngine } from '../../src/engine/webgpu.js';
import { combinations, modelOnRecords, ROWS } from '../../src/learning/device-models.case.js';
import { DeviceTrainer } from '../../src/learning/device-trainer.js';
import { objectiveOf } from '../../src/learning/model.js';
import { initializeParameters } from '../../src/learning/parameters.js';
import { Trainer } from '../../src/learning/trainer.js';
import { range } from '../../src/objectives/objective.case.js';
import { random } from '../../src/tensor/random.js';

const STEPS = 20;
const cpu = await nodeEngine({ threads: 1 });
// While it is there, the runtime keeps what it compiled for the device.
const keeper = await webgpuEngine();

interface Differences {
  /** The largest of the device's losses from those of the CPU, as a part of them. */
  readonly device: number;
  /** The same of trainings on the CPU whose parameters start one rounding apart. */
  readonly rounding: number;
}

const LARGEST = 1e-5;
/** Trainings whose parameters start apart. */
const APART = 3;

const found: Record<string, Differences> = {};
afterAll(async () => {
  await keeper.release();
  const exponential = (value: number | undefined) => value?.toExponential(1);
  for (const [name, { device, rounding }] of Object.entries(found))
    if (device >= LARGEST)
      console.log(`${name}: ${exponential(device)}; the CPU's own ${exponential(rounding)}`);
  const devices = Object.values(found)
    .map(({ device }) => device)
    .sort((a, b) => a - b);
  console.log(
    `losses of ${STEPS} steps and of an evaluation in ${devices.length} combinations: ${devices.filter((value) => value < LARGEST).length} within ${LARGEST}, half of them within ${exponential(devices[devices.length >> 1])}, all within ${exponential(devices.at(-1))}`,
  );
});

/** Programs that have a part on the processor are refused, so what is trained here is wholly on the device. */
it.for(combinations)('%s on %s on %s', async (combination, { skip }) => {
  const made = modelOnRecords(combination);
  if (made === undefined) return skip('they do not go together');
  const { spec, model, build, feedsOf, pack } = made;
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
    ...range(APART).map(() => new Trainer(cpu, options, spec.maxTokens)),
  ];
  let [device, rounding] = [0, 0];
  const compare = ([expected, seen, ...others]: number[]) => {
    device = Math.max(device, Math.abs(seen / expected - 1));
    for (const other of others) rounding = Math.max(rounding, Math.abs(other / expected - 1));
  };
  try {
    const start = initializeParameters(trainers[0].layout, 3);
    for (const [i, trainer] of trainers.entries()) {
      const source = random(i, 'rounding');
      const sign = () => (i < 2 ? 0 : source.uniform() < 0.5 ? -1 : 1);
      trainer.begin(start.map((value) => value * (1 + sign() * 2 ** -23)));
    }
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
    found[combination.join(' ')] = { device, rounding };
    // Where training itself makes more of a rounding, a device need not make less.
    expect(device).toBeLessThan(Math.max(LARGEST, 3 * rounding));
  } finally {
    for (const trainer of trainers) await trainer.release();
  }
});
