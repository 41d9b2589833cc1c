/** The model that a fit leaves, opened to predict. */

import type { Engine } from '../engine/engine.js';
import { InputError } from '../errors.js';
import { type OddRecords, zeroRows } from '../features/odd-records.js';
import { Embedder, encoderParameters } from '../finetuning/frozen-encoder.js';
import { finetuningGraph } from '../finetuning/labelled-graph.js';
import { predictBlock } from '../finetuning/predict-block.js';
import type { ModelConfig } from '../learning/model.js';
import { trainerOn } from '../learning/trainer-on.js';
import { predictFitted } from '../probes/fitted-model.js';
import { bucketLengths } from '../records/batch.js';
import type { TokenBlock } from '../records/token-block.js';
import { joinRows } from './attempts.js';
import { meanPrediction } from './ensemble.js';
import { EMBEDDING } from './models.js';
import { readFit, type SavedFit, type SavedPart } from './saved-fit.js';

/** Records as every part reads them. */
export interface FitRecords {
  readonly block: TokenBlock;
  /** The text of each record, where the tokenizer reads one column of texts. */
  readonly texts?: readonly string[];
}

/** The features that the parts of a model read of records, by name: rows float32[records, dimension]. */
export type FeatureRows = ReadonlyMap<string, readonly [rows: Float32Array, dimension: number]>;

/** A model that was opened. `release` frees it. */
export interface OpenFit extends SavedFit {
  /** float64[records, outputs]: values, or logits of classes. `odd` is told of records that no feature describes. */
  predict(records: FitRecords, odd?: OddRecords): Promise<Float64Array>;
  /** What `predict` computes first: the raw features, and the embeddings where a part reads them; not those `given`. */
  featuresOf(records: FitRecords, given?: FeatureRows): Promise<FeatureRows>;
  /** What embeds, where there is an encoder. */
  readonly encoder?: Embedder;
  /** And then, of these features. */
  predictFrom(block: TokenBlock, features: FeatureRows): Promise<Float64Array>;
  release(): Promise<void>;
}

const BATCH = 32;

/** Opens what `saveFit` wrote, on an engine for its encoder, if it has one. Throws InputError where it is not whole. */
export async function openFit(
  folder: string,
  openEngine: (encoder: ModelConfig | undefined) => Promise<Engine>,
): Promise<OpenFit> {
  const fit = await readFit(folder);
  const { spec, tokenizer, run, parts, sets } = fit;
  const engine = await openEngine(run?.model);
  const readsEmbedding = parts.some(({ features }) => (features as readonly string[]).includes(EMBEDDING));
  const embedder = run && new Embedder(engine, run.model, encoderParameters(run.model, run.tensors, folder));
  const { maxTokens } = tokenizer.spec;
  const buckets = bucketLengths([Math.ceil(maxTokens / 2), maxTokens], maxTokens);
  const trainer =
    run && parts.some((part) => 'encoders' in part)
      ? trainerOn(
          engine,
          { build: (tokens) => finetuningGraph(run.model, spec, BATCH, tokens), weightDecay: 0, clipNorm: 1 },
          buckets[0],
        )
      : undefined;

  const featuresOf: OpenFit['featuresOf'] = async ({ block, texts }, given = new Map()) => {
    const rows = new Map(given);
    for (const [name, { set, state }] of sets) {
      if (rows.has(name)) continue;
      const { dimension } = state;
      const made = await set.of({ spec: tokenizer.spec, block, texts }, state);
      if (made.length !== block.count * dimension) {
        throw new InputError(
          `${folder}: was fitted to ${dimension} columns of ${name}, and this version makes ${made.length / block.count} of such records; fit again`,
        );
      }
      rows.set(name, [made, dimension]);
    }
    if (embedder && readsEmbedding) rows.set(EMBEDDING, [await embedder.embed(block), embedder.width]);
    return rows;
  };

  const predictPart = async (
    part: SavedPart,
    block: TokenBlock,
    features: FeatureRows,
  ): Promise<Float64Array> => {
    const outputs: Float64Array[] = [];
    if ('models' in part) {
      const joined = joinRows(part.features.map((name) => features.get(name)!));
      for (const model of part.models) outputs.push(predictFitted(model, joined));
    } else {
      for (const { parameters, scale } of part.encoders) {
        await trainer!.setParameters(parameters);
        outputs.push(await predictBlock(trainer!, block, { spec, scale, batchSize: BATCH, buckets }));
      }
    }
    return meanPrediction(outputs, spec);
  };

  const predictFrom = async (block: TokenBlock, features: FeatureRows): Promise<Float64Array> => {
    const outputs: Float64Array[] = [];
    for (const part of parts) outputs.push(await predictPart(part, block, features));
    return meanPrediction(
      outputs,
      spec,
      parts.map(({ weight }) => weight),
    );
  };

  return {
    ...fit,
    encoder: embedder,
    featuresOf,
    predictFrom,
    async predict(records, odd) {
      const features = await featuresOf(records);
      const described = [...sets.values()].find(({ set }) => set.zeros !== undefined);
      if (odd && described) {
        const [rows, dimension] = features.get(described.set.name)!;
        odd.add(zeroRows(rows, dimension), described.set);
      }
      return predictFrom(records.block, features);
    },
    async release() {
      await embedder?.release();
      await trainer?.release();
    },
  };
}
