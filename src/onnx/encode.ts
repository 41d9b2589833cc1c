/** A program as an ONNX model: field numbers and enums are those of onnx.proto3, IR version 10, operator set 21. */

import type { Program } from '../graph/program.js';
import {
  type Attributes,
  type Device,
  type Lowering,
  type Node,
  reachableNodes,
  type Value,
} from '../graph/value.js';
import { type DType, elementCount, type HostTensor, hostTensor } from '../tensor/tensor.js';
import { ProtobufWriter } from './wire.js';

const IR_VERSION = 10;
const OPERATOR_SET = 21;
const elementType: Record<DType, number> = { float32: 1, int32: 6, int64: 7, bool: 9 };
const attributeType = { float: 1, integer: 2, string: 3, floats: 6, integers: 7, strings: 8 };
/** Versions of the domains of operators beside ONNX's own, by the prefix of the operators' names. */
const domains: Readonly<Record<string, number>> = { 'ai.onnx.ml': 3, 'com.microsoft': 1 };

export interface EncodeOptions {
  /** Values for the parameters, stored in the file; without them parameters are inputs of the model. */
  readonly parameters?: (name: string) => HostTensor;
  /** What the model is to run on; `'any'` by default. */
  readonly device?: Device;
  /** Key-value pairs stored with the model. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Attributes that ONNX declares as floats although their value may happen to be whole. */
const FLOAT_ATTRIBUTES = new Set([
  'alpha',
  'beta',
  'epsilon',
  'nodes_values',
  'target_weights',
  'base_values',
]);

function writeAttributes(node: ProtobufWriter, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    node.message(5, (attribute) => {
      attribute.string(1, name);
      if (Array.isArray(value) && FLOAT_ATTRIBUTES.has(name)) {
        attribute.floats(7, value.map(Number)).integer(20, attributeType.floats);
      } else if (Array.isArray(value) && typeof value[0] === 'string') {
        attribute.strings(9, value.map(String)).integer(20, attributeType.strings);
      } else if (FLOAT_ATTRIBUTES.has(name))
        attribute.float(2, Number(value)).integer(20, attributeType.float);
      else if (typeof value === 'string') attribute.string(4, value).integer(20, attributeType.string);
      else if (Array.isArray(value))
        attribute.integers(8, value.map(Number)).integer(20, attributeType.integers);
      else attribute.integer(3, Number(value)).integer(20, attributeType.integer);
    });
  }
}

