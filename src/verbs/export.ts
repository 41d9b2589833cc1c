/** The verb `exportRun`: a run as files for other tools, proven on real records before they appear. */
import { defaultThreads, nodeEngine } from '../engine/node.js';
import { LacunaError } from '../errors.js';
import { writeFolderAtomically } from '../files/atomic-folder.js';
import { refuseOverwriteFolder } from '../files/refuse-overwrite.js';
import { Embedder, encoderParameters } from '../finetuning/frozen-encoder.js';
import type { Hooks } from '../learning/progress-event.js';
import { shortRecord } from '../runs/card-example.js';
import { exportedFiles, filesOf, writeExport } from '../runs/exported-files.js';
import { holdsFit, openRun, ownFiles } from '../runs/folder.js';
import { exportFit } from './export-fit.js';
import { drawnRecords, firstRecords, largestDifference, runModelFile } from './tried-records.js';

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
  /** What the run and the exported file were compared by: of a fit its predictions. */
  readonly compared: 'embeddings' | 'predictions';
  /** The largest difference over `rows` records; of predicted numbers as a part of the largest one. */
  readonly maximumDifference: number;
  readonly rows: number;
}

/** Two compilations of one program differ by rounding; by more than this they are not one program. */
const TOLERANCE = 1e-5;

/**
 * Writes encoder.onnx, model.safetensors, tokenizer.json, config.json and README.md, and compares the encoder, opened
 * by ONNX Runtime alone, with the run. Throws LacunaError, leaving no folder, when an embedding differs by more than 1e-5.
 * Of a fit: see {@link exportFit}.
 */
export async function exportRun(
  { run: folder, out }: ExportOptions,
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<ExportSummary> {
  await refuseOverwriteFolder(await ownFiles(folder), out);
  if (await holdsFit(folder)) return exportFit({ run: folder, out }, { signal, onEvent });
  const run = await openRun(folder, (message) => onEvent({ type: 'warning', message }));
  await refuseOverwriteFolder([run.config.data.path], out);
  const parameters = encoderParameters(run.model, run.tensors, folder);
  const { spec } = run.tokenizer;
  const found = await firstRecords(run.config.data, run);
  if (found === undefined) {
    onEvent({
      type: 'info',
      message: `${run.config.data.path} cannot be read any more; the export is checked on drawn tokens`,
    });
  }
  const records = found?.block ?? drawnRecords(spec);
  const { record, ...short } = shortRecord(records, spec);
  const engine = await nodeEngine({ threads: defaultThreads() });
  const embedder = new Embedder(engine, run.model, parameters);
  try {
    const expected = await embedder.embed(records, signal);
    const example = {
      ...short,
      cells: found?.cells[record],
      embedding: await embedder.embed(short.block, signal),
    };
    return await writeFolderAtomically(out, async (partial) => {
      await writeExport(partial, run, parameters, example);
      const { embedding } = await runModelFile(
        `${partial}/${exportedFiles.encoder}`,
        spec,
        { block: records },
        { embedding: embedder.width },
      );
      const maximumDifference = largestDifference(expected, embedding);
      if (!(maximumDifference <= TOLERANCE)) {
        throw new LacunaError(
          `${out}: the exported encoder differs from the run by ${maximumDifference}, expected at most ${TOLERANCE}; nothing was written`,
        );
      }
      const names = Object.values(exportedFiles).filter(
        (name) => run.schema || name !== exportedFiles.schema,
      );
      return { files: filesOf(out, names), compared: 'embeddings', maximumDifference, rows: records.count };
    });
  } finally {
    await embedder.release();
  }
}
