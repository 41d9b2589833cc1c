/** The encoder in every condition: from scratch, pretrained by an objective, and frozen. */

import { LABELLED_TRAINING } from '../../config/defaults.js';
import type { UserConfig } from '../../config/schema.js';
import type { HostTensors } from '../../engine/engine.js';
import { Embedder, encoderParameters, untrainedParameters } from '../../finetuning/frozen-encoder.js';
import { encoderNetwork, LabelledTrainer } from '../../finetuning/labelled-training.js';
import { linearProbe } from '../../probes/linear-probe.js';
import type { Part } from '../../records/split.js';
import type { Run } from '../../runs/folder.js';
import type { BenchmarkTask, Choice, Fitted, Method, PretrainingChanges, Session } from '../suite.js';
import { fitOnFeatures } from './on-features.js';

/** The settings that every suite's tasks let validation choose among. */
export const usualChoices: BenchmarkTask['finetuning']['choices'] = [
  { learningRate: 1e-3, layerDecay: 0.75 },
  { learningRate: 3e-4, layerDecay: 0.75 },
];

/** A training on labels that is long, drops a tenth, and ends when validation no longer gets better. */
export const longTraining = {
  dropout: { attention_dropout: 0.1, dropout: 0.1, drop_path: 0.1 },
  validations: 20,
  patience: 6,
  choices: usualChoices,
} as const satisfies Partial<BenchmarkTask['finetuning']>;

type Objective = NonNullable<UserConfig['objective']>;

const choices = ({ finetuning }: BenchmarkTask): readonly Choice[] =>
  finetuning.choices.map(({ learningRate, layerDecay }) => ({ learningRate, layerDecay }));

/** As many, with one learning rate for all layers: lower rates for lower layers are for layers that know something. */
const choicesFromScratch = (task: BenchmarkTask): readonly Choice[] =>
  choices(task).map((choice) => ({ ...choice, layerDecay: 1 }));

async function fineTune(
  session: Session,
  start: Run | undefined,
  seed: number,
  choice: Choice,
): Promise<Fitted> {
  const { task, labelled, model, engine, hooks, shared } = session;
  const { steps, batchSize, dropout, validations, patience } = task.finetuning;
  const { learningRate, layerDecay, times = 1 } = choice;
  const asMany = Math.round(times * steps);
  const network = encoderNetwork({ ...model, dropout });
  const trainer = await shared(
    `encoder ${layerDecay}`,
    async () =>
      new LabelledTrainer(engine, network, labelled, { ...LABELLED_TRAINING, batchSize, layerDecay }),
    (made) => made.release(),
  );
  const trained = await trainer.train({
    steps: asMany,
    learningRate,
    validations,
    patience,
    start,
    seed,
    signal: hooks.signal,
    onStep: session.onStep(asMany),
  });
  return {
    valid: trained.valid,
    chosen: { step: trained.step },
    score: (options) => trainer.scoreTest(trained, options),
  };
}

/** The encoder and a fresh head, trained on the labels alone. */
export const fromScratch: Method = {
  name: 'from scratch',
  description: 'the same encoder, never pretrained, trained on the labels',
  random: true,
  uses: ['encoder', 'finetuning'],
  config: {},
  choices: choicesFromScratch,
  fit: (session, seed, choice) => fineTune(session, undefined, seed, choice),
};

/** How many times the records of fine-tuning are those of pretraining and fine-tuning together. */
function timesTheRecords({ pretraining, finetuning, budget = 1 }: BenchmarkTask): number {
  const { steps = 0, batch_size = 0 } = pretraining.config.training ?? {};
  return 1 + (budget * steps * batch_size) / (finetuning.steps * finetuning.batchSize);
}

/** A method with another encoder than the task's. */
export const withEncoder = (
  { pretraining, ...method }: Method,
  encoder: NonNullable<UserConfig['encoder']>,
  { name, description }: Pick<Method, 'name' | 'description'>,
): Method => ({
  ...method,
  name,
  description,
  uses: method.uses.filter((part) => part !== 'encoder'),
  ...(pretraining && { pretraining: { ...pretraining, encoder } }),
  config: { method: method.config, encoder },
  fit: async (session, seed, choice) => method.fit(await session.withEncoder(encoder), seed, choice),
});

