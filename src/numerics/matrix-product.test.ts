import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { nodeEngine } from '../engine/node.js';
import { random } from '../tensor/random.js';
import { engineIfLarge, product, withProduct } from './matrix-product.js';

describe('the product of two matrices', async () => {
  const engine = await nodeEngine({ threads: 1 });
  const size = fc.integer({ min: 1, max: 40 });

  it('is the same on the engine as in plain JavaScript, at any sizes', async () => {
    await withProduct(engine, (multiply) =>
      fc.assert(
        fc.asyncProperty(size, size, size, fc.nat(), async (m, n, inner, seed) => {
          const source = random(seed, 'matrix');
          // Small integers, whose sums are exact, in views that do not start where their buffers do.
          const draw = (length: number) =>
            Float32Array.from({ length: length + 3 }, () => source.integer(19) - 9).subarray(3);
          const [a, b] = [draw(m * inner), draw(n * inner)];
          expect(await multiply(a, b, inner)).toEqual(product(a, b, inner));
        }),
        { numRuns: 30 },
      ),
    );
  });

  it('frees the program also when its use fails, and needs none without an engine', async () => {
    const release = vi.fn(async () => {});
    const broken = { compile: async () => ({ run: async () => {}, release }) };
    const failing = withProduct(broken, () => Promise.reject(new Error('in use')));
    await expect(failing).rejects.toThrow('in use');
    expect(release).toHaveBeenCalledOnce();
    expect(await withProduct(undefined, async (multiply) => multiply)).toBe(product);
    expect([engineIfLarge(broken, 100), engineIfLarge(broken, 1e9), engineIfLarge(undefined, 1e9)]).toEqual([
      undefined,
      broken,
      undefined,
    ]);
  });
});
