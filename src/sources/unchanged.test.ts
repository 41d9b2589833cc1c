import { appendFile, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TokenBlock } from '../records/token-block.js';
import { openSource } from './open-source.js';
import { ChangedData, unchanged, unchangedBlocks } from './unchanged.js';

let folder: string;
let data: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-unchanged-'));
  data = join(folder, 'data.csv');
  await writeFile(data, 'a,b\n1,2\n3,4\n');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('unchanged', () => {
  const read = async (source: Awaited<ReturnType<typeof unchanged>>) => {
    let records = 0;
    for await (const { rows } of source.read()) records += rows.length;
    return records;
  };

  it('reads a file as often as one likes while it stays what it was', async () => {
    const source = await unchanged(await openSource(data));
    expect(await read(source)).toBe(2);
    expect(await read(source)).toBe(2);
  });

  it.each([
    ['grows', () => appendFile(data, '5,6\n'), 'was changed'],
    ['is touched', () => utimes(data, new Date(), new Date(2000, 1)), 'was changed'],
    ['is replaced', () => rm(data).then(() => writeFile(data, 'a,b\n1,2\n3,5\n')), 'was changed'],
    ['is removed', () => rm(data), 'is gone'],
  ])('refuses one that %s, before it gives its records', async (_, change, words) => {
    const source = await unchanged(await openSource(data));
    const reading = source.read();
    await change();
    await expect(reading.next()).rejects.toThrow(ChangedData);
    await expect(read(source)).rejects.toThrow(`${data}: ${words} since it was opened`);
  });
});

describe('unchangedBlocks', () => {
  const block = (first: number): TokenBlock => ({
    count: 1,
    offsets: Int32Array.of(0, 2),
    ids: Int32Array.of(first, 7),
    rows: Int32Array.of(3),
  });
  async function* pass(...firsts: number[]) {
    for (const first of firsts) yield block(first);
  }
  const through = async (blocks: AsyncIterable<TokenBlock>) => {
    for await (const _ of blocks);
  };

  it('lets the same blocks pass again, and refuses others', async () => {
    const sums: number[] = [];
    await through(unchangedBlocks('x', pass(1, 2), sums));
    await through(unchangedBlocks('x', pass(1, 2), sums));
    await expect(through(unchangedBlocks('x', pass(1, 3), sums))).rejects.toThrow(
      'x: the records from row 3 on are not those of the pass before',
    );
  });
});
