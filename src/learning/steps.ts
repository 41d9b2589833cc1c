/** The one loop under every training: a gradient, a place where gradients are summed, an optimizer step. */
import type { HostTensors } from '../engine/engine.js';
import { LacunaError } from '../errors.js';
import { stageOf } from './schedule.js';
import type { Trainer } from './trainer.js';

/** What a step is computed from. */
export interface StepBatch {
  /** Tokens per record: which of a trainer's programs runs. */
  readonly tokens: number;
  readonly feeds: HostTensors;
}

/** What a training is, beside its trainer. */
export interface StepOptions<B extends StepBatch> {
  /** The batches of the steps from `start` on; the loop ends with them, too. */
  readonly batches: Iterable<B> | AsyncIterable<B>;
  /** Steps done before; 0 by default. */
  readonly start?: number;
  /** Steps of the whole training. */
  readonly steps: number;
  /** The learning rate of a step, counted from 0, in a stage of so many steps. */
  readonly rate: (step: number, steps: number) => number;
  /** After so many steps, ascending, the networks go back to where they began: see `Trainer.restart`. */
  readonly restarts?: readonly number[];
  /** Momentum of the average at a step, counted from 0, of so many, where there is an average. */
  readonly momentum?: (step: number, steps: number) => number;
  /** The loop ends before the next step when it aborts, of several ranks at the same step when that of one does. */
  readonly signal?: AbortSignal;
}

/** A step that was taken. */
export interface Step<B extends StepBatch> {
  /** Steps done, this one among them. */
  readonly step: number;
  readonly batch: B;
  readonly loss: number;
  /** Euclidean norm of the gradient before clipping. */
  readonly norm: number;
  readonly learningRate: number;
  /** The objective's own scalars. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Milliseconds of the step, and of those what was spent waiting for its batch, and for the other ranks. */
  readonly milliseconds: { readonly total: number; readonly waited: number; readonly summed: number };
}

/** A loss or gradient that is not finite; the parameters are those before the step. */
export class NonFiniteStep<B extends StepBatch> extends LacunaError {
  constructor(
    readonly what: 'loss' | 'gradient',
    /** The step that was not taken, counted from 1. */
    readonly step: number,
    readonly batch: B,
  ) {
    super(`step ${step}: the ${what} is not finite`);
  }
}

/**
 * Takes one optimizer step after the other and yields after each, so that whoever iterates validates, logs and stops as
 * they like. Throws NonFiniteStep before the parameters are touched by such a step.
 */
export async function* trainingSteps<B extends StepBatch>(
  trainer: Trainer,
  options: StepOptions<B>,
): AsyncGenerator<Step<B>, void, void> {
  const { steps, rate, restarts, momentum, signal } = options;
  let step = options.start ?? 0;
  let stopped = false;
  // Of several ranks none stops before all know of it, which they do after a step.
  const stops = () => stopped || (trainer.ranks.size === 1 && signal?.aborted === true);
  const more = () => step < steps && !stops();
  if (!more()) return;
  let begun = performance.now();
  const batches = new ReadAhead(options.batches);
  for await (const batch of batches) {
    const waited = performance.now() - begun;
    // It may have aborted while the batch was made.
    if (stops()) return;
    if (restarts?.includes(step)) await trainer.restart();
    const { begins, ends } = stageOf(step, steps, restarts);
    const learningRate = rate(step - begins, ends - begins);
    const { loss, norm, metrics, stop, summed } = await trainer.step(batch.tokens, batch.feeds, {
      step: step + 1 - begins,
      learningRate,
      momentum: momentum?.(step, steps),
      stop: signal?.aborted,
      meanwhile: () => batches.ahead(),
    });
    if (!Number.isFinite(loss) || !Number.isFinite(norm))
      throw new NonFiniteStep(Number.isFinite(loss) ? 'gradient' : 'loss', step + 1, batch);
    step++;
    stopped = stop;
    const milliseconds = { total: performance.now() - begun, waited, summed };
    yield { step, batch, loss, norm, learningRate, metrics, milliseconds };
    if (!more()) return;
    begun = performance.now();
  }
}

/** Items in their order, of which the next can be asked for before it is wanted. */
class ReadAhead<T> implements AsyncIterableIterator<T, void> {
  private readonly iterator: Iterator<T> | AsyncIterator<T>;
  private upcoming: Promise<IteratorResult<T>> | undefined;

  constructor(items: Iterable<T> | AsyncIterable<T>) {
    this.iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  }

  /** Has the next item made. */
  ahead(): void {
    this.upcoming ??= Promise.resolve(this.iterator.next());
    // Whoever asks for the item meets the error.
    this.upcoming.catch(() => {});
  }

  async next(): Promise<IteratorResult<T, void>> {
    const { upcoming } = this;
    this.upcoming = undefined;
    return upcoming ?? this.iterator.next();
  }

  async return(): Promise<IteratorResult<T, void>> {
    await this.iterator.return?.();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
