import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { InputError } from '../errors.js';
import { mergeOptions } from '../options.js';
import { checkOwnOptions, describeOptions, objectives, ownOptions } from './index.js';

describe('the options of objectives', () => {
  const option = { type: z.number(), description: 'a number', example: 1 };

  it('are those of each, and of all where several share a declaration', () => {
    const merged = mergeOptions(
      { a: { options: { x: option } }, b: { options: { x: option, y: option } } },
      'objective',
    );
    expect(merged).toEqual({ x: option, y: option });
    expect(Object.keys(mergeOptions(objectives, 'objective'))).toEqual(
      expect.arrayContaining(Object.values(objectives).flatMap(({ options }) => Object.keys(options))),
    );
  });

  it('refuse one key with two meanings', () => {
    expect(() =>
      mergeOptions({ a: { options: { x: option } }, b: { options: { x: { ...option } } } }, 'objective'),
    ).toThrow('objective b: option x is declared elsewhere; share that declaration');
  });

  it('of one objective are told from those of others', () => {
    const given = { masking_ratio: 0.4, per_query: 3 };
    expect(ownOptions('random-masking', given)).toEqual({ masking_ratio: 0.4 });
    expect(ownOptions('sma', given)).toEqual(given);
    expect(() => checkOwnOptions('sma', given)).not.toThrow();
    expect(() => checkOwnOptions('random-masking', given)).toThrow(
      new InputError(
        'objective.per_query: is not an option of random-masking, which has masking_ratio, decoder_heads, tied_output, singular_value_weight, diffusive_weight; leave it out, or choose another objective',
      ),
    );
  });

  it('are told in words', () => {
    const old = { kind: 'random-masking', masking_ratio: 0.4, per_query: 3, tied_output: false } as const;
    expect(describeOptions(old)).toBe('masking ratio 0.4, tied output false');
  });
});
