/** Programs of a model per batch length, the flat state they read and write, and one optimizer step. */
import { alone, type Piece, piecesOf, type Ranks } from '../cluster/ranks.js';
import type { Engine, Executable, HostTensors } from '../engine/engine.js';
import { KeptPrograms, releaseExecutable } from '../engine/kept-programs.js';
import {
  multiply,
  type ParameterNode,
  type Program,
  staticSize,
  stopGradient,
  trackedOf,
  type Value,
} from '../graph/index.js';
import type { SharedRows } from '../objectives/whole-batch.js';
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
  /** The rows that ranks share before `loss` can be computed; none by default. */
  readonly shared?: readonly SharedRows[];
  /** Given by `evaluate`, which computes no gradient. */
  readonly evaluation: Readonly<Record<string, Value>>;
  /** Those that they share before that. */
  readonly evaluationShared?: readonly SharedRows[];
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
  /** The processes of which each has a part of every batch, where there are several. */
  readonly ranks?: Ranks;
}

/** What an optimizer step is told beside its batch. */
export interface StepSettings {
  /** Counted from 1 in the stage that the schedule is for. */
  readonly step: number;
  readonly learningRate: number;
  /** Momentum of the average after the step, where there is one. */
  readonly momentum?: number;
  /** Whether this process wants the training to stop after the step. */
  readonly stop?: boolean;
  /** Called, once at most, when a device computes, or gradients are summed, and the host has nothing else to do. */
  readonly meanwhile?: () => void;
}

/** What a step came with. Where loss or norm are not finite the step was not taken: all is as before it. */
export interface TakenStep {
  readonly loss: number;
  /** Euclidean norm of the gradient before clipping. */
  readonly norm: number;
  readonly metrics: Readonly<Record<string, number>>;
  /** Whether a rank wants the training to stop. */
  readonly stop: boolean;
  /** Milliseconds that the ranks summed and shared; 0 for one process. */
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

/** A gradient program gives the value that a tracked parameter follows under the parameter's name behind this. */
const TRACKED = 'tracked.';

/** The flat vectors of a training, float32[layout.length] each. */
export interface TrainerState extends AdamWState {
  /** A running average of the parameters, which a target network has, or `averaged` asked for. */
  readonly average?: Float32Array;
  /** Where the training began, where it goes back there. */
  readonly start?: Float32Array;
}

/** The rows of all ranks, view by view, of tensors that have those of one. */
async function gatherRows(
  tensors: readonly HostTensor[],
  shared: readonly SharedRows[],
  ranks: Ranks,
): Promise<HostTensor[]> {
  const bytes = tensors.map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  const message = new Uint8Array(bytes.reduce((sum, { length }) => sum + length, 0));
  let next = 0;
  for (const part of bytes) {
    message.set(part, next);
    next += part.length;
  }
  const all = await ranks.gatherBytes(message);
  let start = 0;
  return tensors.map(({ dtype, shape: [count, ...rest] }, i) => {
    const { views } = shared[i];
    const view = bytes[i].length / views;
    const whole = zeros(dtype, [count * ranks.size, ...rest]);
    const to = new Uint8Array(whole.data.buffer);
    for (let rank = 0; rank < ranks.size; rank++)
      for (let v = 0; v < views; v++) {
        const from = rank * message.length + start + v * view;
        to.set(all.subarray(from, from + view), (v * ranks.size + rank) * view);
      }
    start += bytes[i].length;
    return whole;
  });
}

interface Compiled {
  readonly executable: Executable;
  readonly results: Readonly<Record<string, HostTensor>>;
}

/** Holds compiled programs; `release` frees them. */
export class Trainer {
  readonly layout: ParameterLayout;
  readonly state: TrainerState;
  /** The processes of which each has a part of every batch; `alone` for one. */
  readonly ranks: Ranks;
  /** One view per parameter. */
  readonly parameters: Readonly<Record<string, HostTensor<'float32'>>>;
  /** What is fed for the parameters of a target network. */
  protected readonly averages: Readonly<Record<string, HostTensor>>;
  private readonly gradients: Readonly<Record<string, HostTensor>>;
  private readonly graphs = new Map<string, TrainableGraph>();
  private readonly compiled = new KeptPrograms<Compiled>(releaseExecutable);
  /** One for each piece of the vectors that this rank updates. */
  private optimizers: readonly AdamW[] | undefined;
  /** What the tracked parameters follow, of the batch of the gradient in `state`, by their names. */
  private tracked: ReadonlyMap<string, Float32Array> = new Map();
  /** Of the vectors, what this rank updates: all where it is alone. */
  private readonly pieces: readonly Piece[];
  /** The gradient of the pieces, one after the other. */
  private readonly ownGradient: Float32Array;
  /** What it has to be multiplied by to be that of the batch. */
  private share = 1;
  /** Whether the moments in `state` are known beyond the pieces. */
  private fetched = true;

