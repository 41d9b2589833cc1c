import { cp, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import { pretrain } from './pretrain.js';
import { type ServeOptions, serve } from './serve.js';

/** Real molecules (ESOL, Delaney 2004). */
const texts = [
  'CC(C)=CCCC(C)=CC(=O)',
  'c1ccsc1',
  'c2ccc1scnc1c2',
  'O=C1CCCN1',
  'Clc1ccc2ccccc2c1',
  'CCCC=C',
  'CCCCCCCCCCCCCC',
  'CC(C)Cl',
  'CCC(C)CO',
  'N#Cc1ccccc1',
  'CCCCCCCCCC(C)O',
  'CCCCCCCO',
];

let folder: string;
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-serve-'));
  await writeFile(at('m.txt'), `${texts.join('\n')}\n`);
  for (const [name, width] of [
    ['first', 16],
    ['second', 24],
  ] as const) {
    await pretrain({
      data: at('m.txt'),
      out: at(name),
      config: {
        data: { valid_fraction: 0.3 },
        encoder: { kind: 'transformer', width, layers: 1, heads: 2 },
        training: { steps: 2, batch_size: 4, threads: 1 },
      },
    });
  }
});
afterAll(() => rm(folder, { recursive: true }));

/** A service that has begun, what it tells, and a stop that gives its summary. */
async function begun(options: Partial<ServeOptions>) {
  const controller = new AbortController();
  const told: string[] = [];
  let address = '';
  const run = serve(
    { run: at('first'), port: 0, threads: 1, ...options },
    {
      signal: controller.signal,
      onEvent: (event) => {
        if (!('message' in event)) return;
        told.push(event.message);
        address ||= /http:\S+(?=;)/.exec(event.message)?.[0] ?? '';
      },
    },
  );
  await expect.poll(() => address).not.toBe('');
  const stop = () => {
    controller.abort();
    return run;
  };
  const ask = async (records: unknown) => {
    const response = await fetch(`${address}/embed`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ records }),
    });
    return { status: response.status, body: (await response.json()) as { embeddings: number[][] } };
  };
  return { told, address, stop, ask };
}

it('refuses letters that the model was not trained on where it is told to', async () => {
  const [kept, strict] = [await begun({}), await begun({ onUnknown: 'fail' })];
  expect(await kept.ask(['C\u2603'])).toMatchObject({
    status: 200,
    body: { warnings: [expect.stringContaining('(column text: "\u2603"), first in record 0')] },
  });
  expect(await strict.ask(['C\u2603'])).toMatchObject({
    status: 400,
    body: { error: expect.stringContaining('record 0, column "text": "\u2603" is no letter') },
  });
  await Promise.all([kept.stop(), strict.stop()]);
});

it('answers over HTTP what the model answers, and ends when it is told to', async () => {
  const { address, ask, stop } = await begun({});
  const { status, body } = await ask(['CCO', 'CCCO']);
  expect([status, body.embeddings.length, body.embeddings[0].length]).toEqual([200, 2, 16]);
  expect(await stop()).toEqual({ address, swaps: 0, interrupted: false });
  await expect(fetch(address)).rejects.toThrow();
});

it('goes over to a newer model in its folder without a request that fails', async () => {
  await cp(at('first'), at('live'), { recursive: true });
  await cp(at('second'), at('next'), { recursive: true });
  const { ask, stop, told } = await begun({ run: at('live') });
  const widths = new Set<number>();
  let failed = 0;
  let swapped = false;
  const asking = Array.from({ length: 4 }, async () => {
    while (!swapped) {
      const { status, body } = await ask(['CCO']);
      if (status === 200) widths.add(body.embeddings[0].length);
      else failed++;
      swapped ||= widths.has(24);
    }
  });
  await rename(at('live'), at('before'));
  await rename(at('next'), at('live'));
  await Promise.all(asking);
  expect(failed).toBe(0);
  expect([...widths]).toEqual([16, 24]);
  // What is no model is not taken.
  await writeFile(join(at('live'), 'config.json'), '{');
  await expect.poll(() => told.at(-1), { timeout: 10_000 }).toContain('the model before is still served');
  expect((await ask(['CCO'])).body.embeddings[0]).toHaveLength(24);
  expect((await stop()).swaps).toBe(1);
}, 30_000);

it('refuses an address that others reach without a token, a port that is taken and a folder without a model', async () => {
  await expect(serve({ run: at('first'), host: '0.0.0.0' })).rejects.toThrow('so a token is needed');
  const { address, stop } = await begun({});
  const port = Number(new URL(address).port);
  const taken = serve({ run: at('first'), port });
  await expect(taken).rejects.toBeInstanceOf(InputError);
  await expect(taken).rejects.toThrow('is taken; name another --port');
  await stop();
  await expect(serve({ run: at('first'), port: 99_999 })).rejects.toThrow(
    'port 99999: the last one is 65535',
  );
  await expect(serve({ run: at('nowhere') })).rejects.toThrow('is');
});
