import { describe, expect, it } from 'vitest';
import { evaluate, largestDifference, normals, ordinaryParameters } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { tokenFeeds } from '../layers/token-embedding.js';
import { smallModel } from '../objectives/objective.case.js';
import { blockLengths, packBatch } from '../records/batch.js';
import { hostTensor } from '../tensor/tensor.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import { encoderGraph, type ModelConfig } from './model.js';
import {
  collapseSigns,
  hiddenInView,
  type Monitors,
  monitoredRecords,
  monitoringGraph,
  monitorsOf,
  untrainedMonitors,
} from './monitors.js';
import {
  alignment,
  cosines,
  effectiveRank,
  nearestNeighborScore,
  standardDeviations,
  uniformity,
} from './representation-measures.js';

const engine = await nodeEngine({ threads: 1 });
const real = await realRecords();

describe('a view', () => {
  const { tokenizer, block } = real.discrete;
  const { spec } = tokenizer;
  const lengths = blockLengths(block);
  const batchOf = (...places: number[]) => packBatch(block, places, 6, spec.maxTokens);
  const rowsOf = (view: number, ...places: number[]) => {
    const { data } = hiddenInView(spec, batchOf(...places), 3, view);
    return Array.from({ length: 6 }, (_, row) => [
      ...data.subarray(row * spec.maxTokens, (row + 1) * spec.maxTokens),
    ]);
  };
  const positions = (row: readonly number[]) => [...row.keys()].filter((token) => row[token] === 1);

  it('hides a fifth of the tokens of each record, and nothing of what only fills the batch up', () => {
    const rows = rowsOf(1, 0, 3, 7, 9);
    for (const [row, place] of [0, 3, 7, 9].entries()) {
      expect(positions(rows[row])).toHaveLength(Math.max(1, Math.round(0.2 * lengths[place])));
      expect(Math.max(...positions(rows[row]))).toBeLessThan(lengths[place]);
    }
    for (const row of rows.slice(4)) expect(positions(row)).toEqual([]);
  });

  it('is the same for a record wherever it stands, and another for the other view', () => {
    const rows = rowsOf(1, 0, 3, 9);
    const moved = rowsOf(1, 9, 5, 0);
    expect([moved[2], moved[0]]).toEqual([rows[0], rows[2]]);
    expect(rowsOf(2, 0, 3, 9)).not.toEqual(rows);
  });

  it('is of the whole record where its number is 0', () => {
    expect(rowsOf(0, 0, 3, 9).flat()).not.toContain(1);
  });
});

describe.each(['perceiver', 'transformer'] as const)('the embedding of a %s that is monitored', (kind) => {
  it.each(['discrete', 'fields'] as const)('is that of the encoder alone on %s tokens', async (tokens) => {
    const { tokenizer, block } = real[tokens];
    const { spec } = tokenizer;
    const small = smallModel(spec, 'sma');
    const model: ModelConfig = { ...small, encoder: { ...small.encoder, kind } };
    const embedding = monitoringGraph(model, 3, spec.maxTokens);
    const alone = encoderGraph(model, 3, spec.maxTokens).pooled;
    const parameters = ordinaryParameters([alone]);
    const batch = packBatch(block, [2, 5, 11], 3, spec.maxTokens);
    const embed = async (hidden: Uint8Array, feeds = tokenFeeds(batch)) => {
      const mask = hostTensor('bool', [3, spec.maxTokens], hidden);
      return (await evaluate(engine, { embedding }, { ...feeds, ...parameters, hidden: mask })).embedding;
    };
    const nothing = new Uint8Array(3 * spec.maxTokens);
    const whole = await embed(nothing);
    const expected = await evaluate(engine, { alone }, { ...tokenFeeds(batch), ...parameters });
    expect(largestDifference(whole, expected.alone)).toBeLessThan(1e-5);

    // The second token of the first record: hidden, it has no say in its record's embedding, nor in that of others.
    const hidden = nothing.slice();
    hidden[1] = 1;
    const without = await embed(hidden);
    const width = model.encoder.width;
    expect(largestDifference(without.slice(0, width), whole.slice(0, width))).toBeGreaterThan(1e-4);
    expect(largestDifference(without.slice(width), whole.slice(width))).toBeLessThan(1e-5);
    const changed = packBatch(block, [2, 5, 11], 3, spec.maxTokens);
    if (changed.values) changed.values[1] += 3;
    else changed.ids![1] = (changed.ids![1] + 1) % 5;
    expect(largestDifference(await embed(hidden, tokenFeeds(changed)), without)).toBeLessThan(1e-5);
    expect(largestDifference(await embed(nothing, tokenFeeds(changed)), whole)).toBeGreaterThan(1e-4);
  });
});

