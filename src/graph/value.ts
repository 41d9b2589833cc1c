/**
 * The symbolic program. A value is one output of a node; a node applies a primitive to values. Nothing runs here:
 * shapes and dtypes are checked as nodes are added, and the result is printed, differentiated or written to ONNX.
 */
import type { DType, HostTensor } from '../tensor/tensor.js';
import type { Shape } from './size.js';

/** One output of a node, of known dtype and shape. */
export interface Value {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly node: Node;
  /** Which output of the node this is. */
  readonly output: number;
}

/** What is known of a value without its node. */
export interface ValueType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** What an attribute may be. */
export type AttributeValue = number | string | boolean | readonly number[] | Shape;
/** What a primitive is told beside its operands, by name. */
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** How a parameter starts. */
export type Initializer =
  | { readonly kind: 'normal'; readonly deviation: number }
  | { readonly kind: 'constant'; readonly value: number };

/** A node is a leaf, or a primitive applied to values. */
export type Node = InputNode | ParameterNode | ConstantNode | OperationNode;

interface NodeBase {
  /** Creation order; every node comes after its inputs. */
  readonly id: number;
  /** The layer that was being built, for messages and profiles. */
  readonly scope: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
}
/** A tensor that is given at every run. */
export interface InputNode extends NodeBase {
  readonly kind: 'input';
  readonly name: string;
}
/** A tensor that is trained. */
export interface ParameterNode extends NodeBase {
  readonly kind: 'parameter';
  readonly name: string;
  readonly initializer: Initializer;
  /** Whether weight decay applies: not to biases, norms and embeddings. */
  readonly decay: boolean;
}
/** A tensor that is part of the program. */
export interface ConstantNode extends NodeBase {
  readonly kind: 'constant';
  readonly tensor: HostTensor;
}
/** A primitive applied to values. */
export interface OperationNode<A extends Attributes = Attributes> extends NodeBase {
  readonly kind: 'operation';
  readonly primitive: Primitive<A>;
  readonly attributes: A;
}

/**
 * What computes a program: any runtime of ONNX, with its standard operators alone, or ONNX Runtime on a CPU or by WebGPU.
 * The kernels of WebGPU are fewer: none of LogSoftmax, of GatherElements, or that casts int64.
 */
export type Device = 'any' | 'cpu' | 'webgpu';

/** Writes one node's ONNX operators. Operands and results are tensor names. */
export interface Lowering {
  /** What the operators are for. */
  readonly device: Device;
  /**
   * Adds an ONNX node and returns the names of its outputs: `results` if given, else fresh names. An operator that is not
   * of ONNX's own domain is named with its domain, as `ai.onnx.ml.TreeEnsembleRegressor`.
   */
  emit(
    operator: string,
    operands: readonly string[],
    attributes?: Attributes,
    results?: readonly string[],
  ): string[];
  /** A constant int64 vector, as many ONNX operators want for axes and shapes. */
  int64(values: readonly number[]): string;
  /** A constant tensor. */
  constant(tensor: HostTensor): string;
}

/** Gradients of the loss with respect to each input, given those with respect to each output; undefined is zero. */
type GradientRule<A extends Attributes> = {
  // A method, so that a primitive with narrow attributes is still a Primitive.
  rule(node: OperationNode<A>, gradients: readonly (Value | undefined)[]): readonly (Value | undefined)[];
}['rule'];

/** One row per primitive: its types, its ONNX form and its gradient. None can be left out. */
export interface Primitive<A extends Attributes = Attributes> {
  readonly name: string;
  /** The types of the outputs. Throws an Error with the reason when the operands do not fit. */
  infer(inputs: readonly Value[], attributes: A): ValueType[];
  /** Writes the ONNX nodes that compute `results` from `operands`. */
  lower(
    lowering: Lowering,
    operands: readonly string[],
    results: readonly string[],
    node: OperationNode<A>,
  ): void;
  /** The rule, or `'none'` where the derivative is zero everywhere it exists or is cut on purpose. */
  readonly gradient: GradientRule<A> | 'none';
}

let nextId = 0;
const scopes: string[] = [];

/** Builds part of a graph under a name: parameters made inside are called `name.…`, and errors name the place. */
export function scope<T>(name: string, build: () => T): T {
  scopes.push(name);
  try {
    return build();
  } finally {
    scopes.pop();
  }
}

/** As `scope`, with the name before all scopes that are open: parameters made inside are called `name.…` wherever that is. */
export function outerScope<T>(name: string, build: () => T): T {
  scopes.unshift(name);
  try {
    return build();
  } finally {
    scopes.shift();
  }
}

/** Builds under the scope that a node was built in. */
export function scopeOfNode<T>(node: Node, build: () => T): T {
  const outer = scopes.splice(0, scopes.length, ...(node.scope === '' ? [] : [node.scope]));
  try {
    return build();
  } finally {
    scopes.splice(0, scopes.length, ...outer);
  }
}

