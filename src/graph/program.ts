import { type Attributes, formatType, type Node, reachableNodes, type Value } from './value.js';

/** A program is its named outputs; everything else follows from what they depend on. */
export interface Program {
  readonly name: string;
  readonly outputs: Readonly<Record<string, Value>>;
}

function formatAttributes(attributes: Attributes): string {
  const entries = Object.entries(attributes);
  if (entries.length === 0) return '';
  return ` {${entries.map(([key, value]) => `${key}: ${Array.isArray(value) ? `[${value.join(', ')}]` : value}`).join(', ')}}`;
}

/** The program as text, one node per line, numbered in order: for reading, and for tests that snapshot it. */
export function printProgram(program: Program): string {
  const nodes = reachableNodes(Object.values(program.outputs));
  const numbers = new Map<Node, number>(nodes.map((node, index) => [node, index]));
  const name = (value: Value) =>
    `%${numbers.get(value.node)}${value.node.outputs.length > 1 ? `.${value.output}` : ''}`;
  const formatNode = (node: Node): string => {
    const types = node.outputs.map(formatType).join(', ');
    const left = `%${numbers.get(node)}: ${types} =`;
    switch (node.kind) {
      case 'input':
      case 'parameter':
        return `${left} ${node.kind} ${node.name}`;
      case 'constant':
        return node.tensor.data.length <= 4
          ? `${left} constant [${[...node.tensor.data].join(', ')}]`
          : `${left} constant`;
      case 'operation':
        return `${left} ${node.primitive.name}(${node.inputs.map(name).join(', ')})${formatAttributes(node.attributes)}`;
    }
  };
  const outputs = Object.entries(program.outputs).map(([key, value]) => `${key} = ${name(value)}`);
  return [`program ${program.name}`, ...nodes.map(formatNode), `return ${outputs.join(', ')}`].join('\n');
}
