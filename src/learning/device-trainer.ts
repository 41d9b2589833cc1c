/** Training with all state on a device: one program per step and batch length, of which a few numbers come back. */

import type { DeviceEngine, DeviceExecutable, DeviceTensor } from '../engine/device-engine.js';
import type { Engine, HostTensors } from '../engine/engine.js';
import { KeptPrograms } from '../engine/kept-programs.js';
import { LacunaError } from '../errors.js';
import {
  add,
  concatenate,
  divide,
  input,
  less,
  multiply,
  type Program,
  pad,
  replaceParameters,
  reshape,
  scalar,
  scope,
  sharingLeaves,
  slice,
  sqrt,
  staticSize,
  subtract,
  sumAll,
  type Value,
  where,
} from '../graph/index.js';
import { elementCount, type HostTensor, hostTensor } from '../tensor/tensor.js';
import { adamWMoments, BETA1, BETA2, EPSILON } from './adamw.js';
import { gradientName, gradientProgram } from './model.js';
import { type ParameterLayout, TARGET } from './parameters.js';
import {
  type StepSettings,
  type TakenStep,
  TRACKING_RATE,
  type TrainableGraph,
  Trainer,
  type TrainerOptions,
  trackedValues,
} from './trainer.js';

/** How far the first step of a device may be from the CPU's, as a part of it. */
const TOLERANCE = 1e-3;

/** The flat vectors on the device, float32[layout.length] each. */
interface DeviceState {
  readonly parameters: DeviceTensor;
  readonly first: DeviceTensor;
  readonly second: DeviceTensor;
  readonly average?: DeviceTensor;
  /** What the learning rate is multiplied by; it stays as it is. */
  readonly rates?: DeviceTensor;
}

/** The input of a program that has its parameters in one vector. */
export const PARAMETERS = 'state.parameters';

const number0 = (value: number): HostTensor => hostTensor('float32', [], Float32Array.of(value));

/**
 * A trainer whose steps, validations and embeddings run on a device. `state` is where training begins and what
 * `fetchState` brings back; in between the device's is newer. The gradient is not kept.
 *
 * The first step is computed on the CPU as well. Throws LacunaError where loss or norm differ by more than a thousandth:
 * a driver may be silently wrong.
 */
export class DeviceTrainer extends Trainer {
  private onDevice: DeviceState | undefined;
  private checked = false;
  private readonly programs = new KeptPrograms<DeviceExecutable>((program) => program.release());
  /** float32[layout.length], where parameters have rates of their own. */
  private readonly rates: Float32Array | undefined;

  /** `lengthForLayout` is any length; it is the first to be built. The device is released with the trainer. */
  constructor(
    private readonly device: DeviceEngine,
    cpu: Engine,
    options: TrainerOptions,
    lengthForLayout: number,
  ) {
    super(cpu, options, lengthForLayout);
    if (this.ranks.size > 1) throw new Error('a gradient on a device is not summed over ranks');
    this.rates = options.rateOf && ratesOf(this.layout, options.rateOf);
  }

  override begin(parameters: Float32Array): void {
    this.dropDeviceState();
    super.begin(parameters);
  }

  override async restart(): Promise<void> {
    const { start } = this.state;
    if (start === undefined) return super.restart();
    const old = await this.deviceState();
    const zeros = new Float32Array(this.layout.length);
    this.onDevice = {
      ...old,
      parameters: await this.upload(start),
      first: await this.upload(zeros),
      second: await this.upload(zeros),
      ...(old.average && { average: old.parameters }),
    };
    freeAllBut(this.onDevice, old);
  }

  override async setParameters(parameters: Float32Array): Promise<void> {
    await super.setParameters(parameters);
    if (this.onDevice === undefined) return;
    const old = this.onDevice;
    this.onDevice = { ...old, parameters: await this.upload(parameters) };
    old.parameters.dispose();
  }

  override exchangeAverage(): void {
    if (this.onDevice === undefined) {
      super.exchangeAverage();
      return;
    }
    const { average, parameters } = this.onDevice;
    if (average === undefined) throw new Error('exchangeAverage: no average is kept');
    this.onDevice = { ...this.onDevice, parameters: average, average: parameters };
  }

