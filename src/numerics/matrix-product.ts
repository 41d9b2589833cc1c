import type { Engine } from '../engine/engine.js';
import { input, matmul } from '../graph/index.js';
import { hostTensor, zeros } from '../tensor/tensor.js';
import { multiplyTransposed } from './matrix.js';

/** float32 a[m, inner] · b[n, inner]ᵀ → [m, n], all row-major. */
export type MatrixProduct = (
  a: Float32Array,
  b: Float32Array,
  inner: number,
) => Float32Array | Promise<Float32Array>;

/** From so many multiplications on a product is the engine's. Plain JavaScript does 1e9 a second. */
const LARGE = 1e7;

/** The engine, where there is one and a product is so large that its speed is worth more than double precision. */
export function engineIfLarge(engine: Engine | undefined, multiplications: number): Engine | undefined {
  return multiplications >= LARGE ? engine : undefined;
}

/** A product that is computed by an engine, or by {@link product}; `release` frees it. */
export interface OpenProduct {
  readonly multiply: MatrixProduct;
  release(): Promise<void>;
}

/** The engine's product, in single precision; without an engine, {@link product}. */
export async function openProduct(engine: Engine | undefined): Promise<OpenProduct> {
  if (engine === undefined) return { multiply: product, release: async () => {} };
  const [a, b] = [input('a', 'float32', ['m', 'inner']), input('b', 'float32', ['n', 'inner'])];
  const outputs = { out: matmul(a, b, { transposeB: true }) };
  const executable = await engine.compile({ name: 'product', outputs });
  return {
    async multiply(a, b, inner) {
      const [m, n] = [a.length / inner, b.length / inner];
      const out = zeros('float32', [m, n]);
      const feeds = { a: hostTensor('float32', [m, inner], a), b: hostTensor('float32', [n, inner], b) };
      await executable.run(feeds, { out });
      return out.data;
    },
    release: () => executable.release(),
  };
}

/** Gives `use` a product and frees it afterwards. */
export async function withProduct<T>(
  engine: Engine | undefined,
  use: (multiply: MatrixProduct) => Promise<T>,
): Promise<T> {
  const { multiply, release } = await openProduct(engine);
  try {
    return await use(multiply);
  } finally {
    await release();
  }
}

/** a · bᵀ in plain JavaScript, summed in double precision. */
export const product: MatrixProduct = (a, b, inner) => {
  const m = a.length / inner;
  const n = b.length / inner;
  const out = new Float64Array(m * n);
  multiplyTransposed(out, new Float64Array(a), new Float64Array(b), m, n, inner);
  return new Float32Array(out);
};
