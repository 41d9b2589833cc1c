import { add, divide, multiply, scalar, sqrt, type Value } from '../graph/index.js';
import { type AdamWKernel, adamWKernel, KERNEL_ELEMENTS } from './adamw-kernel.js';
import type { ParameterLayout } from './parameters.js';

/** Constants of AdamW: those of PyTorch. */
export const [BETA1, BETA2, EPSILON] = [0.9, 0.999, 1e-8];

/** The constants of AdamW; those of PyTorch by default. */
export interface AdamWOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  readonly weightDecay: number;
  /** What the learning rate is multiplied by, for a parameter of this name; 1 by default. */
  readonly rateOf?: (name: string) => number;
  /** Which element of the layout the vectors begin with; 0 by default. */
  readonly start?: number;
}

/** The flat vectors of a layout, float32[length] each, or as many of their elements, that an optimizer reads and writes. */
export interface AdamWState {
  readonly parameters: Float32Array;
  readonly gradient: Float32Array;
  readonly firstMoment: Float32Array;
  readonly secondMoment: Float32Array;
}

/** All updates use one, which keeps nothing from one to the next. */
let kernel: AdamWKernel | undefined;

/** An optimizer that is ready to take steps. */
export interface AdamW {
  /** Step `step` (from 1) in place, with the gradient multiplied by `scale` first. */
  update(step: number, learningRate: number, scale: number): void;
}

/** A peak rate above this moves each parameter further in a step than most have to go in all. */
const LARGEST_USUAL_RATE = 0.01;

/** What is wrong with a peak learning rate for AdamW, in a sentence; undefined if it is a usual one. */
export function unfitLearningRate(learningRate: number): string | undefined {
  if (learningRate <= LARGEST_USUAL_RATE) return undefined;
  return `learning rate ${learningRate} is high for AdamW, whose steps are about as long as the rate whatever the gradient: training may diverge or collapse; usual are 0.0001 to 0.003`;
}

/**
 * The moments after a gradient, and by what the parameters change: `firstShare` is (1 − β1) and `secondShareRoot` √(1 − β2),
 * each multiplied by what the gradient is scaled by; `epsilon` and `rate` are bias-corrected.
 */
export function adamWMoments(
  { gradient, first, second }: Readonly<Record<'gradient' | 'first' | 'second', Value>>,
  numbers: Readonly<Record<'firstShare' | 'secondShareRoot' | 'epsilon' | 'rate', Value>>,
): { first: Value; second: Value; change: Value } {
  const newFirst = add(multiply(first, scalar(BETA1)), multiply(gradient, numbers.firstShare));
  const root = multiply(gradient, numbers.secondShareRoot);
  const newSecond = add(multiply(second, scalar(BETA2)), multiply(root, root));
  const change = multiply(divide(newFirst, add(sqrt(newSecond), numbers.epsilon)), numbers.rate);
  return { first: newFirst, second: newSecond, change };
}

/**
 * AdamW (Loshchilov & Hutter, ICLR 2019) as PyTorch computes it: decay is decoupled, moments are bias-corrected, and
 * epsilon is added after the square root. Moments below 2⁻¹²⁶ are 0. `state` is updated in place, part by part.
 */
export function adamW(
  layout: ParameterLayout,
  state: AdamWState,
  {
    beta1 = BETA1,
    beta2 = BETA2,
    epsilon = EPSILON,
    weightDecay,
    rateOf = () => 1,
    start: first = 0,
  }: AdamWOptions,
): AdamW {
  kernel ??= adamWKernel();
  const { run, gradient, parameters, first: firstMoment, second } = kernel;
  const { length } = state.parameters;
  const ranges = updateRanges(layout, rateOf).map(({ start, end, ...range }) => ({
    ...range,
    start: Math.max(0, start - first),
    end: Math.min(length, end - first),
  }));
  const updated = [
    [state.parameters, parameters],
    [state.firstMoment, firstMoment],
    [state.secondMoment, second],
  ] as const;
  return {
    update(step, learningRate, scale) {
      const correction = Math.sqrt(1 - beta2 ** step);
      const shared = {
        firstShare: (1 - beta1) * scale,
        secondShareRoot: Math.sqrt(1 - beta2) * scale,
        epsilon: epsilon * correction,
        beta1,
        beta2,
      };
      for (const { start, end, decays, rate } of ranges) {
        const own = rate * learningRate;
        const numbers = {
          ...shared,
          rate: (own * correction) / (1 - beta1 ** step),
          keep: decays ? 1 - own * weightDecay : 1,
        };
        for (let from = start; from < end; from += KERNEL_ELEMENTS) {
          const to = Math.min(end, from + KERNEL_ELEMENTS);
          gradient.set(state.gradient.subarray(from, to));
          for (const [flat, part] of updated) part.set(flat.subarray(from, to));
          run(to - from, numbers);
          for (const [flat, part] of updated) flat.set(part.subarray(0, to - from), from);
        }
      }
    },
  };
}

/** Neighbours in the flat vector that are updated alike. */
interface UpdateRange {
  readonly start: number;
  end: number;
  readonly decays: boolean;
  readonly rate: number;
}

function updateRanges({ slots, decayed }: ParameterLayout, rateOf: (name: string) => number): UpdateRange[] {
  const ranges: UpdateRange[] = [];
  for (const { name, offset, length } of slots) {
    const decays = offset < decayed;
    const rate = rateOf(name);
    const last = ranges.at(-1);
    if (last && last.decays === decays && last.rate === rate) last.end = offset + length;
    else ranges.push({ start: offset, end: offset + length, decays, rate });
  }
  return ranges;
}

/** The Euclidean norm of a vector, summed in double precision; NaN or Infinity if any element is not finite. */
export function vectorNorm(vector: Float32Array): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = vector.length - (vector.length % 4);
  for (let i = 0; i < whole; i += 4) {
    a += vector[i] * vector[i];
    b += vector[i + 1] * vector[i + 1];
    c += vector[i + 2] * vector[i + 2];
    d += vector[i + 3] * vector[i + 3];
  }
  for (let i = whole; i < vector.length; i++) a += vector[i] * vector[i];
  return Math.sqrt(a + b + c + d);
}