describe('the monitored records', () => {
  it('are the first, four for each dimension, of which fewer are seen under views', () => {
    const { block } = real.discrete;
    const few = monitoredRecords(block, 3);
    expect(few.whole.rows).toEqual(block.rows.subarray(0, 12));
    expect(few.viewed.count).toBe(12);
    expect(monitoredRecords(block, 16).whole.count).toBe(block.count);
    const many = {
      count: 600,
      offsets: Int32Array.from({ length: 601 }, (_, i) => i),
      rows: new Int32Array(600),
    };
    const most = monitoredRecords({ ...many, ids: new Int32Array(600) }, 1000);
    expect([most.whole.count, most.viewed.count]).toEqual([512, 128]);
  });
});

describe('the monitors of embeddings', () => {
  const width = 5;
  const whole = normals('whole', 20 * width);
  const views = [normals('first', 8 * width), normals('second', 8 * width)] as const;
  const measured: Monitors = {
    embedding_std_mean: standardDeviations(whole, width).mean,
    embedding_std_min: standardDeviations(whole, width).minimum,
    effective_rank: effectiveRank(whole, width),
    alignment: alignment(...views, width),
    uniformity: uniformity(cosines(whole, width)),
  };

  it('are the measures of the whole records, and the alignment of the two views', () => {
    expect(monitorsOf(whole, views, width)).toEqual(measured);
  });

  it('have with labels the score of neighbours, by a name that says which', () => {
    for (const [kind, name] of [
      ['classes', 'nearest_neighbor_accuracy'],
      ['numbers', 'nearest_neighbor_r2'],
    ] as const) {
      const labels = { kind, values: Float64Array.from({ length: 20 }, (_, i) => i % 3) };
      const score = nearestNeighborScore(cosines(whole, width), labels);
      expect(monitorsOf(whole, views, width, labels)).toEqual({ ...measured, [name]: score });
    }
  });
});

describe('the signs of collapse', () => {
  const config = {
    encoder: { width: 64 },
    training: { learning_rate: 0.05, warmup_steps: 40 },
  } as Parameters<typeof collapseSigns>[1];
  const untrained = { effective_rank: 18.1, embedding_std_mean: 0.069 };
  const signs = (rank: number, deviation: number, before: typeof untrained | undefined = untrained) =>
    collapseSigns({ effective_rank: rank, embedding_std_mean: deviation }, config, before);

  it('are a rank below 2 and a deviation below a tenth of 1/√width, each said in words', () => {
    expect(signs(2.1, 0.0126).size).toBe(0);
    expect([...signs(1.9, 0.0124).keys()]).toEqual(['effective_rank', 'embedding_std_mean']);
    expect(signs(1.34, 0.02).get('effective_rank')).toBe(
      'the effective rank of the embeddings is 1.34 (of at most 64, 18.1 untrained): they lie nearly on one line, so the encoder is collapsing and hardly tells records apart; try a lower --learning-rate than 0.05, more --warmup-steps than 40, or another --objective',
    );
    expect(signs(9, 0.0044).get('embedding_std_mean')).toMatch(
      /^the embeddings vary by 0.0044 per dimension \(0.13 if spread evenly, 0.069 untrained\): /,
    );
  });

  it('are none where the data are such that an untrained encoder is little better', () => {
    const simple = { effective_rank: 3, embedding_std_mean: 0.0125 };
    expect(signs(1.6, 0.006, simple).size).toBe(0);
    expect(signs(1.4, 0.003, simple).size).toBe(2);
  });

  it('are none where the numbers are not, and do without those of the untrained encoder', () => {
    expect(signs(Number.NaN, Number.NaN).size).toBe(0);
    const alone = collapseSigns({ effective_rank: 1.9, embedding_std_mean: 0.0124 }, config);
    expect(alone.get('effective_rank')).toContain('is 1.90 (of at most 64): they lie');
    expect(alone.get('embedding_std_mean')).toContain('(0.13 if spread evenly): records get');
  });

  it('are none at the bounds themselves', () => {
    const least = 0.1 / Math.sqrt(64);
    expect(collapseSigns({ effective_rank: 2, embedding_std_mean: least }, config).size).toBe(0);
  });

  it('are judged by the line of step 0, if it is there and has both numbers', () => {
    expect(untrainedMonitors([{ step: 0, ...untrained }, { step: 1 }])).toEqual(untrained);
    expect(untrainedMonitors([{ step: 2 }, { step: 0, ...untrained }])).toEqual(untrained);
    for (const log of [
      [],
      [{ step: 1, ...untrained }],
      [{ step: 0, effective_rank: 3 }],
      [{ step: 0, embedding_std_mean: 0.1 }],
      [{ step: 0, ...untrained, effective_rank: 'NaN' }],
    ])
      expect(untrainedMonitors(log)).toBeUndefined();
  });
});
