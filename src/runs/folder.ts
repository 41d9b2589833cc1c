/** A run on disk: where its files are, and how they are read back. */
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { modelOf } from '../config/defaults.js';
import { parseRunConfig } from '../config/parse.js';
import type { Config } from '../config/schema.js';
import { InputError } from '../errors.js';
import { exists } from '../files/exists.js';
import { LOCK } from '../files/hold-folder.js';
import { MANIFEST, readListed, writeListed } from '../files/manifest.js';
import type { ModelConfig } from '../learning/model.js';
import { parseSchema, type Schema } from '../records/cells/schema.js';
import { removeAbandoned } from '../sources/partial-names.js';
import { decodeSafetensors } from '../tensor/safetensors.js';
import type { HostTensor } from '../tensor/tensor.js';
import { restoreTokenizer, type Tokenizer } from '../tokenizers/index.js';
import { CHECKPOINTS, latestCheckpoint } from './checkpoints.js';

const files = {
  config: 'config.json',
  tokenizer: 'tokenizer.json',
  schema: 'schema.json',
  metrics: 'metrics.jsonl',
  encoder: 'encoder.onnx',
  scores: 'scores.json',
  labels: 'labels.json',
  rejected: 'rejected.jsonl',
  learned: 'learned.safetensors',
  done: 'DONE',
  lock: LOCK,
  manifest: MANIFEST,
  fit: 'fit.json',
  models: 'models.safetensors',
  /** Of an export. */
  parameters: 'model.safetensors',
} as const;

/** What a sweep keeps of its trials, in its folder. */
export const sweepFile = (folder: string): string => join(folder, 'sweep.json');

/** The path of one of a run's files. */
export const runFile = (run: string, file: keyof typeof files): string => join(run, files[file]);

/** The paths of all files that a run may have, those of its checkpoints among them. */
export async function ownFiles(run: string): Promise<string[]> {
  const checkpoints = await readdir(join(run, CHECKPOINTS)).catch(() => []);
  return [...Object.values(files), ...checkpoints.map((name) => join(CHECKPOINTS, name))].map((name) =>
    join(run, name),
  );
}

/** Writes a JSON file and lists it in the manifest of its folder. */
export const writeJson = (path: string, value: unknown): Promise<void> =>
  writeListed(dirname(path), basename(path), [jsonBytes(value)]);

/** A value as a JSON file has it. */
export const jsonBytes = (value: unknown): Uint8Array =>
  new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);

/** Writes one of a run's files that are written once, and lists it in the manifest. */
export const writeRunFile = (
  run: string,
  file: keyof typeof files,
  chunks: readonly Uint8Array[],
): Promise<void> => writeListed(run, files[file], chunks);

/** The same for a JSON file. */
export const writeRunJson = (run: string, file: keyof typeof files, value: unknown): Promise<void> =>
  writeRunFile(run, file, [jsonBytes(value)]);

/** The bytes of one of a run's files. Throws InputError where the manifest lists other ones, and what the system says where they cannot be read. */
export const readRunFile = (run: string, file: keyof typeof files): Promise<Uint8Array> =>
  readListed(run, files[file]);

/**
 * Throws InputError unless the folder is absent or empty, so that no run is written over another. With `resume`, what
 * a run leaves that was killed before its configuration was written is no hindrance.
 */
export async function assertNewRun(run: string, { resume = false } = {}): Promise<void> {
  await removeAbandoned(run);
  const found = await readdir(run).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    if (error.code === 'ENOTDIR')
      throw new InputError(`${run}: expected a folder for the run, this is a file`);
    throw error;
  });
  // What is held for this run, or was for one that has left nothing.
  const entries = found.filter((entry) => entry !== files.lock);
  const begun = [files.tokenizer, files.schema, files.learned, files.manifest];
  const left = resume ? entries.filter((entry) => !begun.some((name) => entry.startsWith(name))) : entries;
  // Written last, by what is told to go on from what it kept.
  if (resume && (left.includes(files.scores) || left.includes(files.fit)))
    throw new InputError(
      `${run}: is done, so there is nothing to go on with; name another folder with --out`,
    );
  if (left.length > 0) {
    throw new InputError(
      resume
        ? `${run}: this folder holds other files and no run to go on with; name another folder with --out`
        : `${run}: this folder is not empty; go on with its run by --resume, or name another folder with --out`,
    );
  }
}

/** Whether the folder has one of a run's files. */
export const hasFile = (run: string, file: keyof typeof files): Promise<boolean> =>
  exists(runFile(run, file));

