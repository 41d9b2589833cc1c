import { describe, expect, it } from 'vitest';
import { inspect, neighbors, pretrain } from '../index.js';
import { checkOptions } from './verb-options.js';

describe('options of a verb', () => {
  it.each([
    ['pretrain', {}, 'pretrain: data: expected a text, got nothing'],
    [
      'pretrain',
      { data: 'a', out: 'b', steps: 5 },
      'pretrain: steps: unknown option; known here are data, out, config',
    ],
    [
      'finetune',
      { run: 'a', data: 'b', target: ['y'], out: 'c' },
      'finetune: target: unknown option; did you mean targets?',
    ],
    ['neighbors', { run: 'a', data: 'b', out: 'c', k: '3' }, 'neighbors: k: expected a number, got "3"'],
    [
      'duplicates',
      { run: 'a', data: 'b', out: 'c', threshold: Number.NaN },
      'duplicates: threshold: expected a number, got NaN',
    ],
    ['rank', { runs: 'a', data: 'b', targets: ['y'] }, 'rank: runs: expected a list of texts, got "a"'],
    ['embed', { run: 'a', data: 'b', out: 'c', config: null }, 'embed: config: expected an object, got null'],
  ] as const)('%s refuses %j', (verb, options, message) => {
    expect(() => checkOptions(verb, options)).toThrow(message);
  });

  it('that are left out or undefined are none', () => {
    checkOptions('pretrain', { data: 'a', out: 'b', resume: undefined, step: undefined });
    checkOptions('fit', { data: 'a', targets: ['y'], out: 'b', run: ['c', 'd'], plugins: ['e'] });
    checkOptions('benchmarks');
  });

  it('are checked before anything is done', async () => {
    await expect(pretrain({ data: 'a', out: 'b', steps: 5 } as never)).rejects.toThrow(
      'steps: unknown option',
    );
    await expect(inspect(undefined as never)).rejects.toThrow('inspect: data: expected a text, got nothing');
    await expect(neighbors({ run: 'a', data: 'b', output: 'c' } as never)).rejects.toThrow(
      'neighbors: output: unknown option; known here are run, data, out',
    );
  });
});
