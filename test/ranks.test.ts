import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { random } from '../src/tensor/random.js';
import { decodeSafetensors } from '../src/tensor/safetensors.js';

const program = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const stumbling = fileURLToPath(new URL('plugins/stumbling.mjs', import.meta.url));

const version = spawnSync('mpirun', ['--version'], { encoding: 'utf8' }).stdout ?? '';
const openMpi = version.includes('Open MPI');
const there = version !== '' && existsSync('/proc/self/environ');
const because = there ? '' : ' (skipped: there is no mpirun, or no /proc; apt-get install openmpi-bin)';

let folder: string;
let data: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-ranks-'));
  data = join(folder, 'data.csv');
  const { uniform } = random(3, 'a table');
  const rows = Array.from({ length: 160 }, () => {
    const [u, v] = [uniform(), uniform()];
    return [u, v, u + v, u * v, 'xyz'[Math.floor(3 * u)], u - v + 0.1 * uniform(), u > v ? 'yes' : 'no'].join(
      ',',
    );
  });
  await writeFile(data, `a,b,c,d,e,f,label\n${rows.join('\n')}\n`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** `LACUNA_LONG=1 npx vitest run test/ranks.test.ts` takes minutes, and tries all objectives and twenty deaths. */
const long = process.env.LACUNA_LONG !== undefined;
const STEPS = long ? 200 : 40;
const DEATHS = long ? 20 : 2;
const options = Object.entries({
  steps: STEPS,
  'batch-size': 16,
  'valid-fraction': 0.1,
  'valid-steps': 20,
  'checkpoint-steps': 7,
  'log-steps': 1,
  width: 16,
  layers: 1,
  heads: 2,
  latents: 4,
  seed: 11,
}).flatMap(([name, value]) => [`--${name}`, String(value)]);

/** A rate at which AdamW does not make steps of what has no gradient but for rounding, such as a bias before a batch norm. */
const SLOW = ['--learning-rate', '0.00001'];

/** Starts so many processes that pretrain together, or one alone. */
const start = (ranks: number, out: string, ...more: string[]): ChildProcess =>
  launch(ranks, ['pretrain', data, '--out', out, ...options, ...more]);

interface How {
  /** A second program for the last of the ranks, as the launcher wants it told. */
  readonly beside?: readonly string[];
  /** Variables of the environment. */
  readonly variables?: Readonly<Record<string, string>>;
}

const launch = (ranks: number, args: readonly string[], how: How = {}): ChildProcess =>
  run(ranks, [program, ...args], how);

/** Starts Node so many times, in processes that know of each other, or once. */
function run(ranks: number, command: readonly string[], { beside = [], variables }: How = {}): ChildProcess {
  const stdio: ['ignore', 'ignore', 'pipe'] = ['ignore', 'ignore', 'pipe'];
  const env = { ...process.env, ...variables };
  if (ranks === 1) return spawn(process.execPath, command, { stdio, env });
  const how = openMpi ? ['--oversubscribe'] : [];
  return spawn(
    'mpirun',
    [...how, '-n', String(ranks - (beside.length > 0 ? 1 : 0)), process.execPath, ...command, ...beside],
    {
      stdio,
      env: { ...env, OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' },
    },
  );
}

function ended(child: ChildProcess): Promise<{ status: number | string | null; said: string }> {
  let said = '';
  child.stderr?.on('data', (chunk) => {
    said += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ status: signal ?? code, said }));
  });
}

const linesOf = async (run: string) =>
  (await readFile(join(run, 'metrics.jsonl'), 'utf8').catch(() => ''))
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));

/** Everything in the log but what the clock and the memory decide. */
const learned = async (run: string) =>
  (await linesOf(run)).map(
    ({ samples_per_second, data_wait, sum_wait, peak_memory_mib, seconds, ...rest }) => rest,
  );

