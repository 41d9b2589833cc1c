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

/** Mean, sd and 95 % interval of the same score over several seeds. With one value sd, low and high are NaN. */
export function summarize(values: readonly number[]): Interval {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  if (n < 2) return { mean, sd: Number.NaN, low: Number.NaN, high: Number.NaN, n };
  const sd = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1));
  const half = (studentT(0.95, n - 1) * sd) / Math.sqrt(n);
  return { mean, sd, low: mean - half, high: mean + half, n };
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
