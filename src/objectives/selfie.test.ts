import { describe, expect, it } from 'vitest';
import { encoderNamed, type encoders } from '../encoders/index.js';
import { evaluate, floats, largestDifference, ordinaryParameters } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { InputError } from '../errors.js';
import * as g from '../graph/index.js';
import { embedTokens, tokenInputs } from '../layers/token-embedding.js';
import { batchShape, pretrainingGraph } from '../learning/model.js';
import { batchFeeds } from '../learning/self-supervision.js';
import { type Batch, packBatch } from '../records/batch.js';
import { MISSING_ID } from '../records/token-block.js';
import type { HostTensor } from '../tensor/tensor.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import { checkOwnOptions } from './index.js';
import { askStates } from './masked-autoencoding.js';
import { range, smallModel } from './objective.case.js';
import { selfie } from './selfie.js';

const engine = await nodeEngine({ threads: 1 });
const real = await realRecords();
const kinds = ['discrete', 'fields', 'continuous', 'series'] as const;
type Kind = (typeof kinds)[number];
const SIZE = 8;

function modelOn(kind: Kind, encoder: keyof typeof encoders = 'perceiver', records = [1, 7, 3, 9, 12, 2]) {
  const { tokenizer, block } = real[kind];
  const { spec } = tokenizer;
  const model = smallModel(spec, 'selfie', { masking_ratio: 0.4 }, encoder);
  const batch = packBatch(block, records, SIZE, spec.maxTokens);
  const feeds = batchFeeds(model, batch, { seed: 2, purpose: 'training', step: 0, progress: 0 });
  const graph = pretrainingGraph(model, batchShape(model, SIZE, spec.maxTokens));
  const { loss, weight } = graph;
  const outputs = {
    loss,
    weight,
    marginal: graph.marginalLoss!,
    hidden: graph.hidden!,
    accuracy: graph.metrics!.accuracy,
  };
  return { spec, model, batch, feeds, outputs, parameters: ordinaryParameters([loss]) };
}

type Model = ReturnType<typeof modelOn>;

/** float32[size, tokens, width]: what is asked for each hidden token, and what it is as a candidate. */
async function vectorsOf({ spec, model, feeds, parameters }: Model, hidden: HostTensor) {
  const { maxTokens: tokens } = spec;
  const built = g.sharingLeaves(() => {
    const batch = tokenInputs(spec, SIZE, tokens);
    const hiding = { choose: () => g.input('hide', 'bool', [SIZE, tokens]), visible: tokens };
    const encoding = encoderNamed(model.encoder.kind).encode(spec, batch, model.encoder, {
      hiding,
      training: true,
    });
    const everywhere = g.expand(g.reshape(g.iota(tokens), [1, tokens]), [SIZE, tokens]);
    const { embedAt } = embedTokens(spec, batch, model.encoder.embed_width);
    return {
      queries: askStates(encoding, everywhere, model.objective.decoder_heads!),
      candidates:
        spec.kind === 'fields'
          ? encoding.embedded
          : embedAt(everywhere, g.cast(g.zerosOf(everywhere), 'int32')),
    };
  });
  return evaluate(engine, built, { ...feeds, ...parameters, hide: hidden });
}

/** Whether two tokens of a batch hold the same. */
function holdSame({ ids, values, size, tokens }: Batch, a: number, b: number): boolean {
  const channels = (values?.length ?? 0) / (size * tokens);
  const of = (i: number) => [ids?.[i], ...(values?.subarray(i * channels, (i + 1) * channels) ?? [])].join();
  return of(a) === of(b);
}

const logSum = (logits: readonly number[]) =>
  Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));

