/** Does choosing what to hide help, and does it depend on size? HIGGS with encoders of three widths. */
import { finetunedRandom, finetunedSma, fromScratch, frozenForEachSeed } from '../methods/encoders.js';
import type { BenchmarkTask, Suite } from '../suite.js';
import { higgsForStudies } from './higgs.js';

const WIDTHS = [16, 32, 64];

const frozen = (name: string, kind: 'sma' | 'random-masking') =>
  frozenForEachSeed(`${name}, frozen`, 'the same encoder, frozen, under a linear probe', {
    objective: { kind },
  });

const atWidth = (width: number): BenchmarkTask => {
  const { pretraining } = higgsForStudies;
  const encoder = { ...pretraining.config.encoder, width };
  return {
    ...higgsForStudies,
    name: `width-${width}`,
    title: `HIGGS, 10,000 labels, width ${width}`,
    pretraining: { ...pretraining, config: { ...pretraining.config, encoder } },
    seeds: 3,
    methods: [
      fromScratch,
      finetunedRandom,
      finetunedSma,
      frozen('random masking', 'random-masking'),
      frozen('SMA', 'sma'),
    ],
  };
};

export const sizes: Suite = {
  name: 'sizes',
  title: 'Sizes: what choosing the mask brings on HIGGS at three widths',
  tasks: WIDTHS.map(atWidth),
};
