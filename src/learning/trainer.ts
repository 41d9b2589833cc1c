/** Programs of a model per batch length, the flat state they read and write, and one optimizer step. */
import type { Engine, Executable, HostTensors } from '../engine/engine.js';
import { type ParameterNode, type Program, staticSize, trackedOf, type Value } from '../graph/index.js';
import { type HostTensor, zeros } from '../tensor/tensor.js';
import { type AdamW, type AdamWState, adamW, vectorNorm } from './adamw.js';
import { refuseTooLarge, trainingMemory } from './memory.js';
import { gradientName, gradientProgram } from './model.js';
import { type ParameterLayout, parameterLayout, parameterViews, targetViews } from './parameters.js';

/** What a trainer needs to know of a model, for batches of one length. */
export interface TrainableGraph {
  /** float32[]: what is minimised. */
  readonly loss: Value;
  /** float32[]: by what a batch's loss is weighted beside that of others; 1 by default. */
  readonly weight?: Value;
  readonly parameters: readonly ParameterNode[];
  /** Parameters of a target network: `target.NAME` is fed the average of the parameter NAME. */
  readonly targets?: readonly ParameterNode[];
  /** Scalars that are given at every training step beside the loss. */
  readonly metrics: Readonly<Record<string, Value>>;
  /** Given by `evaluate`, which computes no gradient. */
  readonly evaluation: Readonly<Record<string, Value>>;
  /** float32[batch, width], given by `embed`, where the model is watched while it trains. */
  readonly embedding?: Value;
}

/** A smaller network that is trained in the place of the whole one for a step, on parts of its parameters. */
export interface Substitute {
  /** Those of one key have the same graphs. */
  readonly key: string;
  readonly build: (tokens: number) => TrainableGraph;
  /** What its parameters are fed, of those of the whole. */
  readonly take: (whole: HostTensors) => HostTensors;
  /** Writes the gradients of its parameters where they belong among those of the whole, by the parameters' names. */
  readonly give: (gradients: HostTensors, whole: HostTensors) => void;
}

/** What a trainer is told. */
export interface TrainerOptions {
  /** Builds the model for batches of so many tokens. Parameters have the same names and shapes for every length. */
  readonly build: (tokens: number) => TrainableGraph;
  readonly weightDecay: number;
  /** A gradient longer than this is scaled down to it. */
  readonly clipNorm: number;
  /** See `AdamWOptions`. */
  readonly rateOf?: (name: string) => number;
  /** Whether layers are computed a second time for the gradient, to save memory. */
  readonly recompute?: boolean;
  /** Whether a running average of the parameters is kept though no target network has it. */
  readonly averaged?: boolean;
  /** What is trained at a step, counted from 1, instead of the whole; the optimizer step is of all parameters. Not on a device. */
  readonly substitute?: (step: number) => Substitute | undefined;
  /** Whether the networks go back to where they began at some step, so that this has to be kept. */
  readonly restarts?: boolean;
}

/** What an optimizer step is told beside its batch. */
export interface StepSettings {
  /** Counted from 1 in the stage that the schedule is for. */
  readonly step: number;
  readonly learningRate: number;
  /** Momentum of the average after the step, where there is one. */
  readonly momentum?: number;
  /** Where the batch is a part of one: replaces numbers by their sums over the machines that have its parts. */
  readonly sum?: SumOverMachines;
  /** Whether this machine wants the training to stop after the step. */
  readonly stop?: boolean;
  /** Called, once at most, when a device computes, or numbers are summed, and the host has nothing else to do. */
  readonly meanwhile?: () => void;
}

/** Replaces the numbers by their sums over all machines, which have to come out the same at each. */
export type SumOverMachines = (numbers: Float32Array) => Promise<void>;

/** What a step came with. Where loss or norm are not finite the step was not taken: all is as before it. */
export interface TakenStep {
  readonly loss: number;
  /** Euclidean norm of the gradient before clipping. */
  readonly norm: number;
  readonly metrics: Readonly<Record<string, number>>;
  /** Whether a machine wants the training to stop. */
  readonly stop: boolean;
  /** Milliseconds that the machines summed; 0 for one machine. */
  readonly summed: number;
}

/** By which part a tracked parameter moves, at each update, towards the value of the batch; as PyTorch's momentum. */
export const TRACKING_RATE = 0.1;

