/** The machine's own rate, as a contender: a "step" is one 2048³ matrix product. `node speed/sgemm.mjs FOLDER THREADS` */
import { createInterface } from 'node:readline';
import { nodeEngine } from '../dist/engine/node.js';
import { input, matmul } from '../dist/graph/index.js';
import { zeros } from '../dist/tensor/tensor.js';

const SIZE = 2048;
const threads = Number(process.argv[3]);
const engine = await nodeEngine({ threads });
const [a, b] = ['a', 'b'].map((name) => input(name, 'float32', [SIZE, SIZE]));
const product = await engine.compile({ name: 'sgemm', outputs: { c: matmul(a, b) } });
const matrix = (/** @type {number} */ value) => {
  const result = zeros('float32', [SIZE, SIZE]);
  // Memory that was never written is mapped differently, and read at half the speed.
  result.data.fill(value);
  return result;
};
const [feeds, results] = [{ a: matrix(0.5), b: matrix(0.25) }, { c: matrix(0) }];
const say = (/** @type {object} */ message) => process.stdout.write(`${JSON.stringify(message)}\n`);
say({ version: `${SIZE}³`, operations: 2 * SIZE ** 3 });
for await (const line of createInterface({ input: process.stdin })) {
  /** @type {number[]} */
  const milliseconds = [];
  for (let i = 0; i < JSON.parse(line).steps; i++) {
    const started = performance.now();
    await product.run(feeds, results);
    milliseconds.push(performance.now() - started);
  }
  say({ milliseconds });
}
process.exit(0);
