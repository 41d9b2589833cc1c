/** What every encoder promises, on tokens of every kind; `encoders.test.ts` runs it on each in the table. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Evaluation,
  evaluate,
  evaluation,
  floats,
  integers,
  largestDifference,
  ordinaryParameters,
  truths,
} from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { InputError } from '../errors.js';
import * as g from '../graph/index.js';
import type { DropoutRates } from '../layers/dropout.js';
import { tokenInputs } from '../layers/token-embedding.js';
import { type Batch, blockLengths, packBatch } from '../records/batch.js';
import type { TokenSpec } from '../records/token-block.js';
import type { HostTensor } from '../tensor/tensor.js';
import { type RealRecords, realRecords } from '../tokenizers/real-records.case.js';
import type { Encoder, EncoderConfig, Encoding, Hiding } from './encoder.js';

const engine = await nodeEngine({ threads: 1 });
const real = await realRecords();

const ROWS = 3;

/** What not every encoder does. */
export interface EncoderTraits {
  /** Whether the order of tokens matters without positions, too. */
  readonly readsOrder: boolean;
  readonly drops: boolean;
}

/** Every token in three is hidden, beginning with the second. */
const hides = (token: number) => token % 3 === 1;

function feedsOf(batch: Batch, tokens = batch.tokens): Record<string, HostTensor> {
  const { size, ids, values, lengths } = batch;
  return {
    ...(ids && { ids: integers([size, tokens], ids) }),
    ...(values && { values: floats([size, tokens, values.length / (size * tokens)], values) }),
    lengths: integers([size], lengths),
    hide: truths(
      [size, tokens],
      Array.from(
        { length: size * tokens },
        (_, i) => hides(i % tokens) && i % tokens < lengths[Math.floor(i / tokens)],
      ),
    ),
  };
}

/** The encoder on batches of so many tokens: what may be read of its states, and their mean. */
function build(encoder: Encoder, config: EncoderConfig, spec: TokenSpec, count: number) {
  const tokens = tokenInputs(spec, ROWS, count);
  let map: g.Value | undefined;
  const hiding: Hiding = {
    choose(attention) {
      map = attention;
      return g.input('hide', 'bool', [ROWS, count]);
    },
    visible: Array.from({ length: count }, (_, token) => token).filter((token) => !hides(token)).length,
  };
  const encoding = encoder.encode(spec, tokens, config, { hiding });
  const { states, unreadable, pooled } = encoding;
  const [, n] = states.shape;
  const readable = unreadable ? g.where(g.reshape(unreadable, [ROWS, n, 1]), g.scalar(0), states) : states;
  return { states: readable, pooled, map, encoding };
}

