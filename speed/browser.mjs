/** Steps of training in a page of Chromium beside the same steps in Node, and beside peers. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { availableParallelism, tmpdir } from 'node:os';
import { extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { inPage } from './configurations.mjs';
import { Contender, contenders } from './contender.mjs';
import { describeMachine, thisMachine } from './machine.mjs';
import { stepOperations } from './operations.mjs';
import { markdownTable, number, spread, summary } from './table.mjs';
import { writeWorkload } from './workload.mjs';
import { writeResults } from './written-results.mjs';

const HELP = `npm run speed -- browser [options]

Trains one transformer (width 128, 4 layers, 8 heads, 64 tokens, 32 letters, 16 records a batch) in turns: in Node, in a page of Chromium
in WebAssembly and on WebGPU, and there with the peers that are installed, and prints a table. On WebGPU one product of its matrices is timed
by itself. Fails where losses differ by more than 1e-4.

  --peers FOLDER    a folder where "npm install @tensorflow/tfjs-core @tensorflow/tfjs-backend-wasm @jax-js/jax" was run
  --threads N       threads, beside one; as many as cores by default
  --repeats N       turns of each contender, 9 by default
  --only NAME       this contender; may be given several times
  --no-webgpu       leave out WebGPU
  --json FILE       write all numbers there
  CHROMIUM          names another Chromium than /usr/bin/chromium; WebGPU is that of SwiftShader, on the processor`;

const { values: options } = parseArgs({
  allowNegative: true,
  options: {
    peers: { type: 'string' },
    threads: { type: 'string', default: String(availableParallelism()) },
    repeats: { type: 'string', default: '9' },
    only: { type: 'string', multiple: true },
    webgpu: { type: 'boolean', default: true },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  console.log(HELP);
  process.exit(0);
}
const repeats = Number(options.repeats);
const threads = Number(options.threads);
const { only } = options;

/** Steps that are not timed, at least as many milliseconds of work in a turn that is, and losses that are compared. */
const [WARM_UP_STEPS, TURN_MILLISECONDS, COMPARED_STEPS] = [5, 500, 5];
const LOSS_TOLERANCE = 1e-4;

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
const modules = options.peers && resolve(options.peers, 'node_modules');

/** @typedef {{ milliseconds: number[], losses?: number[] }} Reply */
/** @typedef {{ name: string, hello: { version: string }, start(): Promise<unknown>, ask(command: object): Promise<Reply>, stop(): void }} Asked */

/** A contender in a page of its own, asked as one in a process is. @implements {Asked} */
class PageContender {
  hello = { version: '' };

  constructor(
    /** @type {string} */ name,
    /** @type {import('playwright-core').Page} */ page,
    /** @type {string} */ worker,
  ) {
    this.name = name;
    this.page = page;
    this.worker = worker;
  }

  async start() {
    this.hello = await this.#answer(
      `globalThis.worker = new Worker(${JSON.stringify(this.worker)}, { type: 'module' })`,
    );
    return this;
  }

  /** @returns {Promise<Reply>} */
  ask(/** @type {object} */ command) {
    return this.#answer(`globalThis.worker.postMessage(${JSON.stringify(command)})`);
  }

  async #answer(/** @type {string} */ program) {
    const answer = await this.page.evaluate(`new Promise((resolve) => {
      ${program};
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => resolve({ error: message || 'its worker did not start' });
    })`);
    const { error, ...rest } = /** @type {any} */ (answer);
    if (error !== undefined) throw new Error(error);
    return rest;
  }

  stop() {}
}

/** Code of the contenders, and what they load, on a server that lets a page have threads. */
async function serve(/** @type {string} */ folder, /** @type {readonly string[]} */ files) {
  const { outputFiles } = await build({
    entryPoints: files.map((file) => here(`browser/${file}.mjs`)),
    bundle: true,
    format: 'esm',
    outdir: '/',
    write: false,
    nodePaths: modules ? [modules] : [],
    logLevel: 'error',
  });
  const code = new Map(outputFiles.map(({ path, contents }) => [path, contents]));
  const types = { '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm' };
  const folders = {
    '/workload/': folder,
    '/onnxruntime/': here('../node_modules/onnxruntime-web/dist'),
    ...(modules && { '/peers/': modules }),
  };
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const found = Object.entries(folders).find(([prefix]) => pathname.startsWith(prefix));
    const content =
      pathname === '/'
        ? '<!doctype html><title>speed</title><link rel="icon" href="data:,">'
        : (code.get(pathname) ??
          (found &&
            (await readFile(join(found[1], pathname.slice(found[0].length))).catch(() => undefined))));
    const type = types[/** @type {keyof typeof types} */ (extname(pathname))];
    response
      .writeHead(content === undefined ? 404 : 200, {
        'content-type': pathname === '/' ? 'text/html' : (type ?? 'application/octet-stream'),
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-embedder-policy': 'require-corp',
      })
      .end(content);
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', () => ready(undefined)));
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  return { server, url: `http://127.0.0.1:${address.port}/` };
}

/** A contender with what it has done so far; one that fails is left out from then on. */
class Turn {
  /** @type {number[]} */ milliseconds = [];
  /** @type {number[]} */ losses = [];
  /** Milliseconds of one product. @type {number[]} */ products = [];
  /** @type {string | undefined} */ error;
  steps = 1;

