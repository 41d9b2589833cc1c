import {
  add,
  divide,
  moments,
  multiply,
  parameter,
  relu,
  reshape,
  scalar,
  scope,
  sqrt,
  staticSize,
  stopGradient,
  subtract,
  sumAll,
  track,
  type Value,
} from '../graph/index.js';

const EPSILON = 1e-5;

/** Whose moments normalise, and which places have any. */
export interface BatchNormOptions {
  /** Whether channels are normalised by the moments of this batch, which are tracked, or by the running ones. */
  readonly training: boolean;
  /** float32[batch, 1, …]: 1 = a real place, 0 = one that only fills a row up; all are real by default. */
  readonly real?: Value;
}

interface Moments {
  readonly mean: Value;
  readonly variance: Value;
}

/**
 * The moments of the batch, which the running ones follow: their variance is the unbiased one, as in PyTorch, while what
 * normalises is not.
 */
function trackedMoments(x: Value, count: Value, running: Moments): Moments {
  const { mean, variance } = moments(x, count);
  // n / (n − 1), and 1 for a single element.
  const unbiased = divide(count, add(scalar(1), relu(subtract(count, scalar(2)))));
  return {
    mean: track(mean, running.mean),
    variance: divide(track(multiply(variance, unbiased), running.variance), unbiased),
  };
}

/**
 * Batch normalisation with a learned scale and bias (Ioffe & Szegedy, ICML 2015): float32[batch, channels, …] to the
 * same, each channel by its mean and variance over batch and places. Places that are not real are 0 in the result and
 * count for nothing.
 */
export function batchNorm(name: string, x: Value, { training, real }: BatchNormOptions): Value {
  return scope(name, () => {
    const channels = staticSize(x.shape[1]);
    const vector = (name: string, value: number) =>
      parameter(name, [channels], { kind: 'constant', value }, { decay: false });
    const [scale, bias] = [vector('scale', 1), vector('bias', 0)];
    const running = { mean: vector('running_mean', 0), variance: vector('running_variance', 1) };

    const kept = real ? multiply(x, real) : x;
    const elements = () => x.shape.reduce<number>((product, size) => product * staticSize(size), 1);
    const { mean, variance } = training
      ? trackedMoments(kept, real ? sumAll(real) : scalar(elements() / channels), running)
      : { mean: stopGradient(running.mean), variance: stopGradient(running.variance) };
    const factor = divide(scale, sqrt(add(variance, scalar(EPSILON))));
    const offset = subtract(bias, multiply(mean, factor));
    const perChannel = (value: Value) => reshape(value, [channels, ...x.shape.slice(2).map(() => 1)]);
    const normalized = add(multiply(kept, perChannel(factor)), perChannel(offset));
    return real ? multiply(normalized, real) : normalized;
  });
}
