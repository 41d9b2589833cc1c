/**
 * Reading beside DuckDB alone: `npm run speed -- reading [ROWS]`. A CSV of ROWS × 29 numbers (1,000,000 by default) is parsed by DuckDB,
 * which adds up every column, or hands its chunks over; inspected; and tokenized whole, as in the first epoch of a run. In turns, in one process.
 */
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { DuckDBInstance } from '@duckdb/node-api';
import { fitSource } from '../dist/datasets/token-plan.js';
import { trainingBlocks } from '../dist/datasets/token-stream.js';
import { openSource } from '../dist/sources/open-source.js';
import { random } from '../dist/tensor/random.js';
import { inspect } from '../dist/verbs/inspect.js';

const COLUMNS = 29;
const REPEATS = 7;
const [count = '1000000'] = process.argv.slice(2);
const rows = Number(count);
if (!(Number.isSafeInteger(rows) && rows > 0)) {
  console.log('npm run speed -- reading [ROWS]');
  process.exit(count === '--help' ? 0 : 2);
}
const folder = await mkdtemp(join(tmpdir(), 'lacuna-reading-'));
try {
  const path = join(folder, 'numbers.csv');
  const file = createWriteStream(path);
  const names = Array.from({ length: COLUMNS }, (_, column) => `x${column}`);
  file.write(`${names.join(',')}\n`);
  const { uniform } = random(1, 'reading');
  for (let row = 0; row < rows; row++) {
    const line = `${names.map(() => (10 * uniform() - 5).toFixed(6)).join(',')}\n`;
    if (!file.write(line)) await new Promise((resolve) => file.once('drain', () => resolve(undefined)));
  }
  file.end();
  await finished(file);

  const duckdb = await (await DuckDBInstance.create(':memory:', { threads: '2' })).connect();
  const sums = names.map((name) => `sum(${name})`).join(', ');
  const source = await openSource(path);
  const { tokenizer, rule, parts } = await fitSource(source, {}, { valid: 0.05, test: 0 });
  const contenders = {
    'DuckDB, the sum of each column': async () => {
      await duckdb.runAndReadAll(`SELECT ${sums} FROM read_csv('${path}')`);
    },
    'DuckDB, every chunk fetched': async () => {
      const result = await duckdb.stream(`SELECT * FROM read_csv('${path}')`);
      for (let chunk = await result.fetchChunk(); chunk && chunk.rowCount > 0; ) {
        chunk = await result.fetchChunk();
      }
    },
    inspect: async () => {
      await inspect({ data: path });
    },
    'tokens of an epoch': async () => {
      const stream = { source, tokenizer, rule, parts, reject: () => {}, capacity: 1 << 25 };
      for await (const _ of trainingBlocks(stream));
    },
  };
  const seconds = Object.fromEntries(
    Object.keys(contenders).map((name) => [name, /** @type {number[]} */ ([])]),
  );
  for (let repeat = 0; repeat <= REPEATS; repeat++) {
    for (const [name, run] of Object.entries(contenders)) {
      const started = performance.now();
      await run();
      if (repeat > 0) seconds[name].push((performance.now() - started) / 1000);
    }
  }
  const median = (/** @type {number[]} */ values) => values.toSorted((a, b) => a - b)[values.length >> 1];
  const [alone] = Object.values(seconds).map(median);
  console.log(
    `${rows} × ${COLUMNS}, ${((await stat(path)).size / 2 ** 20).toFixed(0)} MiB; medians of ${REPEATS}`,
  );
  for (const [name, values] of Object.entries(seconds)) {
    const [low, high] = [Math.min(...values), Math.max(...values)].map((value) => value.toFixed(2));
    console.log(
      `${name.padEnd(32)} ${median(values).toFixed(2)} s (${low} – ${high}), ${(median(values) / alone).toFixed(2)} of DuckDB`,
    );
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
process.exit(0);
