/** The model of a fit as files for other tools, proven on real records before they appear. */

import { basename, join } from 'node:path';
import { defaultThreads, nodeEngine } from '../engine/node.js';
import { LacunaError } from '../errors.js';
import { writeFolderAtomically } from '../files/atomic-folder.js';
import { refuseOverwriteFolder } from '../files/refuse-overwrite.js';
import { predictedValues } from '../fit/ensemble.js';
import { describeFeatures, writeFitExport } from '../fit/exported-fit.js';
import { fitCard } from '../fit/fit-card.js';
import { fitGraph } from '../fit/fit-graph.js';
import { EMBEDDING } from '../fit/models.js';
import { type FeatureRows, openFit } from '../fit/open-fit.js';
import type { Hooks } from '../learning/progress-event.js';
import { takeRecords } from '../records/batch.js';
import { isLongRecord, shortRecord, shownNumbers, tokenExample } from '../runs/card-example.js';
import { ExportFolder, exportedFiles, filesOf, hasTokenize, whyNoTokenize } from '../runs/exported-files.js';
import { random } from '../tensor/random.js';
import type { ExportOptions, ExportSummary } from './export.js';
import {
  drawnRecords,
  firstRecords,
  largestDifference,
  predictionScale,
  proveTokens,
  runModelFile,
} from './tried-records.js';

/** Single precision. */
const TOLERANCE = 1e-5;

/**
 * Writes model.onnx, which predicts, with labels.json, tokenizer.json, README.md and what else a reader of the inputs needs,
 * and compares the file, opened by ONNX Runtime alone, with `predict`. Trees of embeddings are compared on the embeddings of
 * the file, since a threshold may lie between two roundings of one number; the embeddings are compared themselves. Throws
 * LacunaError, leaving no folder, when an embedding, a probability, or a value as a part of the largest of its target differs
 * by more than 1e-5, or a value by more than 1e-3 of the spread of its target; and InputError for a model that is too large
 * for ONNX.
 */
export async function exportFit(
  { run: folder, out }: ExportOptions,
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<ExportSummary> {
  const fit = await openFit(folder, () => nodeEngine({ threads: defaultThreads() }));
  try {
    const { spec, tokenizer } = fit;
    const data = fit.data ?? fit.run?.config.data;
    if (data) await refuseOverwriteFolder([data.path], out);
    const graph = fitGraph(fit);
    const found = data && (await firstRecords(data, fit));
    if (!found) {
      const name = data
        ? `${data.path} cannot be read any more`
        : `${folder} does not say what it learned from`;
      onEvent({ type: 'info', message: `${name}; the export is checked on drawn numbers` });
    }
    const block = found?.block ?? drawnRecords(tokenizer.spec);
    const source = random(0, 'exported features');
    const drawn: FeatureRows = new Map(
      found
        ? []
        : graph.features.map(({ set, dimension }) => [
            set,
            [Float32Array.from({ length: block.count * dimension }, () => source.normal()), dimension],
          ]),
    );
    const features = await fit.featuresOf({ block, texts: found?.texts }, drawn);
    const inputsOf = (rows: FeatureRows) =>
      new Map(graph.features.map(({ name, set }) => [name, rows.get(set)!]));
    const { place, ...short } = shortRecord(block, tokenizer.spec);
    const record = found?.records[place];
    const tokens = tokenExample(tokenizer.spec, short.block).filter(({ name }) =>
      graph.inputs.includes(name),
    );
    const tokenized = record !== undefined && hasTokenize(fit) && tokens.length > 0;
    const why = whyNoTokenize(fit);
    if (why && tokens.length > 0)
      onEvent({ type: 'info', message: `${folder}: ${why}, so ${exportedFiles.tokenize} is left out` });
    const exampleRows: FeatureRows = new Map(
      Array.from(features, ([name, [rows, dimension]]) => [
        name,
        [rows.slice(place * dimension, (place + 1) * dimension), dimension],
      ]),
    );
    signal?.throwIfAborted();
    return await writeFolderAtomically(out, async (partial) => {
      const described = await describeFeatures(fit, graph);
      const files = new ExportFolder(partial);
      await writeFitExport(files, fit, graph, described);
      if (found && hasTokenize(fit)) await proveTokens(partial, found, tokenizer.spec);
      const model = join(partial, exportedFiles.model);
      const embedded = features.get(EMBEDDING);
      const got = await runModelFile(
        model,
        tokenizer.spec,
        { block, features: inputsOf(features) },
        { predictions: spec.outputs, ...(embedded && { embedding: embedded[1] }) },
      );
      const refuse = (what: string, difference: number) => {
        if (difference <= TOLERANCE) return;
        throw new LacunaError(
          `${out}: the exported model's ${what} differ from those of ${folder} by ${difference}, expected at most ${TOLERANCE}; nothing was written. Where a target's values are large beside their differences, single precision cannot hold them: fit the target less a constant`,
        );
      };
      if (embedded) refuse('embeddings', largestDifference(embedded[0], got.embedding));
      const same: FeatureRows = new Map([
        ...features,
        ...(embedded ? [[EMBEDDING, [got.embedding, embedded[1]]] as const] : []),
      ]);
      const expected = predictedValues(await fit.predictFrom(block, same), spec);
      const difference = largestDifference(expected, got.predictions, predictionScale(expected, spec));
      refuse('predictions', difference);
      const { predictions } = await runModelFile(
        model,
        tokenizer.spec,
        { block: short.block, features: inputsOf(exampleRows) },
        { predictions: spec.outputs },
      );
      // Alone, as the programs of the card ask: beside others its embedding may round to another side of a tree's cut.
      const alone = short.whole
        ? predictions
        : (
            await runModelFile(
              model,
              tokenizer.spec,
              { block: takeRecords(block, [place]), features: inputsOf(exampleRows) },
              { predictions: spec.outputs },
            )
          ).predictions;
      const card = fitCard({
        fit,
        data: fit.data ? basename(fit.data.path) : 'a file',
        graph,
        features: described,
        example: {
          ...short,
          record,
          inputs: [
            ...tokens,
            ...Array.from(inputsOf(exampleRows), ([name, [rows, dimension]]) => ({
              name,
              dtype: 'float32' as const,
              shape: [1, dimension],
              numbers: rows,
            })),
          ],
          printed: shownNumbers(predictions),
          ...(tokenized && {
            tokenized: { record, printed: shownNumbers(alone) },
          }),
        },
      });
      await files.text('card', card);
      if (tokenized && isLongRecord(record)) await files.json('record', record);
      return {
        files: filesOf(out, files.written),
        compared: 'predictions',
        maximumDifference: difference,
        rows: block.count,
      };
    });
  } finally {
    await fit.release();
  }
}
