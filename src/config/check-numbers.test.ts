import { describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import { checkWhole, checkWithin } from './check-numbers.js';

describe('checkWhole', () => {
  it.each([2.5, '3', Number.NaN, 0, null])('refuses %j', (value) => {
    expect(() => checkWhole('k', value, 1)).toThrow(InputError);
  });
  it('says what arrived', () => {
    expect(() => checkWhole('k', '3', 1)).toThrow('k: expected a whole number of at least 1, got "3"');
    expect(() => checkWhole('k', Number.NaN, 1)).toThrow('got NaN');
  });
  it('passes whole numbers', () => checkWhole('k', 1, 1));
});

describe('checkWithin', () => {
  it.each([Number.NaN, 5, '0.5', undefined])('refuses %j', (value) => {
    expect(() => checkWithin('threshold', value, -1, 1)).toThrow(InputError);
  });
  it('passes both ends', () => {
    for (const value of [-1, 0.5, 1]) checkWithin('threshold', value, -1, 1);
  });
});
