import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { restoreTokenizer } from './index.js';
import { sequence } from './sequence.js';
import {
  croppings,
  numbers,
  records,
  rejections,
  texts,
  tokenizerCases,
  unknowns,
} from './tokenizer.case.js';

const molecules = [
  'Cc1cccc(N2CCN(C(=O)C34CC5CC(CC(C5)C3)C4)CC2)c1C',
  'Cn1ccnc1SCC(=O)Nc1ccc(Oc2ccccc2)cc1',
  'COc1cc2c(cc1NC(=O)CN1C(=O)NC3(CCc4ccccc43)C1=O)oc1ccccc12',
  'CCC1=[O+][Cu-3]2([O+]=C(CC)C1)[O+]=C(CC)CC(CC)=[O+]2',
];

/** The first residues of human ubiquitin, haemoglobin subunit alpha, insulin, and a designed protein. */
const proteins = [
  'MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDGRTLSDYNIQKESTLHLVLRLRGG',
  'MVLSPADKTNVKAAWGKVGAHAGEYGAEALERMFLSFPTTKTYFPHFDLSHGSAQVKGHGKKVADALTNAVAHVD',
  'MALWMRLLPLLALLALWGPDPAAAFVNQHLCGSHLVEALYLVCGERGFFYTPKTRREAEDLQVGQVELGGGPGAG',
  'DQSVRKLVRKLPDEGLDREKVKTYLDKLGVDREELQKFSDAIGLESSGGS',
];

const options = { columns: ['smiles'] };
const fitOn = (values: readonly (string | null)[], more = {}) =>
  sequence.fit([records({ smiles: texts(values) }, values.length)], { ...options, ...more });

tokenizerCases('sequence', {
  family: sequence,
  options,
  batch: records({ smiles: texts(molecules) }, molecules.length, 7),
  empty: records({ smiles: texts([]) }, 0),
});

