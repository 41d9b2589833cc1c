import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EncoderKind, encoders } from '../encoders/index.js';
import { type DeviceEngine, DeviceLost, type DeviceTensor } from '../engine/device-engine.js';
import { nodeEngine } from '../engine/node.js';
import { webgpuEngine } from '../engine/webgpu.js';
import { finetuningGraph, heads } from '../finetuning/labelled-graph.js';
import * as g from '../graph/index.js';
import { onRealRecords, range, smallModel } from '../objectives/objective.case.js';
import { restoreTrainer, trainerTensors } from '../runs/trainer-state.js';
import { tasks } from '../scoring/metrics.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import { combinations, modelOnRecords, ROWS } from './device-models.case.js';
import { DeviceTrainer, stepProgram } from './device-trainer.js';
import { objectiveOf } from './model.js';
import { initializeParameters, parameterLayout } from './parameters.js';
import { pretrainingGraphFor } from './self-supervision.js';
import { type TrainableGraph, Trainer } from './trainer.js';

// SwiftShader, a Vulkan driver without a GPU, is enough: see docs/performance.md.
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
    ['simclr', 'residual-network', 'continuous'],
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

describe.runIf(answers)('a training that is gone on with on the same device', () => {
  it.each([
    ['sma', 'transformer', 'discrete'],
    ['byol', 'residual-network', 'continuous'],
  ] as const)('%s with %s on %s has the bits of one that was not stopped', async (...combination) => {
    const { spec, model, build, feedsOf, pack } = modelOnRecords(combination)!;
    const { momentum } = objectiveOf(model);
    const options = { build, weightDecay: 0.01, clipNorm: 1 };
    const trainerOnDevice = async () => new DeviceTrainer(await webgpuEngine(), cpu, options, spec.maxTokens);
    const train = async (trainer: DeviceTrainer, from: number, to: number) => {
      for (let step = from; step <= to; step++) {
        const feeds = feedsOf(pack(range(4)), step);
        await trainer.step(spec.maxTokens, feeds, { step, learningRate: 1e-3, momentum: momentum && 0.9 });
      }
      await trainer.fetchState();
    };
    const [whole, first, second] = [
      await trainerOnDevice(),
      await trainerOnDevice(),
      await trainerOnDevice(),
    ];
    for (const trainer of [whole, first]) trainer.begin(initializeParameters(trainer.layout, 3));
    await train(whole, 1, 4);
    await train(first, 1, 2);
    const metadata = { epoch: 0, position: 2, config_hash: '', version: '' };
    restoreTrainer(second, { path: 'memory', step: 2, metadata, tensors: trainerTensors(first) });
    await train(second, 3, 4);
    // The gradient is that of the first step, on the CPU.
    for (const name of ['parameters', 'firstMoment', 'secondMoment', 'average'] as const)
      expect(second.state[name], name).toEqual(whole.state[name]);
    expect(first.state.parameters).not.toEqual(whole.state.parameters);
    for (const trainer of [whole, first, second]) await trainer.release();
  });
});

describe.runIf(answers)('a step is wholly on the device', () => {
  let device: DeviceEngine;
  beforeAll(async () => {
    device = await webgpuEngine();
  });
  afterAll(() => device.release());
  // A program with a part on the processor is refused.
  const compile = async (graph: TrainableGraph, follows: boolean) => {
    const options = { clipNorm: 1, rated: true, follows };
    await (await device.compile(stepProgram(graph, parameterLayout(graph.parameters), options))).release();
  };

  // What is trained by them, `npm run device-check` compares with the CPU.
  it.for(combinations)('of %s on %s on %s', async (combination, { skip }) => {
    const found = modelOnRecords(combination);
    if (found === undefined) return skip('they do not go together');
    const { spec, model, build } = found;
    await compile(build(spec.maxTokens), objectiveOf(model).momentum !== undefined);
  });

  const finetunings = tasks.flatMap((task) =>
    heads.flatMap((head) =>
      (Object.keys(encoders) as EncoderKind[]).map((encoder) => [task, head, encoder] as const),
    ),
  );
  it.each(finetunings)('of fine-tuning: %s by the head %s on %s', async (task, head, encoder) => {
    const small = smallModel(real.discrete.tokenizer.spec, 'random-masking', {}, encoder);
    const outputs = task === 'multiclass' || task === 'per-token' ? 3 : 1;
    const labels = { task, columns: ['label'], targets: 1, outputs, classes: [], reason: '' };
    await compile(finetuningGraph({ ...small, head }, labels, ROWS, small.spec.maxTokens), false);
  });
});

