/** The page in Chromium, from a sample to what is taken along, with its server stopped in the middle. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serveFolder } from '../web/file-server.mjs';
import { bundlePage } from '../web/page-bundle.mjs';
import { barriers, chromiumPath, openChromium, overflow } from './pages/chromium.js';

const folder = mkdtempSync(join(tmpdir(), 'lacuna-page-'));
const WAIT = 120_000;

type Served = Awaited<ReturnType<typeof serveFolder>>;

describe.runIf(chromiumPath)('the page', () => {
  let browser: Browser;
  let context: BrowserContext;
  let [own, other]: Served[] = [];
  const requests: string[] = [];
  const errors: string[] = [];

  beforeAll(async () => {
    await bundlePage(folder);
    [own, other] = [await serveFolder(folder, 0), await serveFolder(folder, 0)];
    browser = await openChromium();
    context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce' });
    context.on('request', (request) => requests.push(request.url()));
  }, WAIT);
  afterAll(async () => {
    await browser?.close();
    own?.server.close();
    other?.server.close();
    rmSync(folder, { recursive: true });
  });

  async function openPage(): Promise<Page> {
    const page = await context.newPage();
    page.setDefaultTimeout(WAIT);
    page.on('pageerror', ({ message }) => errors.push(message));
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    await page.goto(own.url);
    return page;
  }

  async function download(page: Page, name: string): Promise<Uint8Array> {
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name }).click(),
    ]);
    return readFileSync(await file.path());
  }

  const click = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

  it('learns from a sample, goes on without a network after the tab was closed, and asks no other origin', {
    timeout: 600_000,
  }, async () => {
    const first = await openPage();
    await first.getByText('Ready.').waitFor();
    // A server of plain files is enough for threads.
    expect(await first.evaluate('crossOriginIsolated')).toBe(true);
    expect(await barriers(first)).toEqual([]);
    await first.getByRole('button', { name: 'A table' }).click();
    await first.getByText('The tokens of the first record').waitFor();
    await first.getByLabel('Encoder').selectOption('small');
    await first.getByLabel('Steps', { exact: true }).fill('100');
    await click(first, 'Start learning');
    await first.getByText(/first records, those alike/).waitFor();
    await click(first, 'Stop');
    await click(first, 'Go on');
    await first.getByText(/left$/).waitFor();
    await first.close();

    await new Promise((closed) => {
      own.server.close(closed);
      own.server.closeAllConnections();
    });
    const page = await openPage();
    await page.getByText('Kept from an earlier visit: weather.csv').waitFor();
    await click(page, 'Go on');
    await page.getByRole('button', { name: 'Done' }).waitFor();
    await page.getByText('1,461 records, those alike').waitFor();
    expect(await page.locator('.verdict').textContent()).toMatch(/against .* for guessing/);

    await page.locator('canvas[role=application]').press('n');
    await page.getByRole('heading', { name: 'Record 0' }).waitFor();
    expect(await page.locator('.details ol li').count()).toBe(6);
    await click(page, 'Find them');
    await page.getByText('are ringed on the map').waitFor();
    expect(await page.locator('#anomalies tbody tr').count()).toBe(20);
    await click(page, 'Compare');
    await page.getByText(/The representation (added|cost)/).waitFor({ timeout: 300_000 });

    const [embeddings, encoder, run, report] = [
      await download(page, 'Embeddings (CSV)'),
      await download(page, 'Encoder (ONNX)'),
      await download(page, 'Run (zip)'),
      await download(page, 'Report (HTML)'),
    ].map((bytes) => Buffer.from(bytes));
    expect(embeddings.toString().trim().split('\n').length).toBe(1 + 1461);
    const files = unzipSync(run);
    expect(Object.keys(files)).toEqual(expect.arrayContaining(['config.json', 'DONE', 'metrics.jsonl']));
    expect(encoder.equals(files['encoder.onnx'])).toBe(true);
    expect(report.toString()).toContain(
      "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\"",
    );

    expect(await overflow(page)).toBe(0);
    expect(await barriers(page)).toEqual([]);
    await page.setViewportSize({ width: 390, height: 800 });
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await overflow(page)).toBe(0);
    expect(await barriers(page)).toEqual([]);
    expect(errors).toEqual([]);
    const elsewhere = requests.filter((url) => !url.startsWith(own.url) && !/^(data|blob):/.test(url));
    expect(requests.length).toBeGreaterThan(20);
    expect(elsewhere).toEqual([]);
    await page.close();
  });

  it('learns from a folder of images, and shows them', { timeout: 300_000 }, async () => {
    const images = join(folder, 'shapes');
    for (const [label, colour] of [
      ['red', '#c02010'],
      ['blue', '#1030c0'],
    ] as const) {
      mkdirSync(join(images, label), { recursive: true });
      for (let i = 0; i < 20; i++) {
        const mark = sharp({
          create: { width: 3 + (i % 5), height: 4, channels: 3, background: colour },
        }).png();
        const image = sharp({ create: { width: 16, height: 16, channels: 3, background: '#f0f0e0' } });
        const content = await image
          .composite([{ input: await mark.toBuffer(), left: i % 9, top: (3 * i) % 12 }])
          .png()
          .toBuffer();
        writeFileSync(join(images, label, `${i}.png`), content);
      }
    }
    const page = await openPage();
    await page.locator('input:enabled[webkitdirectory]').setInputFiles(images);
    await page.getByText(/^shapes, 40 files, .* 40 records/).waitFor();
    await page.getByLabel('Encoder').selectOption('small');
    await page.getByLabel('Steps', { exact: true }).fill('10');
    await click(page, 'Start learning');
    await page.getByRole('button', { name: 'Done' }).waitFor();
    await page.getByText('40 records, those alike').waitFor();
    await page.locator('canvas[role=application]').press('n');
    await page.locator('.details img').waitFor();
    expect(await page.locator('.details img').getAttribute('alt')).toMatch(/^(red|blue).\d+\.png$/);
    const shown = page.locator('.details img');
    await shown.evaluate((image) => (image as unknown as { decode(): Promise<void> }).decode());
    expect(await shown.evaluate((image) => (image as unknown as { naturalWidth: number }).naturalWidth)).toBe(
      16,
    );
    expect(await barriers(page)).toEqual([]);
    await page.reload();
    await page.getByText(/^Kept from an earlier visit: shapes, 40 files/).waitFor();
    await page.getByText('40 records, those alike').waitFor();
    expect(errors).toEqual([]);
    await page.close();
  });

  it('cannot ask another origin, not even from its worker', { timeout: WAIT }, async () => {
    const page = await openPage();
    await page.getByText('Kept from an earlier visit').waitFor();
    const ask = (url: string) =>
      fetch(url, { mode: 'no-cors' }).then(
        () => 'answered',
        () => 'refused',
      );
    expect(await page.evaluate(ask, other.url)).toBe('refused');
    expect(page.workers().length).toBeGreaterThan(0);
    for (const worker of page.workers()) expect(await worker.evaluate(ask, other.url)).toBe('refused');
    expect(other.asked).toEqual([]);
    await page.close();
  });

  it('computes on a GPU where there is one and it is asked to', { timeout: 300_000 }, async () => {
    const served = await serveFolder(folder, 0);
    const onGpu = await openChromium([
      '--enable-unsafe-webgpu',
      '--use-webgpu-adapter=swiftshader',
      '--enable-features=Vulkan',
    ]);
    const page = await onGpu.newPage();
    page.setDefaultTimeout(240_000);
    await page.goto(served.url);
    await page.getByText('Ready.').waitFor();
    const lines = Array.from({ length: 60 }, (_, i) => `${(i * 7) % 13},${'xyz'[i % 3]},${(i * i) % 17}`);
    const buffer = Buffer.from(`a,b,c\n${lines.join('\n')}\n`);
    await page.getByLabel('Choose a file').setInputFiles({ name: 'small.csv', mimeType: 'text/csv', buffer });
    await page.getByLabel('Encoder').selectOption('small');
    await page.getByLabel('Compute on').selectOption('the GPU');
    expect(await barriers(page)).toEqual([]);
    await page.getByLabel('Steps', { exact: true }).fill('10');
    await click(page, 'Start learning');
    await page.getByText(/^on webgpu/).waitFor();
    await page.getByRole('button', { name: 'Done' }).waitFor();
    await page.getByText('60 records, those alike').waitFor();
    await onGpu.close();
    served.server.close();
  });
});