/** Loss, loss of a uniform choice, and accuracy, question by question. */
function byHand(
  { spec, batch, model }: Model,
  hidden: ArrayLike<number>,
  { queries, candidates }: Record<'queries' | 'candidates', number[]>,
) {
  const width = model.encoder.embed_width;
  const { tokens } = batch;
  let [loss, uniform, right, count] = [0, 0, 0, 0];
  for (let i = 0; i < batch.rows * tokens; i++) {
    if (!hidden[i] || (spec.kind === 'fields' && batch.ids![i] === MISSING_ID)) continue;
    const offered =
      spec.kind === 'fields'
        ? range(batch.rows).map((row) => row * tokens + (i % tokens))
        : range(tokens)
            .map((token) => i - (i % tokens) + token)
            .filter((j) => hidden[j]);
    const logit = (j: number) =>
      range(width).reduce((sum, c) => sum + queries[i * width + c] * candidates[j * width + c], 0) /
      Math.sqrt(width);
    const same = offered.filter((j) => holdSame(batch, i, j));
    const others = offered.filter((j) => !holdSame(batch, i, j));
    if (others.length === 0) continue;
    loss += logSum(offered.map(logit)) - logSum(same.map(logit));
    uniform += Math.log(offered.length / same.length);
    if (Math.max(...same.map(logit)) > Math.max(...others.map(logit))) right++;
    count++;
  }
  return { loss: loss / count, uniform: uniform / count, accuracy: right / count, count };
}

const truthsOf = (model: Model, hidden: readonly number[]): HostTensor => ({
  dtype: 'bool',
  shape: [SIZE, model.spec.maxTokens],
  data: Uint8Array.from(hidden),
});