/**
 * What the tracked parameters follow, by name. A target network's are its average. Of a layer that is built several times,
 * as for two views, the last is followed.
 */
export function trackedValues({ loss, parameters }: TrainableGraph): ReadonlyMap<string, Value> {
  const own = new Set(parameters.map(({ name }) => name));
  const tracked = trackedOf([loss]).filter(({ name }) => own.has(name));
  return new Map(tracked.map(({ name, value }) => [name, value]));
}

/** The name under which a gradient program gives the value that a tracked parameter follows. */
const trackedName = (parameter: string): string => `tracked.${parameter}`;

/** The flat vectors of a training, float32[layout.length] each. */
export interface TrainerState extends AdamWState {
  /** A running average of the parameters, which a target network has, or `averaged` asked for. */
  readonly average?: Float32Array;
  /** Where the training began, where it goes back there. */
  readonly start?: Float32Array;
}

/** What machines sum beside the gradient and the metrics: weight, whether to stop, loss. */
const BESIDE = 3;

/** Multiplies a vector; by 0 it becomes 0, whatever was in it. */
function scale(vector: Float32Array, factor: number): void {
  if (factor === 0) vector.fill(0);
  else for (let i = 0; i < vector.length; i++) vector[i] *= factor;
}

/** What a gradient came with. */
const cameWith = ({ weight, metrics }: TrainableGraph, results: HostTensors) => ({
  loss: Number(results.loss.data[0]),
  weight: weight ? Number(results.weight.data[0]) : 1,
  metrics: Object.fromEntries(Object.keys(metrics).map((name) => [name, Number(results[name].data[0])])),
});

interface Compiled {
  readonly executable: Executable;
  readonly results: Readonly<Record<string, HostTensor>>;
}

/** Holds compiled programs; `release` frees them. */
export class Trainer {
  readonly layout: ParameterLayout;
  readonly state: TrainerState;
  /** One view per parameter. */
  readonly parameters: Readonly<Record<string, HostTensor<'float32'>>>;
  /** What is fed for the parameters of a target network. */
  protected readonly averages: Readonly<Record<string, HostTensor>>;
  private readonly gradients: Readonly<Record<string, HostTensor>>;
  private readonly graphs = new Map<string, TrainableGraph>();
  private readonly compiled = new Map<string, Promise<Compiled>>();
  private optimizer: AdamW | undefined;
  /** What the gradient in `state` came with. */
  private latest: HostTensors = {};
  /** The gradient, and after it what else machines sum. */
  private readonly message: Float32Array;

  /** `lengthForLayout` is any length; it is the first to be built. */
  constructor(
    private readonly engine: Engine,
    protected readonly options: TrainerOptions,
    lengthForLayout: number,
  ) {
    const { loss, parameters, metrics, targets = [] } = this.graph(lengthForLayout);
    this.layout = parameterLayout(parameters);
    // Parameters, gradient and moments; the average; the start.
    const vectors = 4 + (targets.length > 0 || options.averaged ? 1 : 0) + (options.restarts ? 1 : 0);
    const { recompute } = options;
    const needed = trainingMemory(loss, { parameters: this.layout.length, vectors, recompute });
    refuseTooLarge(needed, engine.memory ?? Number.POSITIVE_INFINITY);
    const flat = () => new Float32Array(this.layout.length);
    this.message = new Float32Array(this.layout.length + BESIDE + Object.keys(metrics).length);
    const average = targets.length > 0 || options.averaged ? flat() : undefined;
    this.state = {
      parameters: flat(),
      gradient: this.message.subarray(0, this.layout.length),
      firstMoment: flat(),
      secondMoment: flat(),
      ...(average && { average }),
      ...(options.restarts && { start: flat() }),
    };
    this.parameters = parameterViews(this.layout, this.state.parameters);
    this.averages = average ? targetViews(this.layout, targets, average) : {};
    const views = parameterViews(this.layout, this.state.gradient);
    this.gradients = Object.fromEntries(
      Object.entries(views).map(([name, view]) => [gradientName(name), view]),
    );
  }

  /** Starts from these parameters, and so does the target network; the optimizer's moments are zero. */
  begin(parameters: Float32Array): void {
    const { state } = this;
    state.parameters.set(parameters);
    state.average?.set(parameters);
    state.start?.set(parameters);
    this.resetMoments();
  }

