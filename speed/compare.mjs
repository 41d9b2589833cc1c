/** Lacuna beside its peers: same model, weights, batches and threads, in turns. `npm run speed -- compare --help` lists the options. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { comparisonTable } from './comparison-table.mjs';
import { configurationNamed, configurations } from './configurations.mjs';
import {
  Contender,
  contenders,
  countLaunches,
  isInstalled,
  onCuda,
  onDevice,
  sgemm,
  withoutCuda,
} from './contender.mjs';
import { describeMachine, thisMachine } from './machine.mjs';
import { stepOperations } from './operations.mjs';
import { summary } from './table.mjs';
import { deviceNamed } from './trainer.mjs';
import { writeWorkload } from './workload.mjs';
import { writeResults } from './written-results.mjs';

const HELP = `npm run speed -- [CONFIGURATION…] [options]

Trains the same model in turns with Lacuna and the peers that are installed (see speed/peers), and prints a table.
Configurations: ${Object.keys(configurations).join(', ')}; all of them by default.

  --threads N     threads of every contender; as many as cores by default
  --device NAME   webgpu: a GPU beside the CPU, with PyTorch on CUDA where there is one; cpu by default
  --batch N       records of a batch, instead of the configuration's
  --repeats N     turns of each contender, 7 by default
  --only NAMES    these contenders beside Lacuna, separated by commas
  --no-embed      leave out embedding
  --no-variants   leave out Lacuna with one thread and with recomputation
  --json FILE     write all numbers there`;

const { values: options, positionals: names } = parseArgs({
  allowPositionals: true,
  allowNegative: true,
  options: {
    threads: { type: 'string', default: String(availableParallelism()) },
    device: { type: 'string', default: 'cpu' },
    batch: { type: 'string' },
    repeats: { type: 'string', default: '7' },
    only: { type: 'string' },
    embed: { type: 'boolean', default: true },
    variants: { type: 'boolean', default: true },
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
const device = deviceNamed(options.device);
const machine = thisMachine(device);
const only = options.only?.split(',');
for (const name of names) configurationNamed(name);

/** Steps that are not timed, and at least as many milliseconds of work in a turn that is. */
const WARM_UP_STEPS = 3;
const TURN_MILLISECONDS = 500;
/** Losses further apart than this are not the same arithmetic. */
const LOSS_TOLERANCE = 1e-3;

/** @typedef {import('./comparison-table.mjs').Row} Row */

/** A contender with what it has done so far. */
class Turn {
  /** @type {number[]} */ milliseconds = [];
  /** @type {number[]} */ losses = [];
  /** @type {number[]} */ embedMilliseconds = [];
  /** @type {Float32Array | undefined} */ embeddings;
  /** @type {number | undefined} */ peakMemory;
  /** @type {string | undefined} */ error;
  steps = 1;

  constructor(
    /** @type {Contender} */ process,
    /** @type {number} */ threads,
    /** @type {boolean} */ embeds,
  ) {
    this.process = process;
    this.threads = threads;
    this.embeds = embeds;
  }

  /** What fails is left out from then on, and said in the table. */
  async attempt(/** @type {() => Promise<void>} */ work) {
    if (this.error !== undefined) return;
    try {
      await work();
    } catch (error) {
      this.error = /** @type {Error} */ (error).message;
    }
  }

  async train(/** @type {number} */ steps, timed = true) {
    const { milliseconds, losses = [] } = await this.process.ask({ do: 'train', steps });
    this.losses.push(...losses);
    if (timed) this.milliseconds.push(...milliseconds);
    else this.steps = Math.max(1, Math.min(10, Math.ceil(TURN_MILLISECONDS / milliseconds[steps - 1])));
  }

  async embed(/** @type {string} */ out) {
    this.embedMilliseconds.push(...(await this.process.ask({ do: 'embed', out })).milliseconds);
    if (this.embeddings) return;
    const bytes = await readFile(out);
    this.embeddings = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  }
}

