/** The convolutional baseline of protein benchmarks. */

import { labelledGraph } from '../../finetuning/labelled-graph.js';
import type { Network } from '../../finetuning/labelled-training.js';
import { maximum, multiply, relu, scope } from '../../graph/index.js';
import { linear } from '../../layers/linear.js';
import type { Method } from '../suite.js';
import { type LetterSpec, letterWindows, windowsOf } from './letter-windows.js';
import { trainOnLetters } from './trained-network.js';

const SETTINGS = { kernel: 5, filters: 128, hidden: 256 };

/**
 * One-hot letters, convolutions with ReLU, one linear layer with ReLU at each position, the largest over the positions,
 * and a linear output: float32[batch, outputs]. A convolution is a product of each position's window, laid out, with
 * the filters.
 */
const convolutionalNetwork =
  (layers: number) =>
  (spec: LetterSpec): Network => ({
    maxTokens: spec.maxTokens,
    layers: 0,
    build(labels, batch, count) {
      const { kernel, filters, hidden } = SETTINGS;
      const { windows, real } = letterWindows(spec, batch, count, kernel);
      const outputs = scope('head', () => {
        // Nothing is below 0 after a ReLU, so padding that is 0 never wins.
        const atEach = (name: string, x: typeof windows, width: number) =>
          multiply(relu(linear(name, x, width)), real);
        let found = atEach('convolution.0', windows, filters);
        for (let layer = 1; layer < layers; layer++)
          found = atEach(`convolution.${layer}`, windowsOf(found, kernel), filters);
        const combined = atEach('position', found, hidden);
        return linear('output', maximum(combined, [1]), labels.outputs);
      });
      return labelledGraph(outputs, labels);
    },
  });

/**
 * Shanehsazzadeh, Belanger & Dohan (2020): a convolutional network on one-hot letters, of one layer for fluorescence and
 * three for stability, with the maximum over the positions, as its later re-implementations in protein benchmarks
 * describe it. Departures: fewer filters and hidden units (they have 1,024 and 2,048), so that it trains on two cores;
 * one rate for all parameters; AdamW.
 */
export function convolution(layers: number): Method {
  const { kernel, filters } = SETTINGS;
  const name = 'convolution';
  return {
    name,
    description: `a convolutional network on one-hot letters (one layer or three as published, kernel ${kernel}, ${filters} filters, maximum over positions), trained on the labels for as many steps as an encoder`,
    random: true,
    uses: ['finetuning'],
    config: { ...SETTINGS, layers },
    choices: () => [{ learningRate: 1e-3 }, { learningRate: 3e-4 }],
    fit: (session, seed, choice) =>
      trainOnLetters(session, convolutionalNetwork(layers), { name, seed, choice }),
  };
}
