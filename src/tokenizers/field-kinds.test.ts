import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MISSING_ID, PRESENT_ID } from '../records/token-block.js';
import { fields } from './fields.js';
import { restoreTokenizer } from './index.js';
import { numbers, records, seriesColumn, texts } from './tokenizer.case.js';

// biome-ignore lint/suspicious/noExplicitAny: read as someone without the types would.
type Json = any;

/** The ids and values of a record, from the state of the tokenizer alone. */
function byHand({ fields: columns, presentId, missingId, clip }: Json, record: Json): [number, number][] {
  const scaled = (x: number, mean: number, sd: number): [number, number] =>
    Number.isNaN(x) ? [missingId, 0] : [presentId, Math.min(clip, Math.max(-clip, (x - mean) / sd))];
  const fnv = (text: string) => {
    let hash = 2166136261n;
    for (let i = 0; i < text.length; i++)
      hash = ((hash ^ BigInt(text.charCodeAt(i))) * 16777619n) % 2n ** 32n;
    return hash;
  };
  const date = (seconds: number) => new Date(1000 * seconds);
  const turns: Json = {
    'time of day': (s: number) => (((s % 86400) + 86400) % 86400) / 86400,
    'day of week': (s: number) => ((date(s).getUTCDay() + 6) % 7) / 7,
    month: (s: number) => date(s).getUTCMonth() / 12,
  };
  return columns.flatMap((field: Json) => {
    const cell = record[field.name];
    switch (field.type) {
      case 'numeric':
        return [scaled(cell, field.mean, field.sd)];
      case 'date':
        return [
          scaled(cell, field.mean, field.sd),
          ...field.circles.flatMap(({ name }: Json) => {
            if (Number.isNaN(cell)) return [scaled(cell, 0, 1), scaled(cell, 0, 1)];
            const angle = 2 * Math.PI * turns[name](cell);
            return [scaled(Math.sin(angle), 0, 1), scaled(Math.cos(angle), 0, 1)];
          }),
        ];
      case 'categorical':
      case 'hashed': {
        const place = field.categories.indexOf(field.ignoreCase ? cell?.toLowerCase() : cell);
        if (place >= 0) return [[field.firstId + place, 0]];
        if (cell === null || field.type === 'categorical') return [[missingId, 0]];
        return [[field.firstBucketId + Number(fnv(cell) % BigInt(field.buckets)), 0]];
      }
      case 'text': {
        const places: number[] = [...(cell ?? '')].map((letter) => field.letters.indexOf(letter));
        const tokens = places.map((place) => (place < 0 ? field.otherId : field.firstLetterId + place));
        const all = cell === null ? [] : [...tokens, field.endId];
        return Array.from({ length: field.length }, (_, i) => [all[i] ?? missingId, 0]);
      }
      default:
        return field.means.map((mean: number, i: number) =>
          scaled(cell[i] ?? Number.NaN, mean, field.sds[i]),
        );
    }
  });
}

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

  it('are tokenized by hand from the state alone, as the page on tokenizers says', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { maxLength: 12 }),
        fc.array(row, { minLength: 1, maxLength: 3 }),
        async (train, rows) => {
          const tokenizer = await fitRows(train);
          const { ids, values } = tokenizer.encode(batchOf(rows));
          const expected = rows.flatMap((one) => byHand(JSON.parse(JSON.stringify(tokenizer)), one));
          expect([...ids!]).toEqual(expected.map(([id]) => id));
          for (const [i, [, value]] of expected.entries()) expect(values![i]).toBeCloseTo(value, 4);
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
