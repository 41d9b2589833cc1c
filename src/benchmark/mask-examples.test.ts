import { expect, it } from 'vitest';
import { moderateTexts } from './mask-examples.js';

it('takes the first four different texts of moderate length that the encoder reads whole', () => {
  const text = (letter: string, length: number) => letter.repeat(length);
  const texts = [
    text('a', 17),
    text('b', 18),
    text('b', 18),
    text('c', 81),
    text('d', 80),
    text('e', 40),
    text('f', 40),
    text('g', 40),
  ];
  expect(moderateTexts(texts, 100).map((chosen) => chosen[0])).toEqual(['b', 'd', 'e', 'f']);
  expect(moderateTexts(texts, 40).map((chosen) => chosen[0])).toEqual(['b', 'e', 'f', 'g']);
});
