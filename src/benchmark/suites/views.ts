/** What comparing views of images teaches a small residual network, judged by a linear probe alone. */
import { frozenForEachSeed, untrainedFrozen } from '../methods/encoders.js';
import { constant, linearOnValues } from '../methods/simple.js';
import type { Method, Suite } from '../suite.js';
import { images } from './images.js';

/** Digits are not mirrored; Fashion-MNIST has the settings that were chosen on them. */
const VIEWS = { flip_probability: 0 };
/** For what is not told from other images: see docs/results.md for how this was chosen. */
const LARGER = { ...VIEWS, smallest_crop: 0.6 };

const methods: readonly Method[] = [
  frozenForEachSeed('BYOL', 'predicts what a slow copy of itself makes of another view', {
    objective: { kind: 'byol', ...LARGER },
  }),
  frozenForEachSeed('MYOW', 'BYOL, and predicts the same of the nearest other image of the batch', {
    objective: { kind: 'myow', ...LARGER },
  }),
  frozenForEachSeed(
    'MSBReg',
    'pulls three views to the centroid of their targets, and spreads them by two terms (a reconstruction)',
    {
      objective: { kind: 'msbreg', ...LARGER },
    },
  ),
  frozenForEachSeed('SimCLR', "tells an image's other view from the views of other images", {
    objective: { kind: 'simclr', ...VIEWS, temperature: 0.2 },
  }),
];

export const views: Suite = {
  name: 'views',
  title: 'Views of images: a small residual network, frozen under a linear probe',
  tasks: images.tasks
    .filter(({ name }) => ['mnist10k', 'fashion-mnist'].includes(name))
    .map((task) => ({
      ...task,
      pretraining: {
        ...task.pretraining,
        config: {
          data: { ignore: ['label'] },
          tokenizer: { patch: 4 },
          encoder: { kind: 'residual-network', width: 128, layers: 3 },
          training: {
            steps: 1000,
            batch_size: 128,
            learning_rate: 3e-3,
            valid_steps: 250,
            checkpoint_steps: 500,
          },
        },
      },
      seeds: 3,
      methods: [constant, linearOnValues, untrainedFrozen, ...methods],
    })),
};
