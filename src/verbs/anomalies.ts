/** The verb `anomalies`: how unusual every record of a file is to a model, and which part of it. */

import { readingOf } from '../config/parse.js';
import type { ReadingOptions } from '../config/schema.js';
import type { DeviceName } from '../engine/engine.js';
import { InputError } from '../errors.js';
import { float32Digits } from '../files/float32-digits.js';
import { refuseOverwrite } from '../files/refuse-overwrite.js';
import { type TableCell, type TableColumn, tableWriter } from '../files/table-files.js';
import type { Hooks } from '../learning/progress-event.js';
import { type Anomaly, AnomalyDetector, type BlamedToken } from '../models/anomaly-detector.js';
import { type AnomalyMeasureName, anomalyMeasures } from '../models/anomaly-measures/index.js';
import type { FittedMeasure } from '../models/anomaly-measures/measure.js';
import { drawnSplit, normalRecords, ownSplit } from '../models/normal-records.js';
import { encoderOf, withModel } from '../models/open-model.js';
import { ownFiles } from '../runs/folder.js';
import { checksum } from '../sources/checksum.js';
import { inputFiles } from '../sources/data-files.js';
import { finishAll, openRecords } from './open-records.js';

/** What `anomalies` is given. */
export interface AnomaliesOptions {
  /** Folder of a run, of its export, or of what `fit` left with an encoder. */
  readonly run: string;
  readonly data: string;
  /** A file of normal records; by default the one that the run learned from. A quarter of them, or what the run held out, sets the threshold. */
  readonly normal?: string;
  /** The share of normal records that may be flagged; 0.01 by default. */
  readonly falseAlarms?: number;
  /** Further measures, each a column; they are not part of the score. */
  readonly also?: readonly AnomalyMeasureName[];
  /** The file to write: .csv or .parquet. */
  readonly out: string;
  /** Columns of the data that are written beside, in the file's own characters; `all` alone means all. */
  readonly keep?: readonly string[];
  readonly config?: ReadingOptions;
  /** What the encoder is computed on; the CPU by default. */
  readonly device?: DeviceName;
}

/** What `anomalies` wrote. */
export interface AnomaliesSummary {
  readonly file: string;
  readonly rows: number;
  readonly flagged: number;
  readonly falseAlarms: number;
  /** Normal records that set the threshold. */
  readonly heldOut: number;
  readonly rejected: number;
  readonly unknown: number;
}

/** The columns of numbers, and what of an anomaly they hold. */
const NUMBERS = [
  ['score', 'score'],
  ['p_value', 'pValue'],
  ['masked_error', 'maskedError'],
  ['attended_error', 'attendedError'],
  ['neighbor_distance', 'neighborDistance'],
  ['mahalanobis_distance', 'mahalanobisDistance'],
] as const satisfies readonly (readonly [string, keyof Anomaly])[];

const columnOf = (measure: string): string => measure.replaceAll('-', '_');

const OWN: readonly string[] = [
  ...NUMBERS.map(([name]) => name),
  ...Object.keys(anomalyMeasures).map(columnOf),
  'flagged',
  'blame',
];

/** Such as `petal width (7.2); sepal length (1.9)`. */
const inWords = (blame: readonly BlamedToken[]): string =>
  blame.map(({ label, error }) => `${label} (${Number(error.toPrecision(2))})`).join('; ');

/**
 * Writes the scores of every record in input order, whether it is flagged, and the tokens that are to blame. Nothing is left
 * of `out` when it fails or is stopped. Throws InputError where too few normal records were held out for the rate.
 */
