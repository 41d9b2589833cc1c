import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MISSING_ID, PRESENT_ID } from '../records/token-block.js';
import { fields } from './fields.js';
import { restoreTokenizer } from './index.js';
import { numbers, records, seriesColumn, texts } from './tokenizer.case.js';

describe('columns of every kind', () => {
  const letter = fc.constantFrom(...'ab e1ß🧬');
  const row = fc.record({
    amount: fc.option(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { nil: Number.NaN }),
    when: fc.option(fc.integer({ min: -1e10, max: 1e10 }), { nil: Number.NaN }),
    paid: fc.constantFrom('true', 'FALSE', 'True', null),
    shop: fc.option(fc.constantFrom('Aldi', 'Coop', 'Spar'), { nil: null }),
    street: fc.option(
      fc.array(letter, { maxLength: 4 }).map((letters) => letters.join('')),
      { nil: null },
    ),
    note: fc.option(
      fc.array(letter, { maxLength: 40 }).map((letters) => letters.join('')),
      { nil: null },
    ),
    point: fc.oneof(
      fc.tuple(fc.float({ min: -9, max: 9, noNaN: true }), fc.float({ min: -9, max: 9 })),
      fc.constant([]),
    ),
  });
  type Row = typeof row extends fc.Arbitrary<infer T> ? T : never;
  const kinds = {
    amount: 'number',
    when: 'date',
    paid: 'boolean',
    shop: 'category',
    street: 'hashed',
    note: 'text',
    point: 'vector',
  } as const;
  const batchOf = (rows: readonly Row[]) =>
    records(
      {
        amount: numbers(rows.map((one) => one.amount)),
        when: numbers(rows.map((one) => one.when)),
        paid: texts(rows.map((one) => one.paid)),
        shop: texts(rows.map((one) => one.shop)),
        street: texts(rows.map((one) => one.street)),
        note: texts(rows.map((one) => one.note)),
        point: seriesColumn(rows.map((one) => one.point)),
      },
      rows.length,
    );
  // Every column has a value, whatever is drawn beside it.
  const whole: Row = {
    amount: 3,
    when: 1.7e9,
    paid: 'true',
    shop: 'Aldi',
    street: 'ab',
    note: 'a1',
    point: [1, 2],
  };
  const fitRows = (rows: readonly Row[]) =>
    fields.fit([batchOf([whole, ...rows])], { columns: Object.keys(kinds), kinds });

  it('restored from JSON encode alike, a record whatever its batch holds, and never as NaN', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { maxLength: 12 }),
        fc.array(row, { minLength: 1, maxLength: 6 }),
        async (train, rows) => {
          const tokenizer = await fitRows(train);
          const { spec } = tokenizer;
          const restored = restoreTokenizer(JSON.parse(JSON.stringify(tokenizer)));
          const block = tokenizer.encode(batchOf(rows));
          expect(restored.encode(batchOf(rows))).toEqual(block);
          expect(restored.spec).toEqual(spec);
          expect(block.count).toBe(rows.length);
          expect(block.values!.every(Number.isFinite)).toBe(true);
          const alone = rows.map((one) => tokenizer.encode(batchOf([one])));
          expect(alone.flatMap(({ ids }) => [...ids!])).toEqual([...block.ids!]);
          expect(alone.flatMap(({ values }) => [...values!])).toEqual([...block.values!]);
          if (spec.kind !== 'fields') throw new Error('not a table');
          for (const [i, id] of block.ids!.entries()) {
            const { type, firstId, size } = spec.fields[i % spec.maxTokens];
            const own = type === 'numeric' ? id === PRESENT_ID : id >= firstId && id < firstId + size;
            expect(own || id === MISSING_ID, `${id} at ${i}`).toBe(true);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('have a state that says all ids, and labels for all tokens', async () => {
    const tokenizer = await fitRows([{ ...whole, when: 1.7e9 + 86_400 * 100, street: 'ab', paid: 'FALSE' }]);
    expect(tokenizer.toJSON()).toMatchObject({
      version: 2,
      presentId: 0,
      missingId: 1,
      clip: 10,
      fields: [
        { name: 'amount', type: 'numeric' },
        { name: 'when', type: 'date', circles: [{ name: 'day of week' }, { name: 'month' }] },
        { name: 'paid', type: 'categorical', firstId: 2, categories: ['false', 'true'], ignoreCase: true },
        { name: 'shop', type: 'categorical', firstId: 4, categories: ['Aldi'] },
        { name: 'street', type: 'hashed', firstId: 5, categories: ['ab'], firstBucketId: 6, buckets: 64 },
        {
          name: 'note',
          type: 'text',
          length: 4,
          endId: 70,
          otherId: 71,
          firstLetterId: 72,
          letters: ['1', 'a'],
        },
        { name: 'point', type: 'vector', means: [1, 2] },
      ],
      fitted: { 'numeric fields': 1, 'date fields': 1, 'categorical fields': 2, 'text fields': 1 },
    });
    const { spec } = tokenizer;
    expect(spec).toMatchObject({ vocabulary: 74, maxTokens: 1 + 5 + 1 + 1 + 1 + 4 + 2 });
    const labels = Array.from({ length: spec.maxTokens }, (_, position) => tokenizer.tokenLabel(position));
    expect(labels).toEqual([
      'amount',
      'when',
      'when: day of week, sine',
      'when: day of week, cosine',
      'when: month, sine',
      'when: month, cosine',
      'paid',
      'shop',
      'street',
      ...[1, 2, 3, 4].map((i) => `note: letter ${i}`),
      'point[0]',
      'point[1]',
    ]);
    const damaged = JSON.parse(JSON.stringify(tokenizer));
    damaged.fields[3].firstId = 2;
    expect(() => restoreTokenizer(damaged)).toThrow('the ids at fields.3 must begin with 4');
  });
});
