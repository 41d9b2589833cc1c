import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { UserConfig } from '../config/schema.js';
import { type EncoderKind, encoderNamed, encoders } from '../encoders/index.js';
import { evaluate, normals, ordinaryParameters } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { InputError } from '../errors.js';
import { outerScope, sharingLeaves, type Value } from '../graph/index.js';
import { tokenInputs } from '../layers/token-embedding.js';
import { batchShape, pretrainingGraph } from '../learning/model.js';
import { firstStepAt } from '../learning/schedule.js';
import { batchFeeds, pretrainingGraphFor } from '../learning/self-supervision.js';
import { packBatch } from '../records/batch.js';
import { AVERAGE, loadCheckpoint, START } from '../runs/checkpoints.js';
import { openRun, runFile } from '../runs/folder.js';
import { readMetrics } from '../runs/metrics-log.js';
import { molecules, realRecords } from '../tokenizers/real-records.case.js';
import { pretrain } from '../verbs/pretrain.js';
import { range, smallModel, trainerOf } from './objective.case.js';
import { selfDistillation } from './self-distillation.js';

const engine = await nodeEngine({ threads: 1 });
const real = await realRecords();
const kinds = ['discrete', 'fields', 'continuous', 'series'] as const;
const ROWS = 4;
const WEIGHT = 0.7;

function modelOn(kind: (typeof kinds)[number], encoder: EncoderKind) {
  const { tokenizer, block } = real[kind];
  const { spec } = tokenizer;
  const [model, masking] = (['self-distillation', 'random-masking'] as const).map((objective) =>
    smallModel(spec, objective, { distillation_weight: WEIGHT }, encoder),
  );
  const batch = packBatch(block, [1, 7, 3], ROWS, spec.maxTokens);
  const feeds = batchFeeds(model, batch, { seed: 2, purpose: 'training', step: 0, progress: 0 });
  return { spec, model, masking, batch, feeds };
}

const cases = kinds.flatMap((kind) =>
  (Object.keys(encoders) as EncoderKind[]).map((encoder) => [kind, encoder] as const),
);

describe('self-distillation', () => {
  it.each(cases)(
    'adds the distance of the states of whole records to those of the teacher: %s tokens, %s',
    async (kind, encoder) => {
      const { spec, model, masking, batch, feeds } = modelOn(kind, encoder);
      const shape = batchShape(model, ROWS, spec.maxTokens);
      const { loss, weight, metrics = {} } = pretrainingGraph(model, shape);
      const given = { ...ordinaryParameters([loss]), ...feeds };
      const found = await evaluate(
        engine,
        { loss, weight, reconstruction: metrics.reconstruction, teacher_distance: metrics.teacher_distance },
        given,
      );
      const alone = pretrainingGraph(masking, shape);
      const masked = await evaluate(engine, { loss: alone.loss, weight: alone.weight }, given);
      const built = sharingLeaves(() => {
        const tokens = tokenInputs(spec, ROWS, spec.maxTokens);
        const encode = () => encoderNamed(encoder).encode(spec, tokens, model.encoder, { training: true });
        return { student: encode(), teacher: outerScope('target', encode) };
      });
      const { unreadable } = built.student;
      const outputs: Record<string, Value> = {
        student: built.student.states,
        teacher: built.teacher.states,
        ...(unreadable && { unreadable }),
      };
      const states = await evaluate(engine, outputs, given);
      const width = model.encoder.width;
      const places = states.student.length / ROWS / width;
      let [total, count] = [0, 0];
      for (const place of range(batch.rows * places)) {
        if (states.unreadable?.[place]) continue;
        for (let c = place * width; c < (place + 1) * width; c++)
          total += (states.student[c] - states.teacher[c]) ** 2;
        count += width;
      }
      expect(total / count).toBeGreaterThan(0.01);
      expect(found.teacher_distance[0] / (total / count)).toBeCloseTo(1, 4);
      expect(found.reconstruction[0]).toBeCloseTo(masked.loss[0], 5);
      expect(found.loss[0]).toBeCloseTo(masked.loss[0] + (WEIGHT * total) / count, 4);
      expect(found.weight[0]).toBe(masked.weight[0]);
    },
  );

  it.each(cases)(
    'is masked autoencoding where the teacher is the student: %s tokens, %s',
    async (kind, encoder) => {
      const { spec, model, masking, feeds } = modelOn(kind, encoder);
      const seen = [];
      for (const of of [model, masking]) {
        const trainer = trainerOf(of, (tokens) => pretrainingGraphFor(of, ROWS, tokens));
        trainer.begin(normals('parameters', trainer.layout.length, 0.2));
        const { loss, metrics } = await trainer.gradient(spec.maxTokens, feeds);
        seen.push({
          loss,
          metrics,
          names: trainer.layout.slots.map(({ name }) => name),
          gradient: trainer.state.gradient,
        });
        await trainer.release();
      }
      const [own, other] = seen;
      expect(own.metrics.teacher_distance).toBeLessThan(1e-10);
      expect(own.names).toEqual(other.names);
      expect(own.loss).toBeCloseTo(other.loss, 6);
      const scale = Math.max(...other.gradient.map(Math.abs));
      for (const [i, value] of own.gradient.entries())
        expect(Math.abs(value - other.gradient[i])).toBeLessThan(1e-5 * scale);
    },
  );

  it('has the student as its teacher in each step before the restart, and a fixed one in each after it', () => {
    const { model } = modelOn('fields', 'perceiver');
    const share = fc.double({ min: 0.01, max: 0.99, noNaN: true });
    fc.assert(
      fc.property(share, fc.integer({ min: 1, max: 500 }), (restart, steps) => {
        const options = selfDistillation.defaults(model.spec, model.encoder, { restart });
        expect(selfDistillation.restarts!(options)).toEqual([restart]);
        const first = firstStepAt(restart, steps);
        for (const step of range(steps))
          expect(selfDistillation.momentum!(options, step / steps)).toBe(step < first ? 0 : 1);
      }),
    );
  });

  it('gives every student an equal share of what the first stage leaves', () => {
    const { spec, encoder } = modelOn('fields', 'perceiver').model;
    const restarts = (chosen: object) =>
      selfDistillation.restarts!(selfDistillation.defaults(spec, encoder, chosen));
    expect(restarts({ rounds: 3 })).toEqual([0.25, 0.5, 0.75]);
    expect(restarts({ rounds: 2, restart: 0.2 })).toEqual([0.2, 0.6]);
  });

  it('refuses a run that starts from none, and heads that do not fit', () => {
    const { spec, encoder } = modelOn('fields', 'perceiver').model;
    const options = selfDistillation.defaults(spec, encoder, {});
    expect(options).toMatchObject({ restart: 0.5, rounds: 1, distillation_weight: 1 });
    expect(() => selfDistillation.check!(options, { spec, encoder, from: true })).not.toThrow();
    const check = () => selfDistillation.check!(options, { spec, encoder, from: false });
    expect(check).toThrow(InputError);
    expect(check).toThrow('--from RUN');
    const heads = () =>
      selfDistillation.check!({ ...options, decoder_heads: 3 }, { spec, encoder, from: true });
    expect(heads).toThrow(InputError);
  });
});

