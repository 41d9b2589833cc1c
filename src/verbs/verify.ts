/** The verb `verify`: what a folder promises of itself, looked at again: checksums, parameters, scores and records. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Config, FinetuneOptions, FitOptions } from '../config/schema.js';
import type { LabelledData } from '../datasets/labelled-data.js';
import { partition, partitionColumns } from '../datasets/partition.js';
import { hashesOf } from '../datasets/token-stream.js';
import { LacunaError, systemError } from '../errors.js';
import { hashConfig } from '../files/config-hash.js';
import { damageOf, MANIFEST, readManifest } from '../files/manifest.js';
import { readFit, type SavedFit } from '../fit/saved-fit.js';
import type { Hooks } from '../learning/progress-event.js';
import { openModel, predictorOf } from '../models/open-model.js';
import { PARTS, type Part } from '../records/split.js';
import { copiedCells, repeatedCells, strayCells } from '../report/result-faults.js';
import { parseResults, type Results } from '../report/results.js';
import { latestCheckpoint, listCheckpoints, loadCheckpoint } from '../runs/checkpoints.js';
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
} from '../runs/folder.js';
import { readLabels } from '../runs/labels.js';
import { hashAt, readLearnedRecords } from '../runs/learned-records.js';
import { readMetrics } from '../runs/metrics-log.js';
import { runHash } from '../runs/recorded-pretraining.js';
import { copiedScores, repeatedSeeds, summaryFaults, undefinedScores } from '../runs/score-faults.js';
import { readScores, type Scores } from '../runs/scores.js';
import { isBetter, type MetricName } from '../scoring/metrics.js';
import { splitParts } from '../scoring/parts.js';
import { checksum } from '../sources/checksum.js';
import type { HostTensor } from '../tensor/tensor.js';
import { version } from '../version.js';
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

/** What became of a check. */
export type Verdict = 'ok' | 'failed' | 'not checked';

/** One thing that was looked at. */
export interface Check {
  readonly name: string;
  readonly verdict: Verdict;
  /** What was found, or why it was not checked. */
  readonly detail: string;
}

/** What `verify` found. */
export interface VerifySummary {
  readonly folder: string;
  readonly kind: 'run' | 'fine-tuned run' | 'export' | 'fit' | 'benchmark';
  readonly checks: readonly Check[];
  /** Whether no check failed. */
  readonly passed: boolean;
}

/** Why something was not checked. */
class NotChecked extends Error {}

/** Checks in the order in which they are made. */
class Checks {
  readonly made: Check[] = [];

  constructor(private readonly signal?: AbortSignal) {}

  /** What `look` says is what was found: a sentence, or faults, of which none is well. */
  async make(name: string, look: () => Promise<string | { faults: string[]; ok: string }>): Promise<void> {
    this.signal?.throwIfAborted();
    try {
      const found = await look();
      if (typeof found === 'string') this.add(name, 'ok', found);
      else if (found.faults.length === 0) this.add(name, 'ok', found.ok);
      else for (const fault of found.faults) this.add(name, 'failed', fault);
    } catch (error) {
      if (error instanceof NotChecked) return this.add(name, 'not checked', error.message);
      const expected = error instanceof LacunaError ? error : systemError(error);
      if (!expected) throw error;
      this.add(name, 'failed', expected.message);
    }
  }

  private add(name: string, verdict: Verdict, detail: string): void {
    this.made.push({ name, verdict, detail });
  }
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

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

async function kindOf(folder: string): Promise<VerifySummary['kind']> {
  if (/\.json$/i.test(folder) || (await isThere(join(folder, 'cells')))) return 'benchmark';
  // One of its files may be gone, which is to be noticed.
  if ((await holdsFit(folder)) || (await hasFile(folder, 'models'))) return 'fit';
  const exported = [exportedFiles.model, exportedFiles.parameters].map((name) => join(folder, name));
  if ((await Promise.all(exported.map(isThere))).includes(true)) return 'export';
  if (await hasFile(folder, 'labels')) return 'fine-tuned run';
  if ((await hasConfig(folder)) || (await hasFile(folder, 'manifest'))) return 'run';
  throw new LacunaError(
    `${folder}: expected the folder of a run, an export, a fit or a benchmark; it has none of their files`,
    { exitCode: 2 },
  );
}

/** Whether a folder is an export of what fit left, whose labels are those of its ONNX file alone. */
async function isFitExport(folder: string): Promise<boolean> {
  if (!(await hasConfig(folder))) return true;
  if (!(await hasFile(folder, 'labels'))) return false;
  const labels = await readRunJson(folder, 'labels').catch(() => undefined);
  return typeof labels === 'object' && labels !== null && !('spec' in labels);
}

/** The folders at and below one, those of checkpoints and hidden ones left out. */
async function foldersBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const below = entries.filter((entry) => entry.isDirectory() && !/^\.|^checkpoints$/.test(entry.name));
  const deeper = await Promise.all(below.map(({ name }) => foldersBelow(join(folder, name))));
  return [folder, ...deeper.flat()];
}

