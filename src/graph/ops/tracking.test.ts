import { expect, it } from 'vitest';
import * as g from '../index.js';

it('what is tracked is found, once per parameter, in whatever depends on it', () => {
  const x = g.input('x', 'float32', [3]);
  const running = g.scope('norm', () => g.parameter('running', [3], { kind: 'constant', value: 0 }));
  const tracked = g.track(x, running);
  const loss = g.sumAll(g.multiply(g.exp(tracked), tracked));
  expect(g.trackedOf([loss])).toEqual([{ name: 'norm.running', value: tracked }]);
  expect(g.trackedOf([x])).toEqual([]);
  expect(g.parametersOf([loss]).map(({ name }) => name)).toEqual(['norm.running']);
});

it('a running value is a parameter of the same shape', () => {
  const x = g.input('x', 'float32', [3]);
  expect(() => g.track(x, x)).toThrow('the running value must be a parameter');
  const other = g.parameter('other', [4], { kind: 'constant', value: 0 });
  expect(() => g.track(x, other)).toThrow('the running value must be float32[3]');
});
