/** The simple baseline of tasks with a label for each letter. */
import { labelledGraph } from '../../finetuning/labelled-graph.js';
import type { Network } from '../../finetuning/labelled-training.js';
import { scope } from '../../graph/index.js';
import { linear } from '../../layers/linear.js';
import type { Method } from '../suite.js';
import { type LetterSpec, letterWindows } from './letter-windows.js';
import { trainOnLetters } from './trained-network.js';

const SETTINGS = { width: 15 };

/** One-hot letters around each position and one linear layer: float32[batch, tokens, classes]. */
const windowNetwork = (spec: LetterSpec): Network => ({
  maxTokens: spec.maxTokens,
  layers: 0,
  build(labels, batch, count) {
    const { windows } = letterWindows(spec, batch, count, SETTINGS.width);
    return labelledGraph(
      scope('head', () => linear('output', windows, labels.outputs)),
      labels,
    );
  },
});

/** Softmax regression on which letters stand within seven places, by AdamW in batches: millions of rows need no matrix. */
export const linearOnWindow: Method = {
  name: 'linear, window',
  description: `softmax regression on the ${SETTINGS.width} one-hot letters around each position, trained in batches like the encoders`,
  random: true,
  uses: ['finetuning'],
  config: SETTINGS,
  choices: () => [{ learningRate: 1e-2 }, { learningRate: 1e-3 }],
  fit: (session, seed, choice) =>
    trainOnLetters(session, windowNetwork, { name: 'linear, window', seed, choice }),
};
