/** Whether a device would compute a network sooner than the CPU, from what both take for small programs. */
import { matmul, type Program, parameter, reachableNodes, sumAll, tanh, type Value } from '../graph/index.js';
import { productOperations } from '../graph/operations.js';
import { hostTensor, zeros } from '../tensor/tensor.js';
import type { Engine } from './engine.js';

/** How fast a device is. */
export interface Rates {
  /** Floating-point operations a second, in products of matrices. */
  readonly products: number;
  /** Seconds for a run by itself: a megabyte there, a number back. */
  readonly run: number;
  /** Seconds for an operator on next to nothing. */
  readonly launch: number;
}

/** What is computed again and again. */
export interface Work {
  /** Of the forward pass. */
  readonly outputs: readonly Value[];
  /** Times that as much is computed: 1, or 3 with the gradient. */
  readonly passes: number;
}

const SIDE = 512;
const PRODUCTS = 4;
const LAUNCHES = 100;
const RUNS = 5;
/** A device that has taken so many milliseconds is not asked again. */
const ENOUGH = 250;

/** Measures a device; the programs read the same matrix, so that the time of a run itself is told apart. */
export async function measureRates(compiler: Pick<Engine, 'compile'>): Promise<Rates> {
  const x = parameter('x', [SIDE, SIDE], { kind: 'constant', value: 0 });
  const parameters = { x: hostTensor('float32', [SIDE, SIDE], new Float32Array(SIDE * SIDE).fill(1 / SIDE)) };
  const repeated = (times: number, value: Value, then: (value: Value) => Value): Value =>
    times === 0 ? value : repeated(times - 1, then(value), then);
  const seconds = async (output: Value): Promise<number> => {
    const program: Program = { name: 'rate', outputs: { output } };
    const executable = await compiler.compile(program);
    const results = { output: zeros('float32', []) };
    const times: number[] = [];
    for (let spent = 0; times.length < RUNS && spent < ENOUGH; spent += times[times.length - 1]) {
      const begun = performance.now();
      await executable.run(parameters, results);
      times.push(performance.now() - begun);
    }
    await executable.release();
    return Math.min(...times) / 1000;
  };
  const alone = await seconds(sumAll(x));
  const launches = await seconds(repeated(LAUNCHES, sumAll(x), tanh));
  const products = await seconds(sumAll(repeated(PRODUCTS, x, (y) => matmul(y, x))));
  const least = 1e-6;
  return {
    run: alone,
    products: (PRODUCTS * 2 * SIDE ** 3) / Math.max(products - alone, least),
    launch: Math.max(launches - alone, least) / LAUNCHES,
  };
}

/** About how many seconds the work takes. */
export function estimatedSeconds({ outputs, passes }: Work, { run, products, launch }: Rates): number {
  const launches = reachableNodes(outputs).filter(({ kind }) => kind === 'operation').length;
  return run + passes * (productOperations(outputs) / products + launches * launch);
}
