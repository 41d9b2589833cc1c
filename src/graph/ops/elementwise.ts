/** Element by element, with NumPy broadcasting; comparisons give bool. */
import type { DType } from '../../tensor/tensor.js';
import { broadcastShapes, type Shape } from '../size.js';
import { type Attributes, apply, formatType, type Primitive, type Value, type ValueType } from '../value.js';
import { scalar } from './constants.js';
import { expand } from './layout.js';
import { reduceTo } from './reduction.js';

export function requireDtype(value: Value, ...allowed: DType[]): void {
  if (!allowed.includes(value.dtype))
    throw new Error(`expected ${allowed.join(' or ')}, got ${formatType(value)}`);
}

function broadcast(...values: readonly Value[]): Shape {
  return values.slice(1).reduce<Shape>((shape, value) => {
    const joined = broadcastShapes(shape, value.shape);
    if (joined === undefined) throw new Error(`shapes do not broadcast`);
    return joined;
  }, values[0].shape);
}

function inferSameDtype(inputs: readonly Value[], result?: DType): ValueType[] {
  const [a, b] = inputs;
  if (a.dtype !== b.dtype) throw new Error(`dtypes ${a.dtype} and ${b.dtype} differ`);
  if (result === undefined) requireDtype(a, 'float32', 'int32', 'int64');
  return [{ dtype: result ?? a.dtype, shape: broadcast(a, b) }];
}

const lowerTo =
  (operator: string): Primitive['lower'] =>
  (lowering, operands, results) => {
    lowering.emit(operator, operands, undefined, results);
  };

type Binary = (a: Value, b: Value, gradient: Value, result: Value) => [Value, Value];
type Unary = (x: Value, gradient: Value, result: Value) => Value;

const binary = (name: string, operator: string, derivative: Binary): Primitive => ({
  name,
  infer: (inputs) => inferSameDtype(inputs),
  lower: lowerTo(operator),
  gradient: ({ inputs: [a, b], outputs: [result] }, [gradient]) => {
    const [gradientA, gradientB] = derivative(a, b, gradient!, result);
    return [reduceTo(gradientA, a.shape), reduceTo(gradientB, b.shape)];
  },
});

const unary = (name: string, operator: string, derivative: Unary): Primitive => ({
  name,
  infer: ([x]) => {
    requireDtype(x, 'float32');
    return [{ dtype: 'float32', shape: x.shape }];
  },
  lower: lowerTo(operator),
  gradient: ({ inputs: [x], outputs: [result] }, [gradient]) => [derivative(x, gradient!, result)],
});

const comparison = (name: string, operator: string): Primitive => ({
  name,
  infer: (inputs) => inferSameDtype(inputs, 'bool'),
  lower: lowerTo(operator),
  gradient: 'none',
});

/** Φ(x) and Φ'(x): the standard normal distribution function and its density, whose factor is part of the exponent. */
function normal(x: Value): { distribution: Value; density: Value } {
  const scaled = multiply(x, scalar(Math.SQRT1_2));
  const exponent = subtract(scalar(-Math.log(2 * Math.PI) / 2), multiply(scaled, scaled));
  return { distribution: hardSigmoid(erf(scaled)), density: exp(exponent) };
}

export const elementwise = {
  add: binary('add', 'Add', (_a, _b, g) => [g, g]),
  subtract: binary('subtract', 'Sub', (_a, _b, g) => [g, negate(g)]),
  multiply: binary('multiply', 'Mul', (a, b, g) => [multiply(g, b), multiply(g, a)]),
  divide: binary('divide', 'Div', (_a, b, g, result) => [
    divide(g, b),
    negate(divide(multiply(g, result), b)),
  ]),
  negate: unary('negate', 'Neg', (_x, g) => negate(g)),
  exp: unary('exp', 'Exp', (_x, g, result) => multiply(g, result)),
  log: unary('log', 'Log', (x, g) => divide(g, x)),
  sqrt: unary('sqrt', 'Sqrt', (_x, g, result) => divide(multiply(g, scalar(0.5)), result)),
  erf: unary('erf', 'Erf', (x, g) =>
    multiply(g, multiply(exp(negate(multiply(x, x))), scalar(2 / Math.sqrt(Math.PI)))),
  ),
  tanh: unary('tanh', 'Tanh', (_x, g, result) => multiply(g, subtract(scalar(1), multiply(result, result)))),
  sigmoid: unary('sigmoid', 'Sigmoid', (_x, g, result) =>
    multiply(g, multiply(result, subtract(scalar(1), result))),
  ),
  softplus: unary('softplus', 'Softplus', (x, g) => multiply(g, sigmoid(x))),
  // A product with 0 or 1 is faster than a choice, and only the result has to be kept.
  relu: unary('relu', 'Relu', (_x, g, result) => multiply(g, cast(less(scalar(0), result), 'float32'))),
  // One pass forward; its pattern of primitives would keep four intermediates alive.
  gelu: unary('gelu', 'Gelu', (x, g) => {
    const { distribution, density } = normal(x);
    return multiply(g, add(distribution, multiply(x, density)));
  }),
  // ½ + ½ x, within 0 and 1.
  hardSigmoid: {
    name: 'hardSigmoid',
    infer: ([x]) => {
      requireDtype(x, 'float32');
      return [{ dtype: 'float32', shape: x.shape }];
    },
    lower: (lowering, operands, results) => {
      lowering.emit('HardSigmoid', operands, { alpha: 0.5, beta: 0.5 }, results);
    },
    gradient: ({ inputs: [x] }, [g]) => [
      where(less(multiply(x, x), scalar(1)), multiply(g!, scalar(0.5)), scalar(0)),
    ],
  } satisfies Primitive,
  equal: comparison('equal', 'Equal'),
  less: comparison('less', 'Less'),
  logicalNot: {
    name: 'logicalNot',
    infer: ([x]) => {
      requireDtype(x, 'bool');
      return [{ dtype: 'bool', shape: x.shape }];
    },
    lower: lowerTo('Not'),
    gradient: 'none',
  } satisfies Primitive,
  logicalAnd: {
    name: 'logicalAnd',
    infer: ([a, b]) => {
      requireDtype(a, 'bool');
      return inferSameDtype([a, b], 'bool');
    },
    lower: lowerTo('And'),
    gradient: 'none',
  } satisfies Primitive,
  where: {
    name: 'where',
    infer: ([condition, a, b]) => {
      requireDtype(condition, 'bool');
      return [{ dtype: inferSameDtype([a, b])[0].dtype, shape: broadcast(condition, a, b) }];
    },
    lower: lowerTo('Where'),
    gradient: ({ inputs: [condition, a, b] }, [g]) => [
      undefined,
      reduceTo(where(condition, g!, scalar(0)), a.shape),
      reduceTo(where(condition, scalar(0), g!), b.shape),
    ],
  } satisfies Primitive,
  cast: {
    name: 'cast',
    infer: ([x], { to }) => [{ dtype: to, shape: x.shape }],
    lower: (lowering, operands, results, { attributes: { to } }) => {
      lowering.emit('Cast', operands, { to: { float32: 1, int32: 6, int64: 7, bool: 9 }[to] }, results);
    },
    gradient: 'none',
  } satisfies Primitive<{ to: DType }>,
  stopGradient: {
    name: 'stopGradient',
    infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
    lower: lowerTo('Identity'),
    gradient: 'none',
  } satisfies Primitive,
};

