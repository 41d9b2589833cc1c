/** The model that a fit leaves, as files: written once, and read again to predict or to be exported. */
import { z } from 'zod';
import type { FitOptions, ReadingOptions } from '../config/schema.js';
import { InputError } from '../errors.js';
import { type FeatureSet, type FeatureState, featureSets } from '../features/index.js';
import { encoderParameters } from '../finetuning/frozen-encoder.js';
import type { FittedModel } from '../probes/fitted-model.js';
import type { Schema } from '../records/cells/schema.js';
import { saveCheckpoint } from '../runs/checkpoints.js';
import {
  openRun,
  type Run,
  readRunFile,
  readRunJson,
  readRunSchema,
  readTokenizer,
  runFile,
  writeRunFile,
  writeRunJson,
} from '../runs/folder.js';
import { packData, unpackData } from '../runs/plain-data.js';
import { runHash } from '../runs/recorded-pretraining.js';
import { type LabelSpec, labelSpecSchema } from '../scoring/labels.js';
import { type MetricName, metrics } from '../scoring/metrics.js';
import { decodeSafetensors, encodeSafetensors } from '../tensor/safetensors.js';
import type { Tokenizer } from '../tokenizers/index.js';
import { version } from '../version.js';
import type { TrainedEncoder } from './attempts.js';
import { EMBEDDING } from './models.js';
import type { Selection } from './select.js';

/** A number, or null where it is undefined. */
const score = z.number().nullable();

const savedSchema = z.object({
  version: z.string(),
  spec: labelSpecSchema,
  metric: z.enum(Object.keys(metrics) as [MetricName, ...MetricName[]]),
  chosen: z.string(),
  rows: z.array(
    z.object({
      name: z.string(),
      valid: score,
      test: z.object({ value: score, low: score, high: score }),
    }),
  ),
  /** The file that was fitted, as it was named, and how it is read; fits of earlier versions do not tell. */
  data: z.looseObject({ path: z.string(), hash: z.string().optional() }).optional(),
  /** How its records were parted; fits of earlier versions do not tell. */
  split: z.looseObject({}).optional(),
  /** What each set of features was fitted to, by its name. */
  features: z.record(z.string(), z.unknown()),
  parts: z
    .array(
      z.object({
        name: z.string(),
        weight: z.number().positive(),
        /** The features that it reads side by side; none where it is an encoder that was trained on the labels. */
        features: z.array(z.string()),
        /** One for each fold. */
        models: z.array(z.unknown()).min(1),
      }),
    )
    .min(1),
});

/** What is saved beside the parts of a selection. */
export interface FitToSave {
  readonly spec: LabelSpec;
  readonly metric: string;
  readonly tokenizer: Tokenizer;
  readonly schema?: Schema;
  /** Whose encoder the parts may need. */
  readonly run?: Run;
  /** By the name of the features. */
  readonly features: Readonly<Record<string, unknown>>;
  readonly selection: Selection;
  /** The file, and how it is read, so that an export can be tried on its records. */
  readonly data?: FittedData;
  readonly split?: FittedSplit;
}

/** A file and how it is read; fits of earlier versions do not tell its checksum. */
export type FittedData = ReadingOptions & { readonly path: string; readonly hash?: string };

/** How the records of a file are parted, and the column that pretraining was split by. */
export type FittedSplit = Pick<
  FitOptions,
  'split' | 'split_column' | 'validation_column' | 'valid_fraction' | 'test_fraction'
> & { readonly pretrained_split?: string };