export async function anomalies(
  { run: folder, data, normal, falseAlarms = 0.01, also = [], out, keep, config, device }: AnomaliesOptions,
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<AnomaliesSummary> {
  for (const name of also)
    if (!Object.hasOwn(anomalyMeasures, name))
      throw new InputError(`also ${name}: expected some of ${Object.keys(anomalyMeasures).join(', ')}`);
  const write = tableWriter(out);
  for (const path of [data, ...(normal === undefined ? [] : [normal])])
    await refuseOverwrite(await inputFiles(path, config?.format), out);
  await refuseOverwrite(await ownFiles(folder), out);
  return withModel(folder, { device }, { onEvent }, async (model) => {
    let detector: AnomalyDetector | undefined;
    const further: FittedMeasure[] = [];
    try {
      encoderOf(model);
      const isOwn = (name: string) => OWN.includes(name.toLowerCase());
      const records = await openRecords(data, model, { config, out, keep, isOwn });
      const own = model.run!.config.data;
      const usual = await openRecords(normal ?? own.path, model, {
        // The run's own file is read as the run read it.
        config: normal === undefined ? readingOf(own) : config,
        out,
      }).catch((error: unknown) => {
        if (normal !== undefined || !(error instanceof InputError)) throw error;
        throw new InputError(
          `${error.message}; it is the file that the run learned from: name normal records with --normal`,
          { cause: error },
        );
      });
      const rule = normal === undefined ? ownSplit(model) : drawnSplit(model);
      if (normal === undefined && (await checksum(records.source)) === own.hash)
        onEvent({
          type: 'warning',
          message: `${data}: is the file that the run learned from, so each learned record finds itself among the normal ones and is flagged more rarely than others; judge records that are new to the run`,
        });
      const parts = await normalRecords(usual.source, rule, usual.read);
      detector = await AnomalyDetector.fit(model, parts, signal);
      detector.checkFalseAlarms(falseAlarms);
      for (const name of also) further.push(await anomalyMeasures[name].fit(model, parts.reference, signal));
      const found = detector;
      const { masked, attended } = found.measures;
      if (!masked)
        onEvent({
          type: 'warning',
          message: `${folder}: does not predict hidden tokens, so that records are judged by distances alone and no token is blamed; a run of --objective sma or random-masking does`,
        });
      const numbers = NUMBERS.filter(
        ([name]) => (masked || name !== 'masked_error') && (attended || name !== 'attended_error'),
      );
      let [rows, flagged] = [0, 0];
      async function* scored(): AsyncGenerator<TableCell[][]> {
        for await (const { block, cells } of records.read()) {
          const lines: TableCell[][] = [];
          const judged = await found.score(block, signal);
          const measured: Float64Array[] = [];
          for (const own of further) measured.push(await own.measure(block, signal));
          for (const [record, anomaly] of judged.entries()) {
            const flag = anomaly.pValue <= falseAlarms ? 1 : 0;
            flagged += flag;
            lines.push([
              block.rows[record],
              ...cells.map((column) => column[record]),
              flag,
              ...numbers.map(([, key]) => (anomaly[key] === undefined ? null : float32Digits(anomaly[key]))),
              ...measured.map((values) =>
                Number.isNaN(values[record]) ? null : float32Digits(values[record]),
              ),
              ...(masked ? [inWords(anomaly.blame)] : []),
            ]);
          }
          rows += block.count;
          yield lines;
        }
      }
      const columns: TableColumn[] = [
        { name: 'row', type: 'INTEGER' },
        ...records.kept.map(({ name }): TableColumn => ({ name, type: 'VARCHAR' })),
        { name: 'flagged', type: 'INTEGER' },
        ...numbers.map(([name]): TableColumn => ({ name, type: 'DOUBLE' })),
        ...also.map((name): TableColumn => ({ name: columnOf(name), type: 'DOUBLE' })),
        ...(masked ? [{ name: 'blame', type: 'VARCHAR' } as const] : []),
      ];
      await write(out, columns, scored());
      const counted = finishAll([records, normal === undefined ? undefined : usual], 'judged', { onEvent });
      return { file: out, rows, flagged, falseAlarms, heldOut: found.heldOut, ...counted };
    } finally {
      for (const own of further) await own.release();
      await detector?.release();
    }
  });
}
