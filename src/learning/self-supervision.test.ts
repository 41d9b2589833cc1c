import { describe, expect, it } from 'vitest';
import { alone } from '../cluster/ranks.js';
import type { HostTensors } from '../engine/engine.js';
import { parametersOf, trackedOf } from '../graph/index.js';
import { type ObjectiveKind, type ObjectiveOptions, objectives } from '../objectives/index.js';
import { smallModel } from '../objectives/objective.case.js';
import type { Objective } from '../objectives/objective.js';
import { blockLengths, packBatch, takeRecords } from '../records/batch.js';
import type { TokenSpec } from '../records/token-block.js';
import { hostTensor } from '../tensor/tensor.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import { batchShape } from './model.js';
import { hiddenInView, monitorsOf } from './monitors.js';
import { learningRateAt } from './schedule.js';
import {
  batchFeeds,
  epochPlans,
  monitor,
  type Position,
  type Pretraining,
  type PretrainingBatch,
  pretrainingGraphFor,
  pretrainingSteps,
  validate,
} from './self-supervision.js';
import type { Step } from './steps.js';
import type { StepSettings, Trainer } from './trainer.js';

const real = await realRecords();
const { tokenizer, block } = real.discrete;
const { spec } = tokenizer;
const key = { seed: 7, purpose: 'training', step: 3, progress: 0.4 };

const scalarOf = (value: number) => hostTensor('float32', [], Float32Array.of(value));
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** A run whose networks are replaced by what computes the outputs of an evaluation from its feeds. */
function runOf(
  evaluate: (feeds: HostTensors, tokens: number) => HostTensors,
  more: { kind?: ObjectiveKind; batchSize?: number; buckets?: readonly number[] } = {},
): Pretraining {
  const { kind = 'random-masking', batchSize = 4, buckets = [spec.maxTokens] } = more;
  return {
    model: smallModel(spec, kind),
    training: { batch_size: batchSize, seed: 5, steps: 8, learning_rate: 1, warmup_steps: 0 },
    trainer: {
      evaluate: async (tokens: number, feeds: HostTensors) => evaluate(feeds, tokens),
    } as unknown as Trainer,
    marginal: hostTensor('float32', [1], Float32Array.of(1)),
    validation: block,
    buckets,
    blocks: () => [block],
  };
}

describe('the validation loss', () => {
  const lengths = Array.from(blockLengths(block));

  /** The mean over the batch's tokens of how long their records are; the number of tokens is its weight. */
  function byTokens(feeds: HostTensors): HostTensors {
    const own = Array.from(feeds.lengths.data, Number).filter((_, row) => feeds.rows.data[row] === 1);
    const loss = sum(own.map((length) => length ** 2)) / sum(own);
    return { loss: scalarOf(loss), weight: scalarOf(sum(own)), marginal_loss: scalarOf(2 * loss) };
  }

  it.each([1, 3, 5, 7, 16, 30])(
    'is the mean over all that is weighed, whatever the batches: of %i records',
    async (batchSize) => {
      const { val_loss, val_loss_marginal } = await validate(runOf(byTokens, { batchSize }));
      const expected = sum(lengths.map((length) => length ** 2)) / sum(lengths);
      expect(val_loss).toBeCloseTo(expected, 4);
      expect(val_loss_marginal).toBeCloseTo(2 * expected, 4);
    },
  );

  it('has no marginal where the objective has none', async () => {
    const result = await validate(runOf((feeds) => ({ ...byTokens(feeds), marginal_loss: undefined! })));
    expect(Object.keys(result)).toEqual(['val_loss']);
  });

  it('is of each record once, in the program of its length, and by the marginal of the run', async () => {
    const buckets = [16, 24, spec.maxTokens];
    const seen: number[] = [];
    const run = runOf(
      (feeds, tokens) => {
        expect(feeds.marginal).toBe(run.marginal);
        expect(feeds.ids.shape).toEqual([3, tokens]);
        expect(buckets).toContain(tokens);
        for (const [row, length] of Array.from(feeds.lengths.data, Number).entries())
          if (feeds.rows.data[row] === 1) seen.push(length);
        return byTokens(feeds);
      },
      { batchSize: 3, buckets },
    );
    await validate(run);
    expect(seen.sort()).toEqual([...lengths].sort());
  });

  it('is of the end of the run, where mined views have their whole weight, and draws the same noise at every call', async () => {
    const calls: HostTensors[] = [];
    const run = runOf(
      (feeds) => {
        calls.push(feeds);
        return byTokens(feeds);
      },
      { kind: 'myow' },
    );
    await validate(run);
    await validate(run);
    expect(calls).toHaveLength(8);
    for (const { mined_weight } of calls) expect([...mined_weight.data]).toEqual([1]);
    expect(calls.slice(4)).toEqual(calls.slice(0, 4));
    const drawn = calls.slice(0, 4).map(({ view_dropped }) => view_dropped.data.join());
    expect(new Set(drawn).size).toBe(4);
  });
});