/** The first part of the scope of all that belongs to gradients. */
const GRADIENT_SCOPE = 'gradient';

/** Builds the gradient of a node, under the node's scope within `GRADIENT_SCOPE`. */
export const scopeOfGradient = <T>(node: Node, build: () => T): T =>
  scopeOfNode(node, () => {
    scopes.unshift(GRADIENT_SCOPE);
    return build();
  });

const scoped = (name: string) => [...scopes, name].join('.');

/** `float32[batch, 64]` */
export function formatType({ dtype, shape }: ValueType): string {
  return `${dtype}[${shape.join(', ')}]`;
}

/** Makes a node, whose outputs point back at it. */
function withOutputs<N extends Node>(
  types: readonly ValueType[],
  make: (base: { id: number; scope: string; outputs: readonly Value[] }) => N,
): N {
  const outputs: Value[] = [];
  const node = make({ id: nextId++, scope: scopes.join('.'), outputs });
  types.forEach(({ dtype, shape }, output) => {
    outputs.push({ dtype, shape, node, output });
  });
  return node;
}

/** The inputs and parameters made so far while leaves are shared, by kind and name, each with how it was declared. */
let shared: Map<string, { readonly value: Value; readonly declared: string }> | undefined;

/**
 * Builds with one leaf for each name: an input or a parameter that is made again is the one that is there, so that
 * layers which are built twice have the same parameters. Without it each is a leaf of its own.
 */
export function sharingLeaves<T>(build: () => T): T {
  const outer = shared;
  shared = outer ?? new Map();
  try {
    return build();
  } finally {
    shared = outer;
  }
}

/** The leaf of that kind and name, made unless it is there. Throws Error where it was declared otherwise. */
function leaf(
  kind: 'input' | 'parameter',
  name: string,
  type: ValueType,
  details: object,
  make: () => Node,
): Value {
  const declared = `${formatType(type)} ${JSON.stringify(details)}`;
  const known = shared?.get(`${kind} ${name}`);
  if (known && known.declared !== declared)
    throw new Error(
      `${kind} ${name}: is ${known.declared} already, not ${declared}; give one of them another name`,
    );
  const value = known?.value ?? make().outputs[0];
  shared?.set(`${kind} ${name}`, { value, declared });
  return value;
}

/** A tensor that is given at every run. The name is global: it is not prefixed by the scope. */
export function input(name: string, dtype: DType, shape: Shape): Value {
  return leaf('input', name, { dtype, shape }, {}, () =>
    withOutputs<InputNode>([{ dtype, shape }], (base) => ({ kind: 'input', name, inputs: [], ...base })),
  );
}

/** A trained tensor, float32, named by the scope it is made in. */
export function parameter(
  name: string,
  shape: readonly number[],
  initializer: Initializer,
  { decay = true }: { decay?: boolean } = {},
): Value {
  const type: ValueType = { dtype: 'float32', shape };
  const full = scoped(name);
  return leaf('parameter', full, type, { initializer, decay }, () =>
    withOutputs<ParameterNode>([type], (base) => ({
      kind: 'parameter',
      name: full,
      initializer,
      decay,
      inputs: [],
      ...base,
    })),
  );
}

/** A tensor that is part of the program. */
export function constant(tensor: HostTensor): Value {
  return withOutputs<ConstantNode>([tensor], (base) => ({ kind: 'constant', tensor, inputs: [], ...base }))
    .outputs[0];
}

/** Applies a primitive. Throws, naming the operands and the layer, when its rule refuses them. */
export function apply<A extends Attributes>(
  primitive: Primitive<A>,
  inputs: readonly Value[],
  attributes: A,
): readonly Value[] {
  let types: ValueType[];
  try {
    types = primitive.infer(inputs, attributes);
  } catch (error) {
    const place = scopes.length > 0 ? ` in ${scopes.join('.')}` : '';
    const operands = inputs.map(formatType).join(' and ');
    throw new Error(`${primitive.name} of ${operands}${place}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return withOutputs<OperationNode>(types, (base) => ({
    kind: 'operation',
    primitive,
    attributes,
    inputs,
    ...base,
  })).outputs;
}

/** All nodes that the values depend on, inputs before their users, in creation order. */
export function reachableNodes(values: readonly Value[]): Node[] {
  const seen = new Set<Node>();
  const pending = values.map((value) => value.node);
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    for (const value of node.inputs) pending.push(value.node);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

/** The parameters that the values depend on, in the order they were made. Throws when two share a name. */
export function parametersOf(values: readonly Value[]): ParameterNode[] {
  const parameters = reachableNodes(values).filter((node) => node.kind === 'parameter');
  const byName = new Map<string, ParameterNode>();
  for (const node of parameters) {
    if (byName.has(node.name))
      throw new Error(`two parameters are named ${node.name}; share the value instead`);
    byName.set(node.name, node);
  }
  return parameters;
}
