import type { Hooks } from './progress-event.js';

/** Progress over all seeds and methods: the time left is that of the whole. */
export function stepReporter(
  { onEvent }: Hooks,
  { steps, batchSize, total }: { steps: number; batchSize: number; total: number },
) {
  const begun = performance.now();
  let done = 0;
  let records = 0;
  return (at: {
    step: number;
    epoch: number;
    loss: number;
    lr: number;
    /** Where trainings differ, those of this one. */
    steps?: number;
    batchSize?: number;
    context?: string;
  }): void => {
    const seconds = (performance.now() - begun) / 1000;
    done++;
    records += at.batchSize ?? batchSize;
    onEvent?.({
      type: 'step',
      step: at.step,
      steps: at.steps ?? steps,
      ...(at.context !== undefined && { context: at.context }),
      epoch: at.epoch,
      loss: at.loss,
      lr: at.lr,
      samples_per_second: records / seconds,
      data_wait: 0,
      seconds_left: (seconds / done) * (total - done),
    });
  };
}
