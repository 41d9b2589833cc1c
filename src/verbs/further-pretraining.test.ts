import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { UserConfig } from '../config/schema.js';
import { input, mean, multiply, reshape } from '../graph/index.js';
import { linear } from '../layers/linear.js';
import { encoderLayout } from '../learning/model.js';
import { parameterLayout } from '../learning/parameters.js';
import type { ByolOptions } from '../objectives/byol.js';
import { objectives } from '../objectives/index.js';
import type { GroupingContext, Objective } from '../objectives/objective.js';
import { AVERAGE, loadCheckpoint, START } from '../runs/checkpoints.js';
import { openRun, readRunConfig, runFile, writeRunJson } from '../runs/folder.js';
import { readMetrics } from '../runs/metrics-log.js';
import { parametersFrom } from '../runs/origin.js';
import { type HostTensor, hostTensor } from '../tensor/tensor.js';
import { molecules } from '../tokenizers/real-records.case.js';
import { pretrain } from './pretrain.js';

let folder: string;
let data: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-pretrain-'));
  data = join(folder, 'molecules.csv');
  const rows = [...molecules, ...molecules, ...molecules].map((smiles, i) => `${smiles},${i % 7}`);
  await writeFile(data, `smiles,mass\n${rows.join('\n')}\n`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const STEPS = 12;

const configOf = ({ encoder, training, ...more }: UserConfig = {}): UserConfig => ({
  data: { columns: ['smiles'], valid_fraction: 0.2 },
  encoder: { width: 8, heads: 2, layers: 1, latents: 4, ...encoder } as UserConfig['encoder'],
  ...more,
  training: { steps: STEPS, batch_size: 4, threads: 1, valid_steps: 6, checkpoint_steps: 6, ...training },
});

/** Pretrains into a folder of that name; with `until` it is interrupted after so many steps. */
async function run(
  name: string,
  config: UserConfig,
  more: { resume?: boolean; until?: number; blockValues?: number } = {},
) {
  const { until, ...options } = more;
  const stop = new AbortController();
  const messages: string[] = [];
  const out = join(folder, name);
  await pretrain(
    { data, out, config, ...options },
    {
      signal: stop.signal,
      onEvent(event) {
        if ('message' in event) messages.push(event.message);
        if (event.type === 'step' && event.step === until) stop.abort();
      },
    },
  );
  return { out, messages };
}

const lines = async (out: string) =>
  (await readMetrics(runFile(out, 'metrics')))
    .filter(({ step }) => step > 0)
    .map(({ step, loss, lr }) => ({ step, loss, lr }));

const checkpointOf = async (out: string, step: number) =>
  (await loadCheckpoint(join(out, 'checkpoints', `step-${String(step).padStart(8, '0')}.safetensors`)))
    .tensors;

/** A rate at which parameters stay where they begin. */
const STILL = { learning_rate: 1e-30, warmup_steps: 0 };

/** A run from another one, whose encoder is not named again. */
const fromConfig = (from: string, { training, ...more }: UserConfig = {}): UserConfig => {
  const { encoder: _, ...config } = configOf({ ...more, training: { from, ...training } });
  return config;
};

describe('a run that starts from another', () => {
  let first: string;
  beforeAll(async () => {
    first = (await run('first', configOf({ tokenizer: { max_tokens: 30 } }))).out;
  });

  it('has its tokenizer, its encoder and the parameters that both have; others are fresh', async () => {
    const origin = await openRun(first);
    for (const kind of ['random-masking', 'byol'] as const) {
      const { out, messages } = await run(
        `from first, ${kind}`,
        fromConfig(first, { objective: { kind }, training: STILL }),
      );
      const { config, tokenizer, tensors } = await openRun(out);
      expect(tokenizer.toJSON()).toEqual(origin.tokenizer.toJSON());
      expect(config.encoder).toEqual(origin.config.encoder);
      expect(config.training.from).toBe(first);
      expect(messages.join('\n')).toContain(`from the parameters of ${first}`);
      const shared = Object.keys(origin.tensors).filter(
        (name) => tensors[name] && !name.startsWith('optimizer'),
      );
      expect(shared.some((name) => name.startsWith('decoder.'))).toBe(kind === 'random-masking');
      expect(shared).toEqual(
        expect.arrayContaining(encoderLayout(origin.model).slots.map(({ name }) => name)),
      );
      for (const name of shared) expect(tensors[name].data, name).toEqual(origin.tensors[name].data);
      if (kind === 'byol')
        expect(tensors['projector.hidden.weight'].data.some((value) => value !== 0)).toBe(true);
    }
  });

  it('is resumed without it, but for one that has no checkpoint yet', async () => {
    const config = fromConfig(first);
    const { out: whole } = await run('from first, whole', config);
    const { out } = await run('from first, interrupted', config, { until: 3 });
    await rm(join(out, 'checkpoints'), { recursive: true });
    await run('from first, interrupted', config, { resume: true, until: 7 });
    const elsewhere = fromConfig(join(folder, 'gone'));
    const { out: gone } = await run('from gone', fromConfig(first), { until: 3 });
    await rm(join(gone, 'checkpoints'), { recursive: true });
    const kept = await readRunConfig(gone);
    const moved = { ...kept, training: { ...kept.training, from: join(folder, 'gone') } };
    await writeRunJson(gone, 'config', moved);
    await expect(run('from gone', elsewhere, { resume: true })).rejects.toThrow('could not be read');
    await run('from first, interrupted', {}, { resume: true });
    expect(await lines(out)).toEqual(await lines(whole));
  });

  it('refuses a folder that holds no run', async () => {
    await expect(run('refused', fromConfig(join(folder, 'no run')))).rejects.toThrow('of a run?');
  });

  it('refuses an encoder that does not fit, with all that differs', async () => {
    const origin = await openRun(first);
    const { model } = origin;
    const layout = parameterLayout([]);
    const tensors: Record<string, HostTensor> = {
      ...origin.tensors,
      'encoder.latents': hostTensor('float32', [4, 9], new Float32Array(36)),
    };
    const { 'embedding.positions': _, ...fewer } = tensors;
    expect(() => parametersFrom({ ...origin, tensors: fewer }, model, layout, new Float32Array())).toThrow(
      /2 of its parameters differ: .*embedding\.positions: expected float32\[30, 8\], got nothing.*encoder\.latents: expected float32\[4, 8\], got float32\[4, 9\]/,
    );
  });
});

describe('the infinite schedule', () => {
  const infinite = {
    schedule: 'infinite',
    learning_rate: 4e-3,
    warmup_steps: 2,
    cooldown_steps: 3,
    constant_rate: 0.5,
    anneal_steps: 4,
    checkpoint_steps: 1,
  } as const;

  it('leaves the end of its constant phase, from which another run goes on at the constant rate', async () => {
    const { out: first } = await run('infinite', configOf({ training: infinite }));
    expect((await readdir(join(first, 'checkpoints'))).sort()).toEqual(
      [8, 11, 12].map((step) => `step-${String(step).padStart(8, '0')}.safetensors`),
    );
    const rates = (await lines(first)).map(({ lr }) => Number(lr));
    expect(rates.slice(0, 3)).toEqual([2e-3, 4e-3, 4e-3]);
    expect(rates.slice(5, 9)).toEqual([2e-3, 2e-3, 2e-3, 2e-3]);
    expect(rates[11]).toBeLessThan(1e-3);

    const { out: second } = await run(
      'infinite, on',
      fromConfig(first, { training: { schedule: 'infinite', anneal_steps: 2 } }),
    );
    const { training } = await readRunConfig(second);
    expect(training).toMatchObject({
      learning_rate: 4e-3,
      constant_rate: 0.5,
      warmup_steps: 0,
      cooldown_steps: 0,
    });
    expect((await lines(second)).slice(0, 10).map(({ lr }) => lr)).toEqual(Array(10).fill(2e-3));

    for (const [schedule, step] of [
      ['infinite', 8],
      ['cosine', 12],
    ] as const) {
      const { out } = await run(
        `${schedule}, still`,
        fromConfig(first, { training: { ...STILL, schedule } }),
      );
      const start = await checkpointOf(first, step);
      const { tensors } = await openRun(out);
      expect(tensors['encoder.latents'].data, schedule).toEqual(start['encoder.latents'].data);
    }
  });

  it('has keys that the cosine has not', async () => {
    await expect(run('refused', configOf({ training: { anneal_steps: 3 } }))).rejects.toThrow(
      'training.anneal_steps: the schedule cosine has no such key; leave it out, or set training.schedule to infinite',
    );
  });

  it('does not anneal for longer than the run', async () => {
    const training = { schedule: 'infinite' as const, steps: 10, anneal_steps: 11 };
    await expect(run('refused', configOf({ training }))).rejects.toThrow(
      'training.anneal_steps: expected at most the 10 steps of the run, got 11; try 1',
    );
  });
});

/** An objective of the table with further methods, for the length of a test. */
const objective: Objective<ByolOptions> = objectives.byol;
const { momentum } = objective;
afterEach(() => {
  objective.momentum = momentum;
  objective.restarts = undefined;
  objective.groups = undefined;
});
const byolConfig = (training: UserConfig['training'] = {}) =>
  configOf({ objective: { kind: 'byol' }, training });

describe('a run of two stages', () => {
  const RESTART = 6;
  const learnTwice = () => {
    objective.restarts = () => [0.45];
    objective.momentum = (_, progress) => (progress < 0.45 ? 0 : 1);
  };

  it('keeps what it learned as the target, goes back to where it began, and learns again', async () => {
    learnTwice();
    const config = byolConfig({ checkpoint_steps: 1 });
    const { out } = await run('twice', config, { until: RESTART });
    const learned = await checkpointOf(out, RESTART);
    const { out: longer } = await run('twice, one step more', config, { until: RESTART + 1 });
    const after = await checkpointOf(longer, RESTART + 1);
    const names = Object.keys(learned).filter((name) => !name.startsWith('optimizer.'));
    const numbers = (tensors: typeof after, name: string) => Array.from(tensors[name].data, Number);
    for (const name of names) {
      expect(after[AVERAGE + name].data, name).toEqual(learned[name].data);
      // Of moments that were zero, one step leaves 0.1 g and 0.001 g².
      const [first, second] = ['first', 'second'].map((moment) =>
        numbers(after, `optimizer.${moment}_moment.${name}`),
      );
      second.forEach((value, i) => {
        expect(value, name).toBeCloseTo(0.1 * first[i] ** 2, 8);
      });
      // And the parameters are one step from where the run began.
      if (name.includes('.running_')) continue;
      const [{ lr: rate }] = await lines(out);
      const start = numbers(after, START + name);
      numbers(after, name).forEach((value, i) => {
        expect(Math.abs(value - start[i]), name).toBeLessThan(1.1 * Number(rate));
      });
    }

    await run('twice', config, { resume: true });
    const last = await checkpointOf(out, STEPS);
    for (const name of names) expect(last[AVERAGE + name].data, name).toEqual(after[AVERAGE + name].data);
    expect(last['encoder.latents'].data).not.toEqual(after['encoder.latents'].data);
    const rates = (await lines(out)).map(({ lr }) => lr);
    expect(rates.slice(RESTART)).toEqual(rates.slice(0, RESTART));
  });

  it('goes on in either stage as if it had not been stopped', async () => {
    learnTwice();
    const { out: whole } = await run('twice, whole', byolConfig());
    for (const until of [2, RESTART - 1, RESTART, 9]) {
      const name = `twice, until ${until}`;
      const { out } = await run(name, byolConfig(), { until });
      await run(name, {}, { resume: true });
      expect(await lines(out)).toEqual(await lines(whole));
      expect(await checkpointOf(out, STEPS)).toEqual(await checkpointOf(whole, STEPS));
    }
  });
});

describe('a run whose records are grouped', () => {
  /** By what a small network of the first two tokens gives: it learns to tell their sum. */
  const group =
    (seen: number[][]) =>
    async (_: ByolOptions, { block, train, seed }: GroupingContext) => {
      const pairs = Float32Array.from(
        { length: block.count * 2 },
        (_, i) => block.ids![block.offsets[i >> 1] + (i & 1)],
      );
      const feeds = { x: hostTensor('float32', [block.count, 2], pairs) };
      const evaluate = await train({
        build() {
          const x = input('x', 'float32', [block.count, 2]);
          const code = linear('code', x, 1);
          const error = reshape(code, [block.count]);
          return { loss: mean(multiply(error, error), [0]), outputs: { code } };
        },
        feeds: () => feeds,
        steps: 3,
        learningRate: 1e-2,
      });
      const { code } = await evaluate(feeds);
      seen.push(Array.from(code.data, Number), [seed]);
      return Int32Array.from({ length: block.count }, (_, record) => record % 5);
    };

  it('finds the groups by a network of its own, the same when it is resumed, and tells what is left out', async () => {
    const seen: number[][] = [];
    objective.groups = group(seen);
    const { out: whole, messages } = await run('grouped', byolConfig());
    expect(messages.join('\n')).toMatch(
      /5 groups of records; no batch holds two of one group, .* leaves out \d of \d\d records/,
    );
    const { out } = await run('grouped, stopped', byolConfig(), { until: 5 });
    await run('grouped, stopped', {}, { resume: true });
    expect(await lines(out)).toEqual(await lines(whole));
    expect(new Set(seen.map(String)).size).toBe(2);
    objective.groups = undefined;
    const { out: ungrouped } = await run('ungrouped', byolConfig());
    expect(await lines(ungrouped)).not.toEqual(await lines(whole));
  });

  it('is refused where the records are not all in memory, or cannot fill a batch', async () => {
    objective.groups = group([]);
    await expect(run('refused', byolConfig(), { blockValues: 200 })).rejects.toThrow(
      'byol groups all training records before it learns, and these do not fit in memory at once',
    );
    await expect(run('refused', byolConfig({ batch_size: 8 }))).rejects.toThrow(
      /no batch of 8 records of 8 different groups can be made of the 5 groups of \d+ records; try a smaller --batch-size/,
    );
  });
});