  /** Replaces the parameters alone. */
  async setParameters(parameters: Float32Array): Promise<void> {
    this.state.parameters.set(parameters);
  }

  /** The parameters and their average change places. */
  exchangeAverage(): void {
    const { average, parameters } = this.state;
    if (average === undefined) throw new Error('exchangeAverage: no average is kept');
    const kept = parameters.slice();
    parameters.set(average);
    average.set(kept);
  }

  private resetMoments(): void {
    this.state.firstMoment.fill(0);
    this.state.secondMoment.fill(0);
  }

  /** A whole optimizer step on one batch: gradient, norm, update, average. */
  async step(tokens: number, feeds: HostTensors, settings: StepSettings): Promise<TakenStep> {
    const { step, learningRate, momentum, sum, stop = false } = settings;
    const substitute = this.options.substitute?.(step);
    const own = await (substitute
      ? this.substituteGradient(substitute, tokens, feeds)
      : this.gradient(tokens, feeds));
    const { loss, metrics, ...rest } = sum
      ? await this.whole(own, sum, settings)
      : { ...own, stop, summed: 0 };
    const norm = this.gradientNorm();
    if (Number.isFinite(loss) && Number.isFinite(norm)) {
      await this.update(step, learningRate, norm);
      if (momentum !== undefined) this.follow(momentum);
    }
    return { loss, norm, metrics, ...rest };
  }

  /**
   * From the parts of a batch to the whole: the gradient becomes Σ weight · gradient / Σ weight over the machines, and so do loss
   * and metrics. A part without weight, such as one without records, counts for nothing, whatever its loss.
   */
  private async whole(
    { loss, weight, metrics }: Pick<TakenStep, 'loss' | 'metrics'> & { readonly weight: number },
    sum: SumOverMachines,
    { stop, meanwhile }: StepSettings,
  ): Promise<Omit<TakenStep, 'norm'>> {
    const { message, state } = this;
    const { gradient } = state;
    scale(gradient, weight);
    const names = Object.keys(metrics);
    const weighted = (value: number) => (weight === 0 ? 0 : weight * value);
    const beside = message.subarray(gradient.length);
    beside.set([weight, stop ? 1 : 0, weighted(loss), ...names.map((name) => weighted(metrics[name]))]);
    const begun = performance.now();
    const summing = sum(message);
    meanwhile?.();
    await summing;
    const [total, stopping, ...means] = beside;
    const part = total === 0 ? 0 : 1 / total;
    scale(gradient, part);
    return {
      loss: means[0] * part,
      metrics: Object.fromEntries(names.map((name, i) => [name, means[i + 1] * part])),
      stop: stopping > 0,
      summed: performance.now() - begun,
    };
  }

  /** Brings `state` up to date where a device holds it. */
  async fetchState(): Promise<void> {}

  /** The target network becomes a copy of the trained one, which goes back to where it began, its moments to zero. */
  async restart(): Promise<void> {
    const { parameters, average, start } = this.state;
    if (start === undefined) throw new Error('restart: the parameters at the beginning were not kept');
    average?.set(parameters);
    parameters.set(start);
    this.resetMoments();
  }

  /**
   * Runs the model on one batch and leaves its gradient in `state.gradient`; the parameters are not touched. `weight` is
   * that of the batch in a mean over several.
   */
  async gradient(
    tokens: number,
    feeds: HostTensors,
  ): Promise<{ loss: number; weight: number; metrics: Record<string, number> }> {
    const graph = this.graph(tokens);
    const { executable, results } = await this.compile(
      `gradient ${tokens}`,
      () => this.gradientOf(graph),
      this.gradients,
    );
    await executable.run({ ...this.parameters, ...this.averages, ...feeds }, results);
    this.latest = results;
    return cameWith(graph, results);
  }

  /** The same of a substitute: what it has no part of gets no gradient. */
  private async substituteGradient(
    { key, build, take, give }: Substitute,
    tokens: number,
    feeds: HostTensors,
  ): ReturnType<Trainer['gradient']> {
    const graph = this.graph(tokens, key, build);
    const { executable, results } = await this.compile(`${key} gradient ${tokens}`, () =>
      this.gradientOf(graph),
    );
    await executable.run({ ...take(this.parameters), ...feeds }, results);
    this.latest = results;
    this.state.gradient.fill(0);
    const named = graph.parameters.map(({ name }) => [name, results[gradientName(name)]]);
    give(Object.fromEntries(named), parameterViews(this.layout, this.state.gradient));
    return cameWith(graph, results);
  }

