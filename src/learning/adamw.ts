import type { Engine } from '../engine/engine.js';
import {
  add,
  divide,
  input,
  multiply,
  type Program,
  scalar,
  scope,
  sqrt,
  subtract,
  type Value,
} from '../graph/index.js';
import { type HostTensor, hostTensor } from '../tensor/tensor.js';
import type { ParameterLayout } from './parameters.js';

/** Elements per run: enough that a run's fixed cost is small, few enough that intermediates stay in the cache. */
const SLICE = 1 << 18;

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
}

/** The flat vectors of a layout, float32[length] each, that an optimizer reads and writes. */
export interface AdamWState {
  readonly parameters: Float32Array;
  readonly gradient: Float32Array;
  readonly firstMoment: Float32Array;
  readonly secondMoment: Float32Array;
}

/** An optimizer that is ready to take steps. */
export interface AdamW {
  /** Step `step` (from 1) in place, with the gradient multiplied by `scale` first. */
  update(step: number, learningRate: number, scale: number): Promise<void>;
  /** Frees the native session. */
  release(): Promise<void>;
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
  [beta1, beta2] = [BETA1, BETA2],
): { first: Value; second: Value; change: Value } {
  const newFirst = add(multiply(first, scalar(beta1)), multiply(gradient, numbers.firstShare));
  const root = multiply(gradient, numbers.secondShareRoot);
  const newSecond = add(multiply(second, scalar(beta2)), multiply(root, root));
  const change = multiply(divide(newFirst, add(sqrt(newSecond), numbers.epsilon)), numbers.rate);
  return { first: newFirst, second: newSecond, change };
}

/** The update of any number of elements. Each operator is a pass over memory, so numbers are multiplied on the host. */
function adamWProgram(beta1: number, beta2: number): Program {
  return scope('optimizer', () => {
    const vector = (name: string) => input(name, 'float32', ['elements']);
    const number = (name: string) => input(name, 'float32', []);
    const { first, second, change } = adamWMoments(
      { gradient: vector('gradient'), first: vector('first'), second: vector('second') },
      {
        firstShare: number('first_share'),
        secondShareRoot: number('second_share_root'),
        epsilon: number('epsilon'),
        rate: number('rate'),
      },
      [beta1, beta2],
    );
    const parameters = subtract(multiply(vector('parameters'), number('keep')), change);
    return {
      name: 'adamw',
      outputs: { new_parameters: parameters, new_first: first, new_second: second },
    };
  });
}

/**
 * AdamW (Loshchilov & Hutter, ICLR 2019) as PyTorch computes it: decay is decoupled, moments are bias-corrected, and
 * epsilon is added after the square root. One program of elementwise operators, run over slices of the flat vectors.
 * `state` is updated in place.
 */
export async function adamW(
  engine: Engine,
  layout: ParameterLayout,
  state: AdamWState,
  { beta1 = BETA1, beta2 = BETA2, epsilon = EPSILON, weightDecay, rateOf = () => 1 }: AdamWOptions,
): Promise<AdamW> {
  const executable = await engine.compile(adamWProgram(beta1, beta2));

  const slices: {
    decays: boolean;
    rate: number;
    feeds: Record<string, HostTensor>;
    results: Record<string, HostTensor>;
  }[] = [];
  const addSlices = ({ start, end, decays, rate }: UpdateRange) => {
    for (let offset = start; offset < end; offset += SLICE) {
      const length = Math.min(SLICE, end - offset);
      const view = (flat: Float32Array) =>
        hostTensor('float32', [length], flat.subarray(offset, offset + length));
      const [values, first, second] = [state.parameters, state.firstMoment, state.secondMoment].map(view);
      slices.push({
        decays,
        rate,
        feeds: { parameters: values, first, second, gradient: view(state.gradient) },
        results: { new_parameters: values, new_first: first, new_second: second },
      });
    }
  };
  for (const range of updateRanges(layout, rateOf)) addSlices(range);

  const number0 = (value: number) => hostTensor('float32', [], Float32Array.of(value));
  return {
    async update(step, learningRate, scale) {
      const correction = Math.sqrt(1 - beta2 ** step);
      const shared = {
        first_share: number0((1 - beta1) * scale),
        second_share_root: number0(Math.sqrt(1 - beta2) * scale),
        epsilon: number0(epsilon * correction),
      };
      for (const { decays, rate, feeds, results } of slices) {
        const own = rate * learningRate;
        const scalars = {
          rate: number0((own * correction) / (1 - beta1 ** step)),
          keep: number0(decays ? 1 - own * weightDecay : 1),
        };
        await executable.run({ ...feeds, ...shared, ...scalars }, results);
      }
    },
    release: () => executable.release(),
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
