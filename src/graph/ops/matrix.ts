import { broadcastShapes, partsOfSum, staticSize } from '../size.js';
import { apply, type Lowering, type Primitive, type Value } from '../value.js';
import { requireDtype } from './elementwise.js';
import { reshape, transpose } from './layout.js';
import { reduceTo } from './reduction.js';

/** Which operand has its last two axes exchanged. */
export interface MatmulAttributes {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly [key: string]: boolean;
}

const swapLastTwo = (rank: number): number[] =>
  Array.from({ length: rank }, (_, axis) => (axis < rank - 2 ? axis : 2 * rank - 3 - axis));

/** Transposes the last two axes. */
function lowerTransposed(lowering: Lowering, operand: string, rank: number): string {
  return lowering.emit('Transpose', [operand], { perm: swapLastTwo(rank) })[0];
}

/** aᵀ · b of two tall matrices as the sum of the products of their parts, which a device computes beside each other. */
function lowerInParts(
  lowering: Lowering,
  operands: readonly string[],
  results: readonly string[],
  inputs: readonly Value[],
  parts: number,
): void {
  const [a, b] = operands.map((operand, i) => {
    const [rows, columns] = inputs[i].shape.map(staticSize);
    return lowering.emit('Reshape', [operand, lowering.int64([parts, rows / parts, columns])])[0];
  });
  const products = lowering.emit('MatMul', [lowerTransposed(lowering, a, 3), b]);
  lowering.emit('ReduceSum', [...products, lowering.int64([0])], { keepdims: 0 }, results);
}

export const matrix = {
  matmul: {
    name: 'matmul',
    infer: ([a, b], { transposeA, transposeB }) => {
      requireDtype(a, 'float32');
      requireDtype(b, 'float32');
      if (a.shape.length < 2 || b.shape.length < 2) throw new Error('both need at least two axes');
      const rows = a.shape.at(transposeA ? -1 : -2)!;
      const innerA = a.shape.at(transposeA ? -2 : -1)!;
      const innerB = b.shape.at(transposeB ? -1 : -2)!;
      const columns = b.shape.at(transposeB ? -2 : -1)!;
      if (innerA !== innerB) throw new Error(`inner sizes ${innerA} and ${innerB} differ`);
      const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
      if (batch === undefined) throw new Error('leading sizes do not broadcast');
      return [{ dtype: 'float32', shape: [...batch, rows, columns] }];
    },
    lower: (lowering, [a, b], results, { inputs, attributes: { transposeA, transposeB } }) => {
      const [rankA, rankB] = inputs.map((value) => value.shape.length);
      if (rankA === 2 && rankB === 2 && transposeA && !transposeB && lowering.device === 'webgpu') {
        const parts = partsOfSum(inputs[0].shape[0]);
        if (parts > 1) {
          lowerInParts(lowering, [a, b], results, inputs, parts);
          return;
        }
      }
      if (rankA === 2 && rankB === 2 && (transposeA || transposeB)) {
        const attributes = { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0 };
        lowering.emit('Gemm', [a, b], attributes, results);
        return;
      }
      if ((transposeA || transposeB) && lowering.device === 'cpu') {
        // The runtime would fuse the product so itself, but for operands that it has joined with a transposition before.
        const attributes = { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0 };
        lowering.emit('com.microsoft.FusedMatMul', [a, b], attributes, results);
        return;
      }
      const left = transposeA ? lowerTransposed(lowering, a, rankA) : a;
      const right = transposeB ? lowerTransposed(lowering, b, rankB) : b;
      lowering.emit('MatMul', [left, right], undefined, results);
    },
    gradient: ({ inputs: [a, b], attributes: { transposeA, transposeB } }, [g]) => {
      const gradientA = transposeA
        ? multiplyMatrices(b, g!, { transposeA: transposeB, transposeB: true })
        : multiplyMatrices(g!, b, { transposeA: false, transposeB: !transposeB });
      const gradientB = transposeB
        ? multiplyMatrices(g!, a, { transposeA: true, transposeB: transposeA })
        : multiplyMatrices(a, g!, { transposeA: !transposeA, transposeB: false });
      return [reduceTo(gradientA, a.shape), reduceTo(gradientB, b.shape)];
    },
  } satisfies Primitive<MatmulAttributes>,
};

/** Columns of a stack are as many as these times those of the other, or more: it is much the wider one. */
const MUCH_WIDER = 2;
/** So few columns do not make up for what their product spends on transposing the other operand. */
const FEW_COLUMNS = 64;

/**
 * The product, where a stack aᵀ · b of a wide `a` and a narrow `b` is taken as (bᵀ · a)ᵀ: the runtime is slow to transpose
 * the wide operand of a product, which costs more than to transpose a narrow result.
 */
function multiplyMatrices(a: Value, b: Value, attributes: MatmulAttributes): Value {
  const { transposeA, transposeB } = attributes;
  const rank = a.shape.length;
  if (transposeA && !transposeB && rank > 2 && rank === b.shape.length) {
    const [columnsA, columnsB] = [a, b].map(({ shape }) => Number(shape[rank - 1]));
    if (columnsB <= FEW_COLUMNS && columnsA >= MUCH_WIDER * columnsB) {
      const product = apply(matrix.matmul, [b, a], attributes)[0];
      return transpose(product, swapLastTwo(rank));
    }
  }
  return apply(matrix.matmul, [a, b], attributes)[0];
}

/**
 * Matrix product over the last two axes, float32[…, n, k] × float32[…, k, m] → float32[…, n, m]; leading axes
 * broadcast. A product of a stack by one matrix is written as one larger product, whose gradient is one as well.
 */
export function matmul(
  a: Value,
  b: Value,
  { transposeA = false, transposeB = false }: { transposeA?: boolean; transposeB?: boolean } = {},
): Value {
  if (a.shape.length > 2 && b.shape.length === 2 && !transposeA) {
    const flat = multiplyMatrices(reshape(a, [-1, a.shape.at(-1)!]), b, { transposeA, transposeB });
    return reshape(flat, [...a.shape.slice(0, -1), flat.shape[1]]);
  }
  return multiplyMatrices(a, b, { transposeA, transposeB });
}
