/** What a sweep keeps of its trials: sweep.json in its folder. */
import { basename } from 'node:path';
import type { ParsedConfig } from '../config/schema.js';
import type { Dimension, Settings } from '../config/search.js';
import { InputError } from '../errors.js';
import { exists } from '../files/exists.js';
import { readListed } from '../files/manifest.js';
import { sweepFile, writeJson } from '../runs/folder.js';
import { version } from '../version.js';
import type { Share } from './importance.js';

/** Who judges a trial: see `sweep.judge` of the configuration. */
export type Judge = 'validation-loss' | 'probe' | 'finetune';

/** A trial at one number of steps, judged on validation records. */
export interface JudgedTrial {
  readonly steps: number;
  readonly score: number;
  readonly val_loss: number;
  /** Of this call, from the steps before on. */
  readonly seconds: number;
}

/** One setting of the searched keys. */
export interface Trial {
  /** Counted from 1. */
  readonly number: number;
  /** Its folder in that of the sweep, a run like any other. */
  readonly run: string;
  readonly settings: Settings;
  /** By the steps; with halving one for each time that it was judged. */
  readonly judged: readonly JudgedTrial[];
  /** Why it ended, where it did. */
  readonly failure?: string;
  /** It ended for a reason that may be gone, such as a killed process or a full disk: it is tried again when the sweep goes on. */
  readonly temporary?: boolean;
}

/** sweep.json. */
export interface SweepRecord {
  readonly version: string;
  readonly data: string;
  /** The configuration of all trials, and what is searched. */
  readonly config: ParsedConfig;
  readonly space: readonly Dimension[];
  readonly judge: Judge;
  /** What is scored, on validation records alone, once the first trial is. */
  readonly metric?: string;
  readonly higherIsBetter?: boolean;
  /** Hash of the data that the trials learned from. */
  readonly hash?: string;
  /** Hash of the file with labels that they are judged by, where it is another. */
  readonly labelsHash?: string;
  /** The steps at which trials are judged; the last is the whole training, `null` where trials have their own. */
  readonly rungs: readonly (number | null)[];
  readonly trials: readonly Trial[];
  /** The number of the best trial. */
  readonly best?: number;
  /** How much of the scores' variance goes with each key. */
  readonly importance?: { readonly shares: readonly Share[]; readonly explained: number };
}

export const writeRecord = (out: string, record: Omit<SweepRecord, 'version'>): Promise<void> =>
  writeJson(sweepFile(out), { version, ...record });

/** The record in a folder; undefined where there is none. Throws InputError where it is damaged, or none of a sweep. */
export async function readRecord(out: string): Promise<SweepRecord | undefined> {
  const path = sweepFile(out);
  if (!(await exists(path))) return undefined;
  const text = new TextDecoder().decode(await readListed(out, basename(path)));
  const value = parsed(text) as Partial<SweepRecord> | undefined;
  const lists = [value?.trials, value?.space, value?.rungs];
  if (lists.every(Array.isArray) && typeof value?.config === 'object') return value as SweepRecord;
  throw new InputError(`${path}: is no record of a sweep; name another folder with --out`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
