import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { broadcastShapes, divideSizes, productOfSizes, type Size, sameShape, staticSize } from './size.js';

const number = fc.integer({ min: 1, max: 12 });
const size: fc.Arbitrary<Size> = fc.oneof(number, fc.constantFrom('batch', 'rows'));
const shape = fc.array(size, { maxLength: 4 });

describe('sizes', () => {
  it('multiply in any order', () => {
    fc.assert(
      fc.property(shape, shape, (a, b) => {
        expect(productOfSizes([...a, ...b])).toBe(productOfSizes([...b, ...a]));
        expect(productOfSizes([productOfSizes(a), productOfSizes(b)])).toBe(productOfSizes([...a, ...b]));
      }),
    );
  });

  it('are numbers where no name is left, and 1 of none', () => {
    fc.assert(
      fc.property(fc.array(number), (sizes) => {
        expect(productOfSizes(sizes)).toBe(sizes.reduce((product, factor) => product * factor, 1));
      }),
    );
    expect(productOfSizes([])).toBe(1);
    expect(productOfSizes([0, 'batch'])).toBe(0);
  });

  it('divide to what they were multiplied by', () => {
    fc.assert(
      fc.property(shape, shape, (a, b) => {
        expect(divideSizes(productOfSizes([...a, ...b]), productOfSizes(b))).toBe(productOfSizes(a));
      }),
    );
  });

  it('do not divide where something is left over', () => {
    expect(divideSizes(7, 2)).toBeUndefined();
    expect(divideSizes(8, 'batch')).toBeUndefined();
    expect(divideSizes('4*batch', 'rows')).toBeUndefined();
    expect(divideSizes('batch', '2*batch')).toBeUndefined();
    expect(divideSizes('batch*batch', 'batch')).toBe('batch');
  });

  it('are only numbers when they are known', () => {
    expect(staticSize(3)).toBe(3);
    expect(() => staticSize('batch')).toThrow('got "batch"');
  });
});

describe('broadcasting', () => {
  it('is commutative and associative, has [] and [1] as neutral shapes, and keeps its own result', () => {
    const loose = fc.array(fc.oneof(fc.constant(1), fc.constant(3), fc.constant('batch')), { maxLength: 3 });
    fc.assert(
      fc.property(loose, loose, loose, (a, b, c) => {
        const ab = broadcastShapes(a, b);
        expect(broadcastShapes(b, a)).toEqual(ab);
        expect(broadcastShapes(a, [])).toEqual(a);
        if (a.length > 0) expect(broadcastShapes(a, [1])).toEqual(a);
        const bc = broadcastShapes(b, c);
        if (ab && bc) expect(broadcastShapes(ab, c)).toEqual(broadcastShapes(a, bc));
        if (ab) expect(sameShape(broadcastShapes(ab, a) ?? [], ab)).toBe(true);
      }),
    );
  });

  it('refuses two sizes that are neither equal nor 1', () => {
    expect(broadcastShapes([2, 3], [4])).toBeUndefined();
    expect(broadcastShapes(['batch'], ['rows'])).toBeUndefined();
    expect(broadcastShapes(['batch', 1, 4], [5, 1])).toEqual(['batch', 5, 4]);
  });
});
