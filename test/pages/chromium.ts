/** Pages in a real browser, watched while they are used. */

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { type Browser, chromium, type Page } from 'playwright-core';

const PATHS = [
  process.env.LACUNA_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];

/** The browser of this machine, where it has one. */
export const chromiumPath = PATHS.find((path) => path !== undefined && existsSync(path));

if (chromiumPath === undefined)
  console.warn('Tests of pages are skipped: no Chromium; LACUNA_CHROMIUM names one that lies elsewhere.');

export const openChromium = (args: readonly string[] = []): Promise<Browser> =>
  chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox', ...args] });

/** What a page did while it was open. */
export interface Watched {
  readonly page: Page;
  /** Addresses that it asked for, its own among them. */
  readonly requests: string[];
  /** Errors of its script, and what its policy kept it from. */
  readonly errors: string[];
}

/** Screens that a page has to fit on. */
export const screens = [
  { name: 'wide and light', width: 1280, height: 900, colorScheme: 'light' },
  { name: 'narrow and dark', width: 390, height: 800, colorScheme: 'dark' },
] as const;

export type Screen = (typeof screens)[number];

export async function openPage(browser: Browser, address: string, screen: Screen): Promise<Watched> {
  const { width, height, colorScheme } = screen;
  const page = await browser.newPage({ viewport: { width, height }, colorScheme });
  const [requests, errors]: [string[], string[]] = [[], []];
  page.on('request', (request) => requests.push(request.url()));
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  await page.goto(address);
  return { page, requests, errors };
}

const require = createRequire(import.meta.url);

/** What axe finds that keeps people from using the page: its rules for WCAG 2.1 A and AA, a line for each. */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(await readFile(require.resolve('axe-core/axe.min.js'), 'utf8'));
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(options: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    const { violations } = await axe.run({
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'],
    });
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  });
}

/** Pixels by which the page is wider than the screen. */
export const overflow = (page: Page): Promise<number> =>
  page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