  override async step(tokens: number, feeds: HostTensors, settings: StepSettings): Promise<TakenStep> {
    const expected = this.checked ? undefined : await this.firstStepOnCpu(tokens, feeds);
    const old = await this.deviceState();
    const { step, learningRate, momentum } = settings;
    const graph = this.graph(tokens);
    const correction = Math.sqrt(1 - BETA2 ** step);
    const numbers = {
      'optimizer.rate': number0((learningRate * correction) / (1 - BETA1 ** step)),
      'optimizer.epsilon': number0(EPSILON * correction),
      'optimizer.decay': number0(learningRate * this.options.weightDecay),
      ...(momentum !== undefined && { 'optimizer.momentum': number0(momentum) }),
    };
    const executable = await this.program(`step ${tokens}`, () =>
      stepProgram(graph, this.layout, {
        ...this.options,
        rated: this.rates !== undefined,
        follows: momentum !== undefined,
      }),
    );
    const { report, ...fresh } = await executable.run({ ...feeds, ...numbers, ...stateFeeds(old) });
    settings.meanwhile?.();
    const [loss, norm, ...rest] = await this.device.download(report);
    report.dispose();
    const next: DeviceState = {
      parameters: fresh.new_parameters,
      first: fresh.new_first,
      second: fresh.new_second,
      ...(old.average && { average: fresh.new_average ?? old.average }),
      ...(old.rates && { rates: old.rates }),
    };
    const finite = Number.isFinite(loss) && Number.isFinite(norm);
    this.onDevice = finite ? next : old;
    freeAllBut(this.onDevice, finite ? old : next);
    if (expected) checkAgainstCpu({ loss, norm }, expected);
    this.checked = true;
    const metrics = Object.fromEntries(Object.keys(graph.metrics).map((name, i) => [name, rest[i]]));
    return { loss, norm, metrics, stop: settings.stop ?? false, summed: 0 };
  }

  /** Throws Error: see `step`. */
  override async update(): Promise<void> {
    throw new Error('the gradient of a device is taken with the whole step');
  }

  override async evaluate(tokens: number, feeds: HostTensors): Promise<HostTensors> {
    return this.computed('evaluation', tokens, feeds, this.graph(tokens).evaluation);
  }

  override async embed(tokens: number, feeds: HostTensors): Promise<Float32Array> {
    const { embedding } = this.graph(tokens);
    if (!embedding) throw new Error('embed: the graph was built without an embedding');
    const results = await this.computed('embedding', tokens, feeds, { embedding });
    return results.embedding.data as Float32Array;
  }

  override async fetchState(): Promise<void> {
    if (this.onDevice === undefined) return;
    const { parameters, first, second, average } = this.onDevice;
    // All of it or nothing, should the device fail in between.
    const fetched = {
      parameters: await this.device.download(parameters),
      firstMoment: await this.device.download(first),
      secondMoment: await this.device.download(second),
      average: average && (await this.device.download(average)),
    };
    for (const name of ['parameters', 'firstMoment', 'secondMoment', 'average'] as const)
      if (fetched[name]) this.state[name]?.set(fetched[name]);
  }

  override async release(): Promise<void> {
    this.dropDeviceState();
    await this.programs.release();
    await this.device.release();
    await super.release();
  }

  private dropDeviceState(): void {
    freeAllBut(undefined, this.onDevice);
    this.onDevice = undefined;
  }

  private upload(vector: Float32Array): Promise<DeviceTensor> {
    return this.device.upload(hostTensor('float32', [vector.length], vector as Float32Array<ArrayBuffer>));
  }

  /** The state on the device, brought there from `state` unless it is newer there. */
  private async deviceState(): Promise<DeviceState> {
    const { parameters, firstMoment, secondMoment, average } = this.state;
    this.onDevice ??= {
      parameters: await this.upload(parameters),
      first: await this.upload(firstMoment),
      second: await this.upload(secondMoment),
      ...(average && { average: await this.upload(average) }),
      ...(this.rates && { rates: await this.upload(this.rates) }),
    };
    return this.onDevice;
  }

  private async firstStepOnCpu(tokens: number, feeds: HostTensors): Promise<{ loss: number; norm: number }> {
    await this.fetchState();
    const { loss } = await this.gradient(tokens, feeds);
    // It is not computed there again.
    await super.release();
    return { loss, norm: this.gradientNorm() };
  }