  constructor(
    /** @type {Asked} */ asked,
    /** @type {{ threads: number, device?: string }} */ { threads, device },
  ) {
    this.asked = asked;
    this.threads = device ? '' : String(threads);
    this.multiplies = device !== undefined;
  }

  async attempt(/** @type {() => Promise<unknown>} */ work) {
    if (this.error !== undefined) return;
    try {
      await work();
    } catch (error) {
      this.error = /** @type {Error} */ (error).message.split('\n')[0];
    }
  }

  async train(/** @type {number} */ steps, timed = true) {
    const { milliseconds, losses = [] } = await this.asked.ask({ do: 'train', steps });
    this.losses.push(...losses);
    if (timed) this.milliseconds.push(...milliseconds);
    else this.steps = Math.max(1, Math.min(20, Math.ceil(TURN_MILLISECONDS / milliseconds[steps - 1])));
    if (!this.multiplies) return;
    const { milliseconds: product } = await this.asked.ask({ do: 'multiply' });
    if (timed) this.products.push(...product);
  }
}

/** What is trained where, and with how many threads. */
function* wanted() {
  const counts = threads > 1 ? [1, threads] : [1];
  for (const count of counts) yield { name: 'lacuna in Node', threads: count };
  for (const count of counts) yield { name: 'lacuna, wasm', file: 'lacuna', threads: count };
  const has = (/** @type {string} */ name) => modules !== undefined && existsSync(join(modules, name));
  if (has('@tensorflow/tfjs-backend-wasm'))
    for (const count of counts) yield { name: 'tensorflow-js, wasm', file: 'tensorflow-js', threads: count };
  if (has('@jax-js/jax')) yield { name: 'jax-js, wasm', file: 'jax-js', threads: 1 };
  if (!options.webgpu) return;
  yield { name: 'lacuna, WebGPU', file: 'lacuna', device: 'webgpu', threads: 1 };
  if (has('@jax-js/jax')) yield { name: 'jax-js, WebGPU', file: 'jax-js', device: 'webgpu', threads: 1 };
}

const folder = await mkdtemp(join(tmpdir(), 'lacuna-speed-'));
const asked = [...wanted()].filter(({ name }) => only === undefined || only.includes(name));
/** @type {Turn[]} */
const turns = [];
await writeWorkload(folder, inPage);
const { server, url } = await serve(folder, [...new Set(asked.flatMap(({ file }) => file ?? []))]);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--enable-unsafe-webgpu',
    '--use-webgpu-adapter=swiftshader',
    '--enable-features=Vulkan',
  ],
});
try {
  for (const { name, file, device, threads } of asked) {
    const [{ command }] = contenders;
    if (file === undefined) {
      turns.push(new Turn(new Contender(name, command, [folder, String(threads)]), { threads }));
      continue;
    }
    const page = await browser.newPage();
    await page.goto(url);
    const worker = `${url}${file}.js?threads=${threads}&device=${device ?? 'cpu'}`;
    turns.push(new Turn(new PageContender(name, page, worker), { threads, device }));
  }
  for (const turn of turns)
    await turn.attempt(async () => {
      await turn.asked.start();
      await turn.train(WARM_UP_STEPS, false);
    });
  for (let repeat = 0; repeat < repeats; repeat++) {
    process.stderr.write(`\rturn ${repeat + 1} of ${repeats} `);
    for (const turn of turns) await turn.attempt(() => turn.train(turn.steps));
  }
  process.stderr.write('\r\x1b[K');
} finally {
  for (const { asked } of turns) asked.stop();
  await browser.close();
  server.close();
  await rm(folder, { recursive: true, force: true });
}

const [first] = turns;
const operations = stepOperations(inPage);
/**
 * @typedef {{
 *   contender: string, version: string, threads: string, error?: string,
 *   step?: import('./table.mjs').Summary, gigaflops?: number, product?: import('./table.mjs').Summary, lossDifference?: number,
 * }} Row
 */
const rows = turns.map(({ asked, threads, milliseconds, losses, products, error }) => {
  /** @type {Row} */
  const row = { contender: asked.name, version: asked.hello.version, threads, error };
  if (milliseconds.length === 0) return row;
  const step = summary(milliseconds);
  const differences = losses
    .slice(0, COMPARED_STEPS)
    .map((loss, i) => Math.abs(loss - first.losses[i]) / first.losses[i]);
  return {
    ...row,
    step,
    gigaflops: operations / step.median / 1e6,
    ...(products.length > 0 && { product: summary(products) }),
    lossDifference: Math.max(...differences),
  };
});
const machine = thisMachine();
console.log(`${describeMachine(machine)}\n`);
const head = [
  'contender',
  'threads',
  'step, ms (quartiles)',
  'steps/s',
  'GFLOP/s',
  'one product, ms (quartiles)',
  'loss differs by',
];
console.log(
  markdownTable([
    head,
    ...rows.map(({ contender, threads, error, step, gigaflops, product, lossDifference }) => [
      contender,
      threads,
      error ?? spread(step),
      step ? number(1000 / step.median) : '',
      number(gigaflops),
      spread(product),
      lossDifference?.toExponential(1) ?? '',
    ]),
  ]),
);
await writeResults(options.json, repeats, rows, machine);
const wrong = rows.filter(({ lossDifference = 0 }) => !(lossDifference <= LOSS_TOLERANCE));
for (const { contender } of wrong) console.error(`${contender} does not compute the same`);
process.exit(wrong.length > 0 ? 1 : 0);
