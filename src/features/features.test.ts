import { describe, expect, it } from 'vitest';
import { nodeEngine } from '../engine/node.js';
import { InputError } from '../errors.js';
import { tokenFeeds, tokenInputs } from '../layers/token-embedding.js';
import { packBatch } from '../records/batch.js';
import type { TokenBlock, TokenSpec } from '../records/token-block.js';
import { zeros } from '../tensor/tensor.js';
import { type FeatureSet, featureSets, featureSetsFor, type RawRecords } from './index.js';

/** Texts, one token per letter of `letters`. */
function records(texts: readonly string[], letters: string): RawRecords {
  const ids = Int32Array.from([...texts.join('')], (letter) => letters.indexOf(letter));
  const offsets = Int32Array.from({ length: texts.length + 1 }, (_, i) => texts.slice(0, i).join('').length);
  const spec: TokenSpec = {
    kind: 'discrete',
    vocabulary: letters.length,
    maxTokens: Math.max(...texts.map((text) => text.length)),
  };
  const rows = Int32Array.from(texts.keys());
  return { spec, block: { count: texts.length, offsets, ids, rows } satisfies TokenBlock, texts };
}

const set = (name: string): FeatureSet => featureSets.get(name)!;
const rowsOf = async (name: string, train: RawRecords, given = train) => {
  // A state survives being written as JSON.
  const state = JSON.parse(JSON.stringify(await set(name).fit(train)));
  const rows = await set(name).of(given, state);
  expect(rows).toHaveLength(given.block.count * state.dimension);
  return Array.from({ length: given.block.count }, (_, i) =>
    rows.subarray(i * state.dimension, (i + 1) * state.dimension),
  );
};