describe('Selfie', () => {
  const cases = kinds.flatMap((kind) =>
    (['perceiver', 'transformer', 'convolution'] as const).map((encoder) => [kind, encoder] as const),
  );

  it.each(cases)(
    'asks each hidden token for its own among the others: %s tokens, %s',
    async (kind, encoder) => {
      const model = modelOn(kind, encoder);
      const found = await evaluate(engine, model.outputs, { ...model.feeds, ...model.parameters });
      const vectors = await vectorsOf(model, truthsOf(model, found.hidden));
      const expected = byHand(model, found.hidden, vectors);
      expect(expected.count).toBeGreaterThan(5);
      expect(found.weight[0]).toBe(expected.count);
      expect(found.loss[0]).toBeCloseTo(expected.loss, 4);
      expect(found.marginal[0]).toBeCloseTo(expected.uniform, 5);
      expect(found.accuracy[0]).toBeCloseTo(expected.accuracy, 5);
    },
  );

  it.each(kinds)(
    'is a uniform choice, and never accurate, where all products are 0: %s tokens',
    async (kind) => {
      const { feeds, outputs, parameters } = modelOn(kind);
      const nothing = Object.fromEntries(
        Object.entries(parameters).map(([name, { shape, data }]) => [
          name,
          floats(
            shape,
            data.map(() => 0),
          ),
        ]),
      );
      const { loss, marginal, accuracy } = await evaluate(engine, outputs, { ...feeds, ...nothing });
      expect(loss[0]).toBeGreaterThan(0.1);
      expect(loss[0]).toBeCloseTo(marginal[0], 5);
      expect(accuracy[0]).toBe(0);
    },
  );

  it.each(['discrete', 'continuous', 'series'] as const)(
    'does not depend on the order of the candidates: %s tokens',
    async (kind) => {
      const { feeds, outputs, parameters, spec } = modelOn(kind);
      const before = await evaluate(engine, outputs, { ...feeds, ...parameters });
      // The hidden tokens have the largest scores; these are in another order now.
      const { shape, data } = feeds.scores;
      const turned = Float32Array.from(data as Float32Array, (score, i) =>
        before.hidden[i] ? 1 + ((i * 7) % spec.maxTokens) : score / 2,
      );
      const after = await evaluate(engine, outputs, {
        ...feeds,
        ...parameters,
        scores: floats(shape, turned),
      });
      expect(after.hidden).toEqual(before.hidden);
      for (const name of ['loss', 'marginal', 'accuracy', 'weight'] as const)
        expect(after[name][0], name).toBeCloseTo(before[name][0], 5);
    },
  );

  it('of a table does not depend on the order of its records, and asks for no missing cell', async () => {
    const records = [4, 7, 1, 9];
    const [straight, turned] = [
      modelOn('fields', 'perceiver', records),
      modelOn('fields', 'perceiver', records.toReversed()),
    ];
    const tokens = straight.spec.maxTokens;
    expect([...straight.batch.ids!]).toContain(MISSING_ID);
    const reversed = ({ shape, data }: HostTensor) => {
      const width = shape[1];
      const from = (i: number) => (records.length - 1 - Math.floor(i / width)) * width + (i % width);
      return floats(
        shape,
        range(data.length).map((i) => Number(data[i < records.length * width ? from(i) : i])),
      );
    };
    // Three of five columns of each record, a missing one among them.
    const scores = floats(
      [SIZE, tokens],
      range(SIZE * tokens).map((i) => ((i * 3 + Math.floor(i / tokens)) % 5) / 5),
    );
    const given = { ...straight.feeds, ...straight.parameters, scores };
    const before = await evaluate(engine, straight.outputs, given);
    const after = await evaluate(engine, turned.outputs, {
      ...turned.feeds,
      ...straight.parameters,
      scores: reversed(scores),
      used: reversed(straight.feeds.used),
    });
    for (const name of ['loss', 'marginal', 'accuracy', 'weight'] as const)
      expect(after[name][0], name).toBeCloseTo(before[name][0], 5);
  });

  it('has no wrong candidate where all hidden tokens hold the same', async () => {
    const model = modelOn('discrete');
    const ids = { ...model.feeds.ids, data: new Int32Array(model.feeds.ids.data.length).fill(2) };
    const contents = { ...model.feeds.contents, data: new Int32Array(ids.data.length) };
    const found = await evaluate(engine, model.outputs, {
      ...model.feeds,
      ...model.parameters,
      ids,
      contents,
    });
    expect([found.loss[0], found.weight[0], found.marginal[0]]).toEqual([0, 0, 0]);
  });

  it.each(kinds)('numbers what tokens hold: %s tokens', (kind) => {
    const { spec, batch, feeds } = modelOn(kind);
    const numbers = feeds.contents.data;
    const { tokens } = batch;
    let equals = 0;
    for (let a = 0; a < batch.rows * tokens; a++) {
      for (let b = 0; b < a; b++) {
        const together =
          spec.kind === 'fields'
            ? a % tokens === b % tokens
            : Math.floor(a / tokens) === Math.floor(b / tokens);
        const isReal = (i: number) => i % tokens < batch.lengths[Math.floor(i / tokens)];
        if (!together || !isReal(a) || !isReal(b)) continue;
        expect(numbers[a] === numbers[b]).toBe(holdSame(batch, a, b));
        if (numbers[a] === numbers[b]) equals++;
      }
    }
    expect(equals > 0).toBe(kind !== 'series');
  });

  it('tells candidates of one number apart by its size', async () => {
    const model = modelOn('series');
    const { candidates } = await vectorsOf(
      model,
      truthsOf(model, Array(SIZE * model.spec.maxTokens).fill(0)),
    );
    const width = model.model.encoder.embed_width;
    const channels = model.batch.values!.length / (SIZE * model.spec.maxTokens);
    expect(channels).toBe(1);
    const { values } = model.batch;
    // Two numbers of one sign.
    const [a, b] = range(model.batch.lengths[0]).filter((token) => values![token] > 0);
    const part = (token: number) => candidates.slice(token * width, (token + 1) * width);
    expect(largestDifference(part(a), part(b))).toBeGreaterThan(1e-2);
  });

  it('refuses heads that do not divide the widths, and an output that it has not', () => {
    const { spec, model } = modelOn('discrete');
    const options = selfie.defaults(spec, model.encoder, { decoder_heads: 3 });
    const check = () => selfie.check!(options, { spec, encoder: model.encoder, from: false });
    expect(check).toThrow(InputError);
    expect(check).toThrow('objective.decoder_heads');
    expect(() => checkOwnOptions('selfie', { tied_output: true })).toThrow(InputError);
  });
});
