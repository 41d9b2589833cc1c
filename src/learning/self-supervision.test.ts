import { describe, expect, it } from 'vitest';
import type { HostTensors } from '../engine/engine.js';
import { type ObjectiveKind, type ObjectiveOptions, objectives } from '../objectives/index.js';
import { smallModel } from '../objectives/objective.case.js';
import type { Objective } from '../objectives/objective.js';
import { blockLengths, packBatch } from '../records/batch.js';
import type { TokenSpec } from '../records/token-block.js';
import { hostTensor } from '../tensor/tensor.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import { batchFeeds, type Pretraining, validate } from './self-supervision.js';
import type { Trainer } from './trainer.js';

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
    const shape = { size: 4, tokens: spec.maxTokens, attentionQueries: 6, width: model.encoder.width };
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
