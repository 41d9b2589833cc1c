/** Each write of a run is failed in turn, as a full disk or a failing one would; the folder stays one to go on with. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { UserConfig } from '../src/config/schema.js';
import { LacunaError } from '../src/errors.js';
import { latestCheckpoint } from '../src/runs/checkpoints.js';
import { readMetrics } from '../src/runs/metrics-log.js';
import { molecules } from '../src/tokenizers/real-records.case.js';
import { embed } from '../src/verbs/embed.js';
import { exportRun } from '../src/verbs/export.js';
import { pretrain } from '../src/verbs/pretrain.js';

/** Below `folder` the call number `at` fails, and those after it too where the fault `stays`. */
const fault = vi.hoisted(() => ({ folder: ' ', at: Infinity, stays: false, calls: 0, code: 'ENOSPC' }));

const strike = vi.hoisted(() => (syscall: string, path: unknown) => {
  if (!String(path).includes(fault.folder)) return;
  fault.calls++;
  if (fault.stays ? fault.calls < fault.at : fault.calls !== fault.at) return;
  throw Object.assign(new Error(`${fault.code}: injected, ${syscall} '${path}'`), {
    code: fault.code,
    syscall,
    path,
  });
});

vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:fs/promises')>();
  const failing = {
    ...real,
    async open(path: string, flags?: string, mode?: number) {
      if (flags !== undefined && flags !== 'r') strike('open', path);
      const file = await real.open(path, flags, mode);
      return new Proxy(file, {
        get(target, name) {
          const value = Reflect.get(target, name);
          if (typeof value !== 'function') return value;
          return async (...args: unknown[]) => {
            if (['write', 'writeFile', 'sync'].includes(String(name))) strike(String(name), path);
            return value.apply(target, args);
          };
        },
      });
    },
    async mkdir(...args: Parameters<typeof real.mkdir>) {
      strike('mkdir', args[0]);
      return real.mkdir(...args);
    },
    async rename(...args: Parameters<typeof real.rename>) {
      strike('rename', args[0]);
      return real.rename(...args);
    },
  };
  return { ...failing, default: failing };
});

vi.mock('node:fs', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:fs')>();
  const paths = new Map<number, string>();
  const failing = {
    ...real,
    openSync(path: string, flags: string) {
      strike('open', path);
      const file = real.openSync(path, flags);
      paths.set(file, path);
      return file;
    },
    writeSync(file: number, ...args: [NodeJS.ArrayBufferView, number]) {
      strike('write', paths.get(file));
      return real.writeSync(file, ...args);
    },
    fsyncSync(file: number) {
      strike('fsync', paths.get(file));
      return real.fsyncSync(file);
    },
  };
  return { ...failing, default: failing };
});

let folder: string;
let data: string;
let whole: string;

const config = {
  data: { columns: ['smiles'], valid_fraction: 0.2, test_fraction: 0 },
  encoder: { kind: 'transformer', width: 8, layers: 1, heads: 1 },
  objective: { kind: 'random-masking' },
  training: {
    steps: 4,
    batch_size: 4,
    checkpoint_steps: 2,
    valid_steps: 4,
    log_steps: 1,
    threads: 1,
    seed: 1,
  },
} satisfies UserConfig;
const run = (out: string, resume = false) => pretrain({ data, out, config, resume });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-faults-'));
  data = join(folder, 'molecules.csv');
  await writeFile(data, `smiles,y\n${molecules.map((text, i) => `${text},${i % 2}`).join('\n')}\n`);
  whole = join(folder, 'whole');
  await run(whole);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Calls `act` with a fault one call later each time, four where it stays, until it meets none; `after` looks at what is left each time. */
async function failInTurn(
  out: string,
  stays: boolean,
  act: () => Promise<unknown>,
  after: (at: number) => Promise<unknown>,
): Promise<number> {
  for (let at = 1; ; at += stays ? 4 : 1) {
    Object.assign(fault, { folder: out, at, stays, calls: 0, code: at % 2 ? 'ENOSPC' : 'EIO' });
    const error = await act().then(
      () => undefined,
      (error) => error,
    );
    const met = fault.calls >= at;
    fault.at = Number.POSITIVE_INFINITY;
    if (met) {
      expect(error, `call ${at}`).toBeInstanceOf(LacunaError);
      expect(error.message).toMatch(/could not write .*: the disk (is full|reported an error)/);
      expect(error.message).not.toContain('\n');
    } else expect(error).toBe(undefined);
    await after(at);
    await rm(out, { recursive: true, force: true });
    if (!met) return at;
  }
}

const newest = async (out: string) => readFile((await latestCheckpoint(out))!.path);
const filesOf = (out: string) => readdir(out, { recursive: true }).catch(() => [] as string[]);

describe.each([{ stays: false }, { stays: true }])('a fault that stays: $stays', ({ stays }) => {
  it('at any write of a pretraining leaves a run that goes on as if it had not been', async () => {
    const out = join(folder, 'faulty');
    const faults = await failInTurn(
      out,
      stays,
      () => run(out),
      async (at) => {
        const left = await filesOf(out);
        expect(left.filter((name) => name.endsWith('.partial') || name === 'LOCK')).toEqual([]);
        const checkpoint = left.some((name) => /step-.*safetensors$/.test(name));
        if (checkpoint) expect((await latestCheckpoint(out))?.step).toBeGreaterThan(0);
        if (left.includes('metrics.jsonl')) await readMetrics(join(out, 'metrics.jsonl'));
        // To go on takes as long as to begin: every fault is tried once in two.
        if (at % 2 === Number(stays)) return;
        await run(out, true);
        expect(await newest(out)).toEqual(await newest(whole));
        expect(await readdir(out)).toContain('DONE');
      },
    );
    expect(faults).toBeGreaterThan(50);
  });

  it.each(['csv', 'npy'])('at any write of embeddings as %s keeps the old file', async (format) => {
    const out = join(folder, 'outputs');
    const path = join(out, `embeddings.${format}`);
    const act = () => embed({ run: whole, data, out: path });
    const faults = await failInTurn(out, stays, act, async () => {
      expect((await filesOf(out)).filter((name) => name.endsWith('.partial'))).toEqual([]);
    });
    expect(faults).toBeGreaterThan(4);
  });

  it('at any write of an export leaves no folder', async () => {
    const out = join(folder, 'exported');
    const faults = await failInTurn(
      out,
      stays,
      () => exportRun({ run: whole, out }),
      async () => {
        expect((await readdir(folder)).filter((name) => name.includes('.partial'))).toEqual([]);
      },
    );
    expect(faults).toBeGreaterThan(20);
  });
});
