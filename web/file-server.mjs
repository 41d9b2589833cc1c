/** A server of the files of one folder, for development and tests: it has no more than any other file server has. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** @type {Readonly<Record<string, string>>} */
const types = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
  '.csv': 'text/csv',
};

/**
 * On this machine alone.
 * @param {string} folder
 * @param {number} port 0 is any that is free
 * @returns {Promise<{ server: import('node:http').Server, url: string, asked: string[] }>} with the paths that were asked for
 */
export async function serveFolder(folder, port) {
  /** @type {string[]} */
  const asked = [];
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    asked.push(pathname);
    const path = pathname.endsWith('/') ? `${pathname}index.html` : pathname;
    const file = await readFile(join(folder, normalize(decodeURIComponent(path)))).catch(() => undefined);
    if (!file) response.writeHead(404).end();
    else
      response
        .writeHead(200, { 'content-type': types[extname(path)] ?? 'application/octet-stream' })
        .end(file);
  });
  await new Promise((ready) => server.listen(port, '127.0.0.1', () => ready(undefined)));
  const address = server.address();
  const own = typeof address === 'object' && address ? address.port : port;
  return { server, url: `http://localhost:${own}/`, asked };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await serveFolder(resolve(process.argv[2] ?? 'web/dist'), Number(process.argv[3] ?? 8080));
  console.log(`the page: ${url} (Ctrl-C stops)`);
}
