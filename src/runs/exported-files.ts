/** A trained encoder as files that other tools open. */
import { basename, join } from 'node:path';
import type { Config } from '../config/schema.js';
import { writeFileAtomically } from '../files/atomic-file.js';
import type { Program } from '../graph/index.js';
import { encoderGraph, type ModelConfig } from '../learning/model.js';
import { encodeProgram } from '../onnx/encode.js';
import { encodeSafetensors } from '../tensor/safetensors.js';
import { elementCount, type HostTensor } from '../tensor/tensor.js';
import type { Tokenizer } from '../tokenizers/index.js';
import { version } from '../version.js';
import type { CardExample } from './card-example.js';
import { type Run, runFile, writeJson } from './folder.js';
import { readMetrics } from './metrics-log.js';
import { modelCard } from './model-card.js';

/** The encoder for batches of any size: the tokens of a batch → `embedding` float32[batch, width] and all states. */
function encoderProgram(model: Pick<ModelConfig, 'spec' | 'encoder'>): Program {
  const { pooled, states } = encoderGraph(model, 'batch', model.spec.maxTokens);
  return { name: 'encoder', outputs: { embedding: pooled, states } };
}

/** Writes the encoder with its parameters as an ONNX model, whose metadata says how records become its inputs. */
export async function writeEncoder(
  path: string,
  model: Pick<ModelConfig, 'spec' | 'encoder'>,
  tokenizer: Tokenizer,
  parameters: Readonly<Record<string, HostTensor>>,
): Promise<void> {
  const bytes = encodeProgram(encoderProgram(model), {
    parameters: (name) => parameters[name],
    metadata: {
      lacuna: version,
      tokenizer: JSON.stringify(tokenizer.toJSON()),
      specification: JSON.stringify(tokenizer.spec),
      encoder: JSON.stringify(model.encoder),
    },
  });
  await writeFileAtomically(path, [bytes]);
}

/** The files of an exported run. */
export const exportedFiles = {
  encoder: 'encoder.onnx',
  parameters: 'model.safetensors',
  tokenizer: 'tokenizer.json',
  schema: 'schema.json',
  config: 'config.json',
  card: 'README.md',
} as const;

/**
 * Writes a run's model into a folder: the encoder, all parameters, tokenizer, configuration and model card. The data
 * and the run it started from are named without the folders they lie in.
 * @param encoder the encoder's parameters among those of the run
 * @param example a record for the card
 */
export async function writeExport(
  folder: string,
  run: Run,
  encoder: Readonly<Record<string, HostTensor>>,
  example: CardExample,
): Promise<void> {
  const path = (file: keyof typeof exportedFiles) => join(folder, exportedFiles[file]);
  const parameters = Object.entries(run.tensors).filter(([name]) => !name.startsWith('optimizer.'));
  const config = withoutFolders(run.config);
  await writeEncoder(path('encoder'), run.model, run.tokenizer, encoder);
  await writeFileAtomically(
    path('parameters'),
    encodeSafetensors(Object.fromEntries(parameters), { format: 'lacuna', version, step: String(run.step) }),
  );
  await writeJson(path('tokenizer'), run.tokenizer.toJSON());
  if (run.schema) await writeJson(path('schema'), run.schema);
  await writeJson(path('config'), config);
  const card = modelCard({
    config,
    tokenizer: run.tokenizer,
    step: run.step,
    parameters: Object.values(encoder).reduce((sum, { shape }) => sum + elementCount(shape), 0),
    data: config.data.path,
    example,
    losses: await newestLosses(run.folder),
  });
  await writeFileAtomically(path('card'), [new TextEncoder().encode(card)]);
}

/** A configuration that names files without the folders they lie in. */
export function withoutFolders(config: Config): Config {
  const { data, training } = config;
  return {
    ...config,
    data: { ...data, path: basename(data.path) },
    training: { ...training, ...(training.from !== undefined && { from: basename(training.from) }) },
  };
}

/** The paths of files in a folder, as they are told. */
export const filesOf = (folder: string, names: readonly string[]): string[] =>
  names.map((name) => `${folder.replace(/[/\\]+$/, '')}/${name}`);

async function newestLosses(folder: string) {
  const lines = await readMetrics(runFile(folder, 'metrics'));
  const newest = lines.findLast((line) => typeof line.val_loss === 'number');
  if (typeof newest?.val_loss !== 'number') return undefined;
  const { val_loss, val_loss_marginal } = newest;
  return { val_loss, ...(typeof val_loss_marginal === 'number' && { val_loss_marginal }) };
}
