import { appendFile, copyFile, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compare } from './compare.js';
import { pretrain } from './pretrain.js';
import { watch } from './watch.js';

/** Real molecules (ESOL, Delaney 2004). */
const texts =
  `CC(C)=CCCC(C)=CC(=O) c1ccsc1 c2ccc1scnc1c2 O=C1CCCN1 Clc1ccc2ccccc2c1 CCCC=C CCCCCCCCCCCCCC CC(C)Cl CCC(C)CO
N#Cc1ccccc1 CCCCCCCCCC(C)O CCCCCCCO`.split(/\s+/);

let folder: string;
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-watch-'));
  await writeFile(at('m.txt'), `${texts.join('\n')}\n`);
  for (const [name, kind] of [
    ['sma', 'sma'],
    ['random', 'random-masking'],
  ] as const)
    await pretrain({
      data: at('m.txt'),
      out: at(name),
      config: {
        data: { valid_fraction: 0.3 },
        encoder: { kind: 'transformer', width: 16, layers: 1, heads: 2 },
        objective: { kind },
        training: { steps: 3, batch_size: 4, threads: 1 },
      },
    });
});
afterAll(() => rm(folder, { recursive: true }));

it('compares runs on one page that asks for nothing, and writes over no file of theirs', async () => {
  const file = at('page.html');
  expect(await compare({ runs: [at('sma'), at('random')], out: file })).toEqual({ file, runs: 2 });
  const text = await readFile(file, 'utf8');
  expect(text).toContain('A  sma');
  expect(text).toContain('objective.kind');
  expect(text).not.toMatch(/(src|href)="/);
  await expect(compare({ runs: [at('sma')], out: at('page.txt') })).rejects.toThrow('ends in .html');
  await expect(compare({ runs: [at('nowhere')], out: file })).rejects.toThrow('is');
});

it('shows a run as it goes on: the same page until its folder changes, then a newer one', async () => {
  const controller = new AbortController();
  let address = '';
  const watched = watch(
    { runs: [at('sma')], port: 0 },
    {
      signal: controller.signal,
      onEvent: (event) => {
        if ('message' in event) address = /http:\S+(?=;)/.exec(event.message)?.[0] ?? '';
      },
    },
  );
  await expect.poll(() => address).not.toBe('');
  const first = await fetch(address);
  const text = await first.text();
  expect(text).toContain('3/3');
  // Held-out molecules with what the newest checkpoint hides of them.
  expect(text).toContain('What sma hides after step 3');
  expect(text).toMatch(/<mark>/);
  const tag = { headers: { 'if-none-match': first.headers.get('etag')! } };
  expect((await fetch(address, tag)).status).toBe(304);
  // The log of a run that goes on has no checksum yet.
  await rm(join(at('sma'), 'SHA256SUMS'));
  await appendFile(join(at('sma'), 'metrics.jsonl'), '{"step":4,"loss":0.125,"seconds":9}\n');
  const later = await fetch(address, tag);
  expect([later.status, await later.text()]).toEqual([200, expect.stringContaining('0.125')]);
  expect(await (await fetch(`${address}/live.js`)).text()).toContain('setInterval');
  // A damaged folder is told in words, not hidden behind a page that no longer changes.
  const config = await readFile(join(at('sma'), 'config.json'));
  await writeFile(join(at('sma'), 'config.json'), '{');
  const damaged = await fetch(address);
  expect([damaged.status, await damaged.text()]).toEqual([500, expect.stringContaining('config.json')]);
  await writeFile(join(at('sma'), 'config.json'), config);
  // Whoever watches learns why there are no masks.
  await rename(at('m.txt'), at('gone.txt'));
  await copyFile(
    join(at('sma'), 'checkpoints', 'step-00000003.safetensors'),
    join(at('sma'), 'checkpoints', 'step-00000004.safetensors'),
  );
  await appendFile(join(at('sma'), 'metrics.jsonl'), '{"step":5,"loss":0.1,"seconds":9}\n');
  expect(await (await fetch(address)).text()).toContain('Not shown: ');
  controller.abort();
  expect(await watched).toEqual({ address, interrupted: false });
});
