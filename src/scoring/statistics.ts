/** A mean over several values, and how sure it is. */
export interface Interval {
  readonly mean: number;
  /** Sample standard deviation (n − 1). */
  readonly sd: number;
  /** 95 % Student-t interval for the mean. */
  readonly low: number;
  readonly high: number;
  readonly n: number;
}

/** The least and the greatest value that a score can have; infinite where there is none. */
export type Bounds = readonly [low: number, high: number];

/**
 * Mean, sd and 95 % interval of the same score over several seeds. With one value sd, low and high are NaN. Where the
 * interval would leave the bounds of the score, it is taken on a scale without bounds; see `boundedInterval`.
 */
export function summarize(values: readonly number[], bounds?: Bounds): Interval {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  if (n < 2) return { mean, sd: Number.NaN, low: Number.NaN, high: Number.NaN, n };
  const sd = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1));
  const half = (studentT(0.95, n - 1) * sd) / Math.sqrt(n);
  const plain = { low: mean - half, high: mean + half };
  const leaves = bounds !== undefined && (plain.low < bounds[0] || plain.high > bounds[1]);
  return { mean, sd, ...(leaves ? boundedInterval(mean, half, bounds) : plain), n };
}

/**
 * The interval of a mean on the scale of the logit between two bounds, or of the logarithm of the distance to one, with
 * its half width there by the delta method. The mean is always inside, and the bounds are not crossed. For −1 to 1 the
 * scale is Fisher's z. A mean at a bound has no scatter, but for rounding.
 */
function boundedInterval(
  mean: number,
  half: number,
  [least, greatest]: Bounds,
): { low: number; high: number } {
  const up = mean - least;
  const down = greatest - mean;
  if (!(up > 0 && down > 0)) return { low: Math.max(mean, least), high: Math.min(mean, greatest) };
  if (greatest === Number.POSITIVE_INFINITY) {
    const factor = Math.exp(half / up);
    return { low: least + up / factor, high: least + up * factor };
  }
  if (least === Number.NEGATIVE_INFINITY) {
    const factor = Math.exp(half / down);
    return { low: greatest - down * factor, high: greatest - down / factor };
  }
  const width = greatest - least;
  const odds = up / down;
  const factor = Math.exp((half * width) / (up * down));
  const at = (value: number) =>
    least + width * (value === Number.POSITIVE_INFINITY ? 1 : value / (1 + value));
  return { low: at(odds / factor), high: at(odds * factor) };
}

/**
 * The t with P(|T| ≤ t) = `confidence` for Student's T with a whole number of degrees of freedom ≥ 1.
 * With t = √ν tan θ that probability is a finite trigonometric sum (Abramowitz & Stegun 26.7.3 and 26.7.4),
 * increasing in θ, so bisection finds θ to the last bit.
 */
export function studentT(confidence: number, degreesOfFreedom: number): number {
  let low = 0;
  let high = Math.PI / 2;
  for (let step = 0; step < 80; step++) {
    const middle = (low + high) / 2;
    if (centralProbability(middle, degreesOfFreedom) < confidence) low = middle;
    else high = middle;
  }
  return Math.sqrt(degreesOfFreedom) * Math.tan((low + high) / 2);
}

function centralProbability(theta: number, degreesOfFreedom: number): number {
  const odd = degreesOfFreedom % 2 === 1;
  const squaredCosine = Math.cos(theta) ** 2;
  let term = odd ? Math.cos(theta) : 1;
  let sum = 0;
  for (let i = odd ? 3 : 2; i <= degreesOfFreedom; i += 2) {
    sum += term;
    term *= ((i - 1) / i) * squaredCosine;
  }
  return odd ? (2 / Math.PI) * (theta + Math.sin(theta) * sum) : Math.sin(theta) * sum;
}

/**
 * The z with Φ(z) = `probability` for the standard normal distribution, 0 < probability < 1: the rational approximation of
 * Acklam (2003), refined by one step of Halley's method with Φ by its own series or continued fraction, to about 15 digits.
 */
export function normalQuantile(probability: number): number {
  if (probability > 0.5) return -normalQuantile(1 - probability);
  const rough = roughQuantile(probability);
  const error = (normalProbability(rough) - probability) * Math.sqrt(2 * Math.PI) * Math.exp(rough ** 2 / 2);
  return rough - error / (1 + (rough * error) / 2);
}

const CENTRE = [
  [
    2.50662827745924, -30.6647980661472, 138.357751867269, -275.928510446969, 220.946098424521,
    -39.6968302866538,
  ],
  [1, -13.2806815528857, 66.8013118877197, -155.698979859887, 161.585836858041, -54.4760987982241],
];
const TAIL = [
  [
    2.93816398269878, 4.37466414146497, -2.54973253934373, -2.40075827716184, -0.322396458041136,
    -0.00778489400243029,
  ],
  [1, 3.75440866190742, 2.445134137143, 0.32246712907004, 0.00778469570904146],
];

/** Acklam's approximation for probabilities of at most one half; coefficients from the constant upwards. */
function roughQuantile(probability: number): number {
  const polynomial = (coefficients: readonly number[], x: number) =>
    coefficients.reduceRight((value, coefficient) => value * x + coefficient, 0);
  if (probability < 0.02425) {
    const x = Math.sqrt(-2 * Math.log(probability));
    return polynomial(TAIL[0], x) / polynomial(TAIL[1], x);
  }
  const x = probability - 0.5;
  return (x * polynomial(CENTRE[0], x ** 2)) / polynomial(CENTRE[1], x ** 2);
}

/** Φ(z) for z ≤ 0: φ(z) (z + z³/3 + z⁵/15 + …) from one half, or Laplace's continued fraction in the tail. */
export function normalProbability(z: number): number {
  const density = Math.exp(-(z ** 2) / 2) / Math.sqrt(2 * Math.PI);
  if (z < -3) {
    let fraction = -z;
    for (let k = 60; k >= 1; k--) fraction = -z + k / fraction;
    return density / fraction;
  }
  let term = z;
  let sum = z;
  for (let k = 3; Math.abs(term) > 1e-18 * Math.abs(sum); k += 2) {
    term *= z ** 2 / k;
    sum += term;
  }
  return 0.5 + density * sum;
}
