import { describe, expect, it } from 'vitest';
import { printable } from './printable.js';
import { createProgress } from './progress.js';

describe('printable', () => {
  it.each([
    ['\u001b[2J\u001b]0;title\u0007', '\\u001b[2J\\u001b]0;title\\u0007'],
    ['a\rb\u0000\u009b\u007f', 'a\\u000db\\u0000\\u009b\\u007f'],
    ['\u202egnp.exe\u2066', '\\u202egnp.exe\\u2066'],
    ['one\u2028line', 'one\\u2028line'],
  ])('escapes %j', (text, expected) => {
    expect(printable(text)).toBe(expected);
  });

  it.each(['two\nlines\tand more', 'µ – ≤ 蛋白质 👩‍🔬', 'C:\\u\\x'])('leaves %j as it is', (text) => {
    expect(printable(text)).toBe(text);
  });
});

it('what a file says does not reach the terminal as more than text, and colours do', () => {
  let written = '';
  const stream = {
    isTTY: true,
    columns: 120,
    write: (text: string) => {
      written += text;
    },
  };
  const progress = createProgress(stream, {});
  progress.show({ type: 'warning', message: 'column "\u001b[31mred" is empty' });
  expect(written).toContain('column "\\u001b[31mred" is empty');
  expect(written).toContain('\u001b[33mwarning:');
});
