/** What the mask and the length of pretraining matter, on collider events with 10,000 labels: one setting changed at a time. */
import { finetuned, fromScratch } from '../methods/encoders.js';
import type { Method, Pretraining, Suite } from '../suite.js';
import { higgsForStudies } from './higgs.js';

const MASKING_RATIOS = [0.15, 0.3, 0.5];
const PER_QUERY = [1, 4, 14];
const STEPS = [1000, 2000, 4000];

const objectives = [
  { kind: 'random-masking', title: 'random masking' },
  { kind: 'sma', title: 'SMA' },
] as const;

const variants: readonly Method[] = [
  ...objectives.flatMap(({ kind, title }) =>
    MASKING_RATIOS.map((ratio) =>
      finetuned(`${title}, masking ratio ${ratio}`, `${title} that hides ${100 * ratio} % of the tokens`, {
        objective: { kind, masking_ratio: ratio },
      }),
    ),
  ),
  ...PER_QUERY.map((count) =>
    finetuned(
      `SMA, ${count} per query`,
      `SMA that hides ${count} tokens for each row of the attention map that it draws`,
      { objective: { kind: 'sma', per_query: count } },
    ),
  ),
  ...objectives.flatMap(({ kind, title }) =>
    STEPS.map((steps) =>
      finetuned(
        `${title}, ${steps} steps`,
        `${title} pretrained for ${steps.toLocaleString('en-US')} steps`,
        { objective: { kind }, training: { steps } },
      ),
    ),
  ),
];

const onPerceiver = ({ dataset }: Pretraining): Pretraining => ({
  dataset,
  config: {
    encoder: { kind: 'perceiver', latents: 16, width: 64, layers: 3, heads: 4 },
    objective: { masking_ratio: 0.3, per_query: 4 },
    training: { steps: 4000, batch_size: 128, learning_rate: 1e-3, valid_steps: 500, checkpoint_steps: 500 },
  },
});

export const ablations: Suite = {
  name: 'ablations',
  title: 'Ablations on HIGGS with 10,000 labels: the mask, and the length of pretraining',
  tasks: [
    {
      ...higgsForStudies,
      pretraining: onPerceiver(higgsForStudies.pretraining),
      seeds: 3,
      methods: [fromScratch, ...variants],
    },
  ],
};