describe('features without an encoder', () => {
  it('suit the records: molecules, words, letters, values', async () => {
    const named = async (given: RawRecords) => (await featureSetsFor(given)).map(({ name }) => name);
    expect(await named(records(['CCO', 'c1ccccc1'], 'CO1c'))).toEqual([
      'descriptors',
      'fingerprints',
      'fingerprints and descriptors',
    ]);
    expect(await named(records(['ab a', 'b ab'], 'ab '))).toEqual(['words', 'runs of characters']);
    expect(await named(records(['MKV', 'GAM'], 'MKVGA'))).toEqual([
      'runs of letters',
      'letters by position',
      'runs of characters',
    ]);
    const series: TokenSpec = { kind: 'continuous', channels: 1, maxTokens: 2 };
    const block = { count: 0, offsets: new Int32Array(1), rows: new Int32Array(0) };
    expect(await named({ spec: series, block })).toEqual(['values']);
  });

  it('are shares of letters, pairs and triples, and the length', async () => {
    const [row] = await rowsOf('runs of letters', records(['abba'], 'ab'));
    // a b | aa ab ba bb | aaa aab aba abb baa bab bba bbb | ln(1 + 4)
    const expected = [2, 2, 0, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0].map((count) => count / 4);
    expect([...row.subarray(0, 14)]).toEqual(expected);
    expect(row[14]).toBeCloseTo(Math.log(5), 6);
  });

  it('share columns among triples of a large alphabet, and lose none', async () => {
    const letters = 'ACDEFGHIKLMNPQRSTVWY';
    const [row] = await rowsOf('runs of letters', records([letters], letters));
    const triples = row.subarray(20 + 400, 20 + 400 + 4096);
    expect(triples.reduce((sum, share) => sum + share, 0)).toBeCloseTo(18 / 20, 5);
  });

  // TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2, token_pattern=r'\w+').fit_transform, scikit-learn 1.9
  it('weigh words as scikit-learn does', async () => {
    const train = records(['a b a', 'b a', 'c a b', 'b b c'], 'abc ');
    const [first, , , last] = await rowsOf('words', train);
    expect((await set('words').fit(train)).vocabulary).toEqual(['b', 'a', 'a b', 'b a', 'c']);
    const expected = [
      [0.318561, 0.659727, 0.48129, 0.48129, 0],
      [0.746137, 0, 0, 0, 0.665792],
    ];
    [first, last].forEach((row, i) => {
      row.forEach((value, column) => {
        expect(value).toBeCloseTo(expected[i][column], 5);
      });
    });
  });

  it('do not know what training does not have', async () => {
    const [row] = await rowsOf('words', records(['a b', 'a b'], 'ab '), records(['x y'], 'xy '));
    expect([...row]).toEqual([0, 0, 0]);
  });

  it('of molecules count what is there, and are 0 for what RDKit refuses', async () => {
    const { descriptorNames } = await import('../molecules/descriptors.js');
    const names = await descriptorNames();
    const [phenol, broken] = await rowsOf('descriptors', records(['Oc1ccccc1', 'C1CC'], 'OCc1'));
    const of = (name: string) => phenol[names.indexOf(name)];
    expect([
      of('fr_phenol'),
      of('fr_benzene'),
      of('fr_NH2'),
      of('C18'),
      of('C23'),
      of('NumHeavyAtoms'),
    ]).toEqual([1, 1, 0, 5, 1, 7]);
    expect(of('CrippenClogP')).toBeCloseTo(1.3922, 4);
    expect(broken.every((value) => value === 0)).toBe(true);
    expect(new Set(names).size).toBe(names.length);
  });

  it('of texts need the texts', async () => {
    const { spec, block } = records(['a'], 'a');
    for (const name of ['words', 'fingerprints']) {
      await expect((async () => set(name).of({ spec, block }, { name, dimension: 1 }))()).rejects.toThrow(
        InputError,
      );
    }
  });

  it('of a table have the first letters of a long text, and how often each letter is in it', async () => {
    const letter = { type: 'categorical' as const, firstId: 2, size: 3 };
    const spec = (length: number): TokenSpec => ({
      kind: 'fields',
      vocabulary: 5,
      maxTokens: length,
      fields: Array.from({ length }, (_, i) => ({ ...letter, name: `name: letter ${i + 1}` })),
    });
    const rowOf = async (...ids: number[]) => {
      const block = {
        count: 1,
        rows: Int32Array.of(0),
        offsets: Int32Array.of(0, ids.length),
        ids: Int32Array.from(ids),
        values: new Float32Array(ids.length),
      };
      const raw = { spec: spec(ids.length), block };
      const state = await set('values').fit(raw);
      const row = await set('values').of(raw, state);
      expect(row).toHaveLength(state.dimension);
      return Array.from(row);
    };
    const oneHot = { 1: [0, 0, 0], 2: [1, 0, 0], 3: [0, 1, 0], 4: [0, 0, 1] };
    expect(await rowOf(3, 4, 2)).toEqual([...oneHot[3], ...oneHot[4], ...oneHot[2]]);
    expect(await rowOf(3, 4, 4, 3, 4, 4, 2, 1, 1)).toEqual([
      ...[...oneHot[3], ...oneHot[4], ...oneHot[4], ...oneHot[3]],
      ...[1, 2, 4],
    ]);
  });

  const rows = Int32Array.of(0, 1, 2);
  it.each<[string, TokenSpec, TokenBlock]>([
    [
      'values',
      {
        kind: 'fields',
        vocabulary: 7,
        maxTokens: 3,
        fields: [
          { name: 'colour', type: 'categorical', firstId: 2, size: 3 },
          { name: 'size', type: 'numeric', firstId: 0, size: 0 },
          { name: 'kind', type: 'categorical', firstId: 5, size: 2 },
        ],
      },
      {
        count: 3,
        rows,
        offsets: Int32Array.of(0, 3, 6, 9),
        ids: Int32Array.of(2, 0, 6, 4, 1, 5, 1, 0, 0),
        values: Float32Array.of(0, 0.5, 0, 0, 0, 0, 0, -2, 0),
      },
    ],
    [
      'values',
      {
        kind: 'fields',
        vocabulary: 7,
        maxTokens: 10,
        fields: [
          ...Array.from({ length: 9 }, (_, i) => ({
            name: `name: letter ${i + 1}`,
            type: 'categorical' as const,
            firstId: 2,
            size: 3,
          })),
          { name: 'kind', type: 'categorical', firstId: 5, size: 2 },
        ],
      },
      {
        count: 3,
        rows,
        offsets: Int32Array.of(0, 10, 20, 30),
        ids: Int32Array.of(
          ...[3, 4, 3, 4, 3, 3, 3, 4, 3, 6],
          ...[4, 2, 1, 1, 1, 1, 1, 1, 1, 5],
          ...Array(9).fill(1),
          1,
        ),
        values: new Float32Array(30),
      },
    ],
    [
      'values',
      { kind: 'continuous', channels: 2, maxTokens: 3 },
      {
        count: 3,
        rows,
        offsets: Int32Array.of(0, 1, 4, 6),
        values: Float32Array.from({ length: 12 }, (_, i) => i + 1),
      },
    ],
    [
      'letters by position',
      { kind: 'discrete', vocabulary: 4, maxTokens: 4 },
      { count: 3, rows, offsets: Int32Array.of(0, 2, 6, 7), ids: Int32Array.of(3, 2, 1, 2, 3, 2, 2) },
    ],
  ])('that tokens tell are the same in a graph: %s, %o', async (name, spec, block) => {
    const state = await set(name).fit({ spec, block });
    const expected = await set(name).of({ spec, block }, state);
    const { made } = set(name);
    if (!('graph' in made)) throw new Error(`${name} has no graph`);
    const engine = await nodeEngine({ threads: 1 });
    const out = made.graph(spec, tokenInputs(spec, 'batch', spec.maxTokens));
    const executable = await engine.compile({ name, outputs: { out } });
    const results = { out: zeros('float32', [3, state.dimension]) };
    const feeds = tokenFeeds(packBatch(block, rows, 3, spec.maxTokens));
    const used =
      name === 'values' ? (spec.kind === 'fields' ? ['ids', 'values'] : ['values']) : ['ids', 'lengths'];
    await executable.run(Object.fromEntries(used.map((input) => [input, feeds[input]])), results);
    await executable.release();
    expect(results.out.data).toEqual(expected);
  });
});