const none: Attributes = {};

/** a + b; shapes broadcast as in NumPy. Throws Error, as every function here, where dtypes or shapes do not fit. */
export const add = (a: Value, b: Value): Value => apply(elementwise.add, [a, b], none)[0];
/** a − b; see {@link add}. */
export const subtract = (a: Value, b: Value): Value => apply(elementwise.subtract, [a, b], none)[0];
/** a · b, element by element; see {@link add}. */
export const multiply = (a: Value, b: Value): Value => apply(elementwise.multiply, [a, b], none)[0];
/** a / b; see {@link add}. */
export const divide = (a: Value, b: Value): Value => apply(elementwise.divide, [a, b], none)[0];
/** −x: float32[…] → float32[…]. */
export const negate = (x: Value): Value => apply(elementwise.negate, [x], none)[0];
/** eˣ: float32[…] → float32[…]. */
export const exp = (x: Value): Value => apply(elementwise.exp, [x], none)[0];
/** The natural logarithm: float32[…] → float32[…]. */
export const log = (x: Value): Value => apply(elementwise.log, [x], none)[0];
/** √x: float32[…] → float32[…]; its gradient at 0 is infinite. */
export const sqrt = (x: Value): Value => apply(elementwise.sqrt, [x], none)[0];
/** The error function, 2/√π ∫₀ˣ exp(−t²) dt: float32[…] → float32[…]. */
export const erf = (x: Value): Value => apply(elementwise.erf, [x], none)[0];
/** The hyperbolic tangent: float32[…] → float32[…]. */
export const tanh = (x: Value): Value => apply(elementwise.tanh, [x], none)[0];
/** 1 / (1 + exp(−x)): float32[…] → float32[…]. */
export const sigmoid = (x: Value): Value => apply(elementwise.sigmoid, [x], none)[0];
/** ½ + ½ x where that is between 0 and 1, else the nearer of them: float32[…] → float32[…]. */
export const hardSigmoid = (x: Value): Value => apply(elementwise.hardSigmoid, [x], none)[0];
/** log(1 + exp(x)), without overflow. */
export const softplus = (x: Value): Value => apply(elementwise.softplus, [x], none)[0];
/** max(x, 0): float32[…] → float32[…]; its gradient at 0 is 0. */
export const relu = (x: Value): Value => apply(elementwise.relu, [x], none)[0];
/** x·Φ(x), the exact Gaussian error linear unit (Hendrycks & Gimpel, 2016). */
export const gelu = (x: Value): Value => apply(elementwise.gelu, [x], none)[0];
/** Whether a = b: bool of the broadcast shape. */
export const equal = (a: Value, b: Value): Value => apply(elementwise.equal, [a, b], none)[0];
/** Whether a < b: bool of the broadcast shape. */
export const less = (a: Value, b: Value): Value => apply(elementwise.less, [a, b], none)[0];
/** bool[…] → bool[…]. */
export const logicalNot = (x: Value): Value => apply(elementwise.logicalNot, [x], none)[0];
/** Two bool values, whose shapes broadcast. */
export const logicalAnd = (a: Value, b: Value): Value => apply(elementwise.logicalAnd, [a, b], none)[0];
/** Two bool values, whose shapes broadcast. */
export const logicalOr = (a: Value, b: Value): Value => logicalNot(logicalAnd(logicalNot(a), logicalNot(b)));
/** `a` where the condition holds, `b` elsewhere. */
export const where = (condition: Value, a: Value, b: Value): Value =>
  apply(elementwise.where, [condition, a, b], none)[0];
/** The elements as another dtype; no gradient flows through. */
export const cast = (x: Value, to: DType): Value =>
  x.dtype === to ? x : apply(elementwise.cast, [x], { to })[0];
/** The value itself, through which no gradient flows. */
export const stopGradient = (x: Value): Value => apply(elementwise.stopGradient, [x], none)[0];

/** float32 zeros of the value's shape. */
export const zerosOf = (x: Value): Value => expand(scalar(0), x.shape);