function writeTensor(tensor: ProtobufWriter, name: string, { dtype, shape, data }: HostTensor): void {
  for (const size of shape) tensor.integer(1, size);
  tensor.integer(2, elementType[dtype]).string(8, name);
  tensor.bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

function writeValueInfo(info: ProtobufWriter, name: string, { dtype, shape }: Value): void {
  info.string(1, name).message(2, (type) =>
    type.message(1, (tensor) => {
      tensor.integer(1, elementType[dtype]).message(2, (dimensions) => {
        for (const size of shape) {
          dimensions.message(1, (dimension) =>
            typeof size === 'number' ? dimension.integer(1, size) : dimension.string(2, size),
          );
        }
      });
    }),
  );
}

/**
 * Nodes that nothing else reads come last, the latest first. ONNX Runtime orders a graph by depth-first search from
 * such nodes, beginning with the last, so each is computed as soon as it can be. In a gradient program they are the
 * gradients of the parameters, and the activations that they are made from are freed early.
 */
function orderForMemory(nodes: readonly Node[]): Node[] {
  const read = new Set(nodes.flatMap((node) => node.inputs.map((value) => value.node)));
  const [inner, last] = [nodes.filter((node) => read.has(node)), nodes.filter((node) => !read.has(node))];
  return [...inner, ...last.reverse()];
}

/** The model file. Inputs, parameters and outputs keep their names; everything between is numbered. */
export function encodeProgram(
  program: Program,
  { parameters, device = 'any', metadata = {} }: EncodeOptions = {},
): Uint8Array {
  const nodes = orderForMemory(reachableNodes(Object.values(program.outputs)));
  const names = new Map<Value, string>();
  const graph = new ProtobufWriter();
  const initializers = new Map<string, { name: string; tensor: HostTensor }>();
  const usedDomains = new Set<string>();
  let fresh = 0;

  const constantName = (tensor: HostTensor): string => {
    const key =
      elementCount(tensor.shape) <= 16 ? `${tensor.dtype} ${tensor.shape} ${tensor.data}` : `#${fresh}`;
    const known = initializers.get(key);
    if (known) return known.name;
    const name = `constant_${fresh++}`;
    initializers.set(key, { name, tensor });
    return name;
  };

  const lowering = (node: Node): Lowering => ({
    device,
    emit(qualified, operands, attributes = {}, results = [`value_${fresh++}`]) {
      const dot = qualified.lastIndexOf('.');
      const domain = qualified.slice(0, Math.max(dot, 0));
      const operator = qualified.slice(dot + 1);
      if (domain !== '') usedDomains.add(domain);
      graph.message(1, (message) => {
        for (const operand of operands) message.string(1, operand);
        for (const result of results) message.string(2, result);
        message.string(3, `${node.scope}/${operator}_${fresh++}`).string(4, operator);
        writeAttributes(message, attributes);
        if (domain !== '') message.string(7, domain);
      });
      return [...results];
    },
    int64: (values) => constantName(hostTensor('int64', [values.length], BigInt64Array.from(values, BigInt))),
    constant: constantName,
  });

  // A graph output must be written by a node of its own, under the output's name.
  const outputNames = new Map<Value, string>();
  for (const [name, value] of Object.entries(program.outputs)) {
    if (value.node.kind === 'operation' && !outputNames.has(value)) outputNames.set(value, name);
  }

  const inputs = new Map<string, Value>();
  for (const node of nodes) {
    for (const value of node.outputs) {
      switch (node.kind) {
        case 'input':
        case 'parameter':
          names.set(value, node.name);
          if (node.kind === 'parameter' && parameters) {
            initializers.set(`parameter ${node.name}`, { name: node.name, tensor: parameters(node.name) });
          } else inputs.set(node.name, value);
          break;
        case 'constant':
          names.set(value, constantName(node.tensor));
          break;
        case 'operation':
          names.set(value, outputNames.get(value) ?? `value_${fresh++}`);
      }
    }
    if (node.kind === 'operation') {
      const operands = node.inputs.map((value) => names.get(value)!);
      const results = node.outputs.map((value) => names.get(value)!);
      node.primitive.lower(lowering(node), operands, results, node);
    }
  }

  for (const [name, value] of Object.entries(program.outputs)) {
    if (names.get(value) !== name) {
      graph.message(1, (node) => node.string(1, names.get(value)!).string(2, name).string(4, 'Identity'));
    }
  }
  graph.string(2, program.name);
  for (const { name, tensor } of initializers.values()) {
    graph.message(5, (message) => writeTensor(message, name, tensor));
  }
  for (const [name, value] of inputs) graph.message(11, (info) => writeValueInfo(info, name, value));
  for (const [name, value] of Object.entries(program.outputs)) {
    graph.message(12, (info) => writeValueInfo(info, name, value));
  }

  const model = new ProtobufWriter().integer(1, IR_VERSION).string(2, 'lacuna');
  model.bytes(7, graph.finish());
  model.message(8, (set) => set.string(1, '').integer(2, OPERATOR_SET));
  for (const domain of usedDomains) {
    model.message(8, (set) => set.string(1, domain).integer(2, domains[domain]));
  }
  for (const [key, value] of Object.entries(metadata)) {
    model.message(14, (entry) => entry.string(1, key).string(2, value));
  }
  return model.finish();
}
