/** The model that a fit leaves: written once, and opened again to predict. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Engine } from '../engine/engine.js';
import { InputError } from '../errors.js';
import { type FeatureState, featureSets } from '../features/index.js';
import { writeFileAtomically } from '../files/atomic-file.js';
import { hashConfig } from '../files/config-hash.js';
import { Embedder, encoderParameters } from '../finetuning/frozen-encoder.js';
import { finetuningGraph } from '../finetuning/labelled-graph.js';
import { predictBlock } from '../finetuning/labelled-training.js';
import { Trainer } from '../learning/trainer.js';
import { type FittedModel, predictFitted } from '../probes/fitted-model.js';
import { bucketLengths } from '../records/batch.js';
import type { Schema } from '../records/cells/schema.js';
import type { TokenBlock } from '../records/token-block.js';
import { saveCheckpoint } from '../runs/checkpoints.js';
import {
  openRun,
  type Run,
  readRunJson,
  readRunSchema,
  readTokenizer,
  runFile,
  writeJson,
} from '../runs/folder.js';
import { type LabelSpec, labelSpecSchema } from '../scoring/labels.js';
import { decodeSafetensors, encodeSafetensors } from '../tensor/safetensors.js';
import type { Tokenizer } from '../tokenizers/index.js';
import { version } from '../version.js';
import { joinRows, type TrainedEncoder } from './attempts.js';
import { meanPrediction } from './ensemble.js';
import { EMBEDDING } from './models.js';
import { packData, unpackData } from './plain-data.js';
import type { Selection } from './select.js';

const savedSchema = z.object({
  version: z.string(),
  spec: labelSpecSchema,
  metric: z.string(),
  chosen: z.string(),
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
}

/** Writes the model; fit.json last, which makes it whole. With an encoder in it the folder is a run, too. */
export async function saveFit(folder: string, fit: FitToSave): Promise<void> {
  const { spec, metric, tokenizer, schema, run, selection } = fit;
  const used = new Set(selection.parts.flatMap(({ fitted }) => fitted.features));
  const parts = selection.parts.map(({ fitted: { name, features, models }, weight }) => ({
    name,
    weight,
    features,
    models,
  }));
  const features = Object.fromEntries(Object.entries(fit.features).filter(([name]) => used.has(name)));
  const packed = packData({ parts, features }, 'fit');
  await writeJson(runFile(folder, 'tokenizer'), tokenizer.toJSON());
  if (schema) await writeJson(runFile(folder, 'schema'), schema);
  if (run && selection.parts.some(({ fitted }) => fitted.representation)) {
    await saveCheckpoint(folder, {
      step: run.step,
      tensors: encoderParameters(run.model, run.tensors, run.folder),
      metadata: { epoch: 0, position: run.step, config_hash: hashConfig({ ...run.config }), version },
    });
    await writeJson(runFile(folder, 'config'), run.config);
  }
  await writeFileAtomically(runFile(folder, 'models'), encodeSafetensors(packed.tensors));
  const { chosen, simple, rows, differences } = selection;
  const scores = { chosen, simple, rows, differences };
  await writeJson(runFile(folder, 'fit'), { version, spec, metric, ...scores, ...(packed.json as object) });
}

/** Records as every part reads them. */
export interface FitRecords {
  readonly block: TokenBlock;
  /** The text of each record, where the tokenizer reads one column of texts. */
  readonly texts?: readonly string[];
}

/** A model that was opened. `release` frees it. */
export interface OpenFit {
  readonly spec: LabelSpec;
  readonly tokenizer: Tokenizer;
  readonly schema?: Schema;
  /** float64[records, outputs] */
  predict(records: FitRecords): Promise<Float64Array>;
  release(): Promise<void>;
}

const BATCH = 32;

/** Opens what {@link saveFit} wrote. Throws InputError where it is not whole. */
export async function openFit(folder: string, engine: Engine): Promise<OpenFit> {
  const path = runFile(folder, 'fit');
  const result = savedSchema.safeParse(await readRunJson(folder, 'fit'));
  if (!result.success) {
    throw new InputError(`${path}: is not what fit writes: ${result.error.issues[0].message}`);
  }
  const { spec } = result.data;
  const models = runFile(folder, 'models');
  const { tensors } = decodeSafetensors(await readFile(models), models);
  const { parts, features: states } = unpackData(
    { parts: result.data.parts, features: result.data.features },
    tensors,
  ) as Pick<z.infer<typeof savedSchema>, 'parts' | 'features'>;
  const encoded = parts.some(({ features }) => features.length === 0 || features.includes(EMBEDDING));
  const run = encoded ? await openRun(folder) : undefined;
  const embedder = run && new Embedder(engine, run.model, encoderParameters(run.model, run.tensors, folder));
  const tokenizer = await readTokenizer(folder);
  const lengths = [Math.ceil(tokenizer.spec.maxTokens / 2), tokenizer.spec.maxTokens];
  const buckets = bucketLengths(lengths, tokenizer.spec.maxTokens);
  const trainer =
    run &&
    parts.some(({ features: own }) => own.length === 0) &&
    new Trainer(
      engine,
      { build: (tokens) => finetuningGraph(run.model, spec, BATCH, tokens), weightDecay: 0, clipNorm: 1 },
      buckets[0],
    );

  const predictPart = async (
    { features: own, models }: (typeof parts)[number],
    block: TokenBlock,
    matrixOf: (name: string) => Promise<readonly [Float32Array, number]>,
  ): Promise<Float64Array> => {
    const outputs: Float64Array[] = [];
    if (own.length > 0) {
      const joined = joinRows(await Promise.all(own.map(matrixOf)));
      for (const model of models) outputs.push(predictFitted(model as FittedModel, joined));
    } else {
      for (const { parameters, scale } of models as TrainedEncoder[]) {
        if (!trainer) throw new Error('openFit: no trainer');
        trainer.state.parameters.set(parameters);
        outputs.push(await predictBlock(trainer, block, { spec, scale, batchSize: BATCH, buckets }));
      }
    }
    return meanPrediction(outputs, spec);
  };

  return {
    spec,
    tokenizer,
    schema: await readRunSchema(folder),
    async predict({ block, texts }) {
      const made = new Map<string, Promise<readonly [Float32Array, number]>>();
      const make = async (name: string): Promise<readonly [Float32Array, number]> => {
        if (name === EMBEDDING && embedder) return [await embedder.embed(block), embedder.width];
        const [set, state] = [featureSets.get(name), states[name] as FeatureState | undefined];
        if (!set || !state) throw new InputError(`${path}: has no features "${name}"`);
        return [await set.of({ spec: tokenizer.spec, block, texts }, state), state.dimension];
      };
      const matrixOf = (name: string) => {
        const known = made.get(name) ?? make(name);
        made.set(name, known);
        return known;
      };
      const outputs: Float64Array[] = [];
      for (const part of parts) outputs.push(await predictPart(part, block, matrixOf));
      return meanPrediction(
        outputs,
        spec,
        parts.map(({ weight }) => weight),
      );
    },
    async release() {
      await embedder?.release();
      if (trainer) await trainer.release();
    },
  };
}