  private async computed(
    name: string,
    tokens: number,
    feeds: HostTensors,
    outputs: Program['outputs'],
  ): Promise<HostTensors> {
    const executable = await this.program(`${name} ${tokens}`, () =>
      withFlatVectors({ name, outputs }, this.layout),
    );
    const results: Record<string, HostTensor> = {};
    const computed = await executable.run({ ...feeds, ...stateFeeds(await this.deviceState()) });
    for (const [key, tensor] of Object.entries(computed)) {
      const data = (await this.device.download(tensor)) as Float32Array<ArrayBuffer>;
      results[key] = hostTensor('float32', outputs[key].shape.map(staticSize), data);
      tensor.dispose();
    }
    return results;
  }

  private program(key: string, build: () => Program): Promise<DeviceExecutable> {
    return this.programs.of(key, () => this.device.compile(build()));
  }
}

/** Disposes of a state's tensors that are not of another one, too. */
function freeAllBut(kept: DeviceState | undefined, state: DeviceState | undefined): void {
  const needed = new Set<DeviceTensor>(Object.values({ ...kept }));
  for (const tensor of Object.values<DeviceTensor>({ ...state })) if (!needed.has(tensor)) tensor.dispose();
}

const stateFeeds = ({ parameters, first, second, average, rates }: DeviceState) => ({
  [PARAMETERS]: parameters,
  'state.first': first,
  'state.second': second,
  ...(average && { 'state.average': average }),
  ...(rates && { 'optimizer.rates': rates }),
});

/** float32[layout.length]: what the learning rate of each element is multiplied by; undefined where that is 1 for all. */
function ratesOf(layout: ParameterLayout, rateOf: (name: string) => number): Float32Array | undefined {
  const rates = new Float32Array(layout.length);
  for (const { name, offset, length } of layout.slots) rates.fill(rateOf(name), offset, offset + length);
  return rates.every((rate) => rate === 1) ? undefined : rates;
}

/** Throws LacunaError where what a device found for the first step is not what the CPU did. */
export function checkAgainstCpu(
  found: { readonly loss: number; readonly norm: number },
  expected: { readonly loss: number; readonly norm: number },
): void {
  for (const name of ['loss', 'norm'] as const) {
    const difference = Math.abs(found[name] - expected[name]);
    if (Number.isFinite(expected[name]) && !(difference <= TOLERANCE * Math.abs(expected[name])))
      throw new LacunaError(
        `training.device webgpu: the ${name === 'norm' ? 'gradient norm' : 'loss'} of the first step is ${found[name]} on the device and ${expected[name]} on the CPU, so this device or its driver cannot be trusted; try --device cpu`,
      );
  }
}

/** The values with each parameter a part of the flat vector `state.parameters`, and a target's of `state.average`. */
function fromFlatVectors(values: readonly Value[], layout: ParameterLayout): Value[] {
  const vector = (name: string) => input(name, 'float32', [layout.length]);
  const [parameters, average] = [vector(PARAMETERS), vector('state.average')];
  const slots = new Map(layout.slots.map((slot) => [slot.name, slot]));
  return replaceParameters(values, ({ name, outputs: [{ shape }] }) => {
    const slot = slots.get(name) ?? slots.get(name.slice(TARGET.length + 1));
    if (slot === undefined) throw new Error(`${name}: is no part of the trained parameters`);
    const flat = slots.has(name) ? parameters : average;
    const { offset } = slot;
    return reshape(slice(flat, 0, offset, offset + elementCount(shape.map(staticSize))), shape);
  });
}

/** The program with its parameters taken from the flat vectors. */
export function withFlatVectors({ name, outputs }: Program, layout: ParameterLayout): Program {
  const values = fromFlatVectors(Object.values(outputs), layout);
  return { name, outputs: Object.fromEntries(Object.keys(outputs).map((key, i) => [key, values[i]])) };
}

/**
 * Forward, gradient, norm, clipping, AdamW, tracked parameters and the target network. Outputs: the new vectors, and
 * `report` float32[2 + metrics]: loss, norm, and the metrics in their order. `rated` is whether `optimizer.rates` is given,
 * `follows` whether the average moves.
 * @internal
 */