/** The processes that write or would write into a folder, by rank. */
function processesOf(run: string): Map<number, number> {
  const found = new Map<number, number>();
  for (const pid of readdirSync('/proc')) {
    try {
      if (readlinkSync(`/proc/${pid}/exe`) !== readlinkSync('/proc/self/exe')) continue;
      if (!readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').includes(run)) continue;
      const rank = /(?:OMPI_COMM_WORLD_RANK|PMI_RANK)=(\d+)/.exec(
        readFileSync(`/proc/${pid}/environ`, 'latin1'),
      );
      if (rank) found.set(Number(rank[1]), Number(pid));
    } catch {
      // No process, or one that has ended.
    }
  }
  return found;
}

/** Sends a signal to one rank once the run has logged `step`, and waits for the end of all. */
async function signalled(
  child: ChildProcess,
  run: string,
  step: number,
  rank: number,
  signal: NodeJS.Signals,
) {
  const done = ended(child);
  let over = false;
  void done.then(() => {
    over = true;
  });
  while (!over) {
    const last = (await linesOf(run).catch(() => [])).at(-1);
    if (last && last.step >= step) {
      process.kill(processesOf(run).get(rank)!, signal);
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const result = await done;
  // mpirun does not wait until the system has cleared away what it killed.
  await expect.poll(() => [...processesOf(run)], { timeout: 10_000 }).toEqual([]);
  return result;
}

const newestCheckpoint = async (run: string) => {
  const names = (await readdir(join(run, 'checkpoints'))).filter((name) => name.endsWith('.safetensors'));
  return join(run, 'checkpoints', names.sort().at(-1) ?? '');
};

/** To the last bit. */
const expectSame = async (run: string, whole: string) => {
  expect(await learned(run)).toEqual(await learned(whole));
  for (const file of ['config.json', 'tokenizer.json', 'encoder.onnx'])
    expect(await readFile(join(run, file)), file).toEqual(await readFile(join(whole, file)));
  expect(await readFile(await newestCheckpoint(run))).toEqual(await readFile(await newestCheckpoint(whole)));
  expect(await readdir(run)).toContain('DONE');
};

/** Within a part in 10⁵, as rounding is. */
const expectClose = async (run: string, whole: string) => {
  let worst = 0;
  const [got, wanted] = [await linesOf(run), await linesOf(whole)];
  expect(got.length).toBe(wanted.length);
  for (const [i, line] of wanted.entries()) {
    for (const key of ['loss', 'val_loss', 'val_loss_marginal'])
      if (line[key] !== undefined) worst = Math.max(worst, Math.abs(got[i][key] / line[key] - 1));
  }
  if (long) console.log(basename(run), 'beside', basename(whole), worst);
  expect(worst).toBeLessThan(1e-5);
};

describe.skipIf(!there)(`processes under mpirun${because}`, () => {
  let whole: string;
  beforeAll(async () => {
    whole = join(folder, 'two');
    expect(await ended(start(2, whole))).toMatchObject({ status: 0 });
  });

  it('learn what one does, and tell how long they waited for each other', async () => {
    const one = join(folder, 'one');
    expect((await ended(start(1, one, '--threads', '1'))).status).toBe(0);
    await expectClose(whole, one);
    for (const { step, sum_wait } of await linesOf(whole))
      expect(step === 0 || (sum_wait > 0 && sum_wait < 1)).toBe(true);
    const { metadata } = decodeSafetensors(await readFile(await newestCheckpoint(whole)), 'two');
    expect(metadata.ranks).toBe('2');
  });

  it('learn what one does by a loss that looks at a whole batch', async () => {
    const [one, two] = [join(folder, 'views by one'), join(folder, 'views by two')];
    const how = ['--objective', 'byol', ...SLOW];
    expect((await ended(start(1, one, ...how, '--threads', '1'))).status).toBe(0);
    expect(await ended(start(2, two, ...how))).toMatchObject({ status: 0 });
    await expectClose(two, one);
  });

  it.runIf(long).each<[string, string[]]>([
    ['random-masking', []],
    ['group-masking', []],
    ['mp3', []],
    ['t-jepa', []],
    ['selfie', []],
    ['msbreg', []],
    ['sma', ['--singular-value-weight', '0.1', '--diffusive-weight', '0.1']],
    ['byol', SLOW],
    ['myow', SLOW],
    ['simclr', [...SLOW, '--centroid-weight', '0.1']],
    ['g-simclr', SLOW],
    ['self-distillation', ['--from', 'whole', ...SLOW]],
  ])('learn what one does by %s with %o, two of them and four', async (objective, more) => {
    const from = more.map((option) => (option === 'whole' ? whole : option));
    const how = ['--objective', objective, '--encoder', 'perceiver', '--threads', '1', ...from];
    const runs: string[] = [];
    for (const ranks of [1, 2, 4]) {
      const run = join(folder, `${objective} of ${ranks}`);
      expect(await ended(start(ranks, run, ...how))).toMatchObject({ status: 0 });
      runs.push(run);
    }
    const [one, ...others] = runs;
    for (const run of others) await expectClose(run, one);
  });

  it('add up and share vectors that take more than one message', async () => {
    const script = `
      const [{ launchedBy }, { openMpi }, { piecesOf }] = await Promise.all(
        ['launcher', 'mpi', 'ranks'].map((name) => import(process.argv[1] + name + '.js')),
      );
      const ranks = await openMpi(launchedBy(process.env));
      const { rank, size } = ranks;
      const length = 2 ** 21 + 5;
      const values = Float32Array.from({ length }, (_, i) => (i % 1000) + rank);
      const pieces = piecesOf(length, ranks);
      const own = new Float32Array(pieces.reduce((sum, { start, end }) => sum + end - start, 0));
      await ranks.sumPieces(values, own);
      const shared = new Float32Array(length).fill(-1);
      let next = 0;
      for (const { start, end } of pieces) {
        shared.set(own.subarray(next, next + end - start), start);
        next += end - start;
      }
      await ranks.sharePieces(shared);
      await ranks.sum(values);
      const right = (sums) => sums.every((sum, i) => sum === size * (i % 1000) + (size * (size - 1)) / 2);
      if (!right(values) || !right(shared)) throw new Error('the sums are wrong');
      await ranks.finalize();`;
    const modules = new URL('../dist/cluster/', import.meta.url).href;
    const child = run(3, ['--input-type=module', '--eval', script, modules]);
    expect(await ended(child)).toMatchObject({ status: 0 });
  });

  // Open MPI registers for the end of threads what it needs for TCP; several machines talk by it.
  it.runIf(openMpi)('end in order after TCP', async () => {
    const run = join(folder, 'by TCP');
    const variables = { OMPI_MCA_pml: 'ob1', OMPI_MCA_btl: 'tcp,self' };
    const few = options.with(options.indexOf('--steps') + 1, '3');
    const child = launch(2, ['pretrain', data, '--out', run, ...few], { variables });
    expect(await ended(child)).toMatchObject({ status: 0, said: expect.not.stringContaining('signal 11') });
  });

  it('fine-tune as one does', async () => {
    const tuned = async (ranks: number) => {
      const out = join(folder, `tuned by ${ranks}`);
      const how = '--target label --seeds 1 --steps 12 --batch-size 16 --threads 1'.split(' ');
      expect(await ended(launch(ranks, ['finetune', whole, data, '--out', out, ...how]))).toMatchObject({
        status: 0,
      });
      const { tensors } = decodeSafetensors(await readFile(await newestCheckpoint(out)), out);
      const { methods } = JSON.parse(await readFile(join(out, 'scores.json'), 'utf8'));
      return { tensors, scores: methods.map(({ mean }: { mean: number }) => mean) };
    };
    const [one, two] = [await tuned(1), await tuned(2)];
    for (const [i, score] of one.scores.entries()) expect(two.scores[i]).toBeCloseTo(score, 4);
    for (const [name, { data: values }] of Object.entries(one.tensors)) {
      const others = two.tensors[name].data;
      for (let i = 0; i < values.length; i++)
        expect(Math.abs(Number(values[i]) - Number(others[i]))).toBeLessThan(1e-4);
    }
  });

  it('embed a part of the records each, as --shard does by hand', async () => {
    const out = join(folder, 'embedded.csv');
    const embed = async (ranks: number, ...more: string[]) =>
      expect(await ended(launch(ranks, ['embed', whole, data, '--out', out, ...more]))).toMatchObject({
        status: 0,
      });
    const numbersOf = async (path: string) =>
      (await readFile(path, 'utf8'))
        .trim()
        .split('\n')
        .slice(1)
        .map((line) => line.split(',').map(Number));
    await embed(1);
    await embed(2);
    const parts = [0, 1].map((part) => join(folder, `embedded.${part}-of-2.csv`));
    const [all, joined] = [await numbersOf(out), (await Promise.all(parts.map(numbersOf))).flat()];
    expect(joined.map(([row]) => row)).toEqual(all.map(([row]) => row));
    for (const [i, embedding] of all.entries())
      for (const [j, value] of embedding.entries()) expect(joined[i][j]).toBeCloseTo(value, 5);
    const { rows } = JSON.parse(await readFile(join(folder, 'embedded.1-of-2.json'), 'utf8'));
    expect(rows).toBe(80);
    const byRank = await readFile(parts[1]);
    await rm(parts[1]);
    await embed(1, '--shard', '1/2');
    expect(await readFile(parts[1])).toEqual(byRank);
  });

  it('do the trials of a sweep in turn, and join them', async () => {
    const config = join(folder, 'sweep.json');
    await writeFile(
      config,
      JSON.stringify({
        data: { path: data },
        encoder: { width: 8, heads: 2, layers: 1, latents: 4 },
        training: { steps: 10, batch_size: 16, threads: 1 },
        search: { 'training.learning_rate': [0.001, 0.003, 0.01] },
        sweep: { method: 'grid' },
      }),
    );
    const scores = async (ranks: number) => {
      const out = join(folder, `swept by ${ranks}`);
      expect(await ended(launch(ranks, ['sweep', config, '--out', out]))).toMatchObject({ status: 0 });
      const { trials, best } = JSON.parse(await readFile(join(out, 'sweep.json'), 'utf8'));
      return { best, scores: trials.map(({ judged }: { judged: { score: number }[] }) => judged[0].score) };
    };
    expect(await scores(2)).toEqual(await scores(1));
    expect(await readdir(join(folder, 'swept by 2', 'parts', '1-of-2', 'trials'))).toEqual(['002']);
  });

  it('are all ended where one is killed, and go on as if nothing had been', async () => {
    const run = join(folder, 'killed');
    const { integer } = random(Number(process.pid), 'moments of death');
    let resume: string[] = [];
    for (let death = 0; death < DEATHS; death++) {
      const child = start(2, run, ...resume);
      const reached = (await linesOf(run)).at(-1)?.step ?? 0;
      const step = Math.min(reached + 1 + integer(14), STEPS - 8);
      const { status } = await signalled(child, run, step, integer(2), 'SIGKILL');
      expect(status).not.toBe(0);
      resume = ['--resume'];
    }
    const { status, said } = await ended(start(2, run, '--resume'));
    expect([status, said.includes('rounding')]).toEqual([0, false]);
    await expectSame(run, whole);
  });

  it('stop at one step when one is asked to, and go on with another number of them', async () => {
    const run = join(folder, 'stopped');
    const { status } = await signalled(start(2, run), run, 10, 1, 'SIGTERM');
    expect(status).toBe(130);
    const { step } = (await linesOf(run)).at(-1)!;
    expect(await newestCheckpoint(run)).toContain(`step-${String(step).padStart(8, '0')}`);
    const { said, ...rest } = await ended(start(4, run, '--resume'));
    expect(rest.status).toBe(0);
    expect(said).toContain(
      'the checkpoint is of 2 ranks and this is 4 ranks: the steps are the same but for rounding',
    );
    await expectClose(run, whole);
  });

  it('are all ended where one fails, with what it says', async () => {
    const run = join(folder, 'failed');
    const { status, said } = await ended(start(2, run, '--plugin', stumbling, '--objective', 'stumbling'));
    expect(status).toBe(1);
    expect(said).toMatch(/^rank 1: lacuna: .*\nError: a stone in the way$/m);
    expect([...processesOf(run)]).toEqual([]);
    expect(await readdir(run)).not.toContain('DONE');
  });

  it('are all ended where one hangs', async () => {
    const run = join(folder, 'hung');
    const child = start(2, run, '--rank-timeout', '2');
    const { status, said } = await signalled(child, run, 5, 1, 'SIGSTOP');
    expect(status).toBe(1);
    expect(said).toMatch(
      /lacuna: rank 0 of 2 on .* waited 2 s for the others to .*, and at least one did not come: it hangs/,
    );
  });

  it('say in one line what they cannot do', async () => {
    const refused = async (...more: string[]) => {
      const { status, said } = await ended(start(2, join(folder, 'refused'), ...more));
      expect(status).toBe(2);
      return said;
    };
    expect(await refused('--batch-size', '15')).toContain(
      'lacuna: training.batch_size: expected a multiple of the 2 ranks, of which each has a part of the batch, got 15; try 14 or 16\n',
    );
    expect(await refused('--device', 'auto')).toContain(
      'lacuna: training.device: auto measures which device is faster, and the 2 ranks might not find the same; give webgpu or cpu\n',
    );
    const moments = ['--encoder', 'residual-network', '--objective', 'random-masking', '--batch-size', '16'];
    expect(
      await ended(launch(2, ['pretrain', data, '--out', join(folder, 'refused'), ...moments])),
    ).toMatchObject({
      status: 2,
      said: expect.stringContaining(
        'lacuna: encoder.kind: residual-network, with these options, has batch norm',
      ),
    });
    const step = { SLURM_PROCID: '0', SLURM_STEP_NUM_TASKS: '2', SLURM_STEP_TASKS_PER_NODE: '2' };
    expect(
      await ended(launch(1, ['pretrain', data, '--out', join(folder, 'refused')], { variables: step })),
    ).toMatchObject({
      status: 2,
      said: expect.stringMatching(
        /^lacuna: Slurm's srun started 2 processes that do not know of each other; /,
      ),
    });
    // Launchers of both libraries start several programs with a colon between them.
    const other = join(folder, 'other.csv');
    await writeFile(other, (await readFile(data, 'utf8')).replace('x', 'y'));
    const more = [
      ':',
      '-n',
      '1',
      process.execPath,
      program,
      'pretrain',
      other,
      '--out',
      join(folder, 'refused'),
    ];
    const two = launch(2, ['pretrain', data, '--out', join(folder, 'refused'), ...options], {
      beside: [...more, ...options],
    });
    const { status, said } = await ended(two);
    expect(status).toBe(1);
    expect(said).toMatch(
      /lacuna: rank \d has another configuration than rank 0, or other data; give all ranks/,
    );
    expect(await readdir(folder)).not.toContain('refused');
  });
});
