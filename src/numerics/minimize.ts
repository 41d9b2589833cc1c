import { LacunaError } from '../errors.js';
import { dot } from './matrix.js';

export interface Problem {
  /** Writes the gradient at `point` and returns the value there. */
  evaluate(point: Float64Array, gradient: Float64Array): number | Promise<number>;
  /** out = P vector, with P positive definite and close to the inverse of the Hessian. */
  precondition(vector: Float64Array, out: Float64Array): void;
}

export interface Limits {
  /** Largest component of the gradient at the solution. */
  readonly tolerance: number;
  /** Rounding error of a value, as a part of it. */
  readonly precision: number;
  readonly iterations: number;
}

const HISTORY = 10;

/**
 * Minimises a smooth, strongly convex function from `start`: L-BFGS (Nocedal & Wright 2006, algorithm 7.4) around the
 * given preconditioner, with backtracking. Deterministic. Stops when no component of the gradient exceeds the tolerance,
 * or when rounding hides the way down: no length of a step is good, or ten steps together gained nothing. Throws
 * LacunaError when none of this comes within the iterations.
 */
export async function minimize(
  { evaluate, precondition }: Problem,
  start: Float64Array,
  { tolerance, precision, iterations }: Limits,
): Promise<{ point: Float64Array; value: number; iterations: number }> {
  const size = start.length;
  const steps: { s: Float64Array; y: Float64Array; sy: number }[] = [];
  const alpha = new Float64Array(HISTORY);
  const direction = new Float64Array(size);
  const preconditioned = new Float64Array(size);
  let point: Float64Array = start.slice();
  let gradient = new Float64Array(size);
  const values = [await evaluate(point, gradient)];

  for (let iteration = 0; iteration < iterations; iteration++) {
    const value = values[iteration];
    const rounding = precision * Math.abs(value);
    const reached = { point, value, iterations: iteration };
    if (largest(gradient) <= tolerance) return reached;
    if (iteration >= HISTORY && !(value < values[iteration - HISTORY])) return reached;

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
    const nextGradient = new Float64Array(size);
    let next: Float64Array;
    let nextValue: number;
    for (let length = 1; ; length /= 2) {
      next = point.slice();
      addScaled(next, length, direction);
      nextValue = await evaluate(next, nextGradient);
      if (nextValue <= value + 1e-4 * length * slope + rounding) break;
      if (!(-length * slope > rounding)) return reached;
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
    values.push(nextValue);
  }
  throw new LacunaError(
    `logistic probe: gradient ${largest(gradient).toExponential(1)} after ${iterations} iterations, expected at most ${tolerance}; look for features of extreme size`,
  );
}

function addScaled(target: Float64Array, scale: number, source: Float64Array): void {
  for (let i = 0; i < target.length; i++) target[i] += scale * source[i];
}

function largest(values: Float64Array): number {
  let maximum = 0;
  for (const value of values) maximum = Math.max(maximum, Math.abs(value));
  return maximum;
}
