/** What `fit` gives on a task: an ensemble that validation chooses, of the simple models or of these and an encoder. */
import { LABELLED_TRAINING } from '../../config/defaults.js';
import type { Attempt } from '../../fit/attempts.js';
import { encoderModels, type SimpleModels, simpleModels } from '../../fit/models.js';
import { choose, type Fitted as FittedAttempt, fitFolds } from '../../fit/select.js';
import type { Fitted, Method, PretrainingChanges, Session } from '../suite.js';

async function fitAll(session: Session, attempts: readonly Attempt[]): Promise<readonly FittedAttempt[]> {
  const data = await session.fitData();
  const fitted: FittedAttempt[] = [];
  for (const attempt of attempts) {
    session.hooks.signal?.throwIfAborted();
    session.hooks.onEvent?.({ type: 'info', message: attempt.name });
    fitted.push(await fitFolds(attempt, data));
  }
  return fitted;
}

/** The simple models of a task, fitted once for every method that has them. */
const simpleOf = (session: Session): Promise<SimpleModels & { fitted: readonly FittedAttempt[] }> =>
  session.shared('simple models', async () => {
    const simple = await simpleModels(await session.fitData(), session.tokenizer.spec);
    return { ...simple, fitted: await fitAll(session, simple.attempts) };
  });

/** What validation prefers of all, or `only` among the simple models themselves. */
async function chosenOf(
  session: Session,
  fitted: readonly FittedAttempt[],
  only: 'simple' | 'chosen',
): Promise<Fitted> {
  const data = await session.fitData();
  const { valid, test } = choose(fitted, data)[only];
  return {
    valid,
    chosen: {},
    score: async (options) => data.test.score(data.metric, test, options),
  };
}

const common = { random: false, choices: () => [{}] } as const;

/** The simple model that `fit` would keep if it made no ensemble. */
const bestSimpleModel: Method = {
  ...common,
  name: 'best simple model',
  description: 'of every simple model that `fit` tries, the one that its validation prefers',
  uses: [],
  config: { fit: 'simple, single' },
  fit: async (session) => chosenOf(session, (await simpleOf(session)).fitted, 'simple'),
};

/** `fit` without an encoder. */
const fitSimple: Method = {
  ...common,
  name: 'fit',
  description: 'what `fit` chooses of the simple models and their greedy ensemble',
  uses: [],
  config: { fit: 'simple' },
  fit: async (session) => chosenOf(session, (await simpleOf(session)).fitted, 'chosen'),
};

/** `fit` with a pretrained encoder. */
const fitWith = (name: string, description: string, pretraining: PretrainingChanges): Method => ({
  ...common,
  name,
  description,
  uses: ['encoder', 'finetuning'],
  pretraining,
  config: { fit: 'encoder' },
  async fit(session) {
    const { task, model, hooks } = session;
    const { choices, ...settings } = task.finetuning;
    const { matrices, fitted } = await simpleOf(session);
    const run = await session.pretrained(pretraining);
    const attempts = await encoderModels(await session.fitData(), matrices, {
      ...run,
      model: { ...run.model, ...model },
      signal: hooks.signal,
      trained: {
        settingsFor: () => ({ ...LABELLED_TRAINING, ...settings, ...choices[0] }),
        onStep: ({ steps }) => session.onStep(steps),
      },
    });
    return chosenOf(session, [...fitted, ...(await fitAll(session, attempts))], 'chosen');
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