describe('what a batch is fed', () => {
  it('has in rows 1 for a record and 0 for one that only fills the batch up', () => {
    const model = smallModel(spec, 'random-masking');
    const rowsOf = (records: number[], size: number) =>
      batchFeeds(model, packBatch(block, records, size, spec.maxTokens), key).rows;
    expect(rowsOf([4, 9, 2], 5)).toEqual(hostTensor('float32', [5], Float32Array.of(1, 1, 1, 0, 0)));
    expect(rowsOf([4, 9], 2)).toEqual(hostTensor('float32', [2], Float32Array.of(1, 1)));
  });
});

/** What a loop of steps asks of its networks, in order; they learn nothing. */
function recordingTrainer() {
  const calls = {
    feeds: [] as HostTensors[],
    tokens: [] as number[],
    updates: [] as { step: number; rate: number }[],
    follows: [] as number[],
    restarts: [] as number[],
  };
  const trainer = {
    ranks: alone,
    async step(tokens: number, feeds: HostTensors, { step, learningRate, momentum }: StepSettings) {
      calls.tokens.push(tokens);
      calls.feeds.push(feeds);
      calls.updates.push({ step, rate: learningRate });
      if (momentum !== undefined) calls.follows.push(momentum);
      return { loss: 1, norm: 1, metrics: {} };
    },
    restart: async () => void calls.restarts.push(calls.updates.length),
  };
  return { calls, trainer: trainer as unknown as Trainer };
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe('the steps of a run', () => {
  const part = (from: number, to: number) => takeRecords(block, range(from, to));
  const halves = [part(0, 8), part(8, 16)];

  async function stepsOf(more: Partial<Pretraining> = {}, start?: Position, kind: ObjectiveKind = 'myow') {
    const { calls, trainer } = recordingTrainer();
    const run: Pretraining = {
      ...runOf(() => ({}), { kind }),
      trainer,
      blocks: () => halves,
      ...more,
    };
    const steps: Step<PretrainingBatch>[] = [];
    for await (const step of pretrainingSteps(run, start)) steps.push(step);
    return { run, steps, calls };
  }

  it('take each record of each block once in an epoch, in another order each time', async () => {
    const { run, steps } = await stepsOf();
    expect(steps.map(({ batch }) => [batch.epoch, batch.position])).toEqual([
      [0, 1],
      [0, 2],
      [0, 3],
      [0, 4],
      [1, 1],
      [1, 2],
      [1, 3],
      [1, 4],
    ]);
    const rows = steps.map(({ batch }) => [...batch.fileRows]);
    for (const [first, half] of [
      [0, 0],
      [2, 1],
      [4, 0],
      [6, 1],
    ]) {
      const seen = [...rows[first], ...rows[first + 1]].sort((a, b) => a - b);
      expect(seen).toEqual([...halves[half].rows]);
    }
    // What others are told of an epoch is what is trained on.
    const plans = [0, 1].flatMap((epoch) =>
      halves.flatMap((half, index) =>
        epochPlans(run, half, epoch, index).map(({ records }) =>
          [...records].map((record) => half.rows[record]),
        ),
      ),
    );
    expect(rows).toEqual(plans);
    const places = [0, 2, 4, 6].map(
      (first) => `${[...rows[first], ...rows[first + 1]].map((row) => row % 8)}`,
    );
    expect(new Set(places).size).toBe(4);
  });

  it('go on from any position as if the run had not stopped, bit for bit', async () => {
    const whole = await stepsOf();
    for (const done of range(1, 9)) {
      const { step, batch } = whole.steps[done - 1];
      const { calls, steps } = await stepsOf({}, { step, epoch: batch.epoch, position: batch.position });
      expect(steps.map(({ step }) => step)).toEqual(range(done + 1, 9));
      expect(calls.feeds).toEqual(whole.calls.feeds.slice(done));
      expect(calls.updates).toEqual(whole.calls.updates.slice(done));
      expect(calls.follows).toEqual(whole.calls.follows.slice(done));
    }
  });

  it('draw noise by the seed, the step and the share of the run that is done before it', async () => {
    const { run, steps, calls } = await stepsOf();
    for (const [i, { batch }] of steps.entries()) {
      const records = Array.from(batch.fileRows, (row) => block.rows.indexOf(row));
      const packed = packBatch(block, records, 4, spec.maxTokens);
      const noise = { seed: 5, purpose: 'training', step: i, progress: i / 8 };
      // Tokens that are replaced in a view are from the batch, whose rows are these in this order.
      expect(calls.feeds[i]).toEqual(batchFeeds(run.model, packed, noise));
    }
    expect(calls.tokens).toEqual(new Array(8).fill(spec.maxTokens));
    const weights = calls.feeds.map(({ mined_weight }) => Number(mined_weight.data[0]));
    expect(weights[0]).toBe(0);
    expect(weights.at(-1)).toBe(1);
  });

  it('have the rate of the schedule and the momentum of the objective at that share', async () => {
    const training = { batch_size: 4, seed: 5, steps: 8, learning_rate: 0.5, warmup_steps: 2 };
    const { run, steps, calls } = await stepsOf({ training });
    expect(steps.map(({ learningRate }) => learningRate)).toEqual(
      range(0, 8).map((step) => learningRateAt(step, 8, 2, 0.5)),
    );
    const { momentum } = objectives.myow as Objective;
    expect(calls.follows).toEqual(range(0, 8).map((step) => momentum!(run.model.objective, step / 8)));
    expect(calls.follows[0]).not.toBe(calls.follows[7]);
    expect((await stepsOf({}, undefined, 'simclr')).calls.follows).toEqual([]);
  });

  it('begin anew where the objective has them, each time with the rate of as many steps as are left to the next', async () => {
    const training = { batch_size: 4, seed: 5, steps: 8, learning_rate: 0.5, warmup_steps: 2 };
    const { calls } = await stepsOf({ training, restarts: [3, 6] });
    expect(calls.restarts).toEqual([3, 6]);
    expect(calls.updates).toEqual([
      ...range(0, 3).map((step) => ({ step: step + 1, rate: learningRateAt(step, 3, 2, 0.5) })),
      ...range(0, 3).map((step) => ({ step: step + 1, rate: learningRateAt(step, 3, 2, 0.5) })),
      ...range(0, 2).map((step) => ({ step: step + 1, rate: learningRateAt(step, 2, 2, 0.5) })),
    ]);
  });

  it('leave out what does not fill a batch, unless a block has fewer records than that', async () => {
    const seven = await stepsOf({ blocks: () => [part(0, 7)] });
    for (const { batch } of seven.steps) expect([batch.fileRows.length, batch.position]).toEqual([4, 1]);
    expect(new Set(seven.steps.flatMap(({ batch }) => [...batch.fileRows])).size).toBe(7);
    const three = await stepsOf({ blocks: () => [part(4, 7)] });
    for (const { batch } of three.steps) expect([...batch.fileRows].sort()).toEqual([4, 5, 6]);
    for (const { rows } of three.calls.feeds) expect([...rows.data]).toEqual([1, 1, 1, 0]);
  });

  it('have no two records of one group in a batch', async () => {
    const groups = Int32Array.from({ length: 16 }, (_, record) => record >> 1);
    const { steps } = await stepsOf({ blocks: () => [block], groups });
    for (const { batch } of steps) expect(new Set(batch.fileRows.map((row) => row >> 1)).size).toBe(4);
  });

  it('cannot be where no batch can be made of the groups', async () => {
    const groups = Int32Array.from({ length: 16 }, (_, record) => record % 3);
    await expect(stepsOf({ blocks: () => [block], groups })).rejects.toThrow(
      'no batch of 4 records of 4 different groups can be made of the 3 groups of 16 records',
    );
    const four = { blocks: () => [part(0, 4)], groups: Int32Array.of(0, 1, 1, 2) };
    await expect(stepsOf(four)).rejects.toThrow('the 3 groups of 4 records');
  });

  it('are in the program of their length', async () => {
    const buckets = [16, 24, spec.maxTokens];
    const { calls } = await stepsOf({ blocks: () => [block], buckets });
    for (const [i, { ids, lengths }] of calls.feeds.entries()) {
      expect(ids.shape).toEqual([4, calls.tokens[i]]);
      expect(Math.max(...Array.from(lengths.data, Number))).toBeLessThanOrEqual(calls.tokens[i]);
    }
    expect(new Set(calls.tokens).size).toBeGreaterThan(1);
  });

  it('end when the signal aborts', async () => {
    const stop = new AbortController();
    const { trainer, calls } = recordingTrainer();
    const run = { ...runOf(() => ({})), trainer };
    for await (const { step } of pretrainingSteps(run, undefined, stop.signal)) if (step === 3) stop.abort();
    expect(calls.updates).toHaveLength(3);
  });
});

describe('the monitors of a run', () => {
  const width = 16;
  /** An embedding of a row of tokens that follows from each in sight and its place. */
  function embedded(ids: ArrayLike<number>, length: number, hidden: ArrayLike<number | bigint>) {
    const inSight = range(0, length).filter((token) => Number(hidden[token]) === 0);
    return range(0, width).map((k) => sum(inSight.map((token) => Math.sin(ids[token] * (k + 1) + token))));
  }

  /** A run whose encoder is {@link embedded}. */
  function watched(more: Partial<Pretraining> = {}, batchSize = 5): Pretraining {
    const run = runOf(() => ({}), { batchSize, buckets: [16, 24, spec.maxTokens] });
    const embed = async (tokens: number, feeds: HostTensors) => {
      const row = (name: string, at: number) =>
        Array.from(feeds[name].data, Number).slice(at * tokens, (at + 1) * tokens);
      return Float32Array.from(
        range(0, batchSize).flatMap((at) =>
          embedded(row('ids', at), Number(feeds.lengths.data[at]), row('hidden', at)),
        ),
      );
    };
    return {
      ...run,
      trainer: { embed, state: {}, fetchState: async () => {} } as unknown as Trainer,
      ...more,
    };
  }

  /** All records of the block under a view, one by one. */
  const view = (number: number) =>
    Float32Array.from(
      range(0, 16).flatMap((record) => {
        const batch = packBatch(block, [record], 1, spec.maxTokens);
        return embedded(batch.ids!, batch.lengths[0], hiddenInView(spec, batch, 5, number).data);
      }),
    );

  it('are those of the validation records in their order, whatever the batches, and of two views of them', async () => {
    const labels = { kind: 'numbers', values: Float64Array.from({ length: 16 }, (_, i) => i) } as const;
    const expected = monitorsOf(view(0), [view(1), view(2)], width, labels);
    for (const batchSize of [3, 5, 7, 10, 16, 20])
      expect(await monitor(watched({ labels }, batchSize)), `${batchSize}`).toEqual(expected);
    const { nearest_neighbor_r2: _, ...without } = expected;
    expect(await monitor(watched())).toEqual(without);
  });

  it('have the distance of a target network, where there is one', async () => {
    const run = watched();
    const [average, parameters] = [Float32Array.of(3, 4), Float32Array.of(3, 0)];
    Object.assign(run.trainer.state, { average, parameters });
    expect((await monitor(run)).target_distance).toBeCloseTo(4 / 3, 12);
  });
});

describe('the graph of pretraining', () => {
  it('gives what is trained, validated and watched', () => {
    const model = smallModel(spec, 'random-masking');
    const graph = pretrainingGraphFor(model, 4, 24);
    expect(Object.keys(graph.evaluation)).toEqual(['loss', 'weight', 'marginal_loss']);
    expect(graph.evaluation.loss).toBe(graph.loss);
    expect(graph.evaluation.weight).toBe(graph.weight);
    expect(graph.embedding?.shape).toEqual([4, model.encoder.width]);
    expect(graph.targets).toEqual([]);
    expect(parametersOf([graph.embedding!]).map(({ name }) => name)).toEqual(
      expect.arrayContaining(['embedding.positions']),
    );
  });

  it('has no marginal where the objective has none, and metrics where it has some', () => {
    const graph = pretrainingGraphFor(smallModel(spec, 'byol'), 4, 24);
    expect(Object.keys(graph.evaluation)).toEqual(['loss', 'weight']);
    expect(Object.keys(graph.metrics)).toEqual(['projection_spread']);
    expect(graph.targets?.length).toBeGreaterThan(0);
    expect(pretrainingGraphFor(smallModel(spec, 'random-masking'), 4, 24).metrics).toEqual({});
  });

  it('is validated by running moments where moments of the batch are followed', () => {
    const graph = pretrainingGraphFor(smallModel(spec, 'random-masking', {}, 'residual-network'), 4, 24);
    expect(trackedOf([graph.loss])).not.toEqual([]);
    expect(trackedOf(Object.values(graph.evaluation))).toEqual([]);
    expect(trackedOf([graph.embedding!])).toEqual([]);
  });
});

/** The rows `from` to before `to` of noise that has `size` rows, or of several such stacked, as text; all of other noise. */
function noiseRows(feeds: HostTensors, names: readonly string[], size: number, from: number, to: number) {
  return Object.fromEntries(
    names.map((name) => {
      const { shape, data } = feeds[name];
      const values = Array.from(data, Number);
      if (shape.length === 0) return [name, values];
      const width = values.length / shape[0];
      const rows = Array.from({ length: shape[0] }, (_, row) => row).filter(
        (row) => row % size >= from && row % size < to,
      );
      return [name, rows.flatMap((row) => values.slice(row * width, (row + 1) * width))];
    }),
  );
}

describe('a machine that has rows 4 to 7 of a batch of eight', () => {
  /** Names of the noise of an objective, and of it what rows 4 to 7 get in a whole batch and in one of their own. */
  function drawnFor(
    spec: TokenSpec,
    { block }: typeof real.discrete,
    kind: ObjectiveKind,
    more: ObjectiveOptions,
  ) {
    const model = smallModel(spec, kind, more);
    const objective: Objective = objectives[kind];
    const pack = (records: readonly number[]) => packBatch(block, records, records.length, spec.maxTokens);
    const shape = batchShape(model, 4, spec.maxTokens);
    const names = Object.keys(objective.noise(model.objective, spec, shape));
    const [four, eight] = [
      [10, 3, 8, 14],
      [1, 12, 0, 5],
    ];
    const whole = batchFeeds(model, pack([...eight, ...four]), key);
    const part = batchFeeds(model, pack(four), { ...key, firstRow: 4 });
    const elsewhere = batchFeeds(model, pack(four), key);
    return {
      names,
      whole: noiseRows(whole, names, 8, 4, 8),
      part: noiseRows(part, names, 4, 0, 4),
      elsewhere: noiseRows(elsewhere, names, 4, 0, 4),
    };
  }

  /** Which noise also depends on the other rows of its batch, since it holds tokens of theirs or is a number within the batch. */
  const shared: Partial<Record<ObjectiveKind, (name: string, spec: TokenSpec) => boolean>> = {
    // What is replaced holds, by what it is replaced does not.
    'group-masking': (name) => /^corrupted_(ids|values)$/.test(name),
    // A cell's content is numbered among those of its column in the batch.
    selfie: (name, { kind }) => name === 'contents' && kind === 'fields',
  };

  for (const [tokens, records] of Object.entries(real)) {
    const { spec } = records.tokenizer;
    it.each(Object.keys(objectives) as ObjectiveKind[])(
      `draws for %s on ${tokens} tokens the noise of these rows`,
      (kind) => {
        // Views are without tokens of other rows.
        const { names, whole, part, elsewhere } = drawnFor(spec, records, kind, { swap_ratio: 0 });
        const own = names.filter((name) => !shared[kind]?.(name, spec));
        for (const name of own) expect(part[name], name).toEqual(whole[name]);
        expect(part).not.toEqual(elsewhere);
      },
    );
  }

  it.each(Object.keys(shared) as ObjectiveKind[])(
    'has other noise of %s where that holds other rows',
    (kind) => {
      const differing = Object.values(real).flatMap((records) => {
        const { spec } = records.tokenizer;
        const { names, whole, part } = drawnFor(spec, records, kind, {});
        return names.filter((name) => shared[kind]!(name, spec) && `${part[name]}` !== `${whole[name]}`);
      });
      expect(differing).not.toEqual([]);
    },
  );

  it('takes tokens from its own rows alone where views replace some, so that only what is hidden is as in the whole', () => {
    const { whole, part } = drawnFor(spec, real.discrete, 'byol', { swap_ratio: 0.4 });
    expect(part.view_dropped).toEqual(whole.view_dropped);
    expect(part.view_lengths).toEqual(whole.view_lengths);
    expect(part.view_ids).not.toEqual(whole.view_ids);
  });
});
