/** What `fit` gives on a task: an ensemble that validation chooses, of the simple models or of these and an encoder. */
import { LABELLED_TRAINING } from '../../config/defaults.js';
import type { Attempt } from '../../fit/attempts.js';
import type { FitData } from '../../fit/fit-data.js';
import { describeLeftOut, encoderModels, type SimpleModels, simpleModels } from '../../fit/models.js';
import { choose, type Fitted as FittedAttempt, fitFolds } from '../../fit/select.js';
import { measured } from '../measured.js';
import type { Fitted, Method, PretrainingChanges, Session } from '../suite.js';

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
  let now = false;
  const { result, seconds } = await session.shared(`simple models, ${data.folds.length} folds`, () => {
    now = true;
    return measured(async () => {
      const simple = await simpleModels(data, session.tokenizer.spec);
      tellLeftOut(session, simple.leftOut);
      return { ...simple, fitted: await fitAll(session, data, simple.attempts) };
    });
  });
  return { ...result, data, earlierSeconds: now ? 0 : seconds };
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

const common = { random: false, choices: () => [{}] } as const;

/** What a user would have without ensembles and folds. */
const bestSimpleModel: Method = {
  ...common,
  name: 'best simple model',
  description:
    'of every simple model that `fit` tries, each fitted once to the training part, the one that the validation part prefers',
  uses: [],
  config: { fit: 'simple, single, once' },
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
  config: { fit: 'simple', draws: 40 },
  async fit(session) {
    const simple = await simpleOf(session);
    return chosenOf(simple, simple.fitted, 'chosen');
  },
};

/** `fit` with a pretrained encoder. */
const fitWith = (name: string, description: string, pretraining: PretrainingChanges): Method => ({
  ...common,
  name,
  description,
  uses: ['encoder', 'finetuning'],
  pretraining,
  config: { fit: 'encoder', draws: 40 },
  choices: ({ finetuning: { choices } }) => [{ ...choices[0] }],
  async fit(session, _seed, choice) {
    const { task, model, hooks } = session;
    const { choices: _, ...settings } = task.finetuning;
    const { learningRate, layerDecay } = choice;
    const simple = await simpleOf(session);
    const { data, matrices } = simple;
    const run = await session.pretrained(pretraining);
    const { attempts, leftOut } = await encoderModels(data, matrices, {
      ...run,
      model: { ...run.model, ...model },
      signal: hooks.signal,
      trained: {
        settingsFor: () => ({ ...LABELLED_TRAINING, ...settings, learningRate, layerDecay }),
        onStep: ({ steps }) => session.onStep(steps),
      },
    });
    tellLeftOut(session, leftOut);
    return chosenOf(simple, [...simple.fitted, ...(await fitAll(session, data, attempts))], 'chosen');
  },
});

/** The three, for every task with one label of each kind for each record. */
export const fitMethods: readonly Method[] = [
  bestSimpleModel,
  fitSimple,
  fitWith('fit with SMA', 'the same with the self-guided encoder, frozen and trained, among the models', {
    objective: { kind: 'sma' },
  }),
];
