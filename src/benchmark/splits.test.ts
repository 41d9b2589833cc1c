import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSource } from '../sources/open-source.js';
import { hashOf } from './files.js';
import { drawnImages, drawnTable } from './splits.js';
import { readTable } from './tables.js';

let folder: string;
const folders = () => ({ data: join(folder, 'data'), prepared: join(folder, 'prepared') });
const split = { valid: 0.2, test: 0.3 };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-splits-'));
  await mkdir(join(folder, 'data'));
  const lines = Array.from({ length: 200 }, (_, i) => `${i},${i % 7 === 0 ? '' : `"a, ${i}"`}`);
  await writeFile(join(folder, 'data', 'table.csv'), ['number,text', ...lines, ''].join('\n'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a drawn split', () => {
  it('of a table keeps every cell, and is made once for the same data and recipe', async () => {
    const { path } = await drawnTable('table', 'table.csv', split).open(folders());
    const before = await readTable(join(folder, 'data', 'table.csv'));
    const after = await readTable(path);
    expect(after.columns).toEqual(['split', ...before.columns]);
    expect(after.rows.map(([, ...cells]) => cells)).toEqual(before.rows);
    const parts = after.rows.map(([part]) => part);
    for (const [part, expected] of [
      ['train', 100],
      ['valid', 40],
      ['test', 60],
    ] as const) {
      expect(Math.abs(parts.filter((own) => own === part).length - expected)).toBeLessThan(25);
    }
    expect((await drawnTable('table', 'table.csv', split).open(folders())).path).toBe(path);
    const other = await drawnTable('table', 'table.csv', { ...split, valid: 0.1 }).open(folders());
    expect(other.path).not.toBe(path);
  });

  it('of images is a folder that is read as one source with a split', async () => {
    const count = 50;
    const pixels = Uint8Array.from({ length: count * 6 }, (_, i) => (i * 7) % 251);
    const labels = Uint8Array.from({ length: count }, (_, i) => i % 3);
    const dataset = drawnImages('images', ['table.csv'], split, async () => ({
      height: 2,
      width: 3,
      pixels,
      labels,
    }));
    const { path } = await dataset.open(folders());
    expect((await readdir(path)).length).toBe(6);
    const seen = new Map<string, number>();
    for await (const { columns } of (await openSource(path)).read()) {
      const { pixels: images, label, split: parts } = columns;
      if (images.type !== 'pixels' || label.type !== 'number' || parts.type !== 'text')
        throw new Error('columns');
      expect(images.shape).toEqual([2, 3, 1]);
      parts.values.forEach((part, row) => {
        seen.set(`${images.values.subarray(row * 6, row * 6 + 6)} ${label.values[row]}`, 1);
        expect(['train', 'valid', 'test']).toContain(part);
      });
    }
    const given = Array.from(labels, (label, row) => `${pixels.subarray(row * 6, row * 6 + 6)} ${label}`);
    expect(new Set(seen.keys())).toEqual(new Set(given));
    expect(await hashOf(path)).toMatch(/^[0-9a-f]{64}$/);
  });
});
