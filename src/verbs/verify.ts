/** The verb `verify`: what a folder promises of itself, looked at again: checksums, parameters, scores and records. */
import { basename, dirname, join } from 'node:path';
import type { Config, FinetuneOptions, FitOptions } from '../config/schema.js';
import type { LabelledData } from '../datasets/labelled-data.js';
import { partition, partitionColumns } from '../datasets/partition.js';
import { hashesOf } from '../datasets/token-stream.js';
import { InputError } from '../errors.js';
import { hashConfig } from '../files/config-hash.js';
import { exists } from '../files/exists.js';
import { readFit, type SavedFit } from '../fit/saved-fit.js';
import type { Hooks } from '../learning/progress-event.js';
import { predictorOf, withModel } from '../models/open-model.js';
import { PARTS, type Part, type SplitDraw } from '../records/split.js';
import { latestCheckpoint } from '../runs/checkpoints.js';
import { exportedFiles } from '../runs/exported-files.js';
import {
  hasConfig,
  hasFile,
  holdsFit,
  openRun,
  readRunConfig,
  readRunJson,
  readRunSchema,
  readTokenizer,
  runFile,
  sweepFile,
} from '../runs/folder.js';
import { readLabels } from '../runs/labels.js';
import { hashAt, readLearnedRecords } from '../runs/learned-records.js';
import { runHash } from '../runs/recorded-pretraining.js';
import { copiedScores, repeatedSeeds, summaryFaults, undefinedScores } from '../runs/score-faults.js';
import { readScores, type Scores } from '../runs/scores.js';
import { isBetter, type MetricName } from '../scoring/metrics.js';
import { splitParts } from '../scoring/parts.js';
import { checksum } from '../sources/checksum.js';
import { checkBenchmark } from '../verification/benchmark.js';
import { type Check, Checks, type Found, NotChecked } from '../verification/checks.js';
import { checkSums } from '../verification/checksums.js';
import { checkCheckpoints, checkLog, checkModelFile, dataOf, nonFinite } from '../verification/run-files.js';
import { checkVersions, describeVersions } from '../verification/versions.js';
import { readingOf, readLabelledFile } from './labelled-file.js';
import { openData } from './open-data.js';
import { ruleOf } from './plan-run.js';

/** What `verify` is given. */
export interface VerifyOptions {
  /** Folder of a run, of an export, of what `fit` left or of a benchmark, or a benchmark's result file. */
  readonly folder: string;
  /** The file that was learned from, or the one with labels, where it is not where it was. */
  readonly data?: string;
}

/** What `verify` found. */
export interface VerifySummary {
  readonly folder: string;
  readonly kind: 'run' | 'fine-tuned run' | 'export' | 'fit' | 'benchmark';
  readonly checks: readonly Check[];
  /** Whether no check failed. */
  readonly passed: boolean;
}

/**
 * Checks what a folder says of itself: see docs/reliability.md. Writes nothing. Throws InputError where the folder is none
 * that Lacuna writes; what is damaged is a check that failed.
 */
