import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tape } from './tape.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-tape-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('secondary structure', () => {
  it('has one of the test sets as its test part, and masks as text', async () => {
    await mkdir(join(folder, 'data', 'tape_secondary_structure'), { recursive: true });
    await mkdir(join(folder, 'prepared'));
    const rows = [
      ['train', '1amt-C', 'XAPAAAAQAVAGLAPVAAEQF', 'CCHHHHHHHHHHCHHHHHHHC', '', '101111111111111111111'],
      ['valid', '', 'GSATIDMNFQSDLLSIFEENLF', 'CCCCHHHHHHHHHHCCCCCCCC', '', '0011111111111111111111'],
      ['cb513', '', 'XLYSALANKCCHVGCTKRSLARFC', 'CCHHHHHHHHHHCCCCHHHHHCCC', '', '011111111111111111111111'],
      ['ts115', '', 'GIGAVLKV', 'CHHHHHHC', 'LHHHHHHL', '11111110'],
    ];
    const text = ['split,id,sequence,ss3,ss8,mask', ...rows.map((row) => row.join(',')), ''].join('\n');
    const file = join(folder, 'data', 'tape_secondary_structure', 'secondary_structure.csv.gz');
    await writeFile(file, gzipSync(text));
    for (const test of ['cb513', 'ts115']) {
      const task = tape.tasks.find(({ name }) => name === `secondary-structure-${test}`)!;
      expect(task).toMatchObject({ task: 'per-token', targets: ['ss3'], maskColumn: 'mask' });
      const { path } = await task.dataset.open({
        data: join(folder, 'data'),
        prepared: join(folder, 'prepared'),
      });
      const expected = rows
        .filter(([split]) => ['train', 'valid', test].includes(split))
        .map(([split, , sequence, ss3, , mask]) =>
          [split === test ? 'test' : split, sequence, ss3, mask].join(','),
        );
      expect((await readFile(path, 'utf8')).trim().split('\n')).toEqual([
        'split,sequence,ss3,mask',
        ...expected,
      ]);
    }
  });
});
