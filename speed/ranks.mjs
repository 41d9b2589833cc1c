/**
 * Steps of two or more processes, one thread each, beside those of one process with one thread and with as many as there
 * are processes, in turns: `mpirun -n 2 --bind-to none node speed/ranks.mjs [CONFIGURATION…] [--rounds N] [--steps N]`.
 */
import { access, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { launchedBy } from '../dist/cluster/launcher.js';
import { openMpi } from '../dist/cluster/mpi.js';
import { nodeEngine } from '../dist/engine/node.js';
import { hostTensor } from '../dist/tensor/tensor.js';
import { configurationNamed, configurations } from './configurations.mjs';
import { batchOfWorkload, trainerOf } from './trainer.mjs';
import { readWorkload, writeWorkload } from './workload.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' }, steps: { type: 'string', default: '8' } },
});
const [rounds, steps] = [Number(options.rounds), Number(options.steps)];
const launched = launchedBy(process.env);
if (!launched) {
  console.error('start with mpirun -n 2 --bind-to none node speed/ranks.mjs');
  process.exit(2);
}
const ranks = await openMpi(launched);
const [folder] = await ranks.gather(ranks.rank === 0 ? await mkdtemp(join(tmpdir(), 'lacuna-ranks-')) : '');

/** Milliseconds: of each step and of its sum; of the processor in all, and of that while numbers were summed.
 * @typedef {{ milliseconds: number[], summed: number[], processor: number, polling: number }} Times */

/** @returns {Times} */
const noTimes = () => ({ milliseconds: [], summed: [], processor: 0, polling: 0 });

/** Waits as a process does that is not there: without taking a core. */
async function rest(/** @type {string} */ until) {
  for (;;) {
    const there = await access(join(folder, until)).then(
      () => true,
      () => false,
    );
    if (there) return;
    await setTimeout(20);
  }
}

/** Milliseconds of processor time since. */
const spent = (/** @type {NodeJS.CpuUsage} */ before) => {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
};

/**
 * The ranks, with the processor time of a step's messages added up.
 *
 * @param {() => Times} times
 * @returns {import('../dist/cluster/ranks.js').Ranks}
 */
function watched(times) {
  const timed =
    (/** @type {(...vectors: any[]) => Promise<void>} */ call) =>
    async (/** @type {unknown[]} */ ...vectors) => {
      const began = process.cpuUsage();
      await call(...vectors);
      times().polling += spent(began);
    };
  const { sum, sumPieces, sharePieces } = ranks;
  return { ...ranks, sum: timed(sum), sumPieces: timed(sumPieces), sharePieces: timed(sharePieces) };
}

const lowest = (/** @type {number[]} */ values) => Math.min(...values);
const middle = (/** @type {number[]} */ values) => values.toSorted((a, b) => a - b)[values.length >> 1];

async function measure(/** @type {string} */ name) {
  if (ranks.rank === 0) await writeWorkload(folder, configurationNamed(name));
  await ranks.barrier();
  const files = await readWorkload(folder);
  const { workload, batches } = files;
  const { model, batch, optimizer } = workload;
  const part = batch / ranks.size;
  const whole = Array.from({ length: workload.batches }, (_, index) => batchOfWorkload(batches, index));
  const parts = whole.map((feeds) =>
    Object.fromEntries(
      Object.entries(feeds).map(([key, { dtype, shape, data }]) => {
        if (shape[0] !== batch) return [key, hostTensor(dtype, shape, data)];
        const length = (data.length / batch) * part;
        const own = data.slice(ranks.rank * length, (ranks.rank + 1) * length);
        return [key, hostTensor(dtype, [part, ...shape.slice(1)], own)];
      }),
    ),
  );
  const contender = async (/** @type {number} */ threads, /** @type {number} */ size) => {
    const one = { feeds: size === batch ? whole : parts, times: noTimes(), step: 0 };
    const engine = await nodeEngine({ threads });
    const own = { ...files, workload: { ...workload, batch: size } };
    return Object.assign(one, {
      trainer: trainerOf(own, engine, size === batch ? {} : { ranks: watched(() => one.times) }),
    });
  };
  const alone = ranks.rank === 0 ? [await contender(1, batch), await contender(ranks.size, batch)] : [];
  const together = await contender(1, part);
  const run = async (/** @type {Awaited<ReturnType<typeof contender>>} */ one) => {
    const before = process.cpuUsage();
    for (let i = 0; i < steps; i++) {
      const begun = performance.now();
      const { summed } = await one.trainer.step(
        model.spec.maxTokens,
        one.feeds[one.step % one.feeds.length],
        { step: ++one.step, learningRate: optimizer.learningRate },
      );
      one.times.milliseconds.push(performance.now() - begun);
      one.times.summed.push(summed);
    }
    one.times.processor += spent(before);
  };
  for (let round = 0; round <= rounds; round++) {
    // The first round compiles and warms up.
    if (round === 1) for (const one of [...alone, together]) one.times = noTimes();
    const done = `${name} ${round}`;
    if (ranks.rank === 0) {
      for (const one of alone) await run(one);
      await writeFile(join(folder, done), '');
    } else await rest(done);
    await ranks.barrier();
    await run(together);
  }
  const { processor, polling } = together.times;
  const processors = Float64Array.of(processor, processor - polling);
  await ranks.sum(processors);
  const count = rounds * steps;
  if (ranks.rank === 0) {
    const [one, threads] = alone.map(({ times }) => times);
    const { milliseconds, summed } = together.times;
    const ratio = (/** @type {Times} */ times, /** @type {(values: number[]) => number} */ of) =>
      (of(times.milliseconds) / of(milliseconds)).toFixed(2);
    console.log(
      JSON.stringify({
        name,
        parameters: together.trainer.layout.length,
        batch,
        ranks: ranks.size,
        steps: count,
        least: [one, threads, together.times].map((times) => Number(lowest(times.milliseconds).toFixed(2))),
        median: [one, threads, together.times].map((times) => Number(middle(times.milliseconds).toFixed(2))),
        processor: [one.processor, threads.processor, processors[0]].map((ms) =>
          Number((ms / count).toFixed(2)),
        ),
        // What each does but wait, and what it would be beside one thread were each core its own.
        work: Number((processors[1] / ranks.size / count).toFixed(2)),
        wouldBe: (one.processor / count / (processors[1] / ranks.size / count + lowest(summed))).toFixed(2),
        summed: [lowest(summed), middle(summed)].map((ms) => Number(ms.toFixed(2))),
        againstOneThread: [ratio(one, lowest), ratio(one, middle)],
        againstThreads: [ratio(threads, lowest), ratio(threads, middle)],
      }),
    );
  }
  for (const { trainer } of [...alone, together]) await trainer.release();
}

for (const name of positionals.length > 0 ? positionals : Object.keys(configurations)) await measure(name);
await ranks.finalize();