/** Files that are written once, of which a manifest has to list each that is there. */
const LISTED: ReadonlySet<string> = new Set([
  ...Object.values(exportedFiles),
  'learned.safetensors',
  'models.safetensors',
  'fit.json',
  'rejected.jsonl',
  'DONE',
]);

/** The files of all manifests. */
async function checkSums(checks: Checks, folder: string): Promise<void> {
  await checks.make('checksums', async () => {
    let files = 0;
    const faults: string[] = [];
    let manifests = 0;
    for (const own of await foldersBelow(folder)) {
      const manifest = await readManifest(own);
      if (!manifest) continue;
      manifests++;
      for (const name of manifest.keys()) {
        files++;
        const path = join(own, name);
        const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
          faults.push(`${path}: is listed in ${MANIFEST} and could not be read (${error.code})`);
        });
        const damage = bytes && damageOf(manifest, name, bytes);
        if (damage) faults.push(`${path}: ${damage}`);
      }
      for (const name of await readdir(own))
        if (LISTED.has(name) && !manifest.has(name))
          faults.push(`${join(own, name)}: is not listed in ${MANIFEST}`);
    }
    if (manifests === 0) throw new NotChecked(`there is no ${MANIFEST}; an earlier version wrote the folder`);
    return { faults, ok: `${files} ${files === 1 ? 'file' : 'files'}` };
  });
}

/** Numbers that are not finite, a fault for each tensor that has some. */
function nonFinite(path: string, tensors: Readonly<Record<string, ArrayLike<number | bigint>>>): string[] {
  return Object.entries(tensors).flatMap(([name, data]) => {
    let bad = 0;
    if (data instanceof Float32Array || data instanceof Float64Array)
      for (const value of data) if (!Number.isFinite(value)) bad++;
    return bad === 0 ? [] : [`${path}: ${name} has ${bad} of ${data.length} numbers that are not finite`];
  });
}

const dataOf = (tensors: Readonly<Record<string, HostTensor>>) =>
  Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, data]));

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

async function checkCheckpoints(checks: Checks, folder: string): Promise<void> {
  await checks.make('checkpoints', async () => {
    const found = await listCheckpoints(folder);
    if (found.length === 0) throw new NotChecked('there is none');
    const faults: string[] = [];
    for (const { path } of found)
      await loadCheckpoint(path).catch((error: Error) => {
        faults.push(error.message);
      });
    return { faults, ok: `${found.length} ${found.length === 1 ? 'is' : 'are'} intact` };
  });
}

