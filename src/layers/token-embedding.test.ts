import { describe, expect, it } from 'vitest';
import {
  evaluate,
  floats,
  integers,
  largestDifference,
  ordinaryParameters,
} from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { parametersOf, reachableNodes } from '../graph/index.js';
import type { TokenSpec } from '../records/token-block.js';
import { embedTokens, realTokens, tokenFeeds, tokenInputs, tokenTypes } from './token-embedding.js';

const engine = await nodeEngine({ threads: 1 });
const [BATCH, COUNT, WIDTH] = [2, 3, 4];

const specs: Record<string, TokenSpec> = {
  discrete: { kind: 'discrete', vocabulary: 5, maxTokens: 6 },
  continuous: { kind: 'continuous', channels: 2, maxTokens: 3 },
  fields: {
    kind: 'fields',
    fields: [
      { name: 'a', type: 'numeric', firstId: 0, size: 0 },
      { name: 'b', type: 'categorical', firstId: 2, size: 2 },
      { name: 'c', type: 'numeric', firstId: 0, size: 0 },
    ],
    vocabulary: 4,
    maxTokens: 3,
  },
};
const ids = [0, 3, 1, 0, 2, 0];
const cells = [0.5, 0, -1.5, 2, 0, 0.25];
const vectors = cells.flatMap((value, i) => [value, Math.cos(i)]);

describe.each(Object.entries(specs))('the inputs of tokens of kind %s', (_, spec) => {
  it('are what a batch feeds, under names that may have a prefix', () => {
    const channels = spec.kind === 'continuous' ? 2 : 1;
    const batch = {
      size: BATCH,
      tokens: COUNT,
      ...(spec.kind !== 'continuous' && { ids: Int32Array.from(ids) }),
      ...(spec.kind !== 'discrete' && { values: new Float32Array(BATCH * COUNT * channels) }),
      lengths: Int32Array.of(3, 2),
    };
    for (const prefix of ['', 'view_']) {
      const types = tokenTypes(spec, BATCH, COUNT, prefix);
      const fed = Object.entries(tokenFeeds(batch, prefix)).map(([name, { dtype, shape }]) => [
        name,
        { dtype, shape },
      ]);
      expect(Object.fromEntries(fed)).toEqual(types);
      const { padding } = tokenInputs(spec, BATCH, COUNT, prefix);
      const names = reachableNodes([padding]).flatMap((node) => (node.kind === 'input' ? [node.name] : []));
      expect(names).toEqual([`${prefix}lengths`]);
    }
  });
});

describe.each(Object.entries(specs))('tokens of kind %s', (kind, spec) => {
  const tokens = tokenInputs(spec, BATCH, COUNT);
  const { embedded, positions, table } = embedTokens(spec, tokens, WIDTH);
  const parameters = ordinaryParameters([embedded]);
  const channels = kind === 'continuous' ? 2 : 1;
  const values = kind === 'continuous' ? vectors : cells;
  const feeds = {
    ids: integers([BATCH, COUNT], ids),
    values: floats([BATCH, COUNT, channels], values),
    lengths: integers([BATCH], [3, 2]),
  };

  it('are content plus position, normalised', async () => {
    const expected = ids.flatMap((id, token) => {
      const row = Array.from({ length: WIDTH }, (_, c) => {
        let total = parameters['embedding.positions'].data[(token % COUNT) * WIDTH + c];
        if (kind !== 'continuous') total += parameters['embedding.tokens'].data[id * WIDTH + c];
        for (let i = 0; kind !== 'discrete' && i < channels; i++)
          total +=
            values[token * channels + i] * parameters['embedding.projection.weight'].data[i * WIDTH + c];
        return kind === 'continuous' ? total + parameters['embedding.projection.bias'].data[c] : total;
      });
      const mean = row.reduce((a, b) => a + b) / WIDTH;
      const deviation = Math.sqrt(row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / WIDTH);
      return row.map(
        (x, c) =>
          ((x - mean) / deviation) * parameters['embedding.norm.scale'].data[c] +
          parameters['embedding.norm.bias'].data[c],
      );
    });
    const { y } = await evaluate(engine, { y: embedded }, { ...feeds, ...parameters });
    expect(largestDifference(y, expected)).toBeLessThan(1e-5);
  });

  it('are content alone without positions, where all numeric columns are alike', async () => {
    const alone = embedTokens(spec, tokens, WIDTH, { positions: false });
    const given = { ...ordinaryParameters([alone.embedded]), ...parameters };
    const run = async (order: number[]) =>
      (
        await evaluate(
          engine,
          { y: alone.embedded },
          {
            ...given,
            lengths: feeds.lengths,
            ids: integers(
              [BATCH, COUNT],
              order.map((i) => ids[i]),
            ),
            values: floats(
              [BATCH, COUNT, channels],
              order.flatMap((i) => values.slice(i * channels, (i + 1) * channels)),
            ),
          },
        )
      ).y;
    const token = (y: number[], i: number) => y.slice(i * WIDTH, (i + 1) * WIDTH);
    const [straight, swapped] = [await run([0, 1, 2, 3, 4, 5]), await run([2, 1, 0, 5, 4, 3])];
    for (const i of [0, 1, 2, 3, 4, 5])
      expect(largestDifference(token(swapped, [2, 1, 0, 5, 4, 3][i]), token(straight, i))).toBeLessThan(1e-6);
    expect(parametersOf([alone.embedded]).map(({ name }) => name)).not.toContain('embedding.positions');
  });

  it('keep without positions how far their values are apart, not their sign alone', async () => {
    const alone = embedTokens(spec, tokens, WIDTH, { positions: false });
    const given = { ...feeds, ...ordinaryParameters([alone.embedded]) };
    const at = async (value: number) => {
      const filled = floats(
        feeds.values.shape,
        values.map(() => value),
      );
      return (await evaluate(engine, { y: alone.embedded }, { ...given, values: filled })).y;
    };
    const [zero, near, far] = [await at(0), await at(1e-3), await at(1)];
    expect(largestDifference(near, zero)).toBeLessThan(0.02);
    if (kind !== 'discrete') expect(largestDifference(far, zero)).toBeGreaterThan(0.1);
  });

  it('know what is padding', async () => {
    const { padding, real } = await evaluate(
      engine,
      { padding: tokens.padding, real: realTokens(tokens) },
      feeds,
    );
    expect(padding).toEqual([0, 0, 0, 0, 0, 1]);
    expect(real).toEqual([1, 1, 1, 1, 1, 0]);
  });

  it('have tables of the full size, without weight decay', () => {
    expect(positions.shape).toEqual([COUNT, WIDTH]);
    expect(parameters['embedding.positions'].shape).toEqual([spec.maxTokens, WIDTH]);
    expect(table?.shape).toEqual(spec.kind === 'continuous' ? undefined : [spec.vocabulary, WIDTH]);
    const decayed = parametersOf([embedded]).filter(({ decay }) => decay);
    expect(decayed.map(({ name }) => name)).toEqual(
      kind === 'discrete' ? [] : ['embedding.projection.weight'],
    );
  });
});
