import type { Hooks, StepEvent } from './progress-event.js';

/** What a training on labels tells of a step. */
export type TrainedStep = Pick<StepEvent, 'step' | 'epoch' | 'loss' | 'lr' | 'best_valid' | 'best_step'>;

/** Progress over all seeds and methods: the time left is that of the whole. */
export function stepReporter(
  { onEvent }: Hooks,
  { steps, batchSize, total }: { steps: number; batchSize: number; total: number },
) {
  const begun = performance.now();
  let done = 0;
  let records = 0;
  return (
    { step, epoch, loss, lr, best_valid, best_step }: TrainedStep,
    /** Where trainings differ, those of this one. */
    own: { readonly steps?: number; readonly batchSize?: number; readonly context?: string } = {},
  ): void => {
    const seconds = (performance.now() - begun) / 1000;
    done++;
    records += own.batchSize ?? batchSize;
    onEvent?.({
      type: 'step',
      step,
      steps: own.steps ?? steps,
      ...(own.context !== undefined && { context: own.context }),
      epoch,
      loss,
      ...(best_valid !== undefined && { best_valid, best_step }),
      lr,
      samples_per_second: records / seconds,
      data_wait: 0,
      seconds_left: (seconds / done) * (total - done),
    });
  };
}
