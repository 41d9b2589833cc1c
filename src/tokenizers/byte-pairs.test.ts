import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytePairs } from './byte-pairs.js';
import { restoreTokenizer } from './index.js';
import {
  croppings,
  numbers,
  records,
  rejections,
  texts,
  tokenizerCases,
  unknowns,
} from './tokenizer.case.js';

const sentences = [
  'The sailors rode the breeze clear of the rocks.',
  'The weights made the rope stretch over the pulley.',
  'The mechanical doll wriggled itself loose, and the rope with it.',
  'If you had eaten more, you would want less of the rest.',
];

const options = { columns: ['text'] };
const fitOn = (values: readonly (string | null)[], more = {}) =>
  bytePairs.fit([records({ text: texts(values) }, values.length)], { ...options, ...more });
const vocabulary = (size: number) => ({ own: { vocabulary: size } });
const tokensOf = (tokenizer: Awaited<ReturnType<typeof fitOn>>, text: string) =>
  [...tokenizer.encode(records({ text: texts([text]) }, 1)).ids!].map((id) => tokenizer.tokenLabel(0, id));

tokenizerCases('byte-pairs', {
  family: bytePairs,
  options,
  batch: records({ text: texts(sentences) }, sentences.length, 7),
  empty: records({ text: texts([]) }, 0),
});

describe('byte-pairs', () => {
  it('makes one token of a frequent word with the space before it, and of no two words', async () => {
    const tokenizer = await fitOn(sentences);
    expect(tokensOf(tokenizer, 'rode the rope')).toContain(' the');
    expect(tokensOf(tokenizer, 'theme').length).toBeGreaterThan(1);
    const { vocabulary: size } = tokenizer.spec as { vocabulary: number };
    const all = Array.from({ length: size - 2 }, (_, i) => tokenizer.tokenLabel(0, i + 2));
    expect(all.filter((token) => /\S\s/.test(token))).toEqual([]);
    expect(tokenizer.fitted).toMatchObject({ records: 4, 'different tokens': size - 2 });
    expect([0, 1].map((id) => tokenizer.tokenLabel(0, id))).toEqual(['padding', 'unknown']);
    expect(tokenizer.tokenLabel(4)).toBe('token 5');
  });

  it('does not cut texts of which most have no spaces', async () => {
    const tokenizer = await fitOn(['CC(=O)Nc1ccccc1', 'CC(=O)Nc1ccncc1', 'CC(=O)N']);
    expect(tokensOf(tokenizer, 'CC(=O)N')).toEqual(['CC(=O)N']);
  });

  it('learns as many tokens as it is told', async () => {
    expect((await fitOn(sentences, vocabulary(260))).spec).toMatchObject({ vocabulary: 2 + 260 });
    for (const size of [256, 65_001, 300.5])
      await expect(fitOn(sentences, vocabulary(size))).rejects.toThrow(
        `tokenizer.vocabulary must be a whole number from 257 to 65000, not ${size}`,
      );
  });

  const character = fc.integer({ min: 0, max: 0x10ffff }).map((point) => String.fromCodePoint(point));
  const text = fc.oneof(fc.string({ minLength: 1, unit: character }), fc.string({ minLength: 1 }));

  it('turns any text back, whatever it was fitted on, and counts its letters', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { minLength: 1 }),
        fc.array(text, { minLength: 1 }),
        async (some, others) => {
          const tokenizer = restoreTokenizer(
            JSON.parse(JSON.stringify(await fitOn(some, { maxTokens: 1000 }))),
          );
          for (const own of [...some, ...others]) {
            const { ids } = tokenizer.encode(records({ text: texts([own]) }, 1));
            expect(tokenizer.text!.read(ids!)).toBe(own);
            expect(ids!.reduce((sum, id) => sum + tokenizer.text!.letters(id), 0)).toBe([...own].length);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('shows a part of a letter by its bytes', async () => {
    const tokenizer = await fitOn(['é', 'ü']);
    expect(tokensOf(tokenizer, 'é')).toEqual(['<C3>', '<A9>']);
  });

  it('crops to maxTokens, by default the 99th percentile of tokens up to a multiple of 16', async () => {
    expect((await fitOn(sentences)).spec.maxTokens % 16).toBe(0);
    const tokenizer = await fitOn(['ab ab ab cd', 'ab'], { maxTokens: 2 });
    expect(tokensOf(tokenizer, 'ab ab ab cd')).toEqual(['ab', ' ab']);
    expect(tokenizer.fitted['records cropped']).toBe(1);
    expect(
      croppings(tokenizer, records({ text: texts(['ab ab', 'ab ab ab', '', 'abc', 'abcdcd']) }, 5)),
    ).toEqual(['1 text', '4 text']);
  });

  it('tells of a letter whose bytes no training record had, or makes its record bad', async () => {
    const tokenizer = await fitOn(['ab ba', 'ab']);
    const batch = records({ text: texts(['ab', 'aßb', null, '', 'xb']) }, 5, 100);
    expect(unknowns(tokenizer, batch)).toEqual(['101 text: ß', '104 text: x']);
    expect(rejections(tokenizer, batch, { unseen: 'reject' })).toEqual([
      '101 text: letter "ß" has bytes that no training record had',
      '102 text: the cell is missing',
      '103 text: the text is empty',
      '104 text: letter "x" has bytes that no training record had',
    ]);
    expect([...tokenizer.encode(batch, undefined, { unseen: 'reject' }).rows]).toEqual([100]);
  });

  it('learns from records that lie evenly in a file that has too many letters', async () => {
    const early = Array.from({ length: 50 }, (_, i) => `early${i} `.repeat(10_000));
    const late = Array.from({ length: 50 }, (_, i) => `later${i} `.repeat(10_000));
    const tokenizer = await fitOn([...early, ...late], { ...vocabulary(300), maxTokens: 16 });
    const sampled = tokenizer.fitted['records that merges are learned from'] as number;
    expect(sampled).toBeLessThan(100);
    expect(tokensOf(tokenizer, 'early1 later1').slice(0, 3)).toEqual(['early', '1', ' later']);
  });

  it('refuses what is no text, several columns, and options that are not its own', async () => {
    await expect(bytePairs.fit([records({ text: numbers([1]) }, 1)], options)).rejects.toThrow(
      'holds number values; the byte-pairs tokenizer reads text',
    );
    await expect(fitOn([null, ''])).rejects.toThrow(
      'column "text" is empty in all of the 2 training records',
    );
    await expect(fitOn(['C'], { columns: ['a', 'b'] })).rejects.toThrow('reads one column, not 2 (a, b)');
    await expect(fitOn(['C'], { maxTokens: 0 })).rejects.toThrow('tokenizer.max_tokens must be a whole');
    await expect(fitOn(['C'], { patch: 2 })).rejects.toThrow('tokenizer.patch');
  });

  it('refuses a merge of a token that is not there yet', async () => {
    const state = JSON.parse(JSON.stringify(await fitOn(sentences)));
    state.merges[0] = [256, 97];
    expect(() => restoreTokenizer(state)).toThrow('must each be of bytes and earlier merges');
  });

  it('refuses merges whose tokens no memory holds', async () => {
    const state = JSON.parse(JSON.stringify(await fitOn(sentences)));
    state.merges = Array.from({ length: 60 }, (_, rank) =>
      rank === 0 ? [97, 97] : [255 + rank, 255 + rank],
    );
    expect(() => restoreTokenizer(state)).toThrow('must make tokens of at most 64 MiB together');
  });
});
