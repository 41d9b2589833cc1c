import { LacunaError } from '../errors.js';

export interface Problem {
  /** Writes the gradient at `point` and returns the value there. */
  evaluate(point: Float64Array, gradient: Float64Array): number;
  /** out = P vector, with P positive definite and close to the inverse of the Hessian. */
  precondition(vector: Float64Array, out: Float64Array): void;
}

const HISTORY = 10;
const MAXIMUM_ITERATIONS = 1000;

/**
 * Minimises a smooth, strongly convex function from `start`: L-BFGS (Nocedal & Wright 2006, algorithm 7.4) around the
 * given preconditioner, with backtracking. Deterministic. Stops when no component of the gradient exceeds `tolerance`;
 * throws LacunaError when that does not happen.
 */
export function minimize(
  { evaluate, precondition }: Problem,
  start: Float64Array,
  tolerance: number,
): { point: Float64Array; value: number; iterations: number } {
  const size = start.length;
  const steps: { s: Float64Array; y: Float64Array; sy: number }[] = [];
  const alpha = new Float64Array(HISTORY);
  const direction = new Float64Array(size);
  const preconditioned = new Float64Array(size);
  let point = start.slice();
  let gradient = new Float64Array(size);
  let value = evaluate(point, gradient);

  for (let iteration = 0; iteration < MAXIMUM_ITERATIONS; iteration++) {
    if (largest(gradient) <= tolerance) return { point, value, iterations: iteration };

    // direction = −H gradient, H the inverse Hessian as the last steps show it.
    for (let i = 0; i < size; i++) direction[i] = -gradient[i];
    for (let k = steps.length - 1; k >= 0; k--) {
      const { s, y, sy } = steps[k];
      alpha[k] = dot(s, direction) / sy;
      addScaled(direction, -alpha[k], y);
    }
    let scale = 1;
    const last = steps.at(-1);
    if (last) {
      precondition(last.y, preconditioned);
      scale = last.sy / dot(last.y, preconditioned);
    }
    precondition(direction, preconditioned);
    for (let i = 0; i < size; i++) direction[i] = scale * preconditioned[i];
    for (let k = 0; k < steps.length; k++) {
      const { s, y, sy } = steps[k];
      addScaled(direction, alpha[k] - dot(y, direction) / sy, s);
    }

    const slope = dot(gradient, direction);
    const rounding = 4 * Number.EPSILON * Math.abs(value);
    const nextGradient = new Float64Array(size);
    let next = point;
    let nextValue = Number.POSITIVE_INFINITY;
    for (let length = 1; length > 1e-12; length /= 2) {
      next = point.slice();
      addScaled(next, length, direction);
      nextValue = evaluate(next, nextGradient);
      if (nextValue <= value + 1e-4 * length * slope + rounding) break;
    }
    const s = next.slice();
    addScaled(s, -1, point);
    const y = nextGradient.slice();
    addScaled(y, -1, gradient);
    const sy = dot(s, y);
    if (sy > 0) {
      steps.push({ s, y, sy });
      if (steps.length > HISTORY) steps.shift();
    }
    point = next;
    gradient = nextGradient;
    value = nextValue;
  }
  throw new LacunaError(
    `logistic probe: gradient ${largest(gradient).toExponential(1)} after ${MAXIMUM_ITERATIONS} iterations, expected at most ${tolerance}; look for features of extreme size`,
  );
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

function addScaled(target: Float64Array, scale: number, source: Float64Array): void {
  for (let i = 0; i < target.length; i++) target[i] += scale * source[i];
}

function largest(values: Float64Array): number {
  let maximum = 0;
  for (const value of values) maximum = Math.max(maximum, Math.abs(value));
  return maximum;
}