export async function verify(
  { folder, data }: VerifyOptions,
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<VerifySummary> {
  const checks = new Checks(signal);
  const kind = await kindOf(folder);
  if (kind === 'benchmark') await checkBenchmark(checks, folder);
  else {
    await checkSums(checks, folder);
    if (kind === 'fit') await checkFit(checks, folder, data, onEvent);
    else if (kind === 'export' && (await isFitExport(folder))) await checkModelFile(checks, folder);
    else await checkRun(checks, folder, kind, data, onEvent);
  }
  const { made } = checks;
  return { folder, kind, checks: made, passed: made.every(({ verdict }) => verdict !== 'failed') };
}

async function kindOf(folder: string): Promise<VerifySummary['kind']> {
  if (/\.json$/i.test(folder) || (await exists(join(folder, 'cells')))) return 'benchmark';
  if (await exists(sweepFile(folder)))
    throw new InputError(
      `${folder}: is the folder of a sweep, whose trials are runs; name one of these, such as ${join(folder, 'trials', '001')}`,
    );
  // One of its files may be gone, which is to be noticed.
  if ((await holdsFit(folder)) || (await hasFile(folder, 'models'))) return 'fit';
  const exported = [exportedFiles.model, exportedFiles.parameters].map((name) => join(folder, name));
  if ((await Promise.all(exported.map(exists))).includes(true)) return 'export';
  if (await hasFile(folder, 'labels')) return 'fine-tuned run';
  if ((await hasConfig(folder)) || (await hasFile(folder, 'manifest'))) return 'run';
  throw new InputError(
    `${folder}: expected the folder of a run, an export, a fit or a benchmark; it has none of their files`,
  );
}

/** Whether a folder is an export of what fit left, whose labels are those of its ONNX file alone. */
async function isFitExport(folder: string): Promise<boolean> {
  if (!(await hasConfig(folder))) return true;
  if (!(await hasFile(folder, 'labels'))) return false;
  const labels = await readRunJson(folder, 'labels').catch(() => undefined);
  return typeof labels === 'object' && labels !== null && !('spec' in labels);
}

async function checkRun(
  checks: Checks,
  folder: string,
  kind: 'run' | 'fine-tuned run' | 'export',
  data: string | undefined,
  onEvent: NonNullable<Hooks['onEvent']>,
): Promise<void> {
  let config: Config | undefined;
  await checks.make('files', async () => {
    config = await readRunConfig(folder);
    await readTokenizer(folder);
    await readRunSchema(folder);
    await readLabels(folder);
    await readLearnedRecords(folder);
    await openRun(folder);
    return 'configuration, tokenizer, schema, labels and parameters are whole';
  });
  if (kind === 'export') await checkModelFile(checks, folder);
  else await checkCheckpoints(checks, folder);
  await checks.make('parameters', async () => {
    const { tensors } = await openRun(folder);
    return {
      faults: nonFinite(folder, dataOf(tensors)),
      ok: `${Object.keys(tensors).length} tensors are finite`,
    };
  });
  await checks.make('configuration', async () => {
    const checkpoint = await latestCheckpoint(folder);
    if (!checkpoint) throw new NotChecked('there is no checkpoint, which would know it');
    const own = await readRunConfig(folder);
    const { config_hash } = checkpoint.metadata;
    const same = [runHash(own), hashConfig({ ...own })].includes(config_hash);
    return {
      faults: same
        ? []
        : [`${runFile(folder, 'config')}: is not the configuration that ${checkpoint.path} was trained with`],
      ok: 'is that of the newest checkpoint',
    };
  });
  await checks.make('log', () => checkLog(folder, config));
  const scores = await readScores(folder).catch(() => undefined);
  await checkScores(checks, scores);
  const labelled = scores?.data !== undefined && kind !== 'run' ? scores : undefined;
  if (labelled) await checkLabelledData(checks, { folder, scores: labelled, config, data, onEvent });
  else if (config) await checkPretrainingData(checks, { folder, kind, config, data });
  await checkVersions(checks, folder, config);
}

async function checkScores(checks: Checks, scores: Scores | undefined): Promise<void> {
  if (!scores) {
    await checks.make('scores', async () => {
      throw new NotChecked('there is no scores.json that can be read');
    });
    return;
  }
  const look = (find: (own: Scores) => string[], ok: string) => async () => ({ faults: find(scores), ok });
  await checks.make('scores', look(undefinedScores, 'are finite, or say why not'));
  await checks.make('means and intervals', look(summaryFaults, 'are those of the scores of the seeds'));
  await checks.make('seeds', look(repeatedSeeds, 'no two of a method have the same scores'));
  await checks.make('validation and test scores', look(copiedScores, 'none is a copy of the other'));
}

/** The file that was learned from: that which is given, or what is found where it was. Throws NotChecked where it is not there. */
async function dataFile(given: string | undefined, known: readonly string[]): Promise<string> {
  if (given !== undefined) return given;
  for (const path of known) if (path !== '-' && (await exists(path))) return path;
  const names = known.map((path) => (path === '-' ? 'standard input' : path));
  throw new NotChecked(
    `${names.length > 0 ? names[0] : 'the data'} is not there; name the file with --data to have it checked`,
  );
}

/** Throws NotChecked where it is not known, and gives the fault where it is another. */
function hashFaults(path: string, expected: string | undefined, found: string): string[] {
  if (expected === undefined)
    throw new NotChecked('an earlier version did not keep the checksum of its data');
  return found === expected
    ? []
    : [
        `${path}: expected ${expected.slice(0, 23)}…, found ${found.slice(0, 23)}…; it is not the file that was learned from`,
      ];
}

const OF_PARTS: Readonly<Record<Part, string>> = { train: 'training', valid: 'validation', test: 'test' };

/** The pairs of parts with records that are equal in all that a model reads. */
function sharedRecords(keys: Readonly<Record<Part, ReadonlySet<number>>>): string[] {
  return PARTS.flatMap((one, i) =>
    PARTS.slice(i + 1).flatMap((other) => {
      let shared = 0;
      for (const key of keys[other]) if (keys[one].has(key)) shared++;
      return shared === 0
        ? []
        : [
            `${shared} different records of the ${OF_PARTS[other]} part are in the ${OF_PARTS[one]} part too, equal in all that the model reads`,
          ];
    }),
  );
}

interface PretrainingData {
  readonly folder: string;
  readonly kind: VerifySummary['kind'];
  readonly config: Config;
  readonly data?: string;
}

async function checkPretrainingData(
  checks: Checks,
  { folder, kind, config, data }: PretrainingData,
): Promise<void> {
  const open = async () => {
    const path = await dataFile(data, [config.data.path]);
    return openData(path, { ...config.data, on_bad_record: 'skip' }, { schema: await readRunSchema(folder) });
  };
  await checks.make('data', async () => {
    const source = await open();
    return {
      faults: hashFaults(source.path, config.data.hash, await checksum(source)),
      ok: `${source.path} is the file that was learned from`,
    };
  });
  await checks.make('records', async () => {
    if (kind === 'export') throw new NotChecked('an export does not tell its parts');
    const source = await open();
    const tokenizer = await readTokenizer(folder);
    const rule = ruleOf({ folder, config, tokenizer });
    const partsOf = await partition(source, rule);
    const keys = { train: new Set<number>(), valid: new Set<number>(), test: new Set<number>() };
    const columns = [...new Set([...tokenizer.columns, ...partitionColumns(source, rule)])];
    // Of more records those with the smallest hashes, as the run itself keeps them.
    let below = 2 ** 53;
    for await (const batch of source.read({ columns, reject: () => {} })) {
      const hashes = hashesOf(batch, tokenizer);
      partsOf(batch).forEach((part, row) => {
        const key = hashAt(hashes, row);
        if (part && key < below) keys[part].add(key);
      });
      while (PARTS.reduce((sum, part) => sum + keys[part].size, 0) > MOST_RECORDS) {
        below /= 2;
        for (const part of PARTS) for (const key of keys[part]) if (key >= below) keys[part].delete(key);
      }
    }
    const faults = sharedRecords(keys);
    const learned = config.training.from === undefined ? await readLearnedRecords(folder) : undefined;
    const within = `no record is in two parts${below < 2 ** 53 ? ', of those with the smallest hashes' : ''}`;
    if (!learned) return { faults, ok: within };
    for (const part of ['valid', 'test'] as const) {
      const count = [...keys[part]].filter((key) => learned.hashes.has(key) && !keys.train.has(key)).length;
      if (count > 0) faults.push(`${count} records of the ${OF_PARTS[part]} part were learned from`);
    }
    return { faults, ok: `${within}, and none that was held out was learned from` };
  });
}

/** Different records that are compared at once. */
const MOST_RECORDS = 1 << 22;

interface LabelledFileOf {
  readonly folder: string;
  readonly scores: Scores;
  readonly config: Config | undefined;
  readonly data?: string;
  readonly onEvent: NonNullable<Hooks['onEvent']>;
}

/** The parts of a labelled file and their records. */
function partFaults({ splits, hashes }: Pick<LabelledData, 'splits' | 'hashes'>): string[] {
  return splits.flatMap(({ members }, split) => {
    const keys = (part: Part) => new Set(Array.from(members[part], (record) => hashAt(hashes, record)));
    const faults = sharedRecords({ train: keys('train'), valid: keys('valid'), test: keys('test') });
    return splits.length === 1 ? faults : faults.map((fault) => `split ${split + 1}: ${fault}`);
  });
}

/** Whether a record is in two parts, unless rows were drawn one by one, equal or not. */
function partsFound(labelled: LabelledData, split: SplitDraw | undefined): Found {
  if (split === 'rows')
    throw new NotChecked('rows were drawn one by one, so equal records may be in two parts');
  return { faults: partFaults(labelled), ok: 'no record is in two parts' };
}

/** Scores of one model on two runs of a program differ by rounding, and ranks of equal predictions with them. */
const SCORE_TOLERANCE = 1e-3;

const scoreFaults = (name: string, kept: number, found: number): string[] =>
  Math.abs(kept - found) <= SCORE_TOLERANCE * Math.max(Math.abs(kept), Math.abs(found)) ||
  (Number.isNaN(kept) && Number.isNaN(found))
    ? []
    : [`${name}: the model that was kept scores ${found} on the test records, and ${kept} is written`];

/** The test score of a folder's model on the records of the first split. */
async function testScore(
  folder: string,
  labelled: LabelledData,
  metric: MetricName,
  onEvent: NonNullable<Hooks['onEvent']>,
): Promise<number> {
  return withModel(folder, {}, { onEvent }, async (model) => {
    const { test } = splitParts(labelled);
    const { texts, members } = labelled;
    const outputs = await predictorOf(model).predict({
      block: test.records,
      ...(texts && { texts: Array.from(members.test, (record) => texts[record]) }),
    });
    return test.score(metric, outputs).value;
  });
}

async function checkLabelledData(
  checks: Checks,
  { folder, scores, config, data, onEvent }: LabelledFileOf,
): Promise<void> {
  const read = async () => {
    const run = await openRun(folder);
    const { finetune } = run.config;
    if (!finetune?.target) throw new NotChecked('the run does not tell what it was trained on');
    const { path } = run.config.data;
    const known = [path, join(dirname(path), scores.data!)].filter((own) => basename(own) === scores.data);
    const file = await dataFile(data, known);
    const options: FinetuneOptions = { ...finetune, strict: false };
    const found = await readLabelledFile(
      { ...readingOf([run]), folders: [], learnedFrom: undefined },
      file,
      finetune.target,
      options,
    );
    return { file, ...found };
  };
  let found: Awaited<ReturnType<typeof read>> | undefined;
  await checks.make('data', async () => {
    found = await read();
    return {
      faults: hashFaults(found.file, scores.hash, found.hash),
      ok: `${found.file} is the file with the labels`,
    };
  });
  const same = (): NonNullable<typeof found> => {
    if (found && found.hash === scores.hash) return found;
    throw new NotChecked('the file with the labels is not there, or another one');
  };
  await checks.make('records', async () => partsFound(same().labelled, config?.finetune?.split));
  await checks.make('scores of the model', async () => {
    const { labelled } = same();
    const trained = config?.finetune?.from_scratch ? 'untrained' : config?.objective.kind;
    const rows = scores.methods.filter(({ method, validPerSeed }) => method === trained && validPerSeed);
    const row = rows.toSorted((a, b) => (b.shots ?? 0) - (a.shots ?? 0))[0];
    if (!row) throw new NotChecked('the scores are not those of this training');
    const metric = row.metric as MetricName;
    const seeds = row.perSeed.length / (row.perSplit?.length ?? 1);
    const valid = row.validPerSeed!.slice(0, seeds);
    const best = valid.reduce((kept, value, seed) => (isBetter(metric, value, valid[kept]) ? seed : kept), 0);
    const score = await testScore(folder, labelled, metric, onEvent);
    return {
      faults: scoreFaults(`${row.method}, seed ${best}`, row.perSeed[best] ?? Number.NaN, score),
      ok: `${row.method}, seed ${best}: ${metric} ${score} again; predictions are not kept, so those of other seeds are not computed again`,
    };
  });
}

async function checkFit(
  checks: Checks,
  folder: string,
  given: string | undefined,
  onEvent: NonNullable<Hooks['onEvent']>,
): Promise<void> {
  let fit: SavedFit | undefined;
  await checks.make('files', async () => {
    fit = await readFit(folder);
    return 'the model, its tokenizer and its schema are whole';
  });
  await checkCheckpoints(checks, folder);
  if (!fit) return;
  const { parts, rows, chosen, metric, spec, data, split, tokenizer, schema } = fit;
  await checks.make('parameters', async () => {
    const arrays: Record<string, ArrayLike<number>> = {};
    const collect = (value: unknown, name: string): void => {
      if (ArrayBuffer.isView(value)) arrays[name] = value as unknown as ArrayLike<number>;
      else if (typeof value === 'object' && value !== null)
        for (const [key, own] of Object.entries(value)) collect(own, `${name}.${key}`);
    };
    for (const part of parts) collect(part, part.name);
    const { tensors = {} } = fit?.run ?? {};
    const faults = [...nonFinite(folder, arrays), ...nonFinite(folder, dataOf(tensors))];
    return { faults, ok: `${Object.keys({ ...arrays, ...tensors }).length} arrays are finite` };
  });
  await checks.make('scores', async () => {
    const faults = rows.flatMap(({ name, test: { value, low, high } }) =>
      value !== null && low !== null && high !== null && !(low <= high)
        ? [`${name}: its interval is from ${low} to ${high}`]
        : [],
    );
    if (!rows.some(({ name }) => name === chosen))
      faults.push(`${chosen}: was chosen, and is no row of the table`);
    const names = rows.map(({ name }) => name);
    for (const name of new Set(names.filter((own, i) => names.indexOf(own) < i)))
      faults.push(`${name}: is there twice`);
    return { faults, ok: `${rows.length} rows` };
  });
  await checks.make('validation and test scores', async () => ({
    faults: rows.flatMap(({ name, valid, test: { value } }) =>
      value !== null && value === valid && !Number.isInteger(value) && String(value).length > 8
        ? [`${name}: the test score is the validation score, ${value}`]
        : [],
    ),
    ok: 'none is a copy of the other',
  }));
  const read = async () => {
    if (!split || !data) throw new NotChecked('an earlier version did not keep how the records were parted');
    const { pretrained_split: pretrainedSplit, ...own } = split;
    const options: FitOptions = { ...data, ...own, task: spec.task };
    const file = await dataFile(given, [data.path]);
    const reading = { tokenizer, schema, pretrainedSplit, folders: [] };
    const textColumn = tokenizer.text?.column;
    return { file, ...(await readLabelledFile(reading, file, spec.columns, options, { textColumn })) };
  };
  let found: Awaited<ReturnType<typeof read>> | undefined;
  await checks.make('data', async () => {
    found = await read();
    return {
      faults: hashFaults(found.file, data?.hash, found.hash),
      ok: `${found.file} is the file that was fitted`,
    };
  });
  const same = (): NonNullable<typeof found> => {
    if (found && found.hash === data?.hash) return found;
    throw new NotChecked('the file that was fitted is not there, or another one');
  };
  await checks.make('records', async () => partsFound(same().labelled, split?.split));
  await checks.make('scores of the model', async () => {
    const { labelled } = same();
    const kept = rows.find(({ name }) => name === chosen)?.test.value ?? Number.NaN;
    const score = await testScore(folder, labelled, metric, onEvent);
    return {
      faults: scoreFaults(chosen, kept, score),
      ok: `${chosen}: ${metric} ${score} again; the models of the other rows are not kept`,
    };
  });
  await checks.make('versions', async () => describeVersions([fit?.version], {}));
}
