/** Where the time of a training step goes, by operator and by layer: `npm run speed -- profile CONFIGURATION`. */
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { nodeEngine } from '../dist/engine/node.js';
import { pretrainingGraphFor } from '../dist/learning/self-supervision.js';
import { Trainer } from '../dist/learning/trainer.js';
import { configurationNamed, configurations } from './configurations.mjs';
import { batchOfWorkload } from './trainer.mjs';
import { readWorkload, writeWorkload } from './workload.mjs';

const HELP = `npm run speed -- profile CONFIGURATION [options]

Prints the time of one training step by operator and by layer. Configurations: ${Object.keys(configurations).join(', ')}.

  --threads N   as many as cores by default
  --steps N     steps that are averaged, 10 by default`;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: 'string', default: String(availableParallelism()) },
    steps: { type: 'string', default: '10' },
    help: { type: 'boolean', default: false },
  },
});
if (options.help || positionals.length !== 1) {
  console.log(HELP);
  process.exit(options.help ? 0 : 2);
}
const steps = Number(options.steps);
/** Runs in which memory is taken and caches fill. */
const WARM_UP_STEPS = 2;

/** @typedef {{ name: string, ts: number, dur: number, args: { op_name: string } }} TraceEvent */

/** Times of the kernels of a trace after its first runs, in milliseconds per run. @returns {Promise<TraceEvent[]>} */
async function kernelsOf(/** @type {string} */ file) {
  /** @type {TraceEvent[]} */
  const events = JSON.parse(await readFile(file, 'utf8'));
  const runs = events.filter(({ name }) => name === 'model_run').sort((a, b) => a.ts - b.ts);
  const perStep = runs.length / (steps + WARM_UP_STEPS);
  const start = runs[WARM_UP_STEPS * perStep].ts;
  return events.filter(({ name, ts }) => name?.endsWith('_kernel_time') && ts >= start);
}

/** The layer that a node's name tells, and whether it belongs to the gradient. */
function placeOf(/** @type {string} */ node) {
  const scope = node.slice(0, Math.max(0, node.indexOf('/')));
  const parts = scope.split('.');
  const backward = parts[0] === 'gradient';
  const path = (backward ? parts.slice(1) : parts).slice(0, parts.includes('layers') ? 4 : 3);
  return { layer: path.join('.') || 'objective', backward };
}

const number = (/** @type {number} */ value) => value.toFixed(2).padStart(9);
const share = (/** @type {number} */ value, /** @type {number} */ total) =>
  `${((100 * value) / total).toFixed(1).padStart(5)} %`;

const [name] = positionals;
const configuration = configurationNamed(name);
const folder = await mkdtemp(join(tmpdir(), 'lacuna-profile-'));
try {
  await writeWorkload(folder, configuration);
  const traces = join(folder, 'traces');
  await mkdir(traces);
  const { model, batch } = configuration;
  const { weights, batches, workload } = await readWorkload(folder);
  const { maxTokens } = model.spec;
  const { learningRate, weightDecay, clipNorm } = workload.optimizer;
  const engine = await nodeEngine({
    threads: Number(options.threads),
    profilePrefix: join(traces, 'trace'),
  });
  const trainer = new Trainer(
    engine,
    { build: (tokens) => pretrainingGraphFor(model, batch, tokens), weightDecay, clipNorm },
    maxTokens,
  );
  for (const [parameter, { data }] of Object.entries(trainer.parameters)) {
    data.set(/** @type {Float32Array} */ (weights[parameter].data));
  }
  const feeds = batchOfWorkload(batches, 0);
  let [elapsed, optimizer] = [0, 0];
  for (let step = 1; step <= steps + WARM_UP_STEPS; step++) {
    const started = performance.now();
    await trainer.gradient(maxTokens, feeds);
    const norm = trainer.gradientNorm();
    const updating = performance.now();
    await trainer.update(step, learningRate, norm);
    if (step <= WARM_UP_STEPS) continue;
    elapsed += performance.now() - started;
    optimizer += (performance.now() - updating) / steps;
  }
  await trainer.release();

  /** @type {Map<string, number>} */
  const byOperator = new Map([['AdamW', optimizer]]);
  /** @type {Map<string, { forward: number, backward: number }>} */
  const byLayer = new Map();
  let total = optimizer;
  for (const file of await readdir(traces)) {
    for (const { name: node, dur, args } of await kernelsOf(join(traces, file))) {
      const milliseconds = dur / 1000 / steps;
      total += milliseconds;
      byOperator.set(args.op_name, (byOperator.get(args.op_name) ?? 0) + milliseconds);
      const { layer, backward } = placeOf(node);
      const times = byLayer.get(layer) ?? { forward: 0, backward: 0 };
      times[backward ? 'backward' : 'forward'] += milliseconds;
      byLayer.set(layer, times);
    }
  }
  console.log(
    `${name}, ${options.threads} threads: ${(elapsed / steps).toFixed(1)} ms per step while traced, of which ${total.toFixed(1)} ms in operators and AdamW\n`,
  );
  for (const [operator, milliseconds] of [...byOperator].sort((a, b) => b[1] - a[1])) {
    console.log(`${operator.padEnd(44)}${number(milliseconds)} ms ${share(milliseconds, total)}`);
  }
  console.log(`\n${'layer'.padEnd(44)}  forward     backward`);
  for (const [layer, { forward, backward }] of byLayer) {
    console.log(
      `${layer.padEnd(44)}${number(forward)} ms${number(backward)} ms ${share(forward + backward, total)}`,
    );
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
