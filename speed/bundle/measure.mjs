/**
 * What run.sh of a bundle runs: whether the GPU agrees with the CPU, how fast both train, and a pretraining on real molecules.
 * `node measure.mjs [RESULTS] [--quick]`. Each part has a limit, and what it wrote until then stays.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeMachine, thisMachine } from '../machine.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false } },
});
const { quick } = options;
const results = resolve(positionals[0] ?? 'results');
const root = fileURLToPath(new URL('../..', import.meta.url));

/** A Python with PyTorch makes the peers run; see ../peers. */
function pythonWithTorch() {
  const python = process.env.LACUNA_PEER_PYTHON ?? 'python3';
  const { status, stderr, error } = spawnSync(python, ['-c', 'import torch, safetensors']);
  if (status === 0) return python;
  const reason = error?.message ?? String(stderr).trim().split('\n').at(-1);
  console.log(`PyTorch is not measured: ${reason} (LACUNA_PEER_PYTHON names another Python)`);
  return undefined;
}

/**
 * Runs a program of the bundle for at most so many seconds, and tells how it ended. At the limit it is asked to stop, and
 * ten seconds later ended with all that it started.
 */
function part(
  /** @type {string} */ name,
  /** @type {number} */ seconds,
  /** @type {readonly string[]} */ parameters,
  /** @type {Record<string, string | undefined>} */ environment = {},
) {
  console.log(`\n== ${name}, at most ${seconds} s`);
  const started = performance.now();
  const log = createWriteStream(join(results, `${name}.log`));
  const child = spawn(process.execPath, parameters, {
    cwd: root,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const end = (/** @type {NodeJS.Signals} */ signal, group = false) => {
    try {
      process.kill(group ? -Number(child.pid) : Number(child.pid), signal);
    } catch {
      // It has ended.
    }
  };
  let limited = false;
  const timers = [
    setTimeout(() => {
      limited = true;
      end('SIGINT');
    }, 1000 * seconds),
    setTimeout(() => end('SIGKILL', true), 1000 * (seconds + 10)),
  ];
  for (const stream of [child.stdout, child.stderr]) stream.pipe(log, { end: false });
  child.stdout.pipe(process.stdout, { end: false });
  return new Promise((settle) => {
    child.on('close', (code) => {
      for (const timer of timers) clearTimeout(timer);
      end('SIGKILL', true);
      log.end();
      const took = (performance.now() - started) / 1000;
      const ended = limited ? 'stopped at its limit' : code === 0 ? 'done' : `failed, see ${name}.log`;
      console.log(`${name}: ${ended} after ${took.toFixed(1)} s`);
      settle({ ended, seconds: took });
    });
  });
}

/** Loss, norm and speed of each step that the run has logged, and the time from the first logged step to the last. */
async function writePretraining(/** @type {string} */ run, /** @type {object} */ facts) {
  const lines = (await readFile(join(run, 'metrics.jsonl'), 'utf8').catch(() => '')).split('\n');
  // A run that was ended may have left half a line.
  const steps = lines.flatMap((line) => {
    try {
      return [JSON.parse(line)];
    } catch {
      return [];
    }
  });
  const config = await readFile(join(run, 'config.json'), 'utf8').then(JSON.parse, () => undefined);
  await writeFile(
    join(results, 'pretraining.json'),
    `${JSON.stringify({ machine, ...facts, config, steps }, null, 2)}\n`,
  );
  const trained = steps.filter(({ loss }) => loss !== undefined);
  const [first, last] = [trained.at(0), trained.at(-1)];
  const validated = steps.findLast(({ val_loss }) => val_loss !== undefined);
  if (last)
    console.log(
      `step ${last.step}: loss ${first.loss.toFixed(3)} → ${last.loss.toFixed(3)}${validated ? `, validation ${validated.val_loss.toFixed(3)}` : ''}, ${Math.round(last.samples_per_second)} molecules/s`,
    );
}

await mkdir(results, { recursive: true });
const machine = thisMachine('webgpu');
console.log(describeMachine(machine));
const python = pythonWithTorch();
/** @type {Record<string, unknown>} */
const parts = {};
const say = async () =>
  writeFile(join(results, 'summary.json'), `${JSON.stringify({ machine, quick, parts }, null, 2)}\n`);

const [steps, begins] = quick ? ['3', '30'] : ['20', '70'];
parts.agreement = await part('agreement', quick ? 60 : 90, [
  ...[
    'speed/agreement.mjs',
    '--steps',
    steps,
    '--seconds',
    begins,
    '--json',
    join(results, 'agreement.json'),
  ],
]);
await say();

parts.speed = await part(
  'speed',
  quick ? 120 : 250,
  [
    ...[
      'speed/compare.mjs',
      ...(quick ? ['events'] : ['proteins', 'large', 'molecules', 'events', 'transformer']),
    ],
    ...['--device', 'webgpu', '--no-embed', '--no-variants', '--json', join(results, 'speed.json')],
    ...(quick ? ['--batch', '1', '--repeats', '1'] : ['--repeats', '3']),
    // Compiling for the CPU takes minutes.
    ...['--only', 'pytorch-cuda,pytorch-cuda-compiled'],
  ],
  { LACUNA_PEER_PYTHON: python },
);
await say();

const run = join(results, 'run');
await rm(run, { recursive: true, force: true });
const molecules = join(root, 'data/molecules.smi');
const few = join(root, 'data/few.smi');
if (quick) await writeFile(few, (await readFile(molecules, 'utf8')).split('\n').slice(0, 80).join('\n'));
parts.pretraining = await part('pretraining', 90, [
  ...['dist/cli/main.js', 'pretrain', quick ? few : molecules, '--out', run, '--device', 'webgpu'],
  ...(quick
    ? ['--batch-size', '4', '--steps', '4', '--layers', '1', '--width', '32', '--max-tokens', '16']
    : ['--batch-size', '256', '--steps', '600']),
]);
await writePretraining(run, /** @type {object} */ (parts.pretraining));
await say();
console.log(`\nwritten: ${results}`);
process.exit(Object.values(parts).every((told) => /** @type {any} */ (told).ended === 'done') ? 0 : 1);
