import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { permutation, philox, random } from './random.js';

const hex = (words: Uint32Array) => [...words].map((word) => word.toString(16).padStart(8, '0')).join(' ');

describe('philox', () => {
  // Known answers published with Random123 (kat_vectors, philox4x32 10 rounds).
  it('reproduces the published known answers', () => {
    const out = new Uint32Array(4);
    philox(out, [0, 0, 0, 0], [0, 0]);
    expect(hex(out)).toBe('6627e8d5 e169c58d bc57ac4c 9b00dbd8');
    const ones = 0xffffffff;
    philox(out, [ones, ones, ones, ones], [ones, ones]);
    expect(hex(out)).toBe('408f276d 41c83b0e a20bc7c6 6d5451fd');
    philox(out, [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]);
    expect(hex(out)).toBe('d16cfe09 94fdcceb 5001e420 24126ea1');
  });
});

describe('random', () => {
  it('is a pure function of seed, purpose and counter', () => {
    const draw = (seed: number, purpose: string, step: number, row: number) =>
      Array.from({ length: 5 }, random(seed, purpose, step, row).uniform);
    expect(draw(1, 'mask', 2, 3)).toEqual(draw(1, 'mask', 2, 3));
    for (const other of [
      draw(2, 'mask', 2, 3),
      draw(1, 'noise', 2, 3),
      draw(1, 'mask', 3, 3),
      draw(1, 'mask', 2, 4),
    ])
      expect(other).not.toEqual(draw(1, 'mask', 2, 3));
  });

  it('has the moments of the uniform and the normal distribution', () => {
    const n = 20000;
    const source = random(7, 'moments');
    const uniform = Array.from({ length: n }, source.uniform);
    const normal = Array.from({ length: n }, source.normal);
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / n;
    expect(Math.min(...uniform)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...uniform)).toBeLessThan(1);
    expect(mean(uniform)).toBeCloseTo(0.5, 1.9);
    expect(Math.abs(mean(normal))).toBeLessThan(0.03);
    expect(mean(normal.map((value) => value * value))).toBeCloseTo(1, 1);
  });
});

describe('permutation', () => {
  it('contains every index once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 200 }), fc.integer(), (n, seed) => {
        const order = permutation(n, random(seed, 'permutation'));
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
      }),
    );
  });
});
