import { LabelledTrainer, type Network } from '../../evaluation/labelled-training.js';
import type { Choice, Fitted, Session } from '../suite.js';
import type { LetterSpec } from './letter-windows.js';

/** Trains a network of its own on the letters of a task, from fresh parameters, with the task's steps or more. */
export async function trainOnLetters(
  session: Session,
  network: (spec: LetterSpec) => Network,
  options: {
    readonly name: string;
    readonly seed: number;
    readonly choice: Choice;
    readonly timesTheSteps?: number;
  },
): Promise<Fitted> {
  const { name, seed, timesTheSteps = 1 } = options;
  const { learningRate } = options.choice;
  const { task, labelled, engine, hooks, shared, model, onStep } = session;
  const { batchSize } = task.finetuning;
  const steps = timesTheSteps * task.finetuning.steps;
  const { spec } = model;
  if (spec.kind !== 'discrete') throw new Error(`the method ${name} reads sequences of letters`);
  const trainer = await shared(
    name,
    async () => new LabelledTrainer(engine, network(spec), labelled, { batchSize }),
    (made) => made.release(),
  );
  const trained = await trainer.train({
    steps,
    learningRate,
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
