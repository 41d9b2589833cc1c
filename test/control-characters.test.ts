/** A file whose names, cells and labels move the cursor, ring, turn the writing round or are markup: nothing of it reaches a terminal or a page raw. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { random } from '../src/tensor/random.js';
import { watch } from '../src/verbs/watch.js';

const program = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const [ESC, BEL, RIGHT_TO_LEFT, NEXT_LINE] = ['\u001b[31m', '\u0007', '\u202e', '\u0085'];
const number = `a${ESC}<b>`;
const target = `la${RIGHT_TO_LEFT}bel<script>`;
const words = [`re${ESC}d`, `blue${BEL}`, `<script>alert(1)</script>${RIGHT_TO_LEFT}`, `gr${NEXT_LINE}een`];

let folder: string;
let data: string;
const at = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-control-'));
  data = at(`da${ESC}ta<b>.csv`);
  const { integer, normal } = random(1, 'cells');
  const lines = Array.from({ length: 300 }, () => {
    const x = normal();
    return `${(x + normal() / 3).toFixed(4)},"${words[integer(4)]}",${x.toFixed(4)},"${words[Number(x > 0)]}"`;
  });
  await writeFile(data, `"${number}","c${BEL}at",x,"${target}"\n${lines.join('\n')}\n`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What a terminal would obey, or a browser: all but tabs and ends of lines. */
const raw = (text: string): string[] =>
  Array.from(text.matchAll(/.{0,20}(?![\t\n\r])[\p{Cc}\p{Bidi_Control}]|<script>alert|<b>/gu), ([found]) =>
    JSON.stringify(found),
  );

function run(...args: string[]): { status: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' });
  const said = stdout + stderr;
  expect(raw(said.replaceAll('<b>', '').replaceAll('<script>', '')), args[0]).toEqual([]);
  return { status, said };
}

const small = ['--steps', '3', '--threads', '1'];
const labelled = ['--target', target];

describe('what a file holds', () => {
  it('is escaped by every command that repeats it, and on every page', async () => {
    const commands = [
      ['inspect', data],
      ['inspect', data, '--json'],
      ['pretrain', data, '--out', at('run'), '--ignore', target, '--width', '16', '--layers', '1', ...small],
      ['finetune', at('run'), data, ...labelled, '--out', at('tuned'), '--seeds', '1', ...small],
      ['fit', data, ...labelled, '--out', at('fit'), '--folds', '2'],
      ['bench', data, ...labelled, '--out', at('bench'), '--only', 'method=constant'],
      ['predict', at('tuned'), data, '--out', at('predictions.csv')],
      ['export', at('tuned'), '--out', at('exported')],
      ['verify', at('tuned'), '--data', data],
      ['compare', at('run'), at('tuned'), '--out', at('compared.html')],
      ['map', at('run'), data, '--out', at('map.html')],
    ];
    for (const args of commands) {
      const { status, said } = run(...args);
      expect(status, said).toBe(0);
    }
    const refused = [
      ['inspect', data, '--split-column', 'none'],
      ['pretrain', data, '--out', at('x'), '--columns', 'none'],
      ['finetune', at('run'), data, '--target', `no${ESC}ne`, '--out', at('x')],
      ['fit', data, '--target', number, '--out', at('x'), '--metric', `no${BEL}ne`],
      ['verify', at(`no${ESC}thing`)],
      [`no${ESC}command`],
    ];
    for (const args of refused) {
      const { status, said } = run(...args);
      expect(status, said).toBe(2);
    }
    for (const page of ['compared.html', 'map.html'])
      expect(raw(await readFile(at(page), 'utf8'))).toEqual([]);
    // Markdown has what is of a file between backticks.
    const card = (await readFile(at('exported/README.md'), 'utf8')).replaceAll(/`[^`]*`/g, '');
    expect(raw(card)).toEqual([]);
  }, 120_000);

  it('is escaped on the live page', async () => {
    const stop = new AbortController();
    let address = '';
    const watched = watch(
      { runs: [at('run'), at('tuned')], port: 0 },
      {
        signal: stop.signal,
        onEvent: (event) => {
          if ('message' in event) address = /http:\S+(?=;)/.exec(event.message)?.[0] ?? address;
        },
      },
    );
    while (address === '') await new Promise((resolve) => setTimeout(resolve, 20));
    const page = await (await fetch(address)).text();
    expect(page).toContain('run');
    expect(raw(page)).toEqual([]);
    stop.abort();
    await watched;
  });
});
