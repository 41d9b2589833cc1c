/** The verb `rank`: which of several runs to fine-tune, by what their frozen features tell. */
import { parseConfig } from '../config/parse.js';
import type { ProbeOptions } from '../config/schema.js';
import { openEngine } from '../engine/open-engine.js';
import { InputError } from '../errors.js';
import { embedViews } from '../finetuning/embedded-views.js';
import { Embedder, encoderParameters } from '../finetuning/frozen-encoder.js';
import { encoderWork } from '../learning/model.js';
import type { Hooks } from '../learning/progress-event.js';
import { gatherRows } from '../numerics/matrix.js';
import { takeRecords } from '../records/batch.js';
import type { Part } from '../records/split.js';
import type { TokenBlock } from '../records/token-block.js';
import { openRun, type Run } from '../runs/folder.js';
import { chooseMetric, type Task } from '../scoring/metrics.js';
import { checkDefined } from '../scoring/undefined-scores.js';
import { permutation, random } from '../tensor/random.js';
import { type TransferabilityName, transferabilityScores } from '../transferability/index.js';
import type {
  FrozenFeatures,
  LabelledFeatures,
  TransferabilityScore,
} from '../transferability/transferability.js';
import { describeRecords, readingOf, readLabelledFile } from './labelled-file.js';

/** What `rank` is given. */
export interface RankOptions {
  /** Folders of pretrained runs. */
  readonly runs: readonly string[];
  /** A file with labels. */
  readonly data: string;
  /** The columns to predict. */
  readonly targets: readonly string[];
  readonly config?: Omit<ProbeOptions, 'kind' | 'shots' | 'splits' | 'seeds' | 'domain' | 'features'>;
}

/** A run, and what each score makes of its features; null where a score has no meaning. */
export interface RankedRun {
  readonly run: string;
  readonly objective: string;
  readonly scores: Readonly<Record<string, number | null>>;
}

/** What `rank` found. */
export interface RankSummary {
  readonly task: Task;
  /** The scores, in the order of their columns, each in a sentence. */
  readonly scores: Readonly<Record<string, string>>;
  /** From the one that promises most, by the first score, to the least. */
  readonly runs: readonly RankedRun[];
  /** Labelled records that were looked at. */
  readonly records: number;
}

/** Records that are looked at: scores are steady by then, and some cost their square. */
const RECORDS: Readonly<Record<'train' | 'valid', number>> = { train: 2000, valid: 1000 };

/** Views, and records that are embedded under each. */
const [VIEWS, VIEWED] = [10, 300];

/**
 * Scores the training and validation records of a labelled file as each run embeds them; test labels are not looked at, and
 * nothing is trained but probes. Throws InputError for data that a run cannot read, and where records of tokens are labelled.
 */
export async function rank(
  { runs: folders, data, targets, config: given = {} }: RankOptions,
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<RankSummary> {
  const config = parseConfig({ probe: given }, 'config').probe ?? {};
  if (folders.length === 0) throw new InputError('runs: expected at least one folder of a run, got none');
  const ranked: RankedRun[] = [];
  let task: Task | undefined;
  let count = 0;
  for (const folder of folders) {
    const run = await openRun(folder, (message) => onEvent({ type: 'warning', message }));
    const { labelled, warnings } = await readLabelledFile(readingOf([run]), data, targets, config);
    const { spec, block, labels, members } = labelled;
    if (spec.task === 'per-token')
      throw new InputError(
        `${data}: ${spec.reason}, and a run is ranked by one embedding for each record; name another --task`,
      );
    for (const message of warnings) onEvent({ type: 'warning', message });
    if (task === undefined)
      onEvent({ type: 'info', message: `${spec.task}: ${spec.reason}; ${describeRecords(labelled)}` });
    task = spec.task;
    const metric = chooseMetric(spec.task, config.metric);
    const { notes } = checkDefined(labelled, metric);
    if (ranked.length === 0) for (const message of notes) onEvent({ type: 'warning', message });
    const drawn = (part: 'train' | 'valid'): Int32Array => drawnRecords(members[part], RECORDS[part], part);
    const parts = { train: drawn('train'), valid: drawn('valid') };
    count = parts.train.length + parts.valid.length;
    const engine = await openEngine({
      ...config,
      work: () => encoderWork(run.model, { passes: 1 }),
      report: (message) => onEvent({ type: 'info', message }),
    });
    const parameters = encoderParameters(run.model, run.tensors, folder);
    const embedder = new Embedder(engine, run.model, parameters);
    try {
      const labelledFeatures = async (records: Int32Array): Promise<LabelledFeatures> => ({
        features: await embedder.embed(takeRecords(block, records), signal),
        labels: gatherRows(new Float64Array(records.length * spec.targets), labels, records, spec.targets),
      });
      const viewed: TokenBlock = takeRecords(block, parts.train.subarray(0, VIEWED));
      const frozen: FrozenFeatures = {
        train: await labelledFeatures(parts.train),
        valid: await labelledFeatures(parts.valid),
        dimension: embedder.width,
        spec,
        metric,
        views: () => embedViews(engine, run.model, { parameters, block: viewed, count: VIEWS }, signal),
        engine,
      };
      ranked.push({
        run: folder,
        objective: run.config.objective.kind,
        scores: await scoresOf(run, frozen, onEvent),
      });
    } finally {
      await embedder.release();
    }
  }
  const first = scoreNames(task!)[0];
  const promise = ({ scores }: RankedRun) => scores[first] ?? Number.NEGATIVE_INFINITY;
  return {
    task: task!,
    scores: Object.fromEntries(
      scoreNames(task!).map((name) => [name, transferabilityScores[name].description]),
    ),
    runs: ranked.sort((a, b) => promise(b) - promise(a)),
    records: count,
  };
}

/** The same records for every run that reads the file alike. */
function drawnRecords(members: Int32Array, most: number, part: Part): Int32Array {
  const order = permutation(members.length, random(0, 'ranked records', PART_KEYS[part]));
  return order
    .subarray(0, most)
    .map((place) => members[place])
    .sort();
}

const PART_KEYS: Readonly<Record<Part, number>> = { train: 0, valid: 1, test: 2 };

/** The scores that have a meaning in a task. */
const scoreNames = (task: Task): TransferabilityName[] =>
  (Object.keys(transferabilityScores) as TransferabilityName[]).filter((name) => {
    const { tasks }: TransferabilityScore = transferabilityScores[name];
    return tasks?.includes(task) ?? true;
  });

async function scoresOf(
  { folder }: Run,
  frozen: FrozenFeatures,
  onEvent: NonNullable<Hooks['onEvent']>,
): Promise<Record<string, number | null>> {
  const scores: Record<string, number | null> = {};
  for (const name of scoreNames(frozen.spec.task)) {
    const score = await transferabilityScores[name].score(frozen);
    scores[name] = Number.isFinite(score) ? score : null;
    onEvent({
      type: 'info',
      message: `${folder} · ${name}: ${Number.isFinite(score) ? score.toPrecision(4) : 'none'}`,
    });
  }
  return scores;
}
