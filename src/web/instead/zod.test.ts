/** The schemas of the project as they are written, made by zod and by what stands for it in a page. */
import { describe, expect, it } from 'vitest';
import { z as full } from 'zod';
import { z as small } from './zod.js';

const schemas = (z: typeof full) => ({
  sizes: z.strictObject({
    steps: z.int().min(1).max(20),
    rate: z.number().gt(0).lt(1),
    sd: z.number().positive(),
  }),
  texts: z.object({ name: z.string().min(1).max(3), list: z.array(z.string()).min(1).max(2) }),
  kinds: z.discriminatedUnion('kind', [
    z.looseObject({ kind: z.literal('a'), more: z.boolean().optional() }),
    z.object({ kind: z.literal('b'), score: z.number().nullable() }),
  ]),
  parts: z
    .strictObject({ columns: z.array(z.string()), seed: z.int(), path: z.string() })
    .partial({ columns: true })
    .extend({
      hash: z
        .string()
        .min(1)
        .meta({ description: 'a hash', examples: ['x'] }),
    })
    .superRefine(({ seed }, context) => {
      if (seed > 5) context.addIssue({ code: 'custom', message: 'a small one', path: ['seed'] });
    }),
  wanted: z
    .strictObject({ kind: z.enum(['x', 'y']), size: z.int() })
    .partial()
    .required({ kind: true }),
  counts: z.object({ records: z.number().default(3) }).catchall(z.union([z.number(), z.string()])),
  table: z.record(z.string(), z.tuple([z.number(), z.unknown()]).readonly()),
  letters: z.array(z.string()).refine((all) => new Set(all).size === all.length, 'must be different'),
  pair: z
    .strictObject({ steps: z.int(), epochs: z.int() })
    .partial()
    .refine(({ steps, epochs }) => steps === undefined || epochs === undefined, {
      path: ['epochs'],
      error: 'they exclude each other',
    }),
});

const values: Readonly<Record<keyof ReturnType<typeof schemas>, readonly unknown[]>> = {
  sizes: [
    { steps: 1, rate: 0.5, sd: 1 },
    { steps: 0, rate: 0, sd: 0 },
    { steps: 21, rate: 1, sd: Number.NaN },
    { steps: 1.5, rate: '1', sd: Number.POSITIVE_INFINITY },
    { steps: 2 ** 60, rate: 0.5, sd: 1, other: 1 },
    [],
    null,
  ],
  texts: [{ name: 'ab', list: ['a'] }, { name: '', list: [] }, { name: 'abcd', list: ['a', 'b', 'c'] }, {}],
  kinds: [
    { kind: 'a', x: 1 },
    { kind: 'b', score: null },
    { kind: 'b' },
    { kind: 'c' },
    { kind: 'a', more: 1 },
  ],
  parts: [
    { seed: 1, path: 'p', hash: 'h' },
    { seed: 9, path: 'p', hash: 'h' },
    { columns: [1], hash: '' },
  ],
  wanted: [{ kind: 'x' }, {}, { kind: 'z', size: 0.5 }],
  counts: [{}, { records: 1, a: 'b' }, { records: 'x', a: null }],
  table: [{ a: [1, 'x'] }, { a: [1] }, { a: ['x', 1] }, 3],
  letters: [['a', 'b'], ['a', 'a'], [1]],
  pair: [{ steps: 1 }, { steps: 1, epochs: 1 }, { step: 1 }],
};

describe('the smaller zod of a page', () => {
  const [by, bySmall] = [schemas(full), schemas(small as unknown as typeof full)];
  const result = (schema: full.ZodType, value: unknown) => {
    const { success, data, error } = schema.safeParse(value);
    return { success, data, issues: error?.issues };
  };

  it.each(Object.keys(values) as (keyof typeof values)[])(
    'takes and refuses %s with the same words',
    (name) => {
      for (const value of values[name]) expect(result(bySmall[name], value)).toEqual(result(by[name], value));
    },
  );

  it('keeps what was told of a key', () => {
    const told = (schema: typeof by.parts) => full.globalRegistry.get(schema.shape.hash);
    expect(told(bySmall.parts)).toEqual({ description: 'a hash', examples: ['x'] });
    expect(told(by.parts)).toEqual(told(bySmall.parts));
  });
});
