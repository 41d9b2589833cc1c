/** Everything that a fit tries on its records, simplest first. */
import type { HostTensors } from '../engine/engine.js';
import { InputError } from '../errors.js';
import { featureSetsFor } from '../features/index.js';
import { describeZeros, zeroRows } from '../features/odd-records.js';
import { Embedder, encoderParameters } from '../finetuning/frozen-encoder.js';
import type { ModelConfig } from '../learning/model.js';
import { densityOf } from '../probes/linear-probe.js';
import type { TokenSpec } from '../records/token-block.js';
import {
  type Attempt,
  type FeatureMatrix,
  joinFeatures,
  onFeatures,
  type TrainedEncoderOptions,
  trainedEncoder,
} from './attempts.js';
import type { FitData } from './fit-data.js';
import { learnersFor } from './learners.js';

/** The name of the features that an encoder gives. */
export const EMBEDDING = 'embedding';

/** The name of what is tried of an encoder that learns from the labels. */
export const TRAINED_ENCODER = 'encoder trained on the labels';

/** What is tried, and what is not. */
export interface Tried {
  readonly attempts: readonly Attempt[];
  /** What is left out and why, each in words. */
  readonly leftOut: readonly string[];
}

/** The same as a sentence. */
export const describeLeftOut = (leftOut: readonly string[]): string => `left out: ${leftOut.join('; ')}`;

/** Simple models, and the features that they read. */
export interface SimpleModels extends Tried {
  /** Plainest first. */
  readonly matrices: readonly FeatureMatrix[];
  /** What each set of features was fitted to, by its name. */
  readonly states: Readonly<Record<string, unknown>>;
  /** What is odd in the records, as a sentence. */
  readonly note?: string;
}

/**
 * Simple models on every set of features that suits the records. Throws InputError where none is left.
 */
export async function simpleModels(data: FitData, spec: TokenSpec): Promise<SimpleModels> {
  const raw = (part: 'development' | 'test') => ({
    spec,
    block: data[part].records,
    texts: data.texts[part],
  });
  const matrices: FeatureMatrix[] = [];
  const states: Record<string, unknown> = {};
  const leftOut: string[] = [];
  let note: string | undefined;
  for (const set of await featureSetsFor(raw('development'))) {
    const state = await set.fit(raw('development'));
    if (state.dimension === 0) {
      leftOut.push(`${set.name}, of which these records have none`);
      continue;
    }
    states[set.name] = state;
    const { dimension } = state;
    const [development, test] = [await set.of(raw('development'), state), await set.of(raw('test'), state)];
    if (set.zeros)
      note ??= describeZeros(
        zeroRows(development, dimension) + zeroRows(test, dimension),
        set,
        'learned from',
      );
    matrices.push({ names: [set.name], dimension, development, test, linearAlone: set.forLinearModels });
  }
  const found = matrices.map((matrix, i) =>
    learnersOn(matrix, data, {
      representation: false,
      forests: i === 0 || (i === matrices.length - 1 && data.spec.task !== 'regression'),
    }),
  );
  const attempts = found.flatMap((own) => own.attempts);
  leftOut.push(...found.flatMap((own) => own.leftOut));
  if (attempts.length === 0) {
    throw new InputError(
      `fit: no simple model can be fitted to ${data.development.records.count} records with ${data.spec.outputs} outputs (${describeLeftOut(leftOut)}); learn from fewer records or classes or from other columns, or use finetune`,
    );
  }
  return { attempts, leftOut, matrices, states, ...(note && { note }) };
}

/** An encoder that a fit tries. */
export interface EncoderToTry {
  readonly model: ModelConfig;
  readonly tensors: HostTensors;
  /** Where it comes from, for errors. */
  readonly folder: string;
  /** How it is trained on the labels, too; left out, it is only frozen. */
  readonly trained?: Pick<TrainedEncoderOptions, 'settingsFor' | 'onStep'> & {
    /** Of the same architecture, pretrained otherwise; the folds start from it and from these in turn. */
    readonly others?: TrainedEncoderOptions['starts'];
  };
  readonly signal?: AbortSignal;
}

/** Simple models on the encoder's embedding, alone and beside the records' own features, and the encoder trained on the labels. */
export async function encoderModels(
  data: FitData,
  matrices: readonly FeatureMatrix[],
  { model, tensors, folder, trained, signal }: EncoderToTry,
): Promise<Tried> {
  const embedder = new Embedder(data.engine, model, encoderParameters(model, tensors, folder));
  try {
    const embedding: FeatureMatrix = {
      names: [EMBEDDING],
      dimension: embedder.width,
      development: await embedder.embed(data.development.records, signal),
      test: await embedder.embed(data.test.records, signal),
    };
    // The plainest features and the richest.
    const beside = [...new Set([matrices[0], matrices[matrices.length - 1]])];
    const read = [embedding, ...beside.map((matrix) => joinFeatures([embedding, matrix]))];
    const found = read.map((matrix) => learnersOn(matrix, data, { representation: true, forests: false }));
    const attempts = found.flatMap((own) => own.attempts);
    if (trained) {
      const { others = [], ...options } = trained;
      const starts = [{ tensors, folder }, ...others];
      attempts.push(trainedEncoder(TRAINED_ENCODER, data, { ...options, model, starts, signal }) as Attempt);
    }
    return { attempts, leftOut: found.flatMap((own) => own.leftOut) };
  } finally {
    await embedder.release();
  }
}

/** Every simple model on one set of features that does not take too long. */
function learnersOn(
  features: FeatureMatrix,
  data: FitData,
  { representation, forests }: { readonly representation: boolean; readonly forests: boolean },
): Tried {
  const { folds, spec } = data;
  const on = features.names.join(' + ');
  const size = {
    rows: folds[0].train.length,
    columns: features.dimension,
    density: densityOf(features.development),
    labels: spec,
    folds: folds.length,
  };
  const use = { forests, linearAlone: features.linearAlone ?? false };
  const { tried, tooSlow } = learnersFor(size, use);
  const slowOnce = learnersFor({ ...size, folds: 1 }, use).tooSlow;
  const why = (name: string) =>
    slowOnce.includes(name)
      ? 'which would take too long'
      : `which would take too long in ${folds.length} folds (--folds 1 tries it)`;
  return {
    attempts: tried.map(([name, probe]) =>
      onFeatures(`${name} on ${on}`, data, features, { probe, representation }),
    ),
    leftOut: tooSlow.map((name) => `${name} on ${on}, ${why(name)}`),
  };
}
