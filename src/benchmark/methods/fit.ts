/** What `fit` gives on a task: an ensemble that validation chooses, of the simple models or of these and an encoder. */
import { LABELLED_TRAINING } from '../../config/defaults.js';
import { type Attempt, trainedEncoder } from '../../fit/attempts.js';
import type { FitData } from '../../fit/fit-data.js';
import {
  describeLeftOut,
  encoderModels,
  type SimpleModels,
  simpleModels,
  TRAINED_ENCODER,
} from '../../fit/models.js';
import { choose, type Fitted as FittedAttempt, fitFolds } from '../../fit/select.js';
import type { Run } from '../../runs/folder.js';
import { measured } from '../measured.js';
import type { BenchmarkTask, Choice, Fitted, Method, PretrainingChanges, Session } from '../suite.js';
import { startOf } from './encoders.js';

async function fitAll(
  { hooks }: Session,
  data: FitData,
  attempts: readonly Attempt[],
): Promise<readonly FittedAttempt[]> {
  const fitted: FittedAttempt[] = [];
  for (const attempt of attempts) {
    hooks.signal?.throwIfAborted();
    hooks.onEvent?.({ type: 'info', message: attempt.name });
    fitted.push(await fitFolds(attempt, data));
  }
  return fitted;
}

/** What is made once for every method that has it, and its processor time where an earlier cell paid for it. */
async function once<T>(
  session: Session,
  key: string,
  make: () => Promise<T>,
): Promise<{ readonly result: T; readonly earlierSeconds: number }> {
  let now = false;
  const { result, seconds } = await session.shared(key, () => {
    now = true;
    return measured(make);
  });
  return { result, earlierSeconds: now ? 0 : seconds };
}

/** Simple models that are fitted. */
interface FittedSimple extends SimpleModels {
  readonly data: FitData;
  readonly fitted: readonly FittedAttempt[];
  /** Processor time of these, where an earlier cell paid for it. */
  readonly earlierSeconds: number;
}

/** The simple models of a task, fitted once for every method that has them in as many folds. */
async function simpleOf(session: Session, folds?: number): Promise<FittedSimple> {
  const data = await session.fitData(folds);
  const { result, earlierSeconds } = await once(
    session,
    `simple models, ${data.folds.length} folds`,
    async () => {
      const simple = await simpleModels(data, session.tokenizer.spec);
      tellLeftOut(session, simple.leftOut);
      return { ...simple, fitted: await fitAll(session, data, simple.attempts) };
    },
  );
  return { ...result, data, earlierSeconds };
}

function tellLeftOut({ hooks }: Session, leftOut: readonly string[]): void {
  if (leftOut.length === 0) return;
  hooks.onEvent?.({ type: 'warning', message: describeLeftOut(leftOut) });
}

/** What validation prefers of all, or `only` among the simple models themselves. */
function chosenOf(
  { data, earlierSeconds }: Pick<FittedSimple, 'data' | 'earlierSeconds'>,
  fitted: readonly FittedAttempt[],
  only: 'simple' | 'chosen',
): Fitted {
  const { valid, test, parts } = choose(fitted, data)[only];
  return {
    valid,
    chosen: Object.fromEntries(
      parts.map(({ fitted: { name }, weight }) => [name, Number(weight.toFixed(3))]),
    ),
    earlierSeconds,
    score: async (options) => data.test.score(data.metric, test, options),
  };
}

/** One more whenever the simple models of `fit` give other scores: cells of before are not kept. */
const REVISION = 2;

const common = { random: false, choices: () => [{}] } as const;

/** What a user would have without ensembles and folds. */
const bestSimpleModel: Method = {
  ...common,
  name: 'best simple model',
  description:
    'of every simple model that `fit` tries, each fitted once to the training part, the one that the validation part prefers',
  uses: [],
  config: { fit: 'simple, single, once', revision: REVISION },
  async fit(session) {
    const simple = await simpleOf(session, 1);
    return chosenOf(simple, simple.fitted, 'simple');
  },
};

/** `fit` without an encoder. */
const fitSimple: Method = {
  ...common,
  name: 'fit',
  description: 'what `fit` chooses of the simple models and their greedy ensemble',
  uses: [],
  config: { fit: 'simple', draws: 40, revision: REVISION },
  async fit(session) {
    const simple = await simpleOf(session);
    return chosenOf(simple, simple.fitted, 'chosen');
  },
};

/** The encoders that a pretraining gives a task, each with a seed of its own. */
async function startsOf(session: Session, pretraining: PretrainingChanges): Promise<Run[]> {
  const starts: Run[] = [];
  for (let seed = 0; seed < (session.task.pretrainingSeeds ?? 1); seed++)
    starts.push(await startOf(session, pretraining, seed));
  return starts;
}