/** Whether the folder holds a run that has got as far as its configuration. */
export const hasConfig = (run: string): Promise<boolean> => hasFile(run, 'config');

/** Whether the folder holds a model that `fit` left. */
export const holdsFit = (folder: string): Promise<boolean> => hasFile(folder, 'fit');

/** One of a run's JSON files. Throws InputError when it is missing, damaged or not JSON. */
export async function readRunJson(run: string, file: keyof typeof files): Promise<unknown> {
  const path = runFile(run, file);
  const bytes = await readRunFile(run, file).catch(async (cause) => {
    if (cause instanceof InputError) throw cause;
    if (file === 'config' && (await holdsFit(run))) {
      throw new InputError(
        `${run}: is a model that fit left, with no encoder in it; predict reads it, and an encoder has to be pretrained (lacuna pretrain)`,
      );
    }
    if (file === 'config' && (await exists(join(run, 'model.onnx'))))
      throw new InputError(
        `${run}: is an export of what fit left, which other programs read; name the folder that fit left`,
      );
    throw new InputError(
      `${path}: could not be read (${cause.code ?? cause.message}); is ${run} the folder of a run?`,
      {
        cause,
      },
    );
  });
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new InputError(`${path}: is not JSON: ${(cause as Error).message}`, { cause });
  }
}

/** A run's config.json. Throws InputError for one that is not whole, or that needs a plug-in which is not loaded. */
export async function readRunConfig(run: string): Promise<Config> {
  const config = await readRunJson(run, 'config');
  try {
    return parseRunConfig(config, runFile(run, 'config'));
  } catch (cause) {
    const plugins =
      typeof config === 'object' && config !== null && 'plugins' in config ? config.plugins : [];
    if (!(cause instanceof InputError) || !Array.isArray(plugins) || plugins.length === 0) throw cause;
    const options = plugins.map((path) => `--plugin ${path}`).join(' ');
    throw new InputError(
      `${cause.message}; the run was made with ${options}, which loads no code by itself`,
      {
        cause,
      },
    );
  }
}

export const readTokenizer = async (run: string): Promise<Tokenizer> =>
  restoreTokenizer(await readRunJson(run, 'tokenizer'));

/** How the columns of a run's training file were read, or undefined for a run of an earlier version. */
export async function readRunSchema(run: string): Promise<Schema | undefined> {
  const found = await hasFile(run, 'schema');
  return found ? parseSchema(await readRunJson(run, 'schema'), runFile(run, 'schema')) : undefined;
}

export interface Run {
  readonly folder: string;
  readonly config: Config;
  readonly tokenizer: Tokenizer;
  /** How its files are read; runs of earlier versions do not tell. */
  readonly schema?: Schema;
  readonly model: ModelConfig;
  /** Optimizer steps behind the parameters. */
  readonly step: number;
  /** Everything the newest checkpoint holds, by dotted name. */
  readonly tensors: Readonly<Record<string, HostTensor>>;
}

/** What an export keeps instead of checkpoints, where the folder is one. */
async function readExported(
  folder: string,
  config: Config,
): Promise<Pick<Run, 'step' | 'tensors'> | undefined> {
  if (!(await hasFile(folder, 'parameters'))) return undefined;
  const path = runFile(folder, 'parameters');
  const { tensors, metadata } = decodeSafetensors(await readRunFile(folder, 'parameters'), path);
  return { tensors, step: Number(metadata.step ?? config.training.steps) };
}

/** A run as its newest intact checkpoint left it, or its export. Throws InputError when the folder holds none. */
export async function openRun(folder: string, report?: (message: string) => void): Promise<Run> {
  const config = await readRunConfig(folder);
  const tokenizer = await readTokenizer(folder);
  const checkpoint = (await latestCheckpoint(folder, report)) ?? (await readExported(folder, config));
  if (checkpoint === undefined) {
    throw new InputError(
      `${folder}: has no checkpoint yet; run pretrain to its first checkpoint, then try again`,
    );
  }
  const schema = await readRunSchema(folder);
  if (schema === undefined) {
    report?.(
      `${folder}: was made by an earlier version and does not say how its file was read, so the types of columns are decided from each file anew`,
    );
  }
  return {
    folder,
    config,
    tokenizer,
    schema,
    model: modelOf(config, tokenizer.spec),
    step: checkpoint.step,
    tensors: checkpoint.tensors,
  };
}