describe('sequence', () => {
  it('has one token per letter, in order, that labels turn back into text', async () => {
    const tokenizer = await fitOn(proteins);
    const { count, ids, offsets } = tokenizer.encode(records({ smiles: texts(proteins) }, 4));
    const decoded = Array.from({ length: count }, (_, record) =>
      [...ids!.subarray(offsets[record], offsets[record + 1])]
        .map((id) => tokenizer.tokenLabel(0, id))
        .join(''),
    );
    expect(decoded).toEqual(proteins);
    expect(tokenizer.spec).toEqual({ kind: 'discrete', vocabulary: 2 + 20, maxTokens: 80 });
    expect(tokenizer.fitted).toMatchObject({
      'different letters': 20,
      'longest record': 76,
      'records cropped': 0,
    });
    expect([0, 1].map((id) => tokenizer.tokenLabel(0, id))).toEqual(['padding', 'unknown']);
    expect(tokenizer.tokenLabel(4)).toBe('letter 5');
  });

  const character = fc.integer({ min: 0, max: 0x10ffff }).map((point) => String.fromCodePoint(point));

  it('turns any text back', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ minLength: 1, unit: character }), { minLength: 1 }),
        async (values) => {
          const tokenizer = await fitOn(values, { maxTokens: 64 });
          const { ids } = restoreTokenizer(JSON.parse(JSON.stringify(tokenizer))).encode(
            records({ smiles: texts(values) }, values.length),
          );
          expect([...ids!].map((id) => tokenizer.tokenLabel(0, id)).join('')).toBe(values.join(''));
        },
      ),
      { numRuns: 30 },
    );
  });

  it('counts code points, also those beyond 16 bits and lone surrogates', async () => {
    const tokenizer = await fitOn(['a🧬b', '\ud800']);
    expect(tokenizer.spec).toMatchObject({ vocabulary: 2 + 4 });
    expect([...tokenizer.encode(records({ smiles: texts(['b🧬', '\ud800a']) }, 2)).ids!]).toEqual([
      3, 5, 4, 2,
    ]);
  });

  it('keeps case: aromatic and aliphatic carbon differ', async () => {
    const { ids } = (await fitOn(molecules)).encode(records({ smiles: texts(['Cc']) }, 1));
    expect(ids![0]).not.toBe(ids![1]);
  });

  it('rejects an empty text and a missing cell, an unknown letter if told to, and keeps the others', async () => {
    const tokenizer = await fitOn(['CCO', 'CN']);
    const batch = records({ smiles: texts(['CO', 'CCß', null, '', 'N']) }, 5, 100);
    const empty = ['102 smiles: the cell is missing', '103 smiles: the text is empty'];
    expect(rejections(tokenizer, batch)).toEqual(empty);
    expect(rejections(tokenizer, batch, { unseen: 'reject' })).toEqual([
      '101 smiles: letter "ß" at position 3 is not in the vocabulary (3 letters: C N O)',
      ...empty,
    ]);
    const block = tokenizer.encode(batch, undefined, { unseen: 'reject' });
    expect(block).toEqual({
      count: 2,
      offsets: Int32Array.from([0, 2, 3]),
      ids: Int32Array.from([2, 4, 3]),
      rows: Int32Array.from([100, 104]),
    });
  });

  it('crops to maxTokens, by default the 99th percentile of lengths up to a multiple of 16', async () => {
    const lengths = [...Array(99).fill(40), 3000];
    const tokenizer = await fitOn(lengths.map((length) => 'A'.repeat(length)));
    expect(tokenizer.spec.maxTokens).toBe(48);
    expect(tokenizer.fitted['records cropped']).toBe(1);
    expect((await fitOn(['A'])).spec.maxTokens).toBe(16);
    expect((await fitOn(['A'.repeat(9000)])).spec.maxTokens).toBe(512);
    const short = await fitOn(['ABC'], { maxTokens: 2 });
    expect([...short.encode(records({ smiles: texts(['CBA?']) }, 1)).ids!]).toEqual([4, 3]);
    expect(croppings(short, records({ smiles: texts(['AB', 'ABC', null, 'A😀']) }, 4, 10))).toEqual([
      '11 smiles',
    ]);
  });

  it('keeps the 1024 most frequent letters of a large alphabet; the others are unknown, not errors', async () => {
    const rare = Array.from({ length: 1500 }, (_, i) => String.fromCodePoint(0x4e00 + i)).join('');
    const frequent = 'AB'.repeat(3);
    const tokenizer = await fitOn([rare, frequent], { maxTokens: 2000 });
    expect(tokenizer.spec).toMatchObject({ vocabulary: 2 + 1024 });
    const batch = records({ smiles: texts([`A${String.fromCodePoint(0x4e00 + 1499)}!`]) }, 1);
    expect([...tokenizer.encode(batch).ids!]).toEqual([2, 1, 1]);
    expect(rejections(tokenizer, batch)).toEqual([]);
  });

  it('refuses what is no text, several columns, and options that are not its own', async () => {
    const batch = records({ smiles: numbers([1]) }, 1);
    await expect(sequence.fit([batch], options)).rejects.toThrow(
      'holds number values; the sequence tokenizer reads text',
    );
    await expect(fitOn([null, ''])).rejects.toThrow(
      'column "smiles" is empty in all of the 2 training records',
    );
    await expect(fitOn(['C'], { columns: ['a', 'b'] })).rejects.toThrow('reads one column, not 2 (a, b)');
    await expect(fitOn(['C'], { maxTokens: 0 })).rejects.toThrow(
      'tokenizer.max_tokens must be a whole number',
    );
    await expect(fitOn(['C'], { patch: 2 })).rejects.toThrow('tokenizer.patch');
  });
});

describe('restoreTokenizer', () => {
  it('names the kinds there are, and the key that is wrong', () => {
    for (const state of [null, 3, {}, { kind: 'toString' }]) {
      expect(() => restoreTokenizer(state)).toThrow(
        "a tokenizer's kind must be one of sequence, byte-pairs, fields, grid, series, not",
      );
    }
    expect(() => restoreTokenizer({ kind: 'sequence', version: 1, column: 3 })).toThrow('at column');
  });
});

describe('an unseen letter', () => {
  it('stands as unknown and is told of once a record, or makes the record bad', async () => {
    const tokenizer = await sequence.fit([records({ text: texts(['AB', 'BA']) }, 2)], { columns: ['text'] });
    const strange = records({ text: texts(['AXB', 'AB', '', 'YX🧬']) }, 4, 7);
    const kept = tokenizer.encode(strange);
    expect([...kept.ids!]).toEqual([2, 1, 3, 2, 3, 1, 1, 1]);
    expect([...kept.rows]).toEqual([7, 8, 10]);
    expect(unknowns(tokenizer, strange)).toEqual(['7 text: X', '10 text: Y']);
    expect([...tokenizer.encode(strange, undefined, { unseen: 'reject' }).ids!]).toEqual([2, 3]);
  });
});
