/** The verb `exportRun`: a run as files for other tools, proven on real records before they appear. */
import { LacunaError } from '../errors.js';
import { writeFolderAtomically } from '../files/atomic-folder.js';
import { refuseOverwriteFolder } from '../files/refuse-overwrite.js';
import { encoderParameters } from '../finetuning/frozen-encoder.js';
import { predictedValues } from '../fit/ensemble.js';
import type { Hooks } from '../learning/progress-event.js';
import { encoderOf, predictorOf, withModel } from '../models/open-model.js';
import { blockLengths } from '../records/batch.js';
import type { TokenBlock } from '../records/token-block.js';
import { isLongRecord, shortRecord, shownNumbers, tokenExample } from '../runs/card-example.js';
import {
  ExportFolder,
  exportedFiles,
  filesOf,
  hasTokenize,
  runCard,
  whyNoTokenize,
  writeExport,
} from '../runs/exported-files.js';
import { holdsFit, ownFiles } from '../runs/folder.js';
import { readLabels } from '../runs/labels.js';
import { exportFit } from './export-fit.js';
import {
  drawnRecords,
  firstRecords,
  largestDifference,
  predictionScale,
  proveTokens,
  runModelFile,
} from './tried-records.js';

/** What `exportRun` is given. */
export interface ExportOptions {
  /** Folder of a run, or of the model that `fit` left. */
  readonly run: string;
  /** Folder to write; it must not be there yet, or be empty. */
  readonly out: string;
}

/** What `exportRun` wrote. */
export interface ExportSummary {
  readonly files: readonly string[];
  /** What the run and the exported file were compared by: of a run that predicts its predictions. */
  readonly compared: 'embeddings' | 'predictions';
  /** The largest difference over `rows` records; of predicted numbers as a part of the largest one. */
  readonly maximumDifference: number;
  readonly rows: number;
}

/** Two compilations of one program differ by rounding; by more than this they are not one program. */
const TOLERANCE = 1e-5;

/**
 * Writes encoder.onnx, or of a fine-tuned run model.onnx and labels.json, with model.safetensors, tokenizer.json, schema.json,
 * tokenize.js, config.json, scores.json where there are scores, and README.md. The model file, opened by ONNX Runtime alone,
 * is compared with the run, and the tokens of tokenize.js with the tokenizer's. Throws LacunaError, leaving no folder, when
 * a token differs, or an embedding, a probability or a value (see {@link predictionScale}) by more than 1e-5.
 * Of a fit: see {@link exportFit}.
 */
export async function exportRun(
  { run: folder, out }: ExportOptions,
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<ExportSummary> {
  await refuseOverwriteFolder(await ownFiles(folder), out);
  if (await holdsFit(folder)) return exportFit({ run: folder, out }, { signal, onEvent });
  return withModel(folder, {}, { onEvent }, async (model) => {
    const run = model.run!;
    const encoder = encoderOf(model);
    await refuseOverwriteFolder([run.config.data.path], out);
    const learned = await readLabels(folder);
    const parameters = encoderParameters(run.model, run.tensors, folder);
    const { spec } = run.tokenizer;
    const found = await firstRecords(run.config.data, run);
    if (found === undefined) {
      onEvent({
        type: 'info',
        message: `${run.config.data.path} cannot be read any more; the export is checked on drawn tokens`,
      });
    }
    const tokenized = found && hasTokenize(run);
    const why = whyNoTokenize(run);
    if (why) {
      onEvent({ type: 'info', message: `${folder}: ${why}, so ${exportedFiles.tokenize} is left out` });
    }
    const block = found?.block ?? drawnRecords(spec);
    const { place, ...short } = shortRecord(block, spec);
    const record = found?.records[place];
    const { width } = encoder;
    const output = learned ? 'predictions' : 'embedding';
    const perToken = learned?.spec.task === 'per-token';
    const size = learned ? learned.spec.outputs * (perToken ? spec.maxTokens : 1) : width;
    const expected = {
      embedding: await encoder.embed(block, signal),
      ...(learned && {
        predictions: predictedValues(await predictorOf(model).predict({ block }), learned.spec),
      }),
    };
    return writeFolderAtomically(out, async (partial) => {
      const files = new ExportFolder(partial);
      await writeExport(files, run, parameters, learned);
      if (tokenized) await proveTokens(partial, found, spec);
      const file = `${partial}/${learned ? exportedFiles.model : exportedFiles.encoder}`;
      const widths = { embedding: width, [output]: size };
      const got = await runModelFile(file, spec, { block }, widths);
      const numbers =
        learned && perToken ? realTokens(got.predictions, block, learned.spec.outputs) : got[output];
      const scale = learned ? predictionScale(expected.predictions!, learned.spec, learned.scale) : () => 1;
      const differences = {
        embeddings: largestDifference(expected.embedding, got.embedding),
        ...(learned && { predictions: largestDifference(expected.predictions!, numbers, scale) }),
      };
      for (const [what, difference] of Object.entries(differences)) {
        if (difference <= TOLERANCE) continue;
        throw new LacunaError(
          `${out}: the exported ${what} differ from the run's by ${difference}, expected at most ${TOLERANCE}; nothing was written`,
        );
      }
      const alone = await runModelFile(file, spec, { block: short.block }, { [output]: size });
      if (tokenized && record && isLongRecord(record)) await files.json('record', record);
      const shown = Math.min(size, learned?.spec.outputs ?? width);
      const example = {
        ...short,
        record,
        inputs: tokenExample(spec, short.block),
        printed: shownNumbers(alone[output].subarray(0, shown)),
        ...(tokenized &&
          record && {
            tokenized: {
              record,
              printed: shownNumbers(got[output].subarray(place * size, (place + 1) * size)),
            },
          }),
      };
      await files.text('card', await runCard(run, parameters, { example, learned }));
      const compared = learned ? 'predictions' : 'embeddings';
      return {
        files: filesOf(out, files.written),
        compared,
        maximumDifference: differences[compared]!,
        rows: block.count,
      };
    });
  });
}

/** Of predictions float32[records, maxTokens, outputs] those of real tokens, one after the other. */
function realTokens(predictions: Float32Array, block: TokenBlock, outputs: number): Float32Array {
  const perRecord = predictions.length / block.count;
  const kept = new Float32Array(block.offsets[block.count] * outputs);
  blockLengths(block).forEach((length, record) => {
    const own = predictions.subarray(record * perRecord, record * perRecord + length * outputs);
    kept.set(own, block.offsets[record] * outputs);
  });
  return kept;
}
