import { mkdtempSync, rmSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { holdFolder } from './hold-folder.js';
import { makeFolder } from './make-folder.js';

const base = mkdtempSync(join(tmpdir(), 'lacuna-make-folder-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

describe('makeFolder', () => {
  it('gives what it made, the topmost first, and nothing of what was there', async () => {
    const path = join(base, 'a', 'b');
    expect(await makeFolder(path)).toEqual([join(base, 'a'), path]);
    expect(await makeFolder(path)).toEqual([]);
  });

  it('makes folders side by side, also while others make and remove the one above them', async () => {
    for (let round = 0; round < 30; round++) {
      const above = join(base, `round ${round}`);
      const made = Array.from({ length: 8 }, (_, i) => join(above, String(i)));
      await Promise.all([
        ...made.map((path) => makeFolder(path)),
        ...made.map((path) => holdFolder(`${path} for a moment`, async () => {})),
      ]);
      for (const path of made) expect((await stat(path)).isDirectory()).toBe(true);
    }
  });

  it('ends where the system lets nobody make a folder', async () => {
    await expect(makeFolder('/proc/none/of/these')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
