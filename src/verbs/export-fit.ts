/** The model of a fit as files for other tools, proven on real records before they appear. */
import { basename, join } from 'node:path';
import { defaultThreads, nodeEngine } from '../engine/node.js';
import { LacunaError } from '../errors.js';
import { writeFileAtomically } from '../files/atomic-file.js';
import { writeFolderAtomically } from '../files/atomic-folder.js';
import { refuseOverwriteFolder } from '../files/refuse-overwrite.js';
import { predictedValues } from '../fit/ensemble.js';
import { describeFeatures, exportedFitFiles, writeFitExport } from '../fit/exported-fit.js';
import { fitCard } from '../fit/fit-card.js';
import { fitGraph } from '../fit/fit-graph.js';
import { EMBEDDING } from '../fit/models.js';
import { type FeatureRows, openFit } from '../fit/open-fit.js';
import type { Hooks } from '../learning/progress-event.js';
import { SHOWN, shortRecord, tokenExample } from '../runs/card-example.js';
import { filesOf } from '../runs/exported-files.js';
import { random } from '../tensor/random.js';
import type { ExportOptions, ExportSummary } from './export.js';
import { drawnRecords, firstRecords, largestDifference, runModelFile } from './tried-records.js';

/** Single precision; of values as a part of the largest one, and a hundred times as much of their spread. */
const [TOLERANCE, OF_SPREAD] = [1e-5, 100];

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
    const { record, ...short } = shortRecord(block, tokenizer.spec);
    const exampleRows: FeatureRows = new Map(
      Array.from(features, ([name, [rows, dimension]]) => [
        name,
        [rows.slice(record * dimension, (record + 1) * dimension), dimension],
      ]),
    );
    signal?.throwIfAborted();
    return await writeFolderAtomically(out, async (partial) => {
      const described = await describeFeatures(fit, graph);
      const written = await writeFitExport(partial, fit, graph, described);
      const model = join(partial, exportedFitFiles.model);
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
      const scale = Array.from({ length: spec.outputs }, (_, output) => {
        if (spec.task !== 'regression') return 1;
        const own = expected.filter((_value, i) => i % spec.outputs === output);
        const [least, most] = [Math.min(...own), Math.max(...own)];
        const largest = Math.max(-least, most) || 1;
        return most > least ? Math.min(largest, OF_SPREAD * (most - least)) : largest;
      });
      const difference = largestDifference(expected, got.predictions, (i) => scale[i % spec.outputs]);
      refuse('predictions', difference);
      const { predictions } = await runModelFile(
        model,
        tokenizer.spec,
        { block: short.block, features: inputsOf(exampleRows) },
        { predictions: spec.outputs },
      );
      const card = fitCard({
        fit,
        data: fit.data ? basename(fit.data.path) : 'a file',
        graph,
        features: described,
        example: {
          ...short,
          cells: found?.cells[record],
          inputs: [
            ...tokenExample(tokenizer.spec, short.block).filter(({ name }) => graph.inputs.includes(name)),
            ...Array.from(inputsOf(exampleRows), ([name, [rows, dimension]]) => ({
              name,
              dtype: 'float32' as const,
              shape: [1, dimension],
              numbers: rows,
            })),
          ],
          printed: Array.from(predictions.subarray(0, SHOWN), (value) =>
            String(Number(value.toPrecision(6))),
          ),
        },
      });
      const cardFile = join(partial, exportedFitFiles.card);
      await writeFileAtomically(cardFile, [new TextEncoder().encode(card)]);
      return {
        files: filesOf(out, [...written, exportedFitFiles.card]),
        compared: 'predictions',
        maximumDifference: difference,
        rows: block.count,
      };
    });
  } finally {
    await fit.release();
  }
}
