/** What a sweep and its parts did before, from the records in its folder. */
import { join } from 'node:path';
import type { Settings } from '../config/search.js';
import { InputError } from '../errors.js';
import { hashConfig } from '../files/config-hash.js';
import { hasConfig } from '../runs/folder.js';
import { shardFolders } from '../verbs/shard.js';
import { readRecord, type SweepRecord, type Trial } from './record.js';

/** What is scored, and on which data, once the first trial is. */
export type Measure = Pick<SweepRecord, 'metric' | 'higherIsBetter' | 'hash'>;

/**
 * The trials of a sweep, or of its part in a folder below `whole`, as far as they came: a new one for each of `settings`, failed
 * where it is `refused`. Throws InputError where a folder holds another sweep or more trials, and for data or labels that changed.
 */
export async function keptTrials(
  { out, whole }: { readonly out: string; readonly whole: string },
  record: Omit<SweepRecord, 'version' | 'trials'>,
  settings: readonly Settings[],
  refused: readonly unknown[],
): Promise<{ trials: Trial[]; measure: { -readonly [K in keyof Measure]: Measure[K] } }> {
  const before = await readRecord(out);
  const parts = await partRecords(out);
  const others = whole === out ? [] : [await readRecord(whole), ...(await partRecords(whole))];
  for (const part of [before, ...parts, ...others]) {
    if (part === undefined) continue;
    checkSame(part, record, whole);
    checkUnchanged(part, record, whole);
  }
  if (before && before.trials.length > settings.length) {
    throw new InputError(
      `${out}: holds ${before.trials.length} trials, more than sweep.trials = ${settings.length}; ask for as many, or name another folder with --out`,
    );
  }
  const found = await Promise.all(
    [before, ...parts].map((part) =>
      Promise.all((part?.trials ?? []).map((trial) => withItsRun(trial, out))),
    ),
  );
  const trials = settings.map((own, index): Trial => {
    const known = found.flatMap((part) => part[index] ?? []);
    // The first of those that got furthest.
    const kept = known.toSorted((a, b) => progressOf(b) - progressOf(a))[0];
    if (kept && !kept.temporary) return kept;
    const number = index + 1;
    const why = refused[index];
    const { judged = [] } = kept ?? {};
    const trial = { number, run: join('trials', String(number).padStart(3, '0')), settings: own, judged };
    return why instanceof InputError ? { ...trial, failure: why.message } : trial;
  });
  const judgedBefore = [before, ...parts].find((part) => part?.metric !== undefined);
  const { metric, higherIsBetter } = judgedBefore ?? {};
  return { trials, measure: { metric, higherIsBetter, hash: record.hash } };
}

/** A trial as it is, or from its start where its run is gone. */
const withItsRun = async (trial: Trial, out: string): Promise<Trial | undefined> =>
  trial.judged.length === 0 || (await hasConfig(join(out, trial.run))) ? trial : undefined;

/** Throws InputError where what trials learned from, or are judged by, is not what it was. */
function checkUnchanged(
  before: SweepRecord,
  { data, hash, labelsHash, config }: Omit<SweepRecord, 'version' | 'trials'>,
  out: string,
): void {
  const changed = (known: string | undefined, now: string | undefined) =>
    known !== undefined && now !== undefined && known !== now;
  const refuse = (path: string) => {
    throw new InputError(
      `${path}: changed since the first trial in ${out}; bring it back, or begin a new sweep with another --out`,
    );
  };
  if (changed(before.hash, hash)) refuse(data);
  if (changed(before.labelsHash, labelsHash)) refuse(config.sweep?.labels ?? data);
}

/** How far a trial has come: one that failed goes no further. */
const progressOf = ({ judged, failure }: Trial): number =>
  failure === undefined ? judged.length : judged.length + 0.5;

/** What the parts of a sweep did, each in a folder of its own within `out`; the runs are named from there. */
async function partRecords(out: string): Promise<SweepRecord[]> {
  const parts: SweepRecord[] = [];
  for (const folder of await shardFolders(out)) {
    const part = await readRecord(join(out, folder));
    if (part === undefined) continue;
    const trials = part.trials.map((trial) =>
      progressOf(trial) > 0 ? { ...trial, run: join(folder, trial.run) } : trial,
    );
    parts.push({ ...part, trials });
  }
  return parts;
}

/** Throws InputError where a folder holds another sweep. More trials may be drawn; all else has to be as it was. */
function checkSame(before: SweepRecord, now: Omit<SweepRecord, 'version' | 'trials'>, out: string): void {
  const known = ({ config, space, judge, rungs }: typeof now) => {
    const { trials: _, ...how } = config.sweep ?? {};
    // Where the data lie says nothing: the trials know what is in them.
    const { path: _path, ...reading } = config.data ?? {};
    const random = (how.method ?? 'random') === 'random';
    return {
      ...config,
      data: reading,
      sweep: random ? how : config.sweep,
      search: space,
      judge,
      rungs,
    } as Record<string, unknown>;
  };
  const [old, own] = [known(before), known(now)];
  const differing = Object.keys({ ...old, ...own }).find(
    (part) => hashConfig({ part: old[part] }) !== hashConfig({ part: own[part] }),
  );
  if (differing !== undefined) {
    throw new InputError(
      `${out}: holds a sweep with another ${differing} in its configuration; name another folder with --out, or ask for the same`,
    );
  }
}