/** A device that gives these reports and leaves the state as it is; `alive` are its tensors, `programs` what is compiled. */
function fakeDevice(reports: number[][]) {
  const alive = new Set<DeviceTensor>();
  const programs = new Set<string>();
  const tensor = (data: ArrayLike<number>) => {
    const made = {
      dims: [data.length],
      data: Float32Array.from(data),
      dispose: () => void alive.delete(made),
    };
    alive.add(made);
    return made;
  };
  const device: DeviceEngine = {
    name: 'a device of a test',
    forHost: cpu,
    compile: async ({ name }) => {
      programs.add(name);
      return {
        run: async () => ({
          report: tensor(reports.shift()!),
          new_parameters: tensor([7]),
          new_first: tensor([8]),
          new_second: tensor([9]),
        }),
        release: async () => void programs.delete(name),
      };
    },
    upload: async ({ data }) => tensor(data),
    download: async (made) => (made as ReturnType<typeof tensor>).data,
    release: async () => void programs.add('released'),
  };
  return { device, alive, programs };
}

describe('a device that may be wrong', () => {
  /** (2 w)² at w = 3: loss 36, gradient 24. */
  const build = () => {
    const w = g.parameter('w', [], { kind: 'constant', value: 3 });
    const doubled = g.multiply(w, g.scalar(2));
    const loss = g.multiply(doubled, doubled);
    return { loss, parameters: g.parametersOf([loss]), metrics: {}, evaluation: { loss } };
  };
  const options = { build, weightDecay: 0, clipNorm: 1 };
  const settings = { step: 1, learningRate: 0.1 };
  const begun = (device: DeviceEngine) => {
    const trainer = new DeviceTrainer(device, cpu, options, 1);
    trainer.begin(Float32Array.of(3));
    return trainer;
  };

  it('is refused by the first loss or norm that is not the one of the CPU', async () => {
    for (const report of [
      [36.1, 24],
      [36, 23.9],
    ])
      await expect(begun(fakeDevice([report]).device).step(1, {}, settings)).rejects.toThrow(
        'of the first step is',
      );
    await expect(begun(fakeDevice([[36.01, 24.01]]).device).step(1, {}, settings)).resolves.toMatchObject({
      loss: expect.closeTo(36.01, 4),
    });
  });

  it('keeps the state before a step that is not finite, and no tensor that is not needed', async () => {
    const { device, alive } = fakeDevice([
      [36, 24],
      [Number.NaN, 24],
    ]);
    const trainer = begun(device);
    await trainer.step(1, {}, settings);
    expect(alive.size).toBe(3);
    await trainer.fetchState();
    expect(trainer.state.parameters[0]).toBe(7);
    expect((await trainer.step(1, {}, { ...settings, step: 2 })).loss).toBeNaN();
    expect(alive.size).toBe(3);
    await trainer.fetchState();
    expect(trainer.state.secondMoment[0]).toBe(9);
    await trainer.release();
    expect(alive.size).toBe(0);
  });

  it('exchanges parameters and average there, and takes other parameters in their place', async () => {
    const { device, alive } = fakeDevice([[36, 24]]);
    const trainer = new DeviceTrainer(device, cpu, { ...options, averaged: true }, 1);
    trainer.begin(Float32Array.of(3));
    await trainer.step(1, {}, settings);
    trainer.exchangeAverage();
    await trainer.fetchState();
    expect([trainer.state.parameters[0], trainer.state.average![0]]).toEqual([3, 7]);
    await trainer.setParameters(Float32Array.of(5));
    await trainer.fetchState();
    expect([trainer.state.parameters[0], trainer.state.average![0]]).toEqual([5, 7]);
    expect(alive.size).toBe(4);
    await trainer.release();
    expect(alive.size).toBe(0);
  });

  it('frees its tensors where it begins again, goes back to the beginning and is released', async () => {
    const { device, alive, programs } = fakeDevice([
      [36, 24],
      [36, 24],
      [36, 24],
    ]);
    const trainer = new DeviceTrainer(device, cpu, { ...options, restarts: true, rateOf: () => 0.5 }, 1);
    trainer.begin(Float32Array.of(3));
    expect(alive.size).toBe(0);
    await trainer.step(1, {}, settings);
    // Parameters, two moments, rates.
    expect(alive.size).toBe(4);
    await trainer.restart();
    expect(alive.size).toBe(4);
    await trainer.fetchState();
    expect([trainer.state.parameters[0], trainer.state.firstMoment[0]]).toEqual([3, 0]);
    await trainer.step(1, {}, settings);
    trainer.begin(Float32Array.of(4));
    expect(alive.size).toBe(0);
    await trainer.fetchState();
    expect(trainer.state.parameters[0]).toBe(4);
    await trainer.step(1, {}, settings);
    // The program of one length is compiled once.
    expect([...programs]).toEqual(['step']);
    await trainer.release();
    expect(alive.size).toBe(0);
    expect([...programs]).toEqual(['released']);
  });

  it('keeps what was brought back last whole, where it fails while more is brought', async () => {
    const { device } = fakeDevice([[36, 24]]);
    const trainer = begun(device);
    await trainer.step(1, {}, settings);
    let downloads = 0;
    const { download } = device;
    Object.assign(device, {
      download: async (tensor: DeviceTensor) => {
        if (++downloads === 3) throw new DeviceLost('gone');
        return download(tensor);
      },
    });
    await expect(trainer.fetchState()).rejects.toThrow(DeviceLost);
    expect([trainer.state.parameters[0], trainer.state.firstMoment[0]]).toEqual([3, 0]);
  });
});