  /** `lengthForLayout` is any length; it is the first to be built. */
  constructor(
    private readonly engine: Engine,
    protected readonly options: TrainerOptions,
    lengthForLayout: number,
  ) {
    const { loss, parameters, targets = [] } = this.graph(lengthForLayout);
    this.layout = parameterLayout(parameters);
    this.ranks = options.ranks ?? alone;
    const { size } = this.ranks;
    // Parameters, gradient and moments; of several ranks the sums of the pieces; the average; the start.
    const vectors =
      4 +
      (size > 1 ? 1 / size : 0) +
      (targets.length > 0 || options.averaged ? 1 : 0) +
      (options.restarts ? 1 : 0);
    const { recompute } = options;
    const needed = trainingMemory(loss, { parameters: this.layout.length, vectors, recompute });
    refuseTooLarge(needed, engine.memory ?? Number.POSITIVE_INFINITY);
    const flat = () => new Float32Array(this.layout.length);
    const average = targets.length > 0 || options.averaged ? flat() : undefined;
    this.state = {
      parameters: flat(),
      gradient: flat(),
      firstMoment: flat(),
      secondMoment: flat(),
      ...(average && { average }),
      ...(options.restarts && { start: flat() }),
    };
    const isAlone = this.ranks.size === 1;
    this.pieces = isAlone
      ? [{ start: 0, end: this.layout.length }]
      : piecesOf(this.layout.length, this.ranks);
    const count = this.pieces.reduce((sum, { start, end }) => sum + end - start, 0);
    this.ownGradient = isAlone ? this.state.gradient : new Float32Array(count);
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
    this.fetched = true;
  }

  /**
   * A whole optimizer step on one batch: gradient, norm, update, average. Each of several ranks updates its pieces of
   * the parameters, and has the others from theirs (ZeRO, stage 1: Rajbhandari et al., SC 2020).
   */
  async step(tokens: number, feeds: HostTensors, settings: StepSettings): Promise<TakenStep> {
    const { step, learningRate, momentum, stop = false } = settings;
    const substitute = this.options.substitute?.(step);
    const own = await (substitute
      ? this.substituteGradient(substitute, tokens, feeds)
      : this.gradient(tokens, feeds));
    const { loss, norm, metrics, ...rest } =
      this.ranks.size === 1 ? { ...own, norm: this.gradientNorm(), stop } : await this.whole(own, settings);
    if (!Number.isFinite(loss) || !Number.isFinite(norm)) return { loss, norm, metrics, ...rest };
    this.optimize(step, learningRate, norm);
    const begun = performance.now();
    await this.ranks.sharePieces(this.state.parameters);
    const shared = this.ranks.size === 1 ? 0 : performance.now() - begun;
    this.track();
    if (momentum !== undefined) this.follow(momentum);
    return { loss, norm, metrics, ...rest, summed: rest.summed + shared };
  }

