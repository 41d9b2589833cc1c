import { basename, dirname } from 'node:path';
import { InputError } from '../errors.js';
import { type AppendFile, openAppendFile } from '../files/append-file.js';
import { writeFileAtomically } from '../files/atomic-file.js';
import { readListed, unlist } from '../files/manifest.js';

/** One line of metrics.jsonl. `undefined` values are left out. */
export interface Metrics {
  readonly step: number;
  readonly [name: string]: number | string | boolean | null | undefined | Readonly<Record<string, string>>;
}

/**
 * The append-only log of a run, metrics.jsonl: one JSON object per logged step. A line is handed to the system in one
 * write, so that a killed process loses at most the line it was writing.
 */
export class MetricsLog {
  readonly path: string;
  readonly #file: AppendFile;

  private constructor(path: string, file: AppendFile) {
    this.path = path;
    this.#file = file;
  }

  /**
   * Opens the log for appending. A run that goes on from a checkpoint gives `resumedStep`: lines of later steps are
   * dropped, since those steps are done again, and a torn last line is dropped. Without it the log starts empty.
   * Throws InputError when a line before the last is not JSON.
   */
  static async open(path: string, resumedStep = -1): Promise<MetricsLog> {
    const kept = resumedStep < 0 ? [] : (await readMetrics(path)).filter(({ step }) => step <= resumedStep);
    await unlist(dirname(path), basename(path));
    await writeFileAtomically(path, [linesOf(kept)]);
    return new MetricsLog(path, openAppendFile(path));
  }

  /**
   * Appends one line. JSON has no NaN or Infinity: such a value is written as null, with what it was under `non_finite`.
   * Throws LacunaError when the disk is full.
   */
  append(metrics: Metrics): void {
    const nonFinite = Object.entries(metrics).filter(
      ([, value]) => typeof value === 'number' && !Number.isFinite(value),
    );
    const reasons = Object.fromEntries(nonFinite.map(([name, value]) => [name, String(value)]));
    const line = nonFinite.length > 0 ? { ...metrics, non_finite: reasons } : metrics;
    this.#file.append(linesOf([line]));
  }

  /** Waits until the lines are on the disk. Call it before a checkpoint, so that the log is never behind one. */
  flush(): Promise<void> {
    return this.#file.flush();
  }

  dispose(): void {
    this.#file.dispose();
  }
}

const linesOf = (metrics: readonly Metrics[]): Uint8Array =>
  new TextEncoder().encode(metrics.map((line) => `${JSON.stringify(line)}\n`).join(''));

/**
 * The lines of a metrics.jsonl in order; none when the file is not there. A last line without its line break was torn by a
 * killed process and is left out unless it is whole. Throws InputError naming the line that is not a JSON object with a step.
 */
export async function readMetrics(path: string): Promise<Metrics[]> {
  const bytes = await readListed(dirname(path), basename(path)).catch((error) => {
    if (error.code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  });
  const text = new TextDecoder().decode(bytes);
  const lines = text.split('\n');
  const metrics: Metrics[] = [];
  for (const [index, line] of lines.entries()) {
    const last = index === lines.length - 1;
    if (last && line === '') break;
    const parsed = parseLine(line);
    if (parsed) metrics.push(parsed);
    else if (!last)
      throw new InputError(
        `${path}:${index + 1}: expected a JSON object with a step, got ${JSON.stringify(line.slice(0, 40))}; remove this line`,
      );
  }
  return metrics;
}

function parseLine(line: string): Metrics | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isMetrics(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isMetrics(value: unknown): value is Metrics {
  return typeof value === 'object' && value !== null && 'step' in value && typeof value.step === 'number';
}