describe('a run of self-distillation', () => {
  const STEPS = 12;
  const RESTART = 4;
  let folder: string;
  let data: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lacuna-self-distillation-'));
    data = join(folder, 'molecules.csv');
    await writeFile(data, `smiles\n${[...molecules, ...molecules].join('\n')}\n`);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Trains into a folder of that name, or goes on there; with `until` it is interrupted after so many steps. */
  const run = async (
    name: string,
    { training, ...more }: UserConfig,
    { until, resume }: { until?: number; resume?: boolean } = {},
  ) => {
    const out = join(folder, name);
    const usual = { steps: STEPS, batch_size: 4, threads: 1, valid_steps: 2, log_steps: 1 };
    const config = { data: { columns: ['smiles'] }, ...more, training: { ...usual, ...training } };
    const stop = new AbortController();
    await pretrain(
      { data, out, config: resume ? {} : config, resume },
      {
        signal: stop.signal,
        onEvent: (event) => {
          if (event.type === 'step' && event.step === until) stop.abort();
        },
      },
    );
    return out;
  };
  const parametersAt = async (out: string, step: number) =>
    (await loadCheckpoint(join(out, 'checkpoints', `step-${String(step).padStart(8, '0')}.safetensors`)))
      .tensors;

  it('learns on, goes back to the run it is from, and then keeps near a teacher that stays', async () => {
    const from = await run('first', {
      objective: { kind: 'random-masking' },
      encoder: { width: 8, heads: 2, layers: 1, latents: 4 },
    });
    const origin = await openRun(from);
    const config: UserConfig = {
      objective: { kind: 'self-distillation', restart: RESTART / STEPS },
      training: { from },
    };
    const out = await run('second', config, { until: RESTART });
    const learned = await parametersAt(out, RESTART);
    await run('second', {}, { resume: true });
    const last = await parametersAt(out, STEPS);
    const lines = (await readMetrics(runFile(out, 'metrics'))).filter(({ step }) => Number(step) > 0);
    expect(lines).toHaveLength(STEPS);
    for (const { step, loss, reconstruction, teacher_distance, val_loss, val_loss_marginal } of lines) {
      expect(Number(teacher_distance) < 1e-10, `step ${step}`).toBe(Number(step) <= RESTART);
      expect(Number(loss)).toBeCloseTo(Number(reconstruction) + Number(teacher_distance), 5);
      expect(val_loss === undefined).toBe(val_loss_marginal === undefined);
    }
    for (const { name } of pretrainingGraph(origin.model, batchShape(origin.model, 4, 8)).parameters) {
      expect(learned[START + name].data, name).toEqual(origin.tensors[name].data);
      expect(last[AVERAGE + name].data, name).toEqual(learned[name].data);
    }
    expect(learned['encoder.latents'].data).not.toEqual(origin.tensors['encoder.latents'].data);
  });

  it('has in a further round the student as the teacher, and begins from the same run again', async () => {
    const out = await run(
      'rounds',
      {
        objective: { kind: 'self-distillation', rounds: 2 },
        training: { from: join(folder, 'first') },
      },
      { until: 8 },
    );
    const student = await parametersAt(out, 8);
    await run('rounds', {}, { resume: true });
    const last = await parametersAt(out, STEPS);
    for (const name of Object.keys(student).filter((name) => `${AVERAGE}${name}` in last))
      expect(last[AVERAGE + name].data, name).toEqual(student[name].data);
    expect(last[`${START}encoder.latents`].data).toEqual(student[`${START}encoder.latents`].data);
    const lines = await readMetrics(runFile(out, 'metrics'));
    const distances = new Map(lines.map((line) => [line.step, Number(line.teacher_distance)]));
    // The second student begins farther from its teacher than the first one ended.
    expect(distances.get(9)).toBeGreaterThan(distances.get(8)!);
  });

  it('is refused without one', async () => {
    const alone = run('alone', { objective: { kind: 'self-distillation' } });
    await expect(alone).rejects.toThrow(InputError);
    await expect(alone).rejects.toThrow('--from RUN');
  });
});
