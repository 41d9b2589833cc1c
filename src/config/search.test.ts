import { describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import { readConfigText } from './parse.js';
import { parseSweep, withSettings } from './search.js';

const parse = (search: unknown, more: object = {}) => parseSweep({ ...more, search });

describe('what is searched', () => {
  it('is lists and ranges of keys, the ranges of the type of their key', () => {
    const { space, config } = parse(
      {
        'training.learning_rate': { from: 1e-4, to: 1e-2, log: true },
        'encoder.layers': { from: 1, to: 4 },
        'objective.kind': ['sma', 'byol'],
        'objective.tied_output': [true, false],
      },
      { training: { steps: 10 }, sweep: { method: 'random', trials: 3 } },
    );
    expect(space).toEqual([
      { key: 'training.learning_rate', from: 1e-4, to: 1e-2, log: true, integer: false },
      { key: 'encoder.layers', from: 1, to: 4, log: false, integer: true },
      { key: 'objective.kind', values: ['sma', 'byol'] },
      { key: 'objective.tied_output', values: [true, false] },
    ]);
    expect(config).toEqual({ training: { steps: 10 }, sweep: { method: 'random', trials: 3 } });
    expect(withSettings(config, { 'training.learning_rate': 0.002, 'encoder.layers': 2 })).toMatchObject({
      training: { steps: 10, learning_rate: 0.002 },
      encoder: { layers: 2 },
    });
  });

  it.each<[unknown, string]>([
    [
      undefined,
      'config: search: expected the keys to search with their values, got nothing; for example { training.learning_rate: [0.0003, 0.001] }',
    ],
    [{ 'training.step': [1] }, 'config: search.training.step: unknown key; did you mean training.steps?'],
    [
      { 'training.steps': [10, 0.5] },
      'config: search.training.steps: expected a whole number of at least 1, got 0.5; for example 10000',
    ],
    [
      { 'objective.kind': ['sma', 'smma'] },
      /^config: search\.objective\.kind: expected one of .*, got "smma"; did you mean sma\?$/ as never,
    ],
    [
      { 'objective.masking_ratio': { from: 0.1, to: 7 } },
      /^config: search\.objective\.masking_ratio: expected a number .*, got 7/ as never,
    ],
    [
      { 'training.learning_rate': { from: 0.1, to: 0.01 } },
      'config: search.training.learning_rate: expected a list of values, or { from: x, to: y, log: true } with x below y, got {"from":0.1,"to":0.01}',
    ],
    [
      { 'training.weight_decay': { from: 0, to: 0.01, log: true } },
      'config: search.training.weight_decay: a logarithmic range begins above 0, got 0',
    ],
    [{ 'training.seed': [1, 1] }, 'config: search.training.seed: expected different values, got [1,1]'],
    [
      { 'data.valid_fraction': [0.1, 0.2] },
      'config: search.data.valid_fraction: cannot be searched, since it says nothing of how is learned or changes what is judged; keys of tokenizer, encoder, objective, training can',
    ],
    [
      { 'training.steps': [5, 6] },
      'config: search.training.steps: is searched and given under training, too; keep one',
    ],
  ])('refuses %j', (search, message) => {
    const more = { training: message.toString().includes('too; keep one') ? { steps: 3 } : {} };
    expect(() => parse(search, more)).toThrow(InputError);
    expect(() => parse(search, more)).toThrow(message);
  });

  it('names the line of a mistake', () => {
    const text =
      'training: { steps: 5 }\nsearch:\n  training.learning_rate: [0.1]\n  objective.kindd: [sma]\n';
    const { value, where } = readConfigText(text, 'sweep.yaml');
    expect(() => parseSweep(value, where)).toThrow(
      'sweep.yaml:4:3: search.objective.kindd: unknown key; did you mean objective.kind?',
    );
  });
});