/** Writes the model; fit.json last, which makes it whole. With an encoder in it the folder is a run, too. */
export async function saveFit(folder: string, fit: FitToSave): Promise<void> {
  const { spec, metric, tokenizer, schema, run, selection, data, split } = fit;
  const used = new Set(selection.parts.flatMap(({ fitted }) => fitted.features));
  const parts = selection.parts.map(({ fitted: { name, features, models }, weight }) => ({
    name,
    weight,
    features,
    models,
  }));
  const features = Object.fromEntries(Object.entries(fit.features).filter(([name]) => used.has(name)));
  const packed = packData({ parts, features }, 'fit');
  await writeRunJson(folder, 'tokenizer', tokenizer.toJSON());
  if (schema) await writeRunJson(folder, 'schema', schema);
  if (run && selection.parts.some(({ fitted }) => fitted.representation)) {
    await saveCheckpoint(folder, {
      step: run.step,
      tensors: encoderParameters(run.model, run.tensors, run.folder),
      metadata: { epoch: 0, position: run.step, config_hash: runHash(run.config), version },
    });
    await writeRunJson(folder, 'config', run.config);
  }
  await writeRunFile(folder, 'models', encodeSafetensors(packed.tensors));
  const { chosen, simple, rows, differences } = selection;
  const scores = { chosen, simple, rows, differences };
  await writeRunJson(folder, 'fit', {
    version,
    spec,
    metric,
    data,
    split,
    ...scores,
    ...(packed.json as object),
  });
}

/** A part of a kept model: what reads features, or an encoder that was trained on the labels; one for each fold. */
export type SavedPart = { readonly name: string; readonly weight: number } & (
  | { readonly features: readonly string[]; readonly models: readonly FittedModel[] }
  | { readonly features: readonly []; readonly encoders: readonly TrainedEncoder[] }
);

/** What {@link saveFit} wrote. */
export interface SavedFit {
  readonly folder: string;
  readonly version: string;
  readonly spec: LabelSpec;
  readonly metric: MetricName;
  readonly chosen: string;
  /** The scores of all that was tried; null is undefined. */
  readonly rows: z.infer<typeof savedSchema>['rows'];
  readonly data?: FittedData;
  readonly split?: FittedSplit;
  readonly tokenizer: Tokenizer;
  readonly schema?: Schema;
  /** The pretrained encoder that a part needs. */
  readonly run?: Run;
  readonly parts: readonly SavedPart[];
  /** The raw features that the parts read, with what each was fitted to, by name. */
  readonly sets: ReadonlyMap<string, { readonly set: FeatureSet; readonly state: FeatureState }>;
}

/** Reads what {@link saveFit} wrote. Throws InputError where it is not whole. */
export async function readFit(folder: string): Promise<SavedFit> {
  const path = runFile(folder, 'fit');
  const result = savedSchema.safeParse(await readRunJson(folder, 'fit'));
  if (!result.success) {
    const { path: key, message } = result.error.issues[0];
    throw new InputError(`${path}: is not what fit writes: ${key.join('.')}: ${message}`);
  }
  const { data } = result.data;
  const models = runFile(folder, 'models');
  const bytes = await readRunFile(folder, 'models').catch((cause) => {
    if (cause instanceof InputError) throw cause;
    throw new InputError(`${models}: could not be read (${cause.code ?? cause.message}); fit again`, {
      cause,
    });
  });
  const { tensors } = decodeSafetensors(bytes, models);
  const unpacked = unpackData({ parts: result.data.parts, features: result.data.features }, tensors) as Pick<
    z.infer<typeof savedSchema>,
    'parts' | 'features'
  >;
  const parts = unpacked.parts.map(
    ({ models: own, features, ...part }): SavedPart =>
      features.length > 0
        ? { ...part, features, models: own as FittedModel[] }
        : { ...part, features: [], encoders: own as TrainedEncoder[] },
  );
  const names = new Set(parts.flatMap(({ features }) => features));
  const encoded = names.has(EMBEDDING) || parts.some((part) => 'encoders' in part);
  names.delete(EMBEDDING);
  const sets = new Map(
    Array.from(names, (name) => {
      const [set, state] = [featureSets.get(name), unpacked.features[name] as FeatureState | undefined];
      if (!set || !state) throw new InputError(`${path}: has no features "${name}"`);
      return [name, { set, state }];
    }),
  );
  return {
    ...result.data,
    folder,
    data: data as FittedData | undefined,
    split: result.data.split as FittedSplit | undefined,
    tokenizer: await readTokenizer(folder),
    schema: await readRunSchema(folder),
    run: encoded ? await openRun(folder) : undefined,
    parts,
    sets,
  };
}
