/** The model that a fit leaves as files that other tools open. */
import { InputError } from '../errors.js';
import type { FeatureColumns } from '../features/index.js';
import { encodeProgram } from '../onnx/encode.js';
import {
  describePredictions,
  type ExportFolder,
  withoutFolders,
  writeTokenizer,
} from '../runs/exported-files.js';
import { encodeSafetensors } from '../tensor/safetensors.js';
import { version } from '../version.js';
import type { FitGraph } from './fit-graph.js';
import type { SavedFit } from './saved-fit.js';

/** What each column of an input of features is, and what it is weighted with, where it is. */
export interface DescribedInput extends FeatureColumns {
  readonly name: string;
  readonly set: string;
  /** What its rows are computed of. */
  readonly of: 'text' | 'values';
  readonly weights?: readonly number[];
}

/** What the inputs of features are, in their order. */
export function describeFeatures({ sets, tokenizer }: SavedFit, graph: FitGraph): Promise<DescribedInput[]> {
  return Promise.all(
    graph.features.map(async ({ name, set: own, dimension }) => {
      const { set, state } = sets.get(own)!;
      if (!('columns' in set.made)) throw new Error(`${own}: is no input`);
      const columns = await set.made.columns(tokenizer, state);
      if (columns.names.length !== dimension)
        throw new Error(`${own}: ${columns.names.length} names of ${dimension} columns`);
      return { name, set: own, of: set.made.of, ...columns, weights: state.weights };
    }),
  );
}

/** Larger files are no ONNX: protobuf has messages of less than 2 GB. */
const LARGEST = 2 ** 31 - 1;

/** Writes all but the card. Throws InputError for a model that is too large for a file. */
export async function writeFitExport(
  files: ExportFolder,
  fit: SavedFit,
  graph: FitGraph,
  features: readonly DescribedInput[],
): Promise<void> {
  const { spec, tokenizer, run } = fit;
  const labels = describePredictions(spec);
  const inputs = Object.fromEntries(
    features.map(({ name, set, computation, names, weights }) => [
      name,
      { set, computation, columns: names, weights },
    ]),
  );
  const bytes = encodeProgram(graph.program, {
    parameters: (name) => graph.parameters[name],
    metadata: {
      lacuna: version,
      tokenizer: JSON.stringify(tokenizer.toJSON()),
      specification: JSON.stringify(tokenizer.spec),
      labels: JSON.stringify(labels),
      features: JSON.stringify(inputs),
    },
  });
  if (bytes.length > LARGEST) {
    throw new InputError(
      `${fit.folder}: would be an ONNX file of ${(bytes.length / 2 ** 30).toFixed(1)} GiB, and one of 2 cannot be opened; predict with the folder itself, or fit again with --folds 1`,
    );
  }
  await files.bytes('model', [bytes]);
  await files.json('labels', labels);
  if (features.length > 0) await files.json('features', inputs);
  await writeTokenizer(files, fit);
  if (run) {
    const parameters = encodeSafetensors(graph.parameters, { format: 'lacuna', version });
    await files.bytes('parameters', parameters);
    await files.json('config', withoutFolders(run.config));
  }
}
