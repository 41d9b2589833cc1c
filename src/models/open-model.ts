/** A run, an export of one, or what `fit` left, opened to be used: the one way from a folder to embeddings and predictions. */

import {
  type DeviceName,
  type Engine,
  type Executable,
  type HostTensors,
  networkCompiler,
} from '../engine/engine.js';
import { KeptPrograms, releaseExecutable } from '../engine/kept-programs.js';
import { openEngine } from '../engine/open-engine.js';
import { InputError } from '../errors.js';
import type { OddRecords } from '../features/odd-records.js';
import { Embedder, encoderParameters } from '../finetuning/frozen-encoder.js';
import { type FinetunedModel, finetunedOutputs } from '../finetuning/labelled-graph.js';
import { predictBlock } from '../finetuning/predict-block.js';
import type { FitRecords } from '../fit/open-fit.js';
import { parametersOf, staticSize, type Value } from '../graph/index.js';
import { encoderWork } from '../learning/model.js';
import { matchParameters, parameterLayout } from '../learning/parameters.js';
import type { Hooks } from '../learning/progress-event.js';
import { lengthSteps } from '../records/batch.js';
import type { Schema } from '../records/cells/schema.js';
import type { TokenBlock } from '../records/token-block.js';
import { holdsFit, openRun, type Run } from '../runs/folder.js';
import { type LearnedLabels, readLabels } from '../runs/labels.js';
import type { LabelSpec } from '../scoring/labels.js';
import { type HostTensor, zeros } from '../tensor/tensor.js';
import type { Tokenizer } from '../tokenizers/index.js';

/** What makes embeddings. */
export interface ModelEncoder {
  /** Numbers in an embedding. */
  readonly width: number;
  /** float32[block.count, width] */
  embed(block: TokenBlock, signal?: AbortSignal): Promise<Float32Array>;
}

/** What predicts labels. */
export interface ModelPredictor {
  readonly labels: LabelSpec;
  /** float64[rows, outputs]: values, or logits of classes. */
  predict(records: FitRecords, odd?: OddRecords): Promise<Float64Array>;
}

/** A model and how its records are read. `release` frees it. */
export interface OpenModel {
  readonly folder: string;
  readonly tokenizer: Tokenizer;
  /** Runs of earlier versions have none. */
  readonly schema?: Schema;
  /** The run of its encoder, where it has one. */
  readonly run?: Run;
  /** What its networks are computed on. */
  readonly engine: Engine;
  readonly encoder?: ModelEncoder;
  readonly predictor?: ModelPredictor;
  release(): Promise<void>;
}

/** Throws InputError where the model has no encoder. */
export function encoderOf({ folder, encoder }: OpenModel): ModelEncoder {
  if (encoder) return encoder;
  throw new InputError(
    `${folder}: is a model that fit left, with no encoder in it; predict reads it, and an encoder has to be pretrained (lacuna pretrain)`,
  );
}

/** Throws InputError where the model predicts nothing. */
export function predictorOf({ folder, predictor }: OpenModel): ModelPredictor {
  if (predictor) return predictor;
  throw new InputError(
    `${folder}: predicts nothing, since it has learned no labels; train it on some with lacuna finetune`,
  );
}

/** How a model is opened. */
export interface OpenModelOptions {
  /** Threads of the engine; those of its pretraining, or one for each core, by default. */
  readonly threads?: number;
  /** What networks are computed on; the CPU by default. */
  readonly device?: DeviceName;
}

