import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import { MetricsLog, readMetrics } from './metrics-log.js';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-metrics-'));
  path = join(folder, 'metrics.jsonl');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(steps: readonly number[], resumedStep?: number): Promise<void> {
  const log = await MetricsLog.open(path, resumedStep);
  for (const step of steps) log.append({ step, loss: 1 / step });
  await log.flush();
  log.dispose();
}

describe('MetricsLog', () => {
  it('writes one JSON object per line and can be read while it is open', async () => {
    const log = await MetricsLog.open(path);
    log.append({ step: 1, loss: 0.5, val_loss: undefined });
    log.append({ step: 2, loss: 0.25, note: 'ok' });
    expect(await readFile(path, 'utf8')).toBe('{"step":1,"loss":0.5}\n{"step":2,"loss":0.25,"note":"ok"}\n');
    expect(await readMetrics(path)).toEqual([
      { step: 1, loss: 0.5 },
      { step: 2, loss: 0.25, note: 'ok' },
    ]);
    log.dispose();
  });

  it('keeps every bit of a number', async () => {
    await write([3, 7]);
    expect((await readMetrics(path)).map(({ loss }) => loss)).toEqual([1 / 3, 1 / 7]);
  });

  it('writes non-finite numbers as null and says what they were', async () => {
    const log = await MetricsLog.open(path);
    log.append({ step: 1, loss: Number.NaN, gradient_norm: -Infinity, lr: 0.1 });
    log.dispose();
    expect(await readMetrics(path)).toEqual([
      {
        step: 1,
        loss: null,
        gradient_norm: null,
        lr: 0.1,
        non_finite: { loss: 'NaN', gradient_norm: '-Infinity' },
      },
    ]);
  });

  it('starts empty, and on resume drops the steps that are done again', async () => {
    await write([1, 2, 3, 4]);
    await write([3, 4, 5], 2);
    expect((await readMetrics(path)).map(({ step }) => step)).toEqual([1, 2, 3, 4, 5]);
    await write([1]);
    expect((await readMetrics(path)).map(({ step }) => step)).toEqual([1]);
  });

  it('resumes at any cut of the file to the same lines', async () => {
    await write([1, 2, 3]);
    const whole = await readFile(path, 'utf8');
    const afterTwo = whole.split('\n', 2).join('\n').length;
    for (let cut = afterTwo; cut <= whole.length; cut++) {
      await writeFile(path, whole.slice(0, cut));
      await write([3], 2);
      expect(await readFile(path, 'utf8'), `cut at ${cut}`).toBe(whole);
    }
  });

  it('names a broken line in the middle', async () => {
    await write([1]);
    await appendFile(path, '{"step":2,"lo\n{"step":3}\n');
    await expect(readMetrics(path)).rejects.toThrow(InputError);
    await expect(write([4], 3)).rejects.toThrow(`${path}:2: expected a JSON object with a step`);
  });

  it('is empty when there is no file', async () => {
    expect(await readMetrics(path)).toEqual([]);
  });
});
