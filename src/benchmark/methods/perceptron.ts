/** The multilayer perceptron, the usual neural baseline of tables. */
import { labelledGraph } from '../../finetuning/labelled-graph.js';
import type { Network } from '../../finetuning/labelled-training.js';
import { multiply, relu, reshape, scope } from '../../graph/index.js';
import { linear } from '../../layers/linear.js';
import { embedTokens, realTokens, tokenInputs } from '../../layers/token-embedding.js';
import type { TokenSpec } from '../../records/token-block.js';
import type { Method } from '../suite.js';
import { trainNetwork } from './trained-network.js';

const SETTINGS = { embedding: 16, hidden: 256, layers: 2 };

/** Embedded tokens side by side, hidden layers with ReLU, and a linear output: float32[batch, outputs]. */
const perceptronNetwork = (spec: TokenSpec): Network => ({
  maxTokens: spec.maxTokens,
  layers: 0,
  build(labels, batch, count) {
    const tokens = tokenInputs(spec, batch, count);
    const outputs = scope('head', () => {
      const { embedded } = embedTokens(spec, tokens, SETTINGS.embedding);
      const real = reshape(realTokens(tokens), [batch, count, 1]);
      let hidden = reshape(multiply(embedded, real), [batch, count * SETTINGS.embedding]);
      for (let layer = 0; layer < SETTINGS.layers; layer++)
        hidden = relu(linear(`hidden.${layer}`, hidden, SETTINGS.hidden));
      return linear('output', hidden, labels.outputs);
    });
    return labelledGraph(outputs, labels);
  },
});

export const perceptron: Method = {
  name: 'perceptron',
  description: `a multilayer perceptron on the embedded values (${SETTINGS.layers} hidden layers of ${SETTINGS.hidden}), trained on the labels with the steps of an encoder`,
  random: true,
  uses: ['finetuning'],
  config: SETTINGS,
  choices: () => [{ learningRate: 1e-3 }, { learningRate: 3e-4 }],
  fit: (session, seed, choice) =>
    trainNetwork(session, perceptronNetwork, { name: 'perceptron', seed, choice }),
};
