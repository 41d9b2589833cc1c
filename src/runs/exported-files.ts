/** A trained encoder as files that other tools open. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config/schema.js';
import { LacunaError } from '../errors.js';
import { MANIFEST, writeListed } from '../files/manifest.js';
import { predictionProgram } from '../finetuning/predicted-graph.js';
import { encodeProgram } from '../onnx/encode.js';
import { type LabelSpec, predictedNumbers } from '../scoring/labels.js';
import { encodeSafetensors } from '../tensor/safetensors.js';
import { elementCount, type HostTensor } from '../tensor/tensor.js';
import type { TokenizerKind } from '../tokenizers/index.js';
import { version } from '../version.js';
import { RECORD_FILE } from './card-example.js';
import { encoderBytes, metadataOf } from './encoder-file.js';
import { jsonBytes, type Run, runFile } from './folder.js';
import type { LearnedLabels } from './labels.js';
import { readMetrics } from './metrics-log.js';
import { type ModelCardFacts, modelCard } from './model-card.js';
import { readScores } from './scores.js';

/** The files of an export, as far as it has them. */
export const exportedFiles = {
  encoder: 'encoder.onnx',
  model: 'model.onnx',
  labels: 'labels.json',
  features: 'features.json',
  parameters: 'model.safetensors',
  tokenizer: 'tokenizer.json',
  schema: 'schema.json',
  tokenize: 'tokenize.js',
  tokenizeTypes: 'tokenize.d.ts',
  package: 'package.json',
  config: 'config.json',
  scores: 'scores.json',
  record: RECORD_FILE,
  card: 'README.md',
} as const;

/** A folder that becomes an export. */
export class ExportFolder {
  /** The names of the files that were written, the manifest first. */
  readonly written: string[] = [MANIFEST];

  constructor(readonly folder: string) {}

  bytes(file: keyof typeof exportedFiles, chunks: readonly Uint8Array[]): Promise<void> {
    this.written.push(exportedFiles[file]);
    return writeListed(this.folder, exportedFiles[file], chunks);
  }

  text(file: keyof typeof exportedFiles, text: string): Promise<void> {
    return this.bytes(file, [new TextEncoder().encode(text)]);
  }

  json(file: keyof typeof exportedFiles, value: unknown): Promise<void> {
    return this.bytes(file, [jsonBytes(value)]);
  }
}

/** Where the build puts it, seen from src and from dist. */
const TOKENIZE = new URL('../../dist/tokenize.js', import.meta.url);

const TOKENIZE_TYPES = `/** A record: its cells by column, or the text or list alone where a model reads one column. */
export type ModelRecord = string | ArrayLike<number> | Readonly<Record<string, unknown>>;

/** An input of the model, in the words of ONNX Runtime: new Tensor(type, data, dims). */
export interface Feed {
  readonly type: 'int32' | 'float32';
  readonly data: Int32Array | Float32Array;
  readonly dims: readonly number[];
}

/**
 * @param tokenizer what tokenizer.json holds
 * @param schema what schema.json holds
 * @returns from records to the inputs of one batch; it rejects, naming the first record that cannot be read
 */
export function openTokenizer(
  tokenizer: unknown,
  schema?: unknown,
): (
  records: readonly ModelRecord[],
  options?: {
    /** Whether a letter or category that the model was not trained on stands as unknown, which is the default, or is refused. */
    readonly onUnknown?: 'keep' | 'fail';
    /** Told of those of a call in one sentence; the console by default. */
    readonly warn?: (message: string) => void;
  },
) => Promise<Readonly<Record<string, Feed>>>;
`;

/**
 * Writes tokenizer.json, schema.json, and tokenize.js, which needs nothing else, with its types. Without a schema, or with a
 * tokenizer of a plug-in, there is no tokenize.js. Throws LacunaError where the project was not built.
 */