  private gradientOf(graph: TrainableGraph): Program {
    const { loss, weight, parameters, metrics } = graph;
    const tracked = [...trackedValues(graph)].map(([name, value]) => [trackedName(name), value]);
    const outputs: Record<string, Value> = {
      ...metrics,
      ...(weight && { weight }),
      ...Object.fromEntries(tracked),
    };
    return gradientProgram('gradient', loss, parameters, outputs, { recompute: this.options.recompute });
  }

  /** Euclidean norm of the gradient in `state`; not finite when any part of it is not. */
  gradientNorm(): number {
    return vectorNorm(this.state.gradient);
  }

  /**
   * AdamW step `step` (from 1) along the gradient in `state`, whose norm is `norm`. Tracked parameters, which have no
   * gradient, move towards their values in that gradient's batch.
   */
  async update(step: number, learningRate: number, norm: number): Promise<void> {
    const { weightDecay, clipNorm, rateOf } = this.options;
    this.optimizer ??= adamW(this.layout, this.state, { weightDecay, rateOf });
    this.optimizer.update(step, learningRate, norm > clipNorm ? clipNorm / norm : 1);
    for (const { name } of this.layout.slots) {
      const batch = this.latest[trackedName(name)]?.data;
      const running = this.parameters[name].data;
      for (let i = 0; batch && i < running.length; i++)
        running[i] = (1 - TRACKING_RATE) * running[i] + TRACKING_RATE * Number(batch[i]);
    }
  }

  /** Moves the average: average ← momentum · average + (1 − momentum) · parameters. */
  follow(momentum: number): void {
    const { average, parameters } = this.state;
    if (average === undefined) throw new Error('follow: no average is kept');
    for (let i = 0; i < average.length; i++)
      average[i] = momentum * average[i] + (1 - momentum) * parameters[i];
  }

  /** The evaluation outputs for one batch. The tensors are reused by the next call for the same length. */
  async evaluate(tokens: number, feeds: HostTensors): Promise<HostTensors> {
    return this.outputs('evaluation', tokens, feeds, this.graph(tokens).evaluation);
  }

  /** float32[batch, width] for one batch. The tensor is reused by the next call for the same length. */
  async embed(tokens: number, feeds: HostTensors): Promise<Float32Array> {
    const { embedding } = this.graph(tokens);
    if (!embedding) throw new Error('embed: the graph was built without an embedding');
    const results = await this.outputs('embedding', tokens, feeds, { embedding });
    return results.embedding.data as Float32Array;
  }

  /** Frees all native sessions. */
  async release(): Promise<void> {
    for (const compiled of this.compiled.values()) await (await compiled).executable.release();
    this.compiled.clear();
  }

  private async outputs(
    name: string,
    tokens: number,
    feeds: HostTensors,
    outputs: Program['outputs'],
  ): Promise<HostTensors> {
    const { executable, results } = await this.compile(`${name} ${tokens}`, () => ({ name, outputs }));
    await executable.run({ ...this.parameters, ...this.averages, ...feeds }, results);
    return results;
  }

  protected graph(tokens: number, of = '', build = this.options.build): TrainableGraph {
    const key = `${of} ${tokens}`;
    let graph = this.graphs.get(key);
    if (graph === undefined) {
      graph = build(tokens);
      this.graphs.set(key, graph);
    }
    return graph;
  }

  /** `into` are tensors that outputs of their names are written to. */
  private compile(key: string, program: () => Program, into: HostTensors = {}): Promise<Compiled> {
    let compiled = this.compiled.get(key);
    if (compiled === undefined) {
      compiled = this.compileProgram(program(), into);
      this.compiled.set(key, compiled);
    }
    return compiled;
  }

  private async compileProgram(program: Program, into: HostTensors): Promise<Compiled> {
    const executable = await this.engine.compile(program);
    const results = Object.fromEntries(
      Object.entries(program.outputs).map(([name, { dtype, shape }]) => [
        name,
        into[name] ?? zeros(dtype, shape.map(staticSize)),
      ]),
    );
    return { executable, results };
  }
}
