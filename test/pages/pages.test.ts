import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadRiskMolecules, type RiskMolecule } from '../../src/demo/molecules.js';
import { compare } from '../../src/verbs/compare.js';
import { map } from '../../src/verbs/map.js';
import { pretrain } from '../../src/verbs/pretrain.js';
import { probe } from '../../src/verbs/probe.js';
import { serve } from '../../src/verbs/serve.js';
import { watch } from '../../src/verbs/watch.js';
import { barriers, chromiumPath, openChromium, openPage, overflow, screens } from './chromium.js';

let folder: string;
let browser: Browser;
let molecules: readonly RiskMolecule[];
const at = (name: string) => join(folder, name);
const address = (name: string) => pathToFileURL(at(name)).href;

/** A verb that serves until it is stopped: its address, and how to stop it. */
async function served(
  verb: (hooks: { signal: AbortSignal; onEvent: (event: object) => void }) => Promise<unknown>,
): Promise<{ address: string; stop: () => Promise<unknown> }> {
  const controller = new AbortController();
  let address = '';
  const ended = verb({
    signal: controller.signal,
    onEvent: (event) => {
      if ('message' in event) address ||= /http:\/\/[\w.:]+/.exec(String(event.message))?.[0] ?? '';
    },
  });
  await expect.poll(() => address).not.toBe('');
  return {
    address,
    stop: () => {
      controller.abort();
      return ended;
    },
  };
}

describe.skipIf(chromiumPath === undefined)('pages in Chromium', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lacuna-pages-'));
    browser = await openChromium();
    molecules = (await loadRiskMolecules()).filter((_, i) => i % 20 === 0).slice(0, 200);
    const lines = molecules.map(({ smiles, mutagenic, irritant }) => [smiles, mutagenic, irritant].join());
    await writeFile(at('molecules.csv'), `smiles,mutagenic,irritant\n${lines.join('\n')}\n`);
    for (const kind of ['sma', 'random-masking'] as const) {
      await pretrain({
        data: at('molecules.csv'),
        out: at(kind),
        config: {
          data: { columns: ['smiles'], valid_fraction: 0.1, test_fraction: 0 },
          encoder: { kind: 'transformer', width: 16, layers: 1, heads: 2 },
          objective: { kind },
          training: { steps: 20, batch_size: 16, valid_steps: 10, threads: 1 },
        },
      });
      await probe({ run: at(kind), data: at('molecules.csv'), targets: ['mutagenic'] });
    }
    // As if it went on: the log of a run that is done has a checksum.
    await rm(at('sma/SHA256SUMS'));
    await map({ run: at('sma'), data: at('molecules.csv'), out: at('map.html') });
    await compare({ runs: [at('sma'), at('random-masking')], out: at('compare.html') });
  });
  afterAll(async () => {
    await browser?.close();
    await rm(folder, { recursive: true });
  });

  it.each(
    ['map.html', 'compare.html'].flatMap((file) =>
      screens.map((screen) => ({ file, screen, on: screen.name })),
    ),
  )('$file opens from disk, $on, and asks for nothing', async ({ file, screen }) => {
    const { page, requests, errors } = await openPage(browser, address(file), screen);
    await page.waitForTimeout(300);
    expect(errors).toEqual([]);
    expect(requests).toEqual([address(file)]);
    expect(await overflow(page)).toBe(0);
    expect(await barriers(page)).toEqual([]);
    await page.close();
  });

  it('a map finds records by their cells, and shows one with its neighbours by mouse and keys', async () => {
    const { page, errors } = await openPage(browser, address('map.html'), screens[0]);
    const { smiles } = molecules[7];
    await page.getByLabel('Search').fill(smiles);
    expect(await page.getByRole('status').textContent()).toMatch(/^\d+ found$/);
    await page.getByLabel('Search').press('Enter');
    const details = page.locator('#details');
    expect(await details.locator('dd').first().textContent()).toContain(smiles);
    expect(await details.locator('mark').count()).toBeGreaterThan(0);
    const nearest = details.locator('ol button').first();
    const name = await nearest.textContent();
    await nearest.press('Enter');
    expect(await details.locator('h2').textContent()).toBe(
      /^record \d+/i.exec(name ?? '')?.[0].replace('r', 'R'),
    );
    await page.getByLabel('Search').fill('');
    const canvas = page.locator('#map');
    await canvas.press('n');
    const [byKey] = await details.locator('h2').allTextContents();
    await canvas.press('n');
    expect(await details.locator('h2').textContent()).not.toBe(byKey);
    const { x, y } = (await canvas.boundingBox())!;
    const [left, top] = await page.evaluate<[number, number]>('toScreen(30)');
    await page.mouse.move(x + left, y + top);
    const under = await canvas.getAttribute('title');
    expect(under).toMatch(/^record \d+: /);
    await page.mouse.click(x + left, y + top);
    expect(`${under}:`).toContain(`${(await details.locator('h2').textContent())?.replace('R', 'r')}:`);
    await page.getByRole('button', { name: 'whole map' }).press('Enter');
    expect(errors).toEqual([]);
    await page.close();
  });

  it('a map opened with the row of a record shows it', async () => {
    const { page } = await openPage(browser, `${address('map.html')}#7`, screens[0]);
    expect(await page.locator('#details h2').textContent()).toBe('Record 7');
    await page.close();
  });

  it.each(screens)(
    'a watched run renews itself, $name, asks its own address alone, and tells its end',
    async (screen) => {
      const server = await served((hooks) =>
        watch({ runs: [at('sma'), at('random-masking')], port: 0 }, hooks),
      );
      const { page, requests, errors } = await openPage(browser, server.address, screen);
      expect(await overflow(page)).toBe(0);
      expect(await barriers(page)).toEqual([]);
      await page.locator('summary').first().press('Enter');
      await appendFile(at('sma/metrics.jsonl'), '{"step":21,"loss":0.625,"seconds":9}\n');
      await page.getByText('0.625').first().waitFor();
      expect(await page.locator('details').first().getAttribute('open')).not.toBeNull();
      expect(new Set(requests.map((request) => new URL(request).origin))).toEqual(new Set([server.address]));
      expect(errors).toEqual([]);
      await server.stop();
      await expect.poll(() => page.title(), { timeout: 10_000 }).toMatch(/^ended: /);
      await page.close();
    },
  );

  it.each(screens)('a service tells what it answers, $name', async (screen) => {
    const server = await served((hooks) => serve({ run: at('sma'), port: 0 }, hooks));
    const { page, requests, errors } = await openPage(browser, server.address, screen);
    expect(await page.getByRole('heading').first().textContent()).toBe('A model of smiles');
    expect(await overflow(page)).toBe(0);
    expect(await barriers(page)).toEqual([]);
    expect(new Set(requests.map((request) => new URL(request).origin))).toEqual(new Set([server.address]));
    expect(errors).toEqual([]);
    await page.close();
    await server.stop();
  });
});
