/** Groups of training records, as an objective wants them: no batch holds two records of one group. */
import type { Engine, HostTensors } from '../engine/engine.js';
import { LacunaError } from '../errors.js';
import { parametersOf, sharingLeaves, type Value } from '../graph/index.js';
import type { GroupingContext } from '../objectives/objective.js';
import type { TokenBlock } from '../records/token-block.js';
import type { HostTensor } from '../tensor/tensor.js';
import { type ModelConfig, objectiveOf } from './model.js';
import { initializeParameters } from './parameters.js';
import { learningRateAt } from './schedule.js';
import { NonFiniteStep, type StepBatch, trainingSteps } from './steps.js';
import { Trainer } from './trainer.js';

/** The batches of a network whose batches all have one shape, without end. */
function* batchesOf(feeds: (step: number) => HostTensors): Generator<StepBatch> {
  for (let step = 0; ; step++) yield { tokens: 0, feeds: feeds(step) };
}

/** int32[count], or undefined where the objective groups nothing. Throws the signal's reason when stopped. */
export async function recordGroups(
  engine: Engine,
  model: ModelConfig,
  block: TokenBlock,
  { seed, signal }: { seed: number; signal?: AbortSignal },
): Promise<Int32Array | undefined> {
  const objective = objectiveOf(model);
  if (!objective.groups) return undefined;
  const trainers: Trainer[] = [];
  const train: GroupingContext['train'] = async <K extends string>({
    build,
    feeds,
    steps,
    learningRate,
  }: {
    build: () => { loss: Value; outputs: Readonly<Record<K, Value>> };
    feeds: (step: number) => HostTensors;
    steps: number;
    learningRate: number;
  }) => {
    const graph = sharingLeaves(build);
    const trainer = new Trainer(
      engine,
      {
        build: () => ({
          loss: graph.loss,
          parameters: parametersOf([graph.loss]),
          metrics: {},
          evaluation: graph.outputs,
        }),
        weightDecay: 0.01,
        clipNorm: 1,
      },
      0,
    );
    trainers.push(trainer);
    trainer.begin(initializeParameters(trainer.layout, seed));
    const taken = trainingSteps(trainer, {
      batches: batchesOf(feeds),
      steps,
      rate: (step) => learningRateAt(step, steps, 0, learningRate),
      signal,
    });
    try {
      for await (const _ of taken);
    } catch (error) {
      if (!(error instanceof NonFiniteStep)) throw error;
      throw new LacunaError(
        `${model.objective.kind}: step ${error.step} of the network that groups the records: the ${error.what} is not finite; try --seed ${seed + 1}`,
      );
    }
    signal?.throwIfAborted();
    return (given) => trainer.evaluate(0, given) as Promise<Readonly<Record<K, HostTensor>>>;
  };
  try {
    const groups = await objective.groups(model.objective, { spec: model.spec, block, seed, train });
    if (groups.length !== block.count)
      throw new Error(`${model.objective.kind}: expected ${block.count} groups, got ${groups.length}`);
    return groups;
  } finally {
    for (const trainer of trainers) await trainer.release();
  }
}
