import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { modelOf, resolveConfig } from '../config/defaults.js';
import type { UserConfig } from '../config/schema.js';
import { DeviceLost } from '../engine/device-engine.js';
import type { HostTensors } from '../engine/engine.js';
import { nodeEngine } from '../engine/node.js';
import { LacunaError } from '../errors.js';
import { marginalPrediction } from '../learning/marginal.js';
import { initializeParameters } from '../learning/parameters.js';
import { monitor, pretrainingGraphFor, validate } from '../learning/self-supervision.js';
import { type StepSettings, Trainer } from '../learning/trainer.js';
import type { TokenBlock } from '../records/token-block.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import { latestCheckpoint } from './checkpoints.js';
import { readMetrics } from './metrics-log.js';
import { type RecordedPretraining, runPretraining } from './recorded-pretraining.js';
import { restoreTrainer } from './trainer-state.js';

const engine = await nodeEngine({ threads: 1 });
const real = await realRecords();

let out: string;
beforeEach(async () => {
  out = await mkdtemp(join(tmpdir(), 'lacuna-loop-'));
});
afterEach(() => rm(out, { recursive: true, force: true }));

const encoder = { width: 16, heads: 2, layers: 1 };

/** A small run on sixteen real records. */
function contextOf(
  kind: keyof typeof real,
  training: UserConfig['training'],
  block: TokenBlock = real[kind].block,
  more: UserConfig = {},
) {
  const { tokenizer } = real[kind];
  const user: UserConfig = {
    ...more,
    encoder: more.encoder ?? { ...encoder, latents: 4 },
    training: { batch_size: 4, steps: 12, threads: 1, ...training },
  };
  const config = resolveConfig(user, {
    path: 'p',
    format: 'csv',
    heldOut: { valid: 0.05, test: 0 },
    hash: 'h',
    tokenizer,
    records: 16,
    threads: 1,
    versions: {},
  });
  const { spec } = tokenizer;
  const model = modelOf(config, spec);
  const trainer = new Trainer(
    engine,
    {
      build: (tokens) => pretrainingGraphFor(model, config.training.batch_size, tokens),
      weightDecay: config.training.weight_decay,
      clipNorm: config.training.clip_norm,
    },
    spec.maxTokens,
  );
  trainer.state.parameters.set(initializeParameters(trainer.layout, config.training.seed));
  const context: RecordedPretraining = {
    out,
    config,
    model,
    training: config.training,
    trainer,
    marginal: marginalPrediction(spec, real[kind].block),
    validation: real[kind].block,
    buckets: [spec.maxTokens],
    blocks: () => [block],
  };
  return context;
}

describe('validation', () => {
  it.each(['discrete', 'fields', 'continuous'] as const)(
    'is the same at every call on %s tokens',
    async (kind) => {
      const context = contextOf(kind, {});
      const first = await validate(context);
      expect(await validate(context)).toEqual(first);
      // A training step in between leaves nothing behind but its parameters.
      const before = context.trainer.state.parameters.slice();
      await runPretraining(context);
      expect(await validate(context)).not.toEqual(first);
      context.trainer.state.parameters.set(before);
      expect(await validate(context)).toEqual(first);
      await context.trainer.release();
    },
  );
});

