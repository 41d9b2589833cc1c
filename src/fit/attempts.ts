/** What `fit` tries: simple models on features, the same on embeddings, and a trained encoder, each on every fold. */
import type { HostTensors } from '../engine/engine.js';
import { encoderNetwork, LabelledTrainer, type TrainingSettings } from '../finetuning/labelled-training.js';
import type { TrainOptions } from '../finetuning/train-to-best.js';
import type { DropoutRates } from '../layers/dropout.js';
import type { ModelConfig } from '../learning/model.js';
import { gatherRows } from '../numerics/matrix.js';
import { chooseCandidate, type Probe } from '../probes/protocol.js';
import { takeRecords } from '../records/batch.js';
import { choosingMetric } from '../scoring/metrics.js';
import type { LabelledPart } from '../scoring/parts.js';
import type { FitData } from './fit-data.js';
import type { Fold } from './folds.js';

/** A model that was fitted to one fold, and what it predicts, float64[rows, outputs]. */
export interface FittedFold<M> {
  /** Of the fold's held records. */
  readonly held: Float64Array;
  readonly test: Float64Array;
  /** Plain data, enough to predict again. */
  readonly model: M;
}

/** One row of the table. */
export interface Attempt<M = unknown> {
  readonly name: string;
  /** Whether it knows more than the features and the labels. */
  readonly representation: boolean;
  /** The features that it reads side by side; none where it reads tokens. */
  readonly features: readonly string[];
  fit(fold: Fold): Promise<FittedFold<M>>;
}

/** Features of the development and the test records, float32[records, dimension] each; NaN is missing. */
export interface FeatureMatrix {
  /** One name, or those of what was joined. */
  readonly names: readonly string[];
  readonly dimension: number;
  readonly development: Float32Array;
  readonly test: Float32Array;
  /** Whether they are made for linear models alone. */
  readonly linearAlone?: boolean;
}

/** The rows of several matrices side by side. */
export function joinFeatures(matrices: readonly FeatureMatrix[]): FeatureMatrix {
  if (matrices.length === 1) return matrices[0];
  return {
    names: matrices.flatMap(({ names }) => names),
    dimension: matrices.reduce((sum, { dimension }) => sum + dimension, 0),
    development: joinRows(matrices.map(({ development, dimension }) => [development, dimension])),
    test: joinRows(matrices.map(({ test, dimension }) => [test, dimension])),
    linearAlone: matrices.some(({ linearAlone }) => linearAlone),
  };
}

/** Rows float32[n, dimension] of several matrices side by side. */
export function joinRows(
  matrices: readonly (readonly [rows: Float32Array, dimension: number])[],
): Float32Array {
  const width = matrices.reduce((sum, [, dimension]) => sum + dimension, 0);
  const count = matrices[0][0].length / matrices[0][1];
  const joined = new Float32Array(count * width);
  let offset = 0;
  for (const [rows, dimension] of matrices) {
    for (let row = 0; row < count; row++)
      joined.set(rows.subarray(row * dimension, (row + 1) * dimension), row * width + offset);
    offset += dimension;
  }
  return joined;
}

/** A simple model on features; the held records choose its settings. */
export function onFeatures(
  name: string,
  { development, spec, metric, engine }: Pick<FitData, 'spec' | 'metric' | 'engine' | 'development'>,
  features: FeatureMatrix,
  { probe, representation }: { readonly probe: Probe; readonly representation: boolean },
): Attempt {
  const { dimension } = features;
  const rowsOf = (records: Int32Array) => ({
    count: records.length,
    dimension,
    features: gatherRows(
      new Float32Array(records.length * dimension),
      features.development,
      records,
      dimension,
    ),
    labels: gatherRows(
      new Float64Array(records.length * spec.targets),
      development.labels,
      records,
      spec.targets,
    ),
  });
  return {
    name,
    representation,
    features: features.names,
    async fit({ train, held }) {
      const judged = rowsOf(held);
      const { candidate } = await chooseCandidate(
        probe({ ...rowsOf(train), valid: judged }, spec, engine),
        judged,
        spec,
        choosingMetric(metric),
      );
      return {
        held: await candidate.predict(judged.features),
        test: await candidate.predict(features.test),
        model: candidate.model,
      };
    },
  };
}

/** What a trained encoder keeps of a fold. */
export interface TrainedEncoder {
  readonly parameters: Float32Array;
  readonly scale: LabelledTrainer['scale'];
}

/** How an encoder is trained on so many records. */
type EncoderSettings = TrainingSettings &
  Pick<TrainOptions, 'steps' | 'learningRate' | 'validations' | 'patience'> & {
    readonly dropout?: DropoutRates;
  };

/** Which encoder is trained on the labels, and how. */
export interface TrainedEncoderOptions {
  readonly model: Pick<ModelConfig, 'spec' | 'encoder'>;
  /** Pretrained parameters, which the folds start from in turn; fresh ones where there are none. */
  readonly starts?: readonly { readonly tensors: HostTensors; readonly folder: string }[];
  readonly settingsFor: (records: number) => EncoderSettings;
  readonly signal?: AbortSignal;
  /** Hears of the steps of all folds. */
  readonly onStep?: (settings: EncoderSettings) => Parameters<LabelledTrainer['train']>[0]['onStep'];
}

/** An encoder that is trained on the labels; the held records choose the step. */
export function trainedEncoder(
  name: string,
  { development, test, spec, metric, engine, folds }: FitData,
  { starts = [], ...options }: TrainedEncoderOptions,
): Attempt<TrainedEncoder> {
  const partOf = (records: Int32Array): LabelledPart => ({
    records: takeRecords(development.records, records),
    labels: gatherRows(
      new Float64Array(records.length * spec.targets),
      development.labels,
      records,
      spec.targets,
    ),
  });
  let onStep: ReturnType<NonNullable<typeof options.onStep>>;
  return {
    name,
    representation: true,
    features: [],
    async fit(fold) {
      const [train, valid] = [partOf(fold.train), partOf(fold.held)];
      const settings = options.settingsFor(train.records.count);
      onStep ??= options.onStep?.(settings);
      const trainer = new LabelledTrainer(
        engine,
        encoderNetwork({ ...options.model, dropout: settings.dropout }),
        { spec, metric: choosingMetric(metric), train, valid, test },
        settings,
      );
      try {
        const trained = await trainer.train({
          ...settings,
          start: starts[folds.indexOf(fold) % starts.length],
          seed: 0,
          signal: options.signal,
          onStep: onStep,
        });
        return {
          held: await trainer.predictWith(trained, valid.records),
          test: await trainer.predictWith(trained, test.records),
          model: { parameters: trained.parameters, scale: trainer.scale },
        };
      } finally {
        await trainer.release();
      }
    },
  };
}