/** The largest difference of two lists as far as both go, relative to `scale`. */
function largestDifference(
  /** @type {ArrayLike<number> | undefined} */ a,
  /** @type {ArrayLike<number> | undefined} */ b,
  relative = false,
) {
  if (a === undefined || b === undefined) return undefined;
  let largest = 0;
  for (let i = 0; i < Math.min(a.length, b.length, relative ? 8 : Infinity); i++) {
    const difference = Math.abs(a[i] - b[i]) / (relative ? Math.abs(b[i]) : 1);
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

async function measure(/** @type {string} */ name) {
  const { model, batch: ownBatch } = configurationNamed(name);
  const batch = options.batch === undefined ? ownBatch : Number(options.batch);
  const configuration = { model, batch };
  const folder = await mkdtemp(join(tmpdir(), 'lacuna-speed-'));
  /** @type {Turn[]} */
  const turns = [];
  /** @type {Awaited<ReturnType<typeof countLaunches>>} */
  let launches = {};
  try {
    await writeWorkload(folder, configuration);
    if (device !== 'cpu') launches = await countLaunches(folder);
    const start = (
      /** @type {import('./contender.mjs').ContenderKind} */ {
        name,
        command,
        parameters = [],
        embeds = false,
      },
      count = threads,
    ) => {
      const process = new Contender(name, command, [folder, String(count), ...parameters]);
      turns.push(new Turn(process, count, embeds));
    };
    start(sgemm);
    const [lacuna, ...peers] = contenders;
    start(lacuna);
    if (device !== 'cpu') start(onDevice);
    if (options.variants) {
      if (threads > 1) start({ ...lacuna, name: 'lacuna, 1 thread' }, 1);
      start({ ...lacuna, name: 'lacuna --recompute', parameters: ['recompute'], embeds: false });
    }
    for (const peer of cuda === undefined ? [...onCuda, ...peers] : peers) {
      if (only && !only.includes(peer.name)) continue;
      if (isInstalled(peer) && peer.trains?.(model.encoder) !== false) start(peer);
    }
    const each = async (/** @type {(turn: Turn) => Promise<void>} */ work) => {
      for (const turn of turns) await turn.attempt(() => work(turn));
    };
    await each(async (turn) => {
      await turn.process.start();
      await turn.train(WARM_UP_STEPS, false);
      await turn.process.forgetPeak();
    });
    for (let repeat = 0; repeat < repeats; repeat++) {
      process.stderr.write(`\r${name}: turn ${repeat + 1} of ${repeats} `);
      await each((turn) => turn.train(turn.steps));
    }
    await each(async (turn) => {
      turn.peakMemory = await turn.process.peakMemory();
    });
    if (options.embed) {
      const out = join(folder, 'embeddings');
      const embedding = turns.filter(({ embeds }) => embeds);
      for (let repeat = 0; repeat <= repeats; repeat++) {
        process.stderr.write(`\r${name}: embedding, turn ${repeat} of ${repeats} `);
        for (const turn of embedding) await turn.attempt(() => turn.embed(out));
      }
      // The first one compiles.
      for (const turn of embedding) turn.embedMilliseconds.shift();
    }
    process.stderr.write('\r\x1b[K');
  } finally {
    for (const { process } of turns) process.stop();
    await rm(folder, { recursive: true, force: true });
  }
  const rows = rowsOf(turns, stepOperations(configuration), batch);
  return rows.map((row) => (row.contender === onDevice.name ? { ...row, ...launches } : row));
}

/** @returns {Row[]} */
function rowsOf(/** @type {Turn[]} */ turns, /** @type {number} */ operations, /** @type {number} */ batch) {
  const [machine, lacuna] = turns;
  const rate = Number(machine.process.hello.operations) / summary(machine.milliseconds).median / 1e6;
  return turns.map((turn) => {
    const { name, hello } = turn.process;
    /** @type {Row} */
    const row = { contender: name, version: hello.version, threads: turn.threads };
    if (turn.milliseconds.length === 0) return { ...row, error: turn.error };
    const step = summary(turn.milliseconds);
    if (turn === machine) return { ...row, step, gigaflops: rate };
    const gigaflops = operations / step.median / 1e6;
    return {
      ...row,
      error: turn.error,
      step,
      samplesPerSecond: (1000 * batch) / step.median,
      gigaflops,
      shareOfSgemm: turn.threads === machine.threads ? gigaflops / rate : undefined,
      peakMemory: turn.peakMemory,
      lossDifference: largestDifference(turn.losses, lacuna.losses, true),
      embed: turn.embedMilliseconds.length > 0 ? summary(turn.embedMilliseconds) : undefined,
      embeddingDifference: largestDifference(turn.embeddings, lacuna.embeddings),
    };
  });
}

const cuda = device === 'cpu' ? '' : withoutCuda();
if (cuda) console.error(`${onCuda.map(({ name }) => name).join(' and ')} are left out: ${cuda}`);
for (const peer of contenders) {
  if (!isInstalled(peer)) console.error(`${peer.name} is not installed; speed/peers says how`);
}
/** @type {Record<string, Row[]>} */
const results = {};
let wrong = 0;
console.log(describeMachine(machine, threads));
for (const name of names.length > 0 ? names : Object.keys(configurations)) {
  const rows = await measure(name);
  results[name] = rows;
  console.log(`\n${name}\n\n${comparisonTable(rows)}`);
  for (const { contender, error, lossDifference = 0, embeddingDifference = 0 } of rows) {
    if (contender === onDevice.name && error !== undefined) wrong++;
    if (lossDifference <= LOSS_TOLERANCE && embeddingDifference <= LOSS_TOLERANCE) continue;
    wrong++;
    console.error(
      `${name}: ${contender} does not compute the same: losses differ by ${lossDifference}, embeddings by ${embeddingDifference}`,
    );
  }
  await writeResults(options.json, repeats, results, machine);
}
process.exit(wrong > 0 ? 1 : 0);
