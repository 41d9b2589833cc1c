import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encoderNamed, type encoders } from '../encoders/index.js';
import { evaluate, largestDifference, ordinaryParameters, truths } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { input, sharingLeaves } from '../graph/index.js';
import { tokenFeeds, tokenInputs } from '../layers/token-embedding.js';
import { batchShape, pretrainingGraph } from '../learning/model.js';
import { batchFeeds } from '../learning/self-supervision.js';
import { type Batch, packBatch } from '../records/batch.js';
import { random } from '../tensor/random.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import { contextCount, mp3, positionLogits } from './mp3.js';
import { smallModel } from './objective.case.js';

const engine = await nodeEngine({ threads: 1 });
const real = await realRecords();
const ROWS = 4;

const kinds = ['discrete', 'fields', 'continuous', 'series'] as const;
const kindsAndEncoders = kinds.flatMap((kind) =>
  (['perceiver', 'transformer'] as const).map((encoder) => [kind, encoder] as const),
);

function modelOn(kind: (typeof kinds)[number], encoder: keyof typeof encoders = 'perceiver') {
  const { tokenizer, block } = real[kind];
  const { spec } = tokenizer;
  const model = smallModel(spec, 'mp3', { context_ratio: 0.4 }, encoder);
  const batch = packBatch(block, [1, 7, 3], ROWS, spec.maxTokens);
  const count = spec.maxTokens;
  const graph = pretrainingGraph(model, batchShape(model, ROWS, count));
  const logits = sharingLeaves(() => {
    const tokens = tokenInputs(spec, ROWS, count);
    const readable = input('context', 'bool', [ROWS, count]);
    const encoding = encoderNamed(encoder).encode(spec, tokens, model.encoder, {
      positions: false,
      readable,
    });
    return positionLogits(encoding, tokens, spec, model.encoder);
  });
  const feeds = batchFeeds(model, batch, { seed: 2, purpose: 'training', step: 0, progress: 0 });
  return { count, batch, graph, logits, feeds, parameters: ordinaryParameters([graph.loss]) };
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('the context of MP3', () => {
  it('is a share of the real tokens, at least one, drawn anew for each record', () => {
    const spec = { kind: 'continuous', channels: 1, maxTokens: 30 } as const;
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 6 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        fc.nat(),
        (lengths, context_ratio, seed) => {
          const size = lengths.length + 1;
          const batch: Batch = {
            rows: lengths.length,
            size,
            tokens: 30,
            lengths: Int32Array.from([...lengths, lengths[0]]),
            fileRows: new Int32Array(size),
          };
          const shape = { size, tokens: 30, width: 8 };
          const source = (purpose: string, row: number) => random(seed, purpose, 0, row);
          const { context } = mp3.draw({ context_ratio }, spec, shape, batch, 0, source);
          for (const [row, length] of lengths.entries()) {
            const places = Array.from(context.data.subarray(row * 30, (row + 1) * 30), Number);
            const attended = places.reduce((a, b) => a + b);
            expect(attended).toBe(contextCount(length, context_ratio));
            expect(attended).toBeGreaterThan(0);
            expect(Math.abs(attended - context_ratio * length) <= 0.5 || attended === 1).toBe(true);
            expect(places.slice(length).some(Boolean)).toBe(false);
          }
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe.each(kindsAndEncoders)('MP3 on %s tokens, %s', (kind, encoder) => {
  it('is cross-entropy over the positions of each record, and log length where nothing is known', async () => {
    const { count, batch, graph, logits, feeds, parameters } = modelOn(kind, encoder);
    const given = { ...feeds, ...parameters };
    const { loss, weight, marginalLoss, metrics } = graph;
    const outputs = { loss, weight, marginal: marginalLoss!, accuracy: metrics!.accuracy };
    const seen = await evaluate(engine, outputs, given);
    const { y } = await evaluate(engine, { y: logits }, given);
    const expected = { loss: 0, weight: 0, marginal: 0, accuracy: 0 };
    for (let row = 0; row < batch.rows; row++) {
      const length = batch.lengths[row];
      for (let token = 0; token < length; token++) {
        // Only the positions that the record has.
        const own = range(length).map((position) => y[(row * count + token) * count + position]);
        const sum = own.reduce((total, logit) => total + Math.exp(logit), 0);
        expected.loss += Math.log(sum) - own[token];
        expected.weight++;
        expected.marginal += Math.log(length);
        expected.accuracy += own.every((logit, i) => i === token || logit < own[token]) ? 1 : 0;
      }
    }
    expect(seen.weight[0]).toBe(expected.weight);
    for (const key of ['loss', 'marginal', 'accuracy'] as const)
      expect(seen[key][0], key).toBeCloseTo(expected[key] / expected.weight, 4);
    expect(seen.loss[0]).not.toBeCloseTo(seen.marginal[0], 2);
  });

  it('predicts the same of a token wherever it stands', async () => {
    const { count, batch, logits, feeds, parameters } = modelOn(kind, encoder);
    const order = range(ROWS).map((row) => {
      const { length } = range(batch.lengths[row]);
      return [...range(length).reverse(), ...range(count).slice(length)];
    });
    /** What stands at each token of a row, in the other order. */
    const reordered = <A extends ArrayLike<number>>(values: A): number[] => {
      const size = values.length / (ROWS * count);
      return order.flatMap((places, row) =>
        places.flatMap((place) => range(size).map((i) => values[(row * count + place) * size + i])),
      );
    };
    const moved: Batch = {
      ...batch,
      ...(batch.ids && { ids: Int32Array.from(reordered(batch.ids)) }),
      ...(batch.values && { values: Float32Array.from(reordered(batch.values)) }),
    };
    const context = Array.from(feeds.context.data, Number);
    const run = async (of: Batch, attended: number[]) =>
      (
        await evaluate(
          engine,
          { y: logits },
          { ...parameters, ...tokenFeeds(of), context: truths([ROWS, count], attended) },
        )
      ).y;
    const straight = await run(batch, context);
    expect(largestDifference(await run(moved, reordered(context)), reordered(straight))).toBeLessThan(1e-4);
    expect(largestDifference(straight, reordered(straight))).toBeGreaterThan(1e-2);
  });

  it('attends to the context alone', async () => {
    const { count, batch, logits, feeds, parameters } = modelOn(kind, encoder);
    const context = Array.from(feeds.context.data, Number);
    const run = async (values: Batch) =>
      (await evaluate(engine, { y: logits }, { ...feeds, ...parameters, ...tokenFeeds(values) })).y;
    const before = await run(batch);
    for (const attended of [0, 1]) {
      const token = range(batch.lengths[0]).find((i) => context[i] === attended)!;
      const [ids, values] = [batch.ids?.slice(), batch.values?.slice()];
      if (values) values[(token * values.length) / (ROWS * count)] += 1;
      else ids![token] = ids![token] === 2 ? 3 : 2;
      const after = await run({ ...batch, ids, values });
      const others = range(batch.lengths[0]).filter((i) => i !== token);
      const changed = others.some((i) => {
        const part = [i * count, (i + 1) * count];
        return largestDifference(after.slice(...part), before.slice(...part)) > 0;
      });
      expect(changed).toBe(attended === 1);
    }
  });
});