  /**
   * From the parts of a batch to the whole: the gradient of the pieces becomes Σ weight · gradient over the ranks, and loss, metrics
   * and what is tracked Σ weight · value / Σ weight. A part without weight, such as one without records, counts for nothing,
   * whatever its loss.
   */
  private async whole(
    { loss, weight, metrics, summed }: Omit<TakenStep, 'norm' | 'stop'> & { readonly weight: number },
    { stop, meanwhile }: StepSettings,
  ): Promise<TakenStep> {
    const { ranks, ownGradient, state } = this;
    if (weight === 0) state.gradient.fill(0);
    const begun = performance.now();
    const summing = ranks.sumPieces(state.gradient, ownGradient);
    meanwhile?.();
    await summing;
    const names = Object.keys(metrics);
    const tracked = [...this.tracked.values()];
    const values = [loss, ...names.map((name) => metrics[name]), ...tracked.flatMap((seen) => [...seen])];
    const numbers = Float64Array.of(
      weight,
      stop ? 1 : 0,
      vectorNorm(ownGradient) ** 2,
      ...values.map((value) => (weight === 0 ? 0 : weight * value)),
    );
    await ranks.sum(numbers);
    const [total, stopping, square, ...sums] = numbers;
    this.share = total === 0 ? 0 : 1 / total;
    const means = sums.map((sum) => sum * this.share);
    let next = 1 + names.length;
    for (const seen of tracked) {
      seen.set(means.slice(next, next + seen.length));
      next += seen.length;
    }
    return {
      loss: means[0],
      norm: Math.sqrt(square) * this.share,
      metrics: Object.fromEntries(names.map((name, i) => [name, means[i + 1]])),
      stop: stopping > 0,
      summed: summed + performance.now() - begun,
    };
  }

  /** Brings `state` up to date where a device, or other ranks, hold it. All ranks call it together. */
  async fetchState(): Promise<void> {
    if (this.fetched) return;
    this.fetched = true;
    await this.ranks.sharePieces(this.state.firstMoment);
    await this.ranks.sharePieces(this.state.secondMoment);
  }

  /** The target network becomes a copy of the trained one, which goes back to where it began, its moments to zero. */
  async restart(): Promise<void> {
    const { parameters, average, start } = this.state;
    if (start === undefined) throw new Error('restart: the parameters at the beginning were not kept');
    average?.set(parameters);
    parameters.set(start);
    this.resetMoments();
  }

  /**
   * Runs the model on one batch and leaves its gradient in `state.gradient`, of several ranks `weight` times that; the
   * parameters are not touched. `weight` is that of the batch in a mean over several, `summed` the milliseconds for rows that
   * ranks share.
   */
  async gradient(
    tokens: number,
    feeds: HostTensors,
  ): Promise<{ loss: number; weight: number; metrics: Record<string, number>; summed: number }> {
    const graph = this.graph(tokens);
    const { shared } = graph;
    const { all, milliseconds } = await this.withAllRows('gradient', tokens, feeds, shared);
    const { executable, results } = await this.compile(
      `gradient ${tokens}`,
      () => this.gradientOf(graph),
      this.gradients,
    );
    await executable.run({ ...this.parameters, ...this.averages, ...all }, results);
    return { ...this.cameWith(graph, results), summed: milliseconds };
  }

  /** The same of a substitute: what it has no part of gets no gradient. */
  private async substituteGradient(
    { key, build, take, give }: Substitute,
    tokens: number,
    feeds: HostTensors,
  ): ReturnType<Trainer['gradient']> {
    const graph = this.graph(tokens, key, build);
    const own = { ...take(this.parameters), ...feeds };
    const { all, milliseconds } = await this.withAllRows(`${key} gradient`, tokens, own, graph.shared);
    const { executable, results } = await this.compile(`${key} gradient ${tokens}`, () =>
      this.gradientOf(graph),
    );
    await executable.run(all, results);
    this.state.gradient.fill(0);
    const named = graph.parameters.map(({ name }) => [name, results[gradientName(name)]]);
    give(Object.fromEntries(named), parameterViews(this.layout, this.state.gradient));
    return { ...this.cameWith(graph, results), summed: milliseconds };
  }

