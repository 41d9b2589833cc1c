import { describe, expect, it } from 'vitest';
import { MISSING_ID } from '../records/token-block.js';
import { hashString } from '../tensor/random.js';
import type { FieldKind } from './field.js';
import { fields } from './fields.js';
import { numbers, records, rejections, texts, unknowns } from './tokenizer.case.js';

const fitTexts = (values: readonly (string | null)[], kind: FieldKind) =>
  fields.fit([records({ c: texts(values) }, values.length)], { columns: ['c'], kinds: { c: kind } });
const column = (...values: (string | null)[]) => records({ c: texts(values) }, values.length);

describe('a column of booleans', () => {
  it('does not mind the case, in training or later', async () => {
    const tokenizer = await fitTexts(['true', 'FALSE', 'True'], 'boolean');
    expect(tokenizer.spec).toMatchObject({ vocabulary: 4 });
    const block = tokenizer.encode(column('TRUE', 'false', 'tRuE', null, 'maybe'));
    expect([...block.ids!]).toEqual([3, 2, 3, MISSING_ID, MISSING_ID]);
    expect(unknowns(tokenizer, column('TRUE', 'maybe'))).toEqual(['1 c: maybe']);
    expect(tokenizer.tokenLabel(0, 3)).toBe('c = true');
  });
});

describe('a column of categories', () => {
  it('keeps an unseen one as missing and tells of it, or makes its record bad', async () => {
    const tokenizer = await fitTexts(['Aldi', 'Coop'], 'category');
    const later = column('Coop', 'Spar', 'coop');
    expect([...tokenizer.encode(later).ids!]).toEqual([3, MISSING_ID, MISSING_ID]);
    expect(unknowns(tokenizer, later)).toEqual(['1 c: Spar', '2 c: coop']);
    expect(rejections(tokenizer, later, { unseen: 'reject' })).toEqual([
      '1 c: "Spar" was not seen in training (2 categories: Aldi, Coop)',
      '2 c: "coop" was not seen in training (2 categories: Aldi, Coop)',
    ]);
  });

  it('reads numbers as they are printed', async () => {
    const tokenizer = await fitTexts(['1', '2'], 'category');
    const block = tokenizer.encode(records({ c: numbers([2, Number.NaN]) }, 2));
    expect([...block.ids!]).toEqual([3, MISSING_ID]);
  });

  it('is hashed where training has more than 256, though the first records had fewer', async () => {
    const levels = Array.from({ length: 600 }, (_, i) => `zip ${i % 300}`);
    const tokenizer = await fitTexts(levels, 'category');
    expect(tokenizer.spec).toMatchObject({ vocabulary: 2 + 256 + 64 });
    expect(tokenizer.columns).toEqual(['c']);
  });
});

describe('a column of hashed categories', () => {
  it('has an id for the levels that come back, and a bucket for every other', async () => {
    const tokenizer = await fitTexts(['Rome', 'Bern', 'Rome', 'Bern', 'Oslo'], 'hashed');
    const [bern, rome, bucket] = [2, 3, 4];
    const later = column('Rome', 'Bern', 'Oslo', 'Lima', null);
    expect([...tokenizer.encode(later).ids!]).toEqual([
      rome,
      bern,
      bucket + (hashString('Oslo') % 64),
      bucket + (hashString('Lima') % 64),
      MISSING_ID,
    ]);
    expect(unknowns(tokenizer, later)).toEqual([]);
    expect(rejections(tokenizer, later, { unseen: 'reject' })).toEqual([]);
    expect(tokenizer.tokenLabel(0, rome)).toBe('c = Rome');
    expect(tokenizer.tokenLabel(0, bucket + 7)).toBe('c in bucket 7');
    expect(tokenizer.tokenLabel(0, MISSING_ID)).toBe('c missing');
  });

  it('keeps the most frequent levels among more than it counts at once', async () => {
    const rare = Array.from({ length: 150_000 }, (_, i) => (i % 10 === 0 ? `often ${i % 3}` : `once ${i}`));
    const tokenizer = await fitTexts(rare, 'hashed');
    expect(tokenizer.toJSON()).toMatchObject({
      fields: [{ categories: ['often 0', 'often 1', 'often 2'] }],
    });
  });
});
