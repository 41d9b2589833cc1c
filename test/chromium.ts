/** Pages in Chromium, with the library and its worker at hand. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type BrowserContext, chromium } from 'playwright-core';
import { bundleWorker } from '../web/worker-bundle.mjs';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};
/** What a test evaluates is sent as text, so it finds the library as a global. */
const PAGE = `<!doctype html><title>Lacuna</title><link rel="icon" href="data:,"><script type="module">
import { openLacuna } from './index.js';
globalThis.open = openLacuna;
</script>`;

/** The files of the runtime. */
const RUNTIME = fileURLToPath(new URL('../node_modules/onnxruntime-web/dist/', import.meta.url));

/** The library and its worker as files of a folder. */
async function bundleLibrary(folder: string) {
  await build({
    entryPoints: [fileURLToPath(new URL('../src/web/index.ts', import.meta.url))],
    outfile: join(folder, 'index.js'),
    bundle: true,
    format: 'esm',
    logLevel: 'error',
  });
  return bundleWorker(folder);
}

export interface Chromium {
  /** Where the library is served, as /index.js, with a page that can have threads. */
  readonly url: string;
  /** One user of the browser, with files of its own. */
  readonly context: BrowserContext;
  close(): Promise<void>;
}

/** Undefined, and a printed line, where Chromium is not there. WebGPU is that of SwiftShader, on the processor. */
export async function openChromium(): Promise<Chromium | undefined> {
  if (!existsSync(CHROMIUM)) {
    console.warn(`pages are not tested: no Chromium at ${CHROMIUM}; install it, or name it as CHROMIUM`);
    return undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), 'lacuna-page-'));
  await bundleLibrary(folder);
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const found = [join(folder, pathname), join(RUNTIME, pathname)].find(
      (path) => pathname !== '/' && existsSync(path),
    );
    const headers = {
      'content-type': pathname === '/' ? types['.html'] : types[extname(pathname)],
      ...(!searchParams.has('shared') && {
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-embedder-policy': 'require-corp',
      }),
    };
    if (pathname === '/') response.writeHead(200, headers).end(PAGE);
    else if (found) response.writeHead(200, headers).end(readFileSync(found));
    else response.writeHead(404).end();
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--no-sandbox',
      '--enable-unsafe-webgpu',
      '--use-webgpu-adapter=swiftshader',
      '--enable-features=Vulkan',
    ],
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    context: await browser.newContext(),
    async close() {
      await browser.close();
      server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
