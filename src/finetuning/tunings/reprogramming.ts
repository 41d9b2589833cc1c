import { z } from 'zod';
import { InputError } from '../../errors.js';
import {
  add,
  constant,
  expand,
  matmul,
  multiply,
  type ParameterNode,
  parameter,
  scalar,
  scatterElements,
  staticSize,
  stopGradient,
  subtract,
  topK,
  type Value,
} from '../../graph/index.js';
import { hostTensor } from '../../tensor/tensor.js';
import { AUXILIARY, type Tuning } from './tuning.js';

const TABLE = 'embedding.tokens';
const DICTIONARY = `${AUXILIARY}dictionary`;

/**
 * Reprogramming by a sparse dictionary, after R2DL (Vinod, Chen & Das 2023), a reconstruction from its abstract: the network is frozen,
 * and each token of the new kind is a sparse combination of the embeddings E float32[vocabulary, width] that it knows: (I + S) E, of whose
 * S float32[vocabulary, vocabulary] only the `dictionary_entries` largest of each row are used, and which starts at 0. Departures: S is
 * found by gradient descent alone, that goes through the entries as if all were used (iterative hard thresholding), and not by k-SVD towards
 * embeddings learned beside it; tokens of both kinds have one vocabulary, so that a token starts as itself.
 */
export const reprogramming: Tuning = {
  paper: 'Vinod et al., 2023',
  options: {
    dictionary_entries: {
      type: z.int().min(1),
      description: 'tokens whose embeddings make up that of a token of the new kind (tuning reprogramming)',
      example: 8,
    },
  },
  defaults: { dictionary_entries: 8 },
  learningRate: 0.01,
  moves: () => false,
  instead(node: ParameterNode, fixed, { dictionary_entries: entries = 8 }) {
    if (node.name !== TABLE) return fixed;
    const [vocabulary] = node.outputs[0].shape.map(staticSize);
    if (entries > vocabulary)
      throw new InputError(
        `finetune.dictionary_entries: expected at most ${vocabulary}, the tokens that the encoder knows, got ${entries}`,
      );
    const all = parameter(DICTIONARY, [vocabulary, vocabulary], { kind: 'constant', value: 0 });
    const used = add(all, stopGradient(subtract(largest(all, entries), all)));
    return add(fixed, matmul(used, fixed));
  },
  merge(parameters, { dictionary_entries: entries = 8 }) {
    const { data: all } = parameters[DICTIONARY];
    const { data: table, shape } = parameters[TABLE];
    const [vocabulary, width] = shape;
    const before = table.slice();
    for (let token = 0; token < vocabulary; token++) {
      const row = all.subarray(token * vocabulary, (token + 1) * vocabulary);
      const chosen = [...row.keys()].sort((a, b) => row[b] ** 2 - row[a] ** 2 || a - b).slice(0, entries);
      for (const other of chosen)
        for (let j = 0; j < width; j++) table[token * width + j] += row[other] * before[other * width + j];
    }
    all.fill(0);
  },
};

/** Rows float32[n, m] with all but the k entries of each that are largest in size at 0. */
function largest(rows: Value, k: number): Value {
  const [n, m] = rows.shape.map(staticSize);
  const { indices } = topK(multiply(rows, rows), k);
  const ones = constant(hostTensor('float32', [n, k], new Float32Array(n * k).fill(1)));
  return multiply(rows, scatterElements(expand(scalar(0), [n, m]), indices, ones, 1, 'none'));
}
