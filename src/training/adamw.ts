import type { Engine, Executable } from '../engine/engine.js';
import { add, divide, input, multiply, scalar, sqrt, subtract } from '../graph/index.js';
import { type HostTensor, hostTensor } from '../tensor/tensor.js';
import type { ParameterLayout } from './parameters.js';

/** Elements per run: four vectors of this length stay in the cache of one core while the operators pass over them. */
const SLICE = 1 << 16;

export interface AdamWOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  readonly weightDecay: number;
}

export interface AdamWState {
  readonly parameters: Float32Array;
  readonly gradient: Float32Array;
  readonly firstMoment: Float32Array;
  readonly secondMoment: Float32Array;
}

export interface AdamW {
  /** Step `step` (from 1) in place, with the gradient multiplied by `scale` first. */
  update(step: number, learningRate: number, scale: number): Promise<void>;
  release(): Promise<void>;
}

/**
 * AdamW (Loshchilov & Hutter, ICLR 2019) as PyTorch computes it: decay is decoupled, moments are bias-corrected, and
 * epsilon is added after the square root. One program of elementwise operators, run over slices of the flat vectors.
 */
export async function adamW(
  engine: Engine,
  layout: ParameterLayout,
  state: AdamWState,
  { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay }: AdamWOptions,
): Promise<AdamW> {
  const vector = (name: string) => input(name, 'float32', ['elements']);
  const number = (name: string) => input(name, 'float32', []);
  const gradient = multiply(vector('gradient'), number('scale'));
  const first = add(multiply(vector('first'), scalar(beta1)), multiply(gradient, scalar(1 - beta1)));
  const second = add(
    multiply(vector('second'), scalar(beta2)),
    multiply(multiply(gradient, gradient), scalar(1 - beta2)),
  );
  const deviation = add(multiply(sqrt(second), number('second_correction')), scalar(epsilon));
  const change = multiply(divide(first, deviation), number('rate'));
  const parameters = subtract(multiply(vector('parameters'), number('keep')), change);
  const executable: Executable = await engine.compile({
    name: 'adamw',
    outputs: { new_parameters: parameters, new_first: first, new_second: second },
  });

  const slices: {
    decays: boolean;
    feeds: Record<string, HostTensor>;
    results: Record<string, HostTensor>;
  }[] = [];
  const addSlices = (start: number, end: number, decays: boolean) => {
    for (let offset = start; offset < end; offset += SLICE) {
      const length = Math.min(SLICE, end - offset);
      const view = (flat: Float32Array) =>
        hostTensor('float32', [length], flat.subarray(offset, offset + length));
      const [values, first, second] = [state.parameters, state.firstMoment, state.secondMoment].map(view);
      slices.push({
        decays,
        feeds: { parameters: values, first, second, gradient: view(state.gradient) },
        results: { new_parameters: values, new_first: first, new_second: second },
      });
    }
  };
  addSlices(0, layout.decayed, true);
  addSlices(layout.decayed, layout.length, false);

  const number0 = (value: number) => hostTensor('float32', [], Float32Array.of(value));
  return {
    async update(step, learningRate, scale) {
      const shared = {
        scale: number0(scale),
        second_correction: number0(1 / Math.sqrt(1 - beta2 ** step)),
        rate: number0(learningRate / (1 - beta1 ** step)),
      };
      const keep = { decayed: number0(1 - learningRate * weightDecay), plain: number0(1) };
      for (const { decays, feeds, results } of slices) {
        await executable.run({ ...feeds, ...shared, keep: decays ? keep.decayed : keep.plain }, results);
      }
    },
    release: () => executable.release(),
  };
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