export function encoderCases(
  name: string,
  encoder: Encoder,
  config: EncoderConfig,
  { readsOrder, drops }: EncoderTraits,
): void {
  describe.each(Object.entries(real))(`${name} on %s tokens`, (_, { tokenizer, block }: RealRecords) => {
    const { spec } = tokenizer;
    const count = spec.maxTokens;
    const model = build(encoder, config, spec, count);
    const parameters = ordinaryParameters([model.states, model.pooled]);
    const outputs = { states: model.states, pooled: model.pooled };
    const batchOf = (records: number[]) => packBatch(block, records, ROWS, count);
    let compiled: Evaluation<keyof typeof outputs>;
    beforeAll(async () => {
      compiled = await evaluation(engine, outputs);
    });
    afterAll(() => compiled.release());
    const encode = (feeds: Record<string, HostTensor>) => compiled.run({ ...feeds, ...parameters });

    it('has the shapes it says', () => {
      const { embedded, positions, states, pooled } = model.encoding;
      const map = encoder.attentionMap?.(config, count);
      expect(model.map?.shape.slice(1)).toEqual(map && [map.heads, map.queries, count]);
      if (model.map) expect(model.map.shape[0]).toBe(ROWS);
      expect(embedded.shape).toEqual([ROWS, count, config.embed_width]);
      expect(positions.shape).toEqual([spec.maxTokens, config.embed_width]);
      expect([states.shape[0], states.shape[2]]).toEqual([ROWS, config.width]);
      expect(pooled.shape).toEqual([ROWS, config.width]);
    });

    it('lets no hidden token influence what may be read', async () => {
      const batch = batchOf([0, 6, 11]);
      const before = await encode(feedsOf(batch));
      const { ids, values } = packBatch(block, [9, 9, 3], ROWS, count);
      const channels = (values?.length ?? 0) / (ROWS * count);
      let changed = 0;
      for (let i = 0; i < ROWS * count; i++) {
        if (!hides(i % count) || i % count >= batch.lengths[Math.floor(i / count)]) continue;
        changed++;
        if (ids) batch.ids![i] = ids[i];
        for (let c = 0; c < channels; c++) batch.values![i * channels + c] = values![i * channels + c] + 5;
      }
      const after = await encode(feedsOf(batch));
      expect(changed).toBeGreaterThan(0);
      expect(largestDifference(after.states, before.states)).toBe(0);
      expect(largestDifference(after.pooled, before.pooled)).toBe(0);
    });

    it('is influenced by every visible token, and by no other', async () => {
      const original = batchOf([0, 6, 11]);
      const { pooled } = await encode(feedsOf(original));
      const { width } = config;
      for (let token = 0; token < count; token++) {
        const { ids, values, ...rest } = batchOf([0, 6, 11]);
        const channels = (values?.length ?? 0) / (ROWS * count);
        for (let row = 0; row < ROWS; row++) {
          const at = row * count + token;
          if (values) values.fill(values[at * channels] + 1, at * channels, (at + 1) * channels);
          else ids![at] = ids![at] === 2 ? 3 : 2;
        }
        const changed = (await encode(feedsOf({ ...rest, ids, values }))).pooled;
        for (let row = 0; row < ROWS; row++) {
          const visible = token < original.lengths[row] && !hides(token);
          const part = [row * width, (row + 1) * width];
          const difference = largestDifference(changed.slice(...part), pooled.slice(...part));
          expect(difference > 0, `row ${row}, token ${token}`).toBe(visible);
        }
      }
    });

    const attends = encoder.attentionMap !== undefined;

    it.runIf(!attends)('refuses to be told what to attend to, since it does not attend', () => {
      const readable = g.input('hide', 'bool', [ROWS, count]);
      const encode = () => encoder.encode(spec, tokenInputs(spec, ROWS, count), config, { readable });
      expect(encode).toThrow(InputError);
      expect(encode).toThrow('does not attend');
    });

    const dropping = (rates: DropoutRates) => {
      const dropout = { ...rates, seeds: g.input('seeds', 'int32', [ROWS]) };
      return encoder.encode(spec, tokenInputs(spec, ROWS, count), config, { dropout });
    };

    it.runIf(!drops)('refuses dropout, which it has not', () => {
      expect(() => dropping({ dropout: 0.1 })).toThrow(InputError);
      expect(() => dropping({ dropout: 0.1 })).toThrow('drops nothing');
    });

    it.runIf(drops && !attends)('refuses to drop attention, which it has not', () => {
      expect(() => dropping({ attention_dropout: 0.1 })).toThrow(InputError);
      expect(() => dropping({ attention_dropout: 0.1 })).toThrow('no attention to drop');
    });

    it.runIf(drops)('drops by the number of each record alone', async () => {
      for (const rates of [{ dropout: 0.2 }, { drop_path: 0.5 }]) {
        const { pooled } = dropping(rates);
        const given = { ...ordinaryParameters([pooled]), ...feedsOf(batchOf([0, 6, 11])) };
        const run = async (seeds: readonly number[]) =>
          (await evaluate(engine, { pooled }, { ...given, seeds: integers([ROWS], seeds) })).pooled;
        const [once, again, other] = [await run([3, 4, 5]), await run([3, 4, 5]), await run([3, 4, 60])];
        const same = (ROWS - 1) * config.width;
        expect(again).toEqual(once);
        expect(other.slice(0, same)).toEqual(once.slice(0, same));
        if ('dropout' in rates) expect(other.slice(same)).not.toEqual(once.slice(same));
      }
    });

    it.runIf(attends)('attends to readable tokens alone, while each token keeps its own state', async () => {
      const readable = g.input('hide', 'bool', [ROWS, count]);
      const encoding = encoder.encode(spec, tokenInputs(spec, ROWS, count), config, { readable });
      const { states, tokenStates } = encoding;
      const run = async (batch: Batch) =>
        (await evaluate(engine, { states }, { ...feedsOf(batch), ...parameters })).states;
      const before = await run(batchOf([0, 6, 11]));
      const n = Number(states.shape[1]);
      for (const token of [0, 1, 2, 4]) {
        const batch = batchOf([0, 6, 11]);
        const channels = (batch.values?.length ?? 0) / (ROWS * count);
        for (let row = 0; row < ROWS; row++) {
          const at = row * count + token;
          if (batch.values) batch.values[at * channels] += 1;
          else batch.ids![at] = batch.ids![at] === 2 ? 3 : 2;
        }
        const after = await run(batch);
        for (let row = 0; row < ROWS; row++) {
          const changed = Array.from({ length: n }, (_, i) => i).filter((i) => {
            const part = [(row * n + i) * config.width, (row * n + i + 1) * config.width];
            return largestDifference(after.slice(...part), before.slice(...part)) > 0;
          });
          // A token's own state follows the token; all others do where it is readable.
          const others = tokenStates ? changed.filter((i) => i !== token) : changed;
          expect(others.length > 0, `row ${row}, token ${token}`).toBe(
            hides(token) && token < batch.lengths[row],
          );
          if (tokenStates) expect(changed).toContain(token);
        }
      }
    });

    // A convolution sees the order of its tokens itself.
    it.runIf(!readsOrder)('without positions, gives tokens in another order the same states', async () => {
      const encoding = encoder.encode(spec, tokenInputs(spec, ROWS, count), config, { positions: false });
      const { embedded, states, pooled, tokenStates } = encoding;
      const batch = batchOf([0, 6, 11]);
      const least = Math.min(...batch.lengths);
      batch.lengths.fill(least);
      /** The first `least` of the `n` entries of each row in reverse order, the others left out. */
      const reversed = <A extends ArrayLike<number>>(values: A, n: number, order: 'reverse' | 'as it is') =>
        Array.from({ length: (values.length / n) * least }, (_, i) => {
          const size = values.length / (ROWS * n);
          const [row, token] = [Math.floor(i / (least * size)), Math.floor(i / size) % least];
          const from = order === 'reverse' ? least - 1 - token : token;
          return values[(row * n + from) * size + (i % size)];
        });
      const given = { ...ordinaryParameters([pooled]), ...parameters };
      const run = () => evaluate(engine, { embedded, states, pooled }, { ...feedsOf(batch), ...given });
      const straight = await run();
      for (const values of [batch.ids, batch.values]) {
        const size = (values?.length ?? 0) / (ROWS * count);
        const turned = values && reversed(values, count, 'reverse');
        for (let row = 0; row < ROWS; row++)
          values?.set(turned!.slice(row * least * size, (row + 1) * least * size), row * count * size);
      }
      const after = await run();
      const same = (key: 'embedded' | 'states') =>
        largestDifference(reversed(after[key], count, 'reverse'), reversed(straight[key], count, 'as it is'));
      expect(same('embedded')).toBeLessThan(1e-5);
      expect(largestDifference(after.embedded, straight.embedded)).toBeGreaterThan(1e-2);
      expect(largestDifference(after.pooled, straight.pooled)).toBeLessThan(1e-5);
      if (tokenStates) expect(same('states')).toBeLessThan(1e-5);
      else expect(largestDifference(after.states, straight.states)).toBeLessThan(1e-5);
    });

    it('treats each row alone', async () => {
      const one = await encode(feedsOf(batchOf([0, 6, 11])));
      const other = await encode(feedsOf(batchOf([11, 6, 2])));
      const size = one.states.length / ROWS;
      const row = (values: number[], at: number, length: number) =>
        values.slice(at * length, (at + 1) * length);
      expect(largestDifference(row(one.states, 1, size), row(other.states, 1, size))).toBeLessThan(1e-5);
      expect(largestDifference(row(one.states, 2, size), row(other.states, 0, size))).toBeLessThan(1e-5);
      const { width } = config;
      expect(largestDifference(row(one.pooled, 2, width), row(other.pooled, 0, width))).toBeLessThan(1e-5);
      expect(largestDifference(row(one.pooled, 0, width), row(other.pooled, 2, width))).toBeGreaterThan(1e-3);
    });

    it('gives the same for a batch whose size is only known when it runs', async () => {
      const symbolic = encoder.encode(spec, tokenInputs(spec, 'batch', count), config).pooled;
      const fixed = encoder.encode(spec, tokenInputs(spec, ROWS, count), config).pooled;
      const { hide: _, ...feeds } = feedsOf(batchOf([0, 6, 11]));
      const { y } = await evaluate(engine, { y: fixed }, { ...feeds, ...parameters });
      const executable = await engine.compile({ name: 'symbolic', outputs: { y: symbolic } });
      for (const rows of [1, 2, ROWS]) {
        const pooled = floats([rows, config.width], new Float32Array(rows * config.width));
        const part = Object.fromEntries(
          Object.entries(feeds).map(([name, { dtype, shape, data }]) => {
            const kept = data.slice(0, (data.length / ROWS) * rows);
            return [name, { dtype, shape: [rows, ...shape.slice(1)], data: kept }];
          }),
        );
        await executable.run({ ...part, ...parameters }, { y: pooled });
        expect(
          largestDifference(Array.from(pooled.data, Number), y.slice(0, rows * config.width)),
        ).toBeLessThan(1e-5);
      }
      await executable.release();
    });

    const inTraining = encoder.encode(spec, tokenInputs(spec, ROWS, count), config, { training: true });
    const tracked = new Set(g.trackedOf([inTraining.states, inTraining.pooled]).map(({ name }) => name));

    it('has the same parameters in training', () => {
      const names = ({ states, pooled }: Pick<Encoding, 'states' | 'pooled'>) =>
        g
          .parametersOf([states, pooled])
          .map(({ name }) => name)
          .sort();
      expect(names(inTraining)).toEqual(names(encoder.encode(spec, tokenInputs(spec, ROWS, count), config)));
    });

    it('has a gradient for every parameter but those that follow statistics of the batches', async () => {
      const loss = g.add(
        g.sumAll(g.multiply(model.states, model.states)),
        g.sumAll(g.multiply(model.pooled, model.pooled)),
      );
      const nodes = g.parametersOf([loss]);
      const slopes = g.gradients(
        loss,
        nodes.map(({ outputs: [value] }) => value),
      );
      const named = Object.fromEntries(nodes.map((node, i) => [`gradient of ${node.name}`, slopes[i]]));
      const computed = await evaluate(engine, named, { ...feedsOf(batchOf([0, 6, 11])), ...parameters });
      for (const { name } of nodes) {
        const gradient = computed[`gradient of ${name}`];
        expect(gradient.every(Number.isFinite), name).toBe(true);
        expect(
          gradient.some((value) => value !== 0),
          name,
        ).toBe(!tracked.has(name));
      }
    });

    if (blockLengths(block).some((length) => length < count))
      it('does not care how much padding follows a row', async () => {
        const batch = packBatch(block, [7, 6, 11], ROWS, count);
        const longest = Math.max(...batch.lengths);
        expect(longest).toBeLessThan(count);
        const short = build(encoder, config, spec, longest);
        const cropped = packBatch(block, [7, 6, 11], ROWS, longest);
        const long = await encode(feedsOf(batch));
        const feeds = { ...feedsOf(cropped), ...parameters };
        const { pooled, states } = await evaluate(
          engine,
          { pooled: short.pooled, states: short.states },
          feeds,
        );
        expect(largestDifference(pooled, long.pooled)).toBeLessThan(1e-5);
        if (model.encoding.unreadable === undefined)
          expect(largestDifference(states, long.states)).toBeLessThan(1e-5);
        // Nor what stands in it.
        for (let i = 0; i < ROWS * count; i++)
          if (i % count >= batch.lengths[Math.floor(i / count)]) {
            if (batch.ids) batch.ids[i] = 1;
            const channels = (batch.values?.length ?? 0) / (ROWS * count);
            batch.values?.fill(1, i * channels, (i + 1) * channels);
          }
        expect(largestDifference((await encode(feedsOf(batch))).pooled, long.pooled)).toBe(0);
      });

    // An encoder without attention has no heads.
    it.skipIf(!encoder.attentionMap)('names a width that its heads do not divide', () => {
      expect(() => build(encoder, { ...config, heads: 3 }, spec, count)).toThrow('not divisible by 3 heads');
    });
  });
}