  /** The program that gives loss and gradient, of several ranks the gradient times the weight. */
  private gradientOf(graph: TrainableGraph): Program {
    const { loss, weight, parameters, metrics } = graph;
    const outputs: Record<string, Value> = {
      loss,
      ...metrics,
      ...(weight && { weight }),
      ...Object.fromEntries([...trackedValues(graph)].map(([name, value]) => [`${TRACKED}${name}`, value])),
    };
    const weighted = this.ranks.size > 1 && weight ? multiply(loss, stopGradient(weight)) : loss;
    return gradientProgram('gradient', weighted, parameters, outputs, { recompute: this.options.recompute });
  }

  /** What a gradient came with. */
  private cameWith({ weight, metrics }: TrainableGraph, results: HostTensors) {
    this.tracked = new Map(
      Object.entries(results)
        .filter(([name]) => name.startsWith(TRACKED))
        .map(([name, { data }]) => [name.slice(TRACKED.length), data as Float32Array]),
    );
    this.share = 1;
    return {
      loss: Number(results.loss.data[0]),
      weight: weight ? Number(results.weight.data[0]) : 1,
      metrics: Object.fromEntries(Object.keys(metrics).map((name) => [name, Number(results[name].data[0])])),
    };
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
    this.optimize(step, learningRate, norm);
    this.track();
  }

  /** AdamW on the pieces of this rank. */
  private optimize(step: number, learningRate: number, norm: number): void {
    const { clipNorm } = this.options;
    this.optimizers ??= this.optimizersOf(this.pieces);
    const scale = this.share * (norm > clipNorm ? clipNorm / norm : 1);
    for (const optimizer of this.optimizers) optimizer.update(step, learningRate, scale);
    this.fetched = this.ranks.size === 1;
  }

  private optimizersOf(pieces: readonly Piece[]): AdamW[] {
    const { weightDecay, rateOf } = this.options;
    const { parameters, firstMoment, secondMoment } = this.state;
    let next = 0;
    return pieces.map(({ start, end }) => {
      const own = {
        parameters: parameters.subarray(start, end),
        gradient: this.ownGradient.subarray(next, next + end - start),
        firstMoment: firstMoment.subarray(start, end),
        secondMoment: secondMoment.subarray(start, end),
      };
      next += end - start;
      return adamW(this.layout, own, { weightDecay, rateOf, start });
    });
  }

  private track(): void {
    for (const [name, batch] of this.tracked) {
      const running = this.parameters[name].data;
      for (let i = 0; i < running.length; i++)
        running[i] = (1 - TRACKING_RATE) * running[i] + TRACKING_RATE * batch[i];
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
    const { evaluation, evaluationShared } = this.graph(tokens);
    const { all } = await this.withAllRows('evaluation', tokens, feeds, evaluationShared);
    return this.outputs('evaluation', tokens, all, evaluation);
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
    await this.compiled.release();
  }

  /**
   * The feeds with the rows of all ranks: a program computes those of this one, as GradCache does (Gao et al., RepL4NLP 2021),
   * and each has the others' from them, in one message.
   */
  private async withAllRows(
    name: string,
    tokens: number,
    feeds: HostTensors,
    shared: readonly SharedRows[] = [],
  ): Promise<{ all: HostTensors; milliseconds: number }> {
    if (shared.length === 0) return { all: feeds, milliseconds: 0 };
    const computed = shared.filter(({ own }) => own.node.kind !== 'input');
    const outputs = Object.fromEntries(computed.map(({ name, own }) => [name, own]));
    const results = computed.length > 0 ? await this.outputs(`rows for ${name}`, tokens, feeds, outputs) : {};
    const own = shared.map(({ name, own: { node } }) =>
      node.kind === 'input' ? feeds[node.name] : results[name],
    );
    const begun = performance.now();
    const all = await gatherRows(own, shared, this.ranks);
    const fed = Object.fromEntries(shared.map(({ name }, i) => [name, all[i]]));
    return { all: { ...feeds, ...fed }, milliseconds: performance.now() - begun };
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
    return this.compiled.of(key, () => this.compileProgram(program(), into));
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