/** Throws InputError where the folder holds no model. */
export async function openModel(
  folder: string,
  { threads, device }: OpenModelOptions = {},
  { onEvent = () => {} }: Pick<Hooks, 'onEvent'> = {},
): Promise<OpenModel> {
  const engineFor = (encoder: Parameters<typeof encoderWork>[0] | undefined, own?: number) => {
    if (encoder === undefined && device !== undefined && device !== 'cpu')
      onEvent({ type: 'warning', message: `device: cpu, since ${folder} has no encoder` });
    return openEngine({
      threads: threads ?? own,
      device: encoder && device,
      work: () => encoderWork(encoder!, { passes: 1 }),
      report: (message) => onEvent({ type: 'info', message }),
    });
  };
  if (await holdsFit(folder)) {
    // A model without trees and matrices waits for none of their libraries.
    const { openFit } = await import('../fit/open-fit.js');
    let engine!: Engine;
    const { tokenizer, schema, run, spec, encoder, predict, release } = await openFit(
      folder,
      async (model) => {
        engine = await engineFor(model);
        return engine;
      },
    );
    return { folder, tokenizer, schema, run, engine, encoder, predictor: { labels: spec, predict }, release };
  }
  const run = await openRun(folder, (message) => onEvent({ type: 'warning', message }));
  const labels = await readLabels(folder);
  const engine = await engineFor(run.model, run.config.training.threads);
  const encoder = new Embedder(engine, run.model, encoderParameters(run.model, run.tensors, folder));
  const predictor = labels && new FinetunedPredictor(engine, run, labels);
  const { tokenizer, schema } = run;
  return {
    folder,
    tokenizer,
    schema,
    run,
    engine,
    encoder,
    predictor,
    async release() {
      await encoder.release();
      await predictor?.release();
    },
  };
}

/** Records in a batch, where there are as many: a service asks for one, a file for all that it has. */
const BATCHES = [1, 32];

interface Compiled {
  readonly executable: Executable;
  readonly results: { readonly outputs: HostTensor };
}

/** A model for as long as `use` takes. Throws what `openModel` throws, and `use`. */
export async function withModel<T>(
  folder: string,
  options: OpenModelOptions,
  hooks: Pick<Hooks, 'onEvent'>,
  use: (model: OpenModel) => Promise<T>,
): Promise<T> {
  const model = await openModel(folder, options, hooks);
  try {
    return await use(model);
  } finally {
    await model.release();
  }
}

/** A fine-tuned network with its parameters fixed in its programs, each compiled when its length first comes. */
class FinetunedPredictor implements ModelPredictor {
  readonly labels: LabelSpec;
  private readonly programs = new KeptPrograms<Compiled>(releaseExecutable);
  private readonly buckets: readonly number[];
  private readonly model: FinetunedModel;

  /** Throws InputError where the run's parameters are not those of its network. */
  constructor(
    private readonly engine: Engine,
    private readonly run: Run,
    private readonly learned: LearnedLabels,
  ) {
    this.labels = learned.spec;
    this.model = { ...run.model, head: run.config.finetune?.head };
    const { maxTokens, kind } = run.model.spec;
    this.buckets = kind === 'fields' ? [maxTokens] : lengthSteps(maxTokens);
    const { slots } = parameterLayout(parametersOf([this.outputs(1, maxTokens)]));
    matchParameters(slots, run.tensors, run.folder);
  }

  async predict({ block }: FitRecords): Promise<Float64Array> {
    const batchSize = BATCHES.find((size) => size >= block.count) ?? BATCHES[BATCHES.length - 1];
    const evaluate = async (tokens: number, feeds: HostTensors): Promise<HostTensors> => {
      const { executable, results } = await this.compiled(batchSize, tokens);
      await executable.run(feeds, results);
      return results;
    };
    return predictBlock({ evaluate }, block, { ...this.learned, batchSize, buckets: this.buckets });
  }

  release(): Promise<void> {
    return this.programs.release();
  }

  private outputs(batch: number, tokens: number): Value {
    return finetunedOutputs(this.model, this.labels, batch, tokens);
  }

  private compiled(batch: number, tokens: number): Promise<Compiled> {
    const key = `${batch} ${tokens}`;
    return this.programs.of(key, async () => {
      const outputs = this.outputs(batch, tokens);
      const program = { name: 'prediction', outputs: { outputs } };
      const executable = await networkCompiler(this.engine).compile(program, {
        parameters: this.run.tensors,
      });
      return { executable, results: { outputs: zeros('float32', outputs.shape.map(staticSize)) } };
    });
  }
}
