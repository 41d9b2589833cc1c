/** Commands that are killed at random moments; `npm run crash` kills more of them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { crash, prepare } from './crash/crash.mjs';

const base = mkdtempSync(join(tmpdir(), 'lacuna-crash-'));
beforeAll(() => prepare(base));
afterAll(() => rmSync(base, { recursive: true, force: true }));

describe('a command that is killed at a random moment and gone on with', () => {
  it.each([
    ['pretrain sma', 3],
    ['pretrain byol', 2],
    ['embed to csv', 2],
    ['embed to parquet', 1],
    ['export', 2],
  ])('gives what it gives undisturbed: %s', async (name, times) => {
    for (let number = 0; number < times; number++)
      expect(await crash(base, name, number), `${number}`).toMatchObject({ wrong: [] });
  });
});