export const stepProgram = (
  graph: TrainableGraph,
  layout: ParameterLayout,
  {
    clipNorm,
    recompute,
    rated,
    follows,
  }: Pick<TrainerOptions, 'clipNorm' | 'recompute'> & { rated: boolean; follows: boolean },
): Program =>
  sharingLeaves(() => {
    const { loss, parameters, metrics } = graph;
    const { outputs } = gradientProgram('step', loss, parameters, {}, { recompute });
    const gradients = layout.slots.map(({ name }) => outputs[gradientName(name)]);
    const tracked = trackedValues(graph);
    const told = [loss, ...Object.values(metrics)];
    const values = fromFlatVectors([...gradients, ...told, ...tracked.values()], layout);
    const [flatGradients, [stepLoss, ...stepMetrics], seen] = [
      values.slice(0, gradients.length),
      values.slice(gradients.length, gradients.length + told.length),
      values.slice(gradients.length + told.length),
    ];
    return scope('optimizer', () => {
      const vector = (name: string) => input(name, 'float32', [layout.length]);
      const number = (name: string) => input(`optimizer.${name}`, 'float32', []);
      const gradient = joined(flatGradients);
      // Zeros to a round length, so that the sum is taken in parts.
      const padded = pad(gradient, 0, 0, -layout.length & 63);
      const norm = sqrt(sumAll(multiply(padded, padded)));
      const scale = where(less(scalar(clipNorm), norm), divide(scalar(clipNorm), norm), scalar(1));
      const { first, second, change } = adamWMoments(
        { gradient, first: vector('state.first'), second: vector('state.second') },
        {
          firstShare: multiply(scale, scalar(1 - BETA1)),
          secondShareRoot: multiply(scale, scalar(Math.sqrt(1 - BETA2))),
          epsilon: number('epsilon'),
          rate: number('rate'),
        },
      );
      const rates = rated ? vector('optimizer.rates') : undefined;
      const kept = decayed(vector(PARAMETERS), number('decay'), rates, layout);
      const moved = new Map([...tracked.keys()].map((name, i) => [name, seen[i]]));
      const fresh = subtract(
        kept,
        withTracked(rates ? multiply(change, rates) : change, kept, moved, layout),
      );
      const followed = () => {
        const [average, momentum] = [vector('state.average'), number('momentum')];
        return add(multiply(average, momentum), multiply(fresh, subtract(scalar(1), momentum)));
      };
      return {
        name: 'step',
        outputs: {
          report: joined([stepLoss, norm, ...stepMetrics]),
          new_parameters: fresh,
          new_first: first,
          new_second: second,
          ...(follows && { new_average: followed() }),
        },
      };
    });
  });

/** The parameters after weight decay. */
function decayed(
  old: Value,
  decay: Value,
  rates: Value | undefined,
  { decayed: end, length }: ParameterLayout,
): Value {
  if (end === 0) return old;
  const part = rates ? multiply(slice(rates, 0, 0, end), decay) : decay;
  return joined([
    multiply(slice(old, 0, 0, end), subtract(scalar(1), part)),
    ...(end < length ? [slice(old, 0, end, length)] : []),
  ]);
}

/** What is subtracted from the parameters: the change, but for tracked ones, which move towards their values in the batch. */
function withTracked(
  change: Value,
  parameters: Value,
  tracked: ReadonlyMap<string, Value>,
  layout: ParameterLayout,
): Value {
  if (tracked.size === 0) return change;
  const parts: Value[] = [];
  let start = 0;
  const changeUntil = (end: number) => {
    if (start < end) parts.push(slice(change, 0, start, end));
  };
  for (const { name, shape, offset, length } of layout.slots) {
    const seen = tracked.get(name);
    if (seen === undefined) continue;
    changeUntil(offset);
    start = offset + length;
    const running = reshape(slice(parameters, 0, offset, start), shape);
    parts.push(multiply(subtract(running, seen), scalar(TRACKING_RATE)));
  }
  changeUntil(layout.length);
  return joined(parts);
}

/** All elements, one after the other. */
export const joined = (parts: readonly Value[]): Value =>
  concatenate(
    parts.map((part) => reshape(part, [-1])),
    0,
  );