describe('the monitors', () => {
  it('are logged at step 0 and with each validation, and are those of the parameters then', async () => {
    const context = contextOf('discrete', { valid_steps: 5, steps: 10 });
    const labels = { kind: 'numbers', values: Float64Array.from({ length: 16 }, (_, i) => i) } as const;
    const watched: RecordedPretraining = { ...context, labels };
    const untrained = await monitor(watched);
    expect(await monitor(watched)).toEqual(untrained);
    expect(Object.values(untrained).every(Number.isFinite)).toBe(true);
    const valid: unknown[] = [];
    await runPretraining(watched, undefined, {
      onEvent: (event) => event.type === 'valid' && valid.push(event),
    });
    const lines = await readMetrics(join(out, 'metrics.jsonl'));
    expect(lines.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(lines[0]).toEqual({ step: 0, ...untrained });
    expect(
      lines.filter(({ effective_rank }) => effective_rank !== undefined).map(({ step }) => step),
    ).toEqual([0, 5, 10]);
    const trained = await monitor(watched);
    expect(trained.effective_rank).not.toBe(untrained.effective_rank);
    expect(lines[10]).toMatchObject({ ...trained });
    expect(valid).toMatchObject([{ step: 5 }, { step: 10, ...trained }]);
    await context.trainer.release();
  });

  it('tell how far a target network lags behind, which starts as a copy', async () => {
    const training = { valid_steps: 5, steps: 10 };
    const context = contextOf('fields', training, undefined, { objective: { kind: 'byol' } });
    const { trainer } = context;
    trainer.begin(trainer.state.parameters.slice());
    await runPretraining(context);
    const lines = await readMetrics(join(out, 'metrics.jsonl'));
    expect(lines[0].target_distance).toBe(0);
    const { average = new Float32Array(), parameters } = trainer.state;
    const distance = Math.hypot(...average.map((value, i) => value - parameters[i]));
    expect(lines[10].target_distance).toBeCloseTo(distance / Math.hypot(...parameters), 5);
    expect(distance).toBeGreaterThan(0);
    await trainer.release();
  });

  it('change nothing of what is learned', async () => {
    const learned = [];
    for (const valid_steps of [1, 12]) {
      const context = contextOf('fields', { valid_steps, steps: 12 });
      await runPretraining(context);
      learned.push(context.trainer.state.parameters);
      await context.trainer.release();
    }
    expect(learned[1]).toEqual(learned[0]);
  });

  it('warn once of each sign of collapse, after the warm-up', async () => {
    const context = contextOf('fields', { valid_steps: 1, warmup_steps: 4, steps: 8 });
    // Without a difference between records: latents that read nothing of the tokens.
    const silence = () => {
      for (const [name, { data }] of Object.entries(context.trainer.parameters))
        if (name.startsWith('encoder.cross_attention.attention.value')) data.fill(0);
    };
    const warnings: string[] = [];
    await runPretraining(context, undefined, {
      onEvent(event) {
        if (event.type === 'warning') warnings.push(event.message);
        silence();
      },
    });
    expect(warnings).toHaveLength(2);
    for (const warning of warnings) expect(warning).toMatch(/^step 4: the e.* collapsing/);
    await context.trainer.release();
  });
});

describe('a resumed run', () => {
  it('ends with the same parameters, bit for bit, also those that follow statistics of its batches', async () => {
    const kinds: UserConfig = {
      encoder: { ...encoder, kind: 'residual-network' },
      objective: { kind: 'random-masking' },
    };
    const whole = contextOf('continuous', { checkpoint_steps: 5 }, undefined, kinds);
    await runPretraining(whole);
    await rm(join(out, 'checkpoints', 'step-00000012.safetensors'));
    const checkpoint = (await latestCheckpoint(out))!;
    expect(checkpoint.step).toBe(10);
    const resumed = contextOf('continuous', { checkpoint_steps: 5 }, undefined, kinds);
    restoreTrainer(resumed.trainer, checkpoint);
    await runPretraining(resumed, { step: checkpoint.step, ...checkpoint.metadata });
    expect(resumed.trainer.state.parameters).toEqual(whole.trainer.state.parameters);
    const name = 'encoder.stem_norm.running_variance';
    expect(whole.trainer.parameters[name].data).not.toEqual(checkpoint.tensors[name].data);
    await whole.trainer.release();
    await resumed.trainer.release();
  });
});

describe('a run that diverges', () => {
  it('names the file rows of the batch and keeps the parameters before a loss that is not finite', async () => {
    const poisoned = structuredClone(real.continuous.block);
    poisoned.values!.fill(Number.NaN, 16 * 49 * 6, 16 * 49 * 7);
    const context = contextOf('continuous', { checkpoint_steps: 1 }, poisoned);
    const failure = await runPretraining(context).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(LacunaError);
    const { message } = failure as LacunaError;
    expect(message).toMatch(/^step [1-4]: the loss is not finite; the parameters before it are kept in /);
    expect(message).toMatch(/file rows (\d+, )*6(, \d+)*; try a lower --learning-rate than 0.001$/);
    const checkpoint = await latestCheckpoint(out);
    for (const { data } of Object.values(checkpoint?.tensors ?? {}))
      expect(Array.from(data, Number).every(Number.isFinite)).toBe(true);
    // What is kept can be gone on from.
    restoreTrainer(context.trainer, checkpoint!);
    expect(context.trainer.state.parameters.every(Number.isFinite)).toBe(true);
    await context.trainer.release();
  });

  it.each([1e39, 1e20, 1e8])(
    'leaves only finite checkpoints at a learning rate of %s',
    async (learning_rate) => {
      const context = contextOf('fields', { learning_rate, warmup_steps: 8, checkpoint_steps: 1 });
      const failure = await runPretraining(context).catch((error: unknown) => error);
      if (learning_rate > 1e8) {
        expect(failure).toBeInstanceOf(LacunaError);
        expect((failure as LacunaError).message).toContain('try a lower --learning-rate');
      }
      for (const name of await readdir(join(out, 'checkpoints')).catch(() => []))
        expect(name).toMatch(/^step-/);
      const checkpoint = await latestCheckpoint(out);
      for (const [name, { data }] of Object.entries(checkpoint?.tensors ?? {}))
        expect(Array.from(data, Number).every(Number.isFinite), name).toBe(true);
      const log = (await readFile(join(out, 'metrics.jsonl'), 'utf8')).split('\n').slice(0, -1);
      expect(log.map((line) => JSON.parse(line).step)).toEqual(log.map((_, step) => step));
      await context.trainer.release();
    },
  );
});

describe('a run whose device is lost', () => {
  /** A trainer whose state is elsewhere but for what was fetched, until it is lost in a step. */
  class Remote extends Trainer {
    private taken = 0;
    private here = structuredClone(this.state);
    lostIn = Number.POSITIVE_INFINITY;

    override async step(tokens: number, feeds: HostTensors, settings: StepSettings) {
      if (++this.taken === this.lostIn) {
        for (const [name, vector] of Object.entries(this.here))
          this.state[name as 'parameters'].set(vector as Float32Array);
        throw new DeviceLost('the device failed (lost)');
      }
      return super.step(tokens, feeds, settings);
    }

    override async fetchState() {
      this.here = structuredClone(this.state);
    }
  }

  it('leaves a checkpoint of what was brought back last, from which it ends as if nothing had been', async () => {
    const training = { valid_steps: 5, checkpoint_steps: 100 };
    const whole = contextOf('fields', training);
    await runPretraining(whole);
    await rm(join(out, 'checkpoints'), { recursive: true });

    const context = contextOf('fields', training);
    const { trainer: ordinary, model } = context;
    const build = (tokens: number) => pretrainingGraphFor(model, 4, tokens);
    const { weight_decay: weightDecay, clip_norm: clipNorm } = context.config.training;
    const trainer = new Remote(engine, { build, weightDecay, clipNorm }, model.spec.maxTokens);
    trainer.begin(ordinary.state.parameters);
    trainer.lostIn = 8;
    await expect(runPretraining({ ...context, trainer })).rejects.toThrow(
      /^step 8: the device failed \(lost\); what was learned until step 5, .*step-00000005.safetensors; go on with --resume$/,
    );
    const checkpoint = (await latestCheckpoint(out))!;
    expect(checkpoint.step).toBe(5);
    restoreTrainer(ordinary, checkpoint);
    await runPretraining(context, { step: checkpoint.step, ...checkpoint.metadata });
    expect(ordinary.state.parameters).toEqual(whole.trainer.state.parameters);
    for (const used of [whole.trainer, ordinary, trainer]) await used.release();
  });

  it('says where nothing was brought back', async () => {
    const context = contextOf('fields', { valid_steps: 5 });
    const trainer = Object.assign(context.trainer, {
      step: () => Promise.reject(new DeviceLost('the device failed (lost)')),
    });
    await expect(runPretraining({ ...context, trainer })).rejects.toThrow(
      'step 1: the device failed (lost); nothing was brought back since step 0; go on with --resume',
    );
    expect(await latestCheckpoint(out)).toBeUndefined();
  });
});
