import { LABELLED_TRAINING } from '../../config/defaults.js';
import { LabelledTrainer, type Network } from '../../finetuning/labelled-training.js';
import type { TokenSpec } from '../../records/token-block.js';
import type { Choice, Fitted, Session } from '../suite.js';
import type { LetterSpec } from './letter-windows.js';

/** Trains a network of its own on a task, from fresh parameters, for as many steps as an encoder. */
export async function trainNetwork(
  session: Session,
  network: (spec: TokenSpec) => Network,
  { name, seed, choice }: { readonly name: string; readonly seed: number; readonly choice: Choice },
): Promise<Fitted> {
  const { task, labelled, engine, hooks, shared, model, onStep } = session;
  const { steps, batchSize } = task.finetuning;
  const trainer = await shared(
    name,
    async () =>
      new LabelledTrainer(engine, network(model.spec), labelled, { ...LABELLED_TRAINING, batchSize }),
    (made) => made.release(),
  );
  const trained = await trainer.train({
    steps,
    learningRate: choice.learningRate,
    seed,
    signal: hooks.signal,
    onStep: onStep(steps),
  });
  return {
    valid: trained.valid,
    chosen: { step: trained.step },
    score: (options) => trainer.scoreTest(trained, options),
  };
}

/** The same with a network that reads letters. */
export const trainOnLetters = (
  session: Session,
  network: (spec: LetterSpec) => Network,
  options: Parameters<typeof trainNetwork>[2],
): Promise<Fitted> =>
  trainNetwork(
    session,
    (spec) => {
      if (spec.kind !== 'discrete') throw new Error(`the method ${options.name} reads sequences of letters`);
      return network(spec);
    },
    options,
  );