/** Trained on the labels with as many records as pretraining and fine-tuning see together. */
export const fromScratchForLonger: Method = {
  ...fromScratch,
  name: 'from scratch, equal total',
  description:
    'the same, for up to as many records as pretraining and fine-tuning see together; validation ends it',
  config: { records: 'of pretraining, too' },
  choices: (task) => choicesFromScratch(task).map((choice) => ({ ...choice, times: timesTheRecords(task) })),
  fit: (session, seed, choice) => fineTune(session, undefined, seed, choice),
};

/** The encoder that a pretraining gives with a seed of its own; the first has what the pretraining says. */
export const startOf = (
  session: Session,
  { training, ...changes }: PretrainingChanges,
  seed: number,
): Promise<Run> => session.pretrained({ ...changes, training: { ...training, ...(seed > 0 && { seed }) } });

/** Pretrained, then fine-tuned. */
export const finetuned = (name: string, description: string, pretraining: PretrainingChanges): Method => ({
  name,
  description,
  random: true,
  uses: ['encoder', 'finetuning'],
  pretraining,
  config: {},
  choices,
  fit: async (session, seed, choice) =>
    fineTune(
      session,
      await startOf(session, pretraining, seed % (session.task.pretrainingSeeds ?? 1)),
      seed,
      choice,
    ),
});

async function probeFrozen(session: Session, key: string, parameters: HostTensors): Promise<Fitted> {
  const { labelled, model, engine, hooks, shared } = session;
  const embedder = new Embedder(engine, model, parameters);
  const embedded = (part: Part) =>
    shared(`embedding ${key} ${part}`, () => embedder.embed(labelled[part].records, hooks.signal));
  const fitted = await fitOnFeatures(session, { dimension: embedder.width, of: embedded }, linearProbe);
  return {
    ...fitted,
    async score(options) {
      try {
        return await fitted.score(options);
      } finally {
        await embedder.release();
      }
    },
  };
}

/** A pretrained encoder, frozen, under a linear probe. */
const frozen = (name: string, description: string, objective: Objective): Method => ({
  name,
  description,
  random: false,
  uses: ['encoder'],
  pretraining: { objective },
  config: {},
  choices: () => [{}],
  async fit(session) {
    const run = await session.pretrained({ objective });
    return probeFrozen(session, name, encoderParameters(run.model, run.tensors, run.folder));
  },
});

/** The same, pretrained anew for each seed. */
export const frozenForEachSeed = (
  name: string,
  description: string,
  changes: PretrainingChanges,
): Method => ({
  name,
  description,
  random: true,
  uses: ['encoder'],
  pretraining: changes,
  config: { pretraining: 'one for each seed' },
  choices: () => [{}],
  async fit(session, seed) {
    const run = await startOf(session, changes, seed);
    return probeFrozen(session, `${name} ${seed}`, encoderParameters(run.model, run.tensors, run.folder));
  },
});

/** The encoder as it starts, frozen, under a linear probe: what the architecture alone gives. */
export const untrainedFrozen: Method = {
  name: 'untrained, frozen',
  description: 'the encoder with random weights, frozen, under a linear probe',
  random: true,
  uses: ['encoder'],
  config: {},
  choices: () => [{}],
  fit: (session, seed) => probeFrozen(session, `untrained ${seed}`, untrainedParameters(session.model, seed)),
};

/** What both objectives have in common follows from the task's pretraining. */
export const finetunedRandom = finetuned(
  'random masking',
  'pretrained by predicting tokens hidden at random, then fine-tuned',
  { objective: { kind: 'random-masking' } },
);
export const finetunedSma = finetuned(
  'SMA',
  'pretrained by predicting tokens that its own attention chose to hide, then fine-tuned',
  { objective: { kind: 'sma' } },
);
const frozenRandom = frozen(
  'random masking, frozen',
  'the randomly masked encoder, frozen, under a linear probe',
  { kind: 'random-masking' },
);
const frozenSma = frozen('SMA, frozen', 'the self-guided encoder, frozen, under a linear probe', {
  kind: 'sma',
});

/** The encoder in every condition, all with the same steps and as many settings to choose among. */
export const encoderMethods: readonly Method[] = [
  untrainedFrozen,
  frozenRandom,
  frozenSma,
  fromScratch,
  finetunedRandom,
  finetunedSma,
];
