import type { FinetuneOptions } from '../config/schema.js';
import type { LabelledData } from '../datasets/labelled-data.js';
import { InputError } from '../errors.js';
import { checkPositive } from '../finetuning/label-scale.js';
import { regularizerNamed } from '../finetuning/regularizers/index.js';

/** Throws InputError for options of a fine-tuning that have no meaning for these labels. */
export function checkFinetuning(options: FinetuneOptions, labelled: LabelledData): void {
  checkTransform(options.target_transform, labelled);
  checkFewLabels(options, labelled);
  if (options.head === 'attention' && labelled.spec.task === 'per-token')
    throw new InputError(
      'finetune.head: labels of tokens are read from the state of each token, not by one query; leave out --head attention',
    );
}

/** Throws InputError for ways to learn from few labels that have no meaning in the task, or no records to learn from. */
function checkFewLabels(
  {
    regularizer,
    tuning = 'full',
    self_training: selfTraining,
    unlabelled_weight: unlabelledWeight,
    soup,
    ingredients,
    shots,
  }: FinetuneOptions,
  { spec, unlabelledBlock }: LabelledData,
): void {
  if (regularizer) {
    const { tasks } = regularizerNamed(regularizer);
    if (!tasks.includes(spec.task))
      throw new InputError(
        `finetune.regularizer: ${regularizer} is for ${tasks.join(', ')}, and this task is ${spec.task}; leave out --regularizer`,
      );
  }
  if (ingredients !== undefined && !soup)
    throw new InputError('finetune.ingredients: are those of a soup; add --soup greedy, or leave them out');
  if (unlabelledWeight !== undefined && selfTraining !== 'mean-teacher' && selfTraining !== 'future')
    throw new InputError(
      'finetune.unlabelled_weight: is for records that a teacher labels; add --self-training future, or leave it out',
    );
  if (!selfTraining) return;
  if (spec.task === 'per-token')
    throw new InputError(
      'finetune.self_training: labels records, and this task has labels of tokens; leave out --self-training',
    );
  if (selfTraining !== 'pseudo-labels' && regularizer && regularizerNamed(regularizer).comparesRecords)
    throw new InputError(
      `finetune.regularizer: ${regularizer} contrasts records by true labels, beside which a teacher's do not stand; leave out --regularizer, or choose --self-training pseudo-labels`,
    );
  if (selfTraining === 'pseudo-labels' && tuning === 'frozen')
    throw new InputError(
      'finetune.self_training: pseudo-labels teach the encoder, which tuning frozen does not move; choose another --tuning',
    );
  if (!unlabelledBlock && !shots)
    throw new InputError(
      'finetune.self_training: expected records without a label, and all of them have one; leave out --self-training, or learn from few of the labels with --shots',
    );
}

/** Throws InputError where the labels cannot be transformed. */
function checkTransform(
  transform: FinetuneOptions['target_transform'],
  { spec, labels }: LabelledData,
): void {
  if (transform === undefined || transform === 'standardize') return;
  if (spec.task !== 'regression') {
    throw new InputError(
      `finetune.target_transform: ${transform} is for regression, and this task is ${spec.task}; leave out --target-transform`,
    );
  }
  if (transform === 'log') checkPositive(spec.columns, labels);
}