export async function writeTokenizer(
  files: ExportFolder,
  { tokenizer, schema }: Pick<Run, 'tokenizer' | 'schema'>,
): Promise<void> {
  await files.json('tokenizer', tokenizer.toJSON());
  if (!schema) return;
  await files.json('schema', schema);
  if (!hasTokenize({ tokenizer, schema })) return;
  const text = await readFile(TOKENIZE, 'utf8').catch((cause) => {
    throw new LacunaError(`${fileURLToPath(TOKENIZE)}: could not be read; npm run build makes it`, { cause });
  });
  await files.text('tokenize', text);
  await files.text('tokenizeTypes', TOKENIZE_TYPES);
  // So that Node reads tokenize.js as a module wherever the folder lies.
  await files.json('package', { type: 'module' });
}

/** The kinds of tokenizer that are in tokenize.js; plug-ins may add to those that are known here. */
const TOKENIZE_KINDS: ReadonlySet<string> = new Set<TokenizerKind>([
  'sequence',
  'byte-pairs',
  'fields',
  'grid',
  'series',
]);

/** Whether an export has a tokenize.js. */
export const hasTokenize = (run: Pick<Run, 'tokenizer' | 'schema'>): boolean =>
  whyNoTokenize(run) === undefined;

/** Why an export of a run has no tokenize.js; undefined where it has one. */
export function whyNoTokenize({ tokenizer, schema }: Pick<Run, 'tokenizer' | 'schema'>): string | undefined {
  if (schema === undefined) return 'it has no schema.json';
  if (!TOKENIZE_KINDS.has(tokenizer.kind)) return 'a tokenizer of a plug-in makes its tokens';
  if (schema.canonicalSmiles === undefined) return undefined;
  return `it reads "${schema.canonicalSmiles}" as RDKit's canonical SMILES`;
}

/** What labels.json of an export says of a model that predicts; `predictions` names the numbers along its last axis. */
export const describePredictions = (spec: LabelSpec) => ({
  task: spec.task,
  targets: spec.columns,
  classes: spec.classes,
  predictions: predictedNumbers(spec),
});

/**
 * Writes a run's model into a folder, all but the card: encoder.onnx, or of a fine-tuned run model.onnx with labels.json,
 * all parameters, tokenizer, configuration and scores. The data and the run it started from are named without the folders
 * they lie in.
 * @param encoder the encoder's parameters among those of the run
 * @param learned what a fine-tuned run predicts
 */
export async function writeExport(
  files: ExportFolder,
  run: Run,
  encoder: Readonly<Record<string, HostTensor>>,
  learned?: LearnedLabels,
): Promise<void> {
  const { tokenizer, model } = run;
  if (learned) {
    const { spec, scale } = learned;
    const described = describePredictions(spec);
    const network = { ...model, head: run.config.finetune?.head };
    const bytes = encodeProgram(predictionProgram(network, spec, scale), {
      parameters: (name) => run.tensors[name],
      metadata: { ...metadataOf(model, tokenizer), labels: JSON.stringify(described) },
    });
    await files.bytes('model', [bytes]);
    await files.json('labels', { ...described, spec, scale });
  } else await files.bytes('encoder', [encoderBytes(model, tokenizer, encoder)]);
  const parameters = Object.entries(run.tensors).filter(([name]) => !name.startsWith('optimizer.'));
  await files.bytes(
    'parameters',
    encodeSafetensors(Object.fromEntries(parameters), { format: 'lacuna', version, step: String(run.step) }),
  );
  await writeTokenizer(files, run);
  await files.json('config', withoutFolders(run.config));
  const scores = await readScores(run.folder);
  if (scores) await files.json('scores', scores);
}

/** The text of a run's card. */
export async function runCard(
  run: Run,
  encoder: Readonly<Record<string, HostTensor>>,
  { example, learned }: Pick<ModelCardFacts, 'example' | 'learned'>,
): Promise<string> {
  const config = withoutFolders(run.config);
  return modelCard({
    config,
    tokenizer: run.tokenizer,
    schema: run.schema,
    step: run.step,
    parameters: Object.values(encoder).reduce((sum, { shape }) => sum + elementCount(shape), 0),
    data: config.data.path,
    example,
    losses: await newestLosses(run.folder),
    learned,
    scores: await readScores(run.folder),
  });
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
