/** How often a file is read before the first step, whatever a run asks of it. */
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { DuckDBConnection } from '@duckdb/node-api';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import type { UserConfig } from '../config/schema.js';
import * as disk from '../sources/disk-file.js';
import { molecules } from '../tokenizers/real-records.case.js';
import { pretrain } from './pretrain.js';

vi.mock('../sources/disk-file.js', { spy: true });

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-passes-'));
});
afterEach(() => {
  vi.restoreAllMocks();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const config: UserConfig = {
  data: { columns: ['smiles'] },
  encoder: { width: 8, heads: 2, layers: 1, latents: 4 },
  training: { steps: 1, batch_size: 8, threads: 1, monitor_target: 'label' },
};

/** Readings of the records that are begun until the first step is told. */
async function readings(data: string, out: string, blockValues?: number): Promise<number> {
  const begun = vi.spyOn(DuckDBConnection.prototype, 'stream');
  let before = Number.NaN;
  const onEvent = ({ type }: { type: string }) => {
    if (type === 'step' && Number.isNaN(before)) before = begun.mock.calls.length;
  };
  await pretrain({ data, out: join(folder, out), config, blockValues }, { onEvent });
  return before;
}

const parts = ['train', 'train', 'train', 'valid', 'test'];
const line = (row: number) => `${molecules[row % molecules.length]},${parts[row % 5]},${row % 3}`;

it('a small table is parsed once after a look at its cells, with a split column and monitored labels', async () => {
  const data = join(folder, 'small.csv');
  const rows = Array.from({ length: 300 }, (_, row) => line(row));
  await writeFile(data, ['smiles,split,label', ...rows, ''].join('\n'));
  expect(await readings(data, 'small')).toBe(1 + 1);
});

it('a small file without a database is read once for its records', async () => {
  const data = join(folder, 'small.smi');
  await writeFile(data, Array.from({ length: 20 }, () => molecules.join('\n')).join('\n'));
  const streams = vi.fn();
  vi.mocked(disk.diskFile).mockImplementation(async (path) => {
    const file = await (await vi.importActual<typeof disk>('../sources/disk-file.js')).diskFile(path);
    const stream = () => {
      streams(path);
      return file.stream();
    };
    return { ...file, stream };
  });
  await pretrain({
    data,
    out: join(folder, 'lines'),
    config: {
      ...config,
      data: {},
      training: { ...config.training, monitor_target: undefined },
    },
  });
  expect(streams).toHaveBeenCalledTimes(1);
});

it('a large table is looked at, fitted on, and read for its first block', async () => {
  const data = join(folder, 'large.csv');
  const file = createWriteStream(data);
  file.write('smiles,split,label,note\n');
  // Over 32 MiB, of which the note is most.
  const note = 'x'.repeat(900);
  for (let row = 0; row < 40_000; row++) file.write(`${line(row)},${note}\n`);
  file.end();
  await finished(file);
  // Types are decided from a sample. The labels to monitor by are read up to the last monitored record.
  expect(await readings(data, 'large', 100_000)).toBe(1 + 1 + 2 + 1 + 1);
});
