/** What a sweep keeps of its trials: sweep.json in its folder. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ParsedConfig } from '../config/schema.js';
import type { Dimension, Settings } from '../config/search.js';
import { InputError } from '../errors.js';
import { writeJson } from '../runs/folder.js';
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
  /** Its process was killed: it is tried again when the sweep goes on. */
  readonly killed?: boolean;
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
  /** The steps at which trials are judged; the last is the whole training, `null` where trials have their own. */
  readonly rungs: readonly (number | null)[];
  readonly trials: readonly Trial[];
  /** The number of the best trial. */
  readonly best?: number;
  /** How much of the scores' variance goes with each key. */
  readonly importance?: { readonly shares: readonly Share[]; readonly explained: number };
}

export const recordPath = (out: string): string => join(out, 'sweep.json');

export const writeRecord = (out: string, record: Omit<SweepRecord, 'version'>): Promise<void> =>
  writeJson(recordPath(out), { version, ...record });

/** The record in a folder; undefined where there is none. Throws InputError where it is not JSON. */
export async function readRecord(out: string): Promise<SweepRecord | undefined> {
  const path = recordPath(out);
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InputError(
      `${path}: is not JSON: ${(cause as Error).message}; name another folder with --out`,
      {
        cause,
      },
    );
  }
}
