/** The verb `attribute`: which training records a prediction rests on. */
import { checkWhole } from '../config/check-numbers.js';
import { parseConfig } from '../config/parse.js';
import type { ProbeOptions } from '../config/schema.js';
import { openEngine } from '../engine/open-engine.js';
import { InputError } from '../errors.js';
import { float32Digits } from '../files/float32-digits.js';
import { refuseOverwrite } from '../files/refuse-overwrite.js';
import { type TableCell, type TableColumn, tableWriter } from '../files/table-files.js';
import { Embedder, encoderParameters } from '../finetuning/frozen-encoder.js';
import { encoderWork } from '../learning/model.js';
import type { Hooks } from '../learning/progress-event.js';
import { predictedCells, predictedColumns } from '../models/predicted-columns.js';
import { gatherRows } from '../numerics/matrix.js';
import { attributions, movement } from '../probes/attribution.js';
import { takeRecords } from '../records/batch.js';
import { openRun, ownFiles } from '../runs/folder.js';
import { className, type LabelSpec } from '../scoring/labels.js';
import { chooseMetric, type Task } from '../scoring/metrics.js';
import { type Interval, summarize } from '../scoring/statistics.js';
import { inputFiles } from '../sources/data-files.js';
import { describeRecords, readingOf, readLabelledFile } from './labelled-file.js';

/** What `attribute` is given. */
export interface AttributeOptions {
  /** Folder of a run. */
  readonly run: string;
  /** A file with labels: predictions of its test part are explained by its training part. */
  readonly data: string;
  /** The columns to predict. */
  readonly targets: readonly string[];
  /** Training records that a prediction is attributed to; 10 by default. */
  readonly k?: number;
  /** Test records whose predictions are explained, the first ones; 50 by default. */
  readonly records?: number;
  /** The file to write: .csv or .parquet. */
  readonly out: string;
  readonly config?: Omit<ProbeOptions, 'kind' | 'shots' | 'splits' | 'seeds' | 'domain' | 'features'>;
}

/** What `attribute` found. */
export interface AttributeSummary {
  readonly file: string;
  /** Predictions that are explained. */
  readonly rows: number;
  readonly task: Task;
  /** How far predictions move without the records they are attributed to, and without as many at random: see `movement`. */
  readonly moved: Interval;
  readonly movedAtRandom: Interval;
  readonly difference: Interval;
}

/** How often as many training records are taken away at random. */
const DRAWS = 3;

const OWN_COLUMNS: readonly TableColumn[] = [
  { name: 'rank', type: 'INTEGER' },
  { name: 'training_row', type: 'INTEGER' },
  { name: 'similarity', type: 'DOUBLE' },
];

/**
 * Writes for the prediction of each test record, by a linear probe of frozen embeddings, the training records that are most alike with their
 * labels, and how far it moves when the probe is trained without them and without as many at random. Test labels are not
 * looked at. Nothing is left of `out` when it fails or is stopped.
 */
export async function attribute(
  { run: folder, data, targets, k = 10, records = 50, out, config: given = {} }: AttributeOptions,
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<AttributeSummary> {
  checkWhole('k', k, 1);
  checkWhole('records', records, 1);
  const write = tableWriter(out);
  const config = parseConfig({ probe: given }, 'config').probe ?? {};
  await refuseOverwrite(await inputFiles(data, config.format), out);
  await refuseOverwrite(await ownFiles(folder), out);
  const run = await openRun(folder, (message) => onEvent({ type: 'warning', message }));
  const { labelled, warnings } = await readLabelledFile(readingOf([run]), data, targets, config);
  const { spec, block, labels, members } = labelled;
  if (spec.task === 'per-token')
    throw new InputError(
      `${data}: ${spec.reason}, and attribution has one embedding for each record; name another --task`,
    );
  for (const message of warnings) onEvent({ type: 'warning', message });
  onEvent({ type: 'info', message: `${spec.task}: ${spec.reason}; ${describeRecords(labelled)}` });
  const engine = await openEngine({
    ...config,
    work: () => encoderWork(run.model, { passes: 1 }),
    report: (message) => onEvent({ type: 'info', message }),
  });
  const embedder = new Embedder(engine, run.model, encoderParameters(run.model, run.tensors, folder));
  try {
    const asked = members.test.subarray(0, records);
    const embed = (of: Int32Array) => embedder.embed(takeRecords(block, of), signal);
    const labelsOf = (of: Int32Array) =>
      gatherRows(new Float64Array(of.length * spec.targets), labels, of, spec.targets);
    const train = {
      count: members.train.length,
      dimension: embedder.width,
      features: await embed(members.train),
      labels: labelsOf(members.train),
      valid: { features: await embed(members.valid), labels: labelsOf(members.valid) },
    };
    const metric = chooseMetric(spec.task, config.metric);
    const queries = await embed(asked);
    const found = await attributions(train, {
      queries,
      spec,
      metric,
      k,
      draws: DRAWS,
      seed: 0,
      engine,
      signal,
    });
    const effects = found.map(({ outputs, without, withoutRandom }) => ({
      nearest: movement(outputs, without, spec),
      random: withoutRandom.reduce((sum, other) => sum + movement(outputs, other, spec), 0) / DRAWS,
    }));
    const label = (record: number, target: number) =>
      labelCell(spec, labels[record * spec.targets + target], target);
    async function* lines(): AsyncGenerator<TableCell[][]> {
      for (const [i, { outputs, rows, similarities }] of found.entries())
        yield rows.map((row, rank): TableCell[] => [
          block.rows[asked[i]],
          ...predictedCells(spec, outputs),
          float32Digits(effects[i].nearest),
          float32Digits(effects[i].random),
          rank + 1,
          block.rows[members.train[row]],
          float32Digits(similarities[rank]),
          ...spec.columns.map((_, target) => label(members.train[row], target)),
        ]);
    }
    const columns: TableColumn[] = [
      { name: 'row', type: 'INTEGER' },
      ...predictedColumns(spec),
      { name: 'moved', type: 'DOUBLE' },
      { name: 'moved_at_random', type: 'DOUBLE' },
      ...OWN_COLUMNS,
      ...spec.columns.map(
        (name): TableColumn => ({
          name: `training_${name}`,
          type: spec.task === 'regression' ? 'DOUBLE' : 'VARCHAR',
        }),
      ),
    ];
    await write(out, columns, lines());
    return {
      file: out,
      rows: found.length,
      task: spec.task,
      moved: summarize(effects.map(({ nearest }) => nearest)),
      movedAtRandom: summarize(effects.map(({ random }) => random)),
      difference: summarize(effects.map(({ nearest, random }) => nearest - random)),
    };
  } finally {
    await embedder.release();
  }
}

/** A training label in its own words; null is missing. */
function labelCell(spec: LabelSpec, value: number, target: number): TableCell {
  if (Number.isNaN(value)) return null;
  return spec.task === 'regression' ? value : className(spec, target, value);
}