async function checkLog(
  folder: string,
  config: Config | undefined,
): Promise<{ faults: string[]; ok: string }> {
  const path = runFile(folder, 'metrics');
  if (!(await hasFile(folder, 'metrics'))) throw new NotChecked('there is none');
  const lines = await readMetrics(path);
  const faults = lines.flatMap(({ step }, i) =>
    i > 0 && step <= lines[i - 1].step
      ? [`${path}:${i + 1}: step ${step} comes after step ${lines[i - 1].step}`]
      : [],
  );
  const last = lines.at(-1)?.step;
  if ((await hasFile(folder, 'done')) && config && last !== config.training.steps)
    faults.push(`${path}: ends at step ${last}, and the run is done with ${config.training.steps}`);
  return { faults, ok: `${lines.length} lines in the order of their steps` };
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
  for (const path of known) if (path !== '-' && (await isThere(path))) return path;
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
  const model = await openModel(folder, {}, { onEvent });
  try {
    const { test } = splitParts(labelled);
    const { texts, members } = labelled;
    const outputs = await predictorOf(model).predict({
      block: test.records,
      ...(texts && { texts: Array.from(members.test, (record) => texts[record]) }),
    });
    return test.score(metric, outputs).value;
  } finally {
    await model.release();
  }
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
      { ...readingOf([run]), folders: [] },
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
  await checks.make('records', async () => ({
    faults: partFaults(same().labelled),
    ok: 'no record is in two parts',
  }));
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
  await checks.make('records', async () => ({
    faults: partFaults(same().labelled),
    ok: 'no record is in two parts',
  }));
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

async function checkModelFile(checks: Checks, folder: string): Promise<void> {
  await checks.make('model', async () => {
    const { InferenceSession } = await import('onnxruntime-node');
    const path = join(
      folder,
      (await hasFile(folder, 'encoder')) ? exportedFiles.encoder : exportedFiles.model,
    );
    const session = await InferenceSession.create(path, { graphOptimizationLevel: 'disabled' }).catch(
      (cause: Error) => {
        throw new LacunaError(`${path}: ONNX Runtime cannot open it: ${cause.message.split('\n')[0]}`, {
          cause,
        });
      },
    );
    const { inputNames, outputNames } = session;
    await session.release();
    return `reads ${inputNames.join(', ')}, gives ${outputNames.join(', ')}`;
  });
}

async function checkVersions(checks: Checks, folder: string, config: Config | undefined): Promise<void> {
  await checks.make('versions', async () => {
    const checkpoint = await latestCheckpoint(folder).catch(() => undefined);
    const learned = await readLearnedRecords(folder).catch(() => undefined);
    const { lacuna, ...others } = config?.versions ?? {};
    return describeVersions([lacuna, checkpoint?.metadata.version, learned?.version], others);
  });
}

const partsOfVersion = (text: string): number[] => text.split('.').map(Number);

const isNewer = (one: string, other: string): boolean => {
  const [a, b] = [partsOfVersion(one), partsOfVersion(other)];
  const at = a.findIndex((value, i) => value !== b[i]);
  return at >= 0 && a[at] > b[at];
};

/** What wrote the folder, and what reads it. */
function describeVersions(
  wrote: readonly (string | undefined)[],
  others: Readonly<Record<string, string>>,
): { faults: string[]; ok: string } {
  const known = [...new Set(wrote.filter((own) => own !== undefined))];
  if (known.length === 0 && Object.keys(others).length === 0)
    throw new NotChecked('the folder does not tell what wrote it');
  const written = [
    ...known.map((own) => `Lacuna ${own}`),
    ...Object.entries(others).map((own) => own.join(' ')),
  ];
  const read = `Lacuna ${version}, node ${process.versions.node}`;
  return {
    faults: known
      .filter((own) => isNewer(own, version))
      .map((own) => `was written by Lacuna ${own}, which is newer than this one, ${version}`),
    ok: `written by ${written.join(', ')}; read by ${read}`,
  };
}

async function checkBenchmark(checks: Checks, path: string): Promise<void> {
  const alone = /\.json$/i.test(path);
  const folder = alone ? dirname(path) : path;
  if (alone)
    await checks.make('checksums', async () => {
      const manifest = await readManifest(folder);
      const [name, bytes] = [basename(path), await readFile(path)];
      if (!manifest?.has(name)) throw new NotChecked(`no ${MANIFEST} beside it lists it`);
      const damage = damageOf(manifest, name, bytes);
      return { faults: damage ? [`${path}: ${damage}`] : [], ok: '1 file' };
    });
  else await checkSums(checks, folder);
  const files = alone
    ? [path]
    : (await readdir(folder))
        .filter((name) => name.endsWith('.json'))
        .sort()
        .map((name) => join(folder, name));
  await checks.make('results', async () => {
    if (files.length === 0) throw new NotChecked('no result file was written yet');
    return files.join(', ');
  });
  for (const file of files) {
    const results = parseResultsIn(file);
    const look = (find: (own: Results) => string[], ok: string) => async () => ({
      faults: find(await results),
      ok: `${basename(file)}: ${ok}`,
    });
    await checks.make(
      'cells',
      look(repeatedCells, 'each task, method and seed is there once, with its own scores'),
    );
    await checks.make('validation and test scores', look(copiedCells, 'none is a copy of the other'));
    await checks.make(
      'test scores',
      look(
        strayCells,
        'lie among those of resampled records; predictions are not kept, so they are not computed again',
      ),
    );
    if (!alone) await checks.make('kept cells', async () => keptCells(folder, await results));
    await checks.make('versions', async () => {
      const { lacuna, ...others } = (await results).versions;
      return describeVersions([lacuna], others);
    });
  }
}

const parseResultsIn = async (file: string): Promise<Results> =>
  parseResults(await readFile(file, 'utf8'), file);

/** The cells of a result file are those that are kept in the folder. */
async function keptCells(folder: string, { suite, cells }: Results) {
  const root = join(folder, 'cells', suite);
  const kept = new Map<string, string>();
  const faults: string[] = [];
  for (const own of (await isThere(root)) ? await foldersBelow(root) : [])
    for (const name of await readdir(own)) {
      if (!/^\d+\.json$/.test(name)) continue;
      const path = join(own, name);
      try {
        const cell = JSON.parse(await readFile(path, 'utf8'));
        if (`${cell.seed}.json` !== name) faults.push(`${path}: is the cell of seed ${cell.seed}`);
        kept.set(JSON.stringify([cell.task, cell.method, cell.seed, cell.key]), JSON.stringify(cell));
      } catch {
        faults.push(`${path}: is not JSON`);
      }
    }
  let compared = 0;
  for (const cell of cells) {
    const own = kept.get(JSON.stringify([cell.task, cell.method, cell.seed, cell.key]));
    if (own === undefined) continue;
    compared++;
    if (!sameCell(JSON.parse(own), cell))
      faults.push(`${cell.task} · ${cell.method} · seed ${cell.seed}: is another one in the result file`);
  }
  return { faults, ok: `${compared} of ${cells.length} are in the folder as they are in the result file` };
}

const sameCell = (one: object, other: object): boolean =>
  hashConfig(one as Record<string, unknown>) === hashConfig(other as Record<string, unknown>);