/** The encoder of a task as `fit` trains it on the labels, one for each fold; the folds start from `starts` in turn. */
async function encodersOf(session: Session, data: FitData, choice: Choice, starts: readonly Run[]) {
  const { task, model, hooks } = session;
  const { choices: _, ...settings } = task.finetuning;
  const { learningRate, layerDecay, times = 1 } = choice;
  const steps = Math.round(times * settings.steps);
  const from = starts.map(({ folder }) => folder).join(', ') || 'untrained';
  const key = `encoders of ${data.folds.length} folds, ${from}, ${steps}, ${learningRate}, ${layerDecay}`;
  return once(session, key, async () => {
    const attempt = trainedEncoder(TRAINED_ENCODER, data, {
      model,
      starts,
      settingsFor: () => ({ ...LABELLED_TRAINING, ...settings, steps, learningRate, layerDecay }),
      onStep: ({ steps }) => session.onStep(steps, data.folds.length),
      signal: hooks.signal,
    });
    return (await fitAll(session, data, [attempt]))[0];
  });
}

const settled = {
  random: false,
  uses: ['encoder', 'finetuning'],
} as const;

const firstChoice = ({ finetuning: { choices } }: BenchmarkTask) => [{ ...choices[0] }];

/** `fit` with a pretrained encoder. */
export const fitWith = (name: string, description: string, pretraining: PretrainingChanges): Method => ({
  ...settled,
  name,
  description,
  pretraining,
  config: { fit: 'encoder', draws: 40, revision: REVISION, starts: 'in turn' },
  choices: firstChoice,
  async fit(session, _seed, choice) {
    const { model, hooks } = session;
    const simple = await simpleOf(session);
    const { data, matrices } = simple;
    const starts = await startsOf(session, pretraining);
    const [run] = starts;
    const encoder = { ...run, model: { ...run.model, ...model }, signal: hooks.signal };
    const { attempts, leftOut } = await encoderModels(data, matrices, encoder);
    tellLeftOut(session, leftOut);
    const frozen = await fitAll(session, data, attempts);
    const trained = await encodersOf(session, data, choice, starts);
    const earlierSeconds = simple.earlierSeconds + trained.earlierSeconds;
    return chosenOf({ data, earlierSeconds }, [...simple.fitted, ...frozen, trained.result], 'chosen');
  },
});

/** Where the encoders of the folds start, and how many folds there are; without it `fit` decides by the number of records. */
interface MeanOfFolds {
  readonly pretraining?: PretrainingChanges;
  readonly folds?: number;
}

/** The encoder alone with what `fit` has: it learns from every fold but one, and the models of the folds are averaged. */
export const meanOfFolds = (
  name: string,
  description: string,
  { pretraining, folds }: MeanOfFolds = {},
): Method => ({
  ...settled,
  name,
  description,
  pretraining,
  config: { fit: 'encoder alone', ...(pretraining && { starts: 'in turn' }), ...(folds && { folds }) },
  // Lower rates for lower layers are for layers that know something.
  choices: (task) =>
    firstChoice(task).map((choice) => ({ ...choice, ...(!pretraining && { layerDecay: 1 }) })),
  async fit(session, _seed, choice) {
    const starts = pretraining ? await startsOf(session, pretraining) : [];
    const data = await session.fitData(folds);
    const { result, earlierSeconds } = await encodersOf(session, data, choice, starts);
    // The only row is that of the single models, too.
    const alone = [{ ...result, representation: false }];
    return { ...chosenOf({ data, earlierSeconds }, alone, 'simple'), chosen: {} };
  },
});

/** Never pretrained. */
export const fromScratchMeanOfFolds = (folds?: number) =>
  meanOfFolds(
    'from scratch, mean of folds',
    'the encoder, never pretrained, trained on the labels of the folds of `fit`, and the mean of the folds',
    { folds },
  );

const sma: PretrainingChanges = { objective: { kind: 'sma' } };

/** Those above, for every task with one label of each kind for each record. */
export const fitMethods: readonly Method[] = [
  bestSimpleModel,
  fitSimple,
  fitWith(
    'fit with SMA',
    'the same with the self-guided encoder, frozen and trained, among the models; of several pretrainings the first is frozen, and the folds start from each in turn',
    sma,
  ),
  fromScratchMeanOfFolds(),
  meanOfFolds(
    'SMA, mean of folds',
    'the self-guided encoder, of several pretrainings each in turn, trained on the labels of the folds of `fit`, and the mean of the folds',
    { pretraining: sma },
  ),
];
