import fc from 'fast-check';
import { expect, it } from 'vitest';
import { spreadLabels } from './spread-labels.js';

it('leaves apart what is apart, and moves what is not', () => {
  expect(spreadLabels([0.2, 0.9], { gap: 0.1, low: 0, high: 1 })).toEqual([0.2, 0.9]);
  expect(spreadLabels([5, 5, 5], { gap: 1, low: 0, high: 9 })).toEqual([4, 5, 6]);
  expect(spreadLabels([4, 3, 3.5], { gap: 1, low: 0, high: 4 })).toEqual([4, 2, 3]);
  expect(spreadLabels([], { gap: 1, low: 0, high: 4 })).toEqual([]);
});

it('stays within the bounds, keeps the order, and keeps the gap where there is room', () => {
  const places = fc.array(fc.double({ min: -1, max: 2, noNaN: true }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(places, (wanted) => {
      const spread = spreadLabels(wanted, { gap: 0.1, low: 0, high: 1 });
      const apart = Math.min(0.1, 1 / Math.max(1, wanted.length - 1));
      const order = wanted.map((_, i) => i).sort((a, b) => wanted[a] - wanted[b]);
      for (const [k, i] of order.entries()) {
        expect(spread[i]).toBeGreaterThanOrEqual(-1e-9);
        expect(spread[i]).toBeLessThanOrEqual(1 + 1e-9);
        if (k > 0) expect(spread[i] - spread[order[k - 1]]).toBeGreaterThanOrEqual(apart - 1e-9);
      }
    }),
  );
});
