/** The loss of softmax regression on the engine, for problems that are large. */
import type { Engine } from '../engine/engine.js';
import {
  exp,
  filled,
  gatherElements,
  input,
  logSoftmax,
  matmul,
  multiply,
  scalar,
  scatterElements,
  slice,
  subtract,
} from '../graph/index.js';
import { zeros } from '../tensor/tensor.js';

/**
 * Sum of a loss over rows at weights [width, columns]: adds its gradient by the weights to `gradient`, and for each logit
 * the sum of the second derivatives by it to `curvature` [width].
 */
export type LossSum = (
  weights: Float64Array,
  gradient: Float64Array,
  curvature: Float64Array,
) => number | Promise<number>;

/** Most rows of a run: their logits stay in the cache, and the gradient is summed in single precision over them alone. */
const MOST_ROWS = 1024;

/**
 * Gives `use` Σ −log softmax(W x)[label] on the engine, and frees it afterwards. Sums are single precision within blocks
 * of rows and double precision over them: relative errors are of about 1e-7.
 * @param rows float64[n, columns], of which the last column is 1
 * @param labels float64[n]: 0 … width − 1
 */
export async function withSoftmaxLoss<T>(
  engine: Engine,
  { rows, labels, width }: { rows: Float64Array; labels: Float64Array; width: number },
  use: (sum: LossSum) => Promise<T>,
): Promise<T> {
  const n = labels.length;
  const columns = rows.length / n;
  const size = Math.ceil(n / Math.ceil(n / MOST_ROWS));

  const x = input('x', 'float32', [size, columns]);
  const label = input('label', 'int32', [size, 1]);
  const w = input('weights', 'float32', [width, columns]);
  const logShares = logSoftmax(matmul(x, w, { transposeB: true }));
  const logLikelihood = gatherElements(logShares, label, 1);
  // The derivative by a logit is the share, less 1 for the label's. Written out, it is a fifth quicker than derived.
  const share = exp(logShares);
  const derivative = scatterElements(share, label, filled([size, 1], -1), 1, 'add');
  const gradient = matmul(derivative, x, { transposeA: true });
  const counted = slice(x, 1, columns - 1, columns);
  const curvature = matmul(counted, multiply(share, subtract(scalar(1), share)), { transposeA: true });
  const outputs = { logLikelihood, gradient, curvature };
  const executable = await engine.compile({ name: 'softmax regression', outputs });

  // Rows of zeros fill up the last block. They have no gradient and are not counted.
  const blocks = Array.from({ length: Math.ceil(n / size) }, (_, block) => {
    const [first, end] = [block * size, Math.min((block + 1) * size, n)];
    const [x, label] = [zeros('float32', [size, columns]), zeros('int32', [size, 1])];
    x.data.set(rows.subarray(first * columns, end * columns));
    label.data.set(labels.subarray(first, end));
    return { count: end - first, x, label };
  });
  const weights = zeros('float32', [width, columns]);
  const results = {
    logLikelihood: zeros('float32', [size, 1]),
    gradient: zeros('float32', [width, columns]),
    curvature: zeros('float32', [1, width]),
  };
  try {
    return await use(async (at, gradient, curvature) => {
      weights.data.set(at);
      let loss = 0;
      for (const { count, x, label } of blocks) {
        await executable.run({ x, label, weights }, results);
        for (let row = 0; row < count; row++) loss -= results.logLikelihood.data[row];
        add(gradient, results.gradient.data);
        add(curvature, results.curvature.data);
      }
      return loss;
    });
  } finally {
    await executable.release();
  }
}

function add(target: Float64Array, source: Float32Array): void {
  for (let i = 0; i < target.length; i++) target[i] += source[i];
}
