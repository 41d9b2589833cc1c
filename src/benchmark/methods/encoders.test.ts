import { expect, it } from 'vitest';
import { higgs } from '../suites/higgs.js';
import { fromScratchForLonger } from './encoders.js';

it('trains from scratch on as many records as pretraining and fine-tuning have, at any budget', () => {
  const task = higgs.tasks.find(({ name }) => name === 'higgs-10k')!;
  const { steps: pretrainingSteps, batch_size: batch } = task.pretraining.config.training!;
  for (const budget of [1, 0.1]) {
    const finetuning = { ...task.finetuning, steps: budget * task.finetuning.steps };
    const [{ times }] = fromScratchForLonger.choices({ ...task, finetuning, budget });
    const both = budget * pretrainingSteps! * batch! + finetuning.steps * finetuning.batchSize;
    expect(times! * finetuning.steps * finetuning.batchSize).toBeCloseTo(both, 6);
  }
});
