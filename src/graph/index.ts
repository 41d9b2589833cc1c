import { attentionPrimitives } from './ops/attention.js';
import { convolutions } from './ops/convolution.js';
import { elementwise } from './ops/elementwise.js';
import { indexing } from './ops/indexing.js';
import { layout } from './ops/layout.js';
import { matrix } from './ops/matrix.js';
import { normalization } from './ops/normalization.js';
import { reduction } from './ops/reduction.js';
import { tracking } from './ops/tracking.js';

export { type GradientOptions, gradients } from './gradient.js';
export { attend } from './ops/attention.js';
export * from './ops/constants.js';
export {
  type ConvolutionAttributes,
  type ConvolutionOptions,
  convolution,
  type SizedAttributes,
} from './ops/convolution.js';
export {
  add,
  cast,
  divide,
  equal,
  erf,
  exp,
  gelu,
  hardSigmoid,
  less,
  log,
  logicalAnd,
  logicalNot,
  logicalOr,
  multiply,
  negate,
  relu,
  sigmoid,
  softplus,
  sqrt,
  stopGradient,
  subtract,
  tanh,
  where,
  zerosOf,
} from './ops/elementwise.js';
export { gather, gatherElements, oneHot, scatterElements, topK } from './ops/indexing.js';
export { concatenate, expand, pad, reshape, slice, transpose } from './ops/layout.js';
export { type MatmulAttributes, matmul } from './ops/matrix.js';
export { layerNorm, logSoftmax, moments, softmax } from './ops/normalization.js';
export {
  maximum,
  mean,
  type ReductionAttributes,
  type ReductionOptions,
  sum,
  sumAll,
} from './ops/reduction.js';
export { track, trackedOf } from './ops/tracking.js';
export { type Program, printProgram } from './program.js';
export { replaceParameters } from './replace-parameters.js';
export { type Shape, type Size, staticSize } from './size.js';
export {
  type Attributes,
  type AttributeValue,
  type ConstantNode,
  constant,
  type Device,
  formatType,
  type Initializer,
  type InputNode,
  input,
  type Lowering,
  type Node,
  type OperationNode,
  outerScope,
  type ParameterNode,
  type Primitive,
  parameter,
  parametersOf,
  reachableNodes,
  scope,
  sharingLeaves,
  type Value,
  type ValueType,
} from './value.js';

/** Every primitive there is. The gradient-check table has a row for each. */
export const primitives = {
  ...elementwise,
  ...reduction,
  ...layout,
  ...matrix,
  ...normalization,
  ...convolutions,
  ...attentionPrimitives,
  ...indexing,
  ...tracking,
};
