/** What a program does that has installed the package: run by `.ci/install` in an empty project. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { embed, pretrain } from 'lacuna';
import { encoders } from 'lacuna/encoders';
import { nodeEngine } from 'lacuna/engine';
import { input } from 'lacuna/graph';
import { linear } from 'lacuna/layers';
import { Trainer } from 'lacuna/learning';
import { objectives } from 'lacuna/objectives';
import { metrics } from 'lacuna/scoring';
import { tokenizers } from 'lacuna/tokenizers';

for (const named of [encoders, nodeEngine, input, linear, Trainer, objectives, metrics, tokenizers])
  assert.ok(named);

const rows = Array.from(
  { length: 80 },
  (_, row) => `${Math.cos(row)},${Math.sin(row)},${row % 2 ? 'odd' : 'even'}`,
);
await writeFile('numbers.csv', `first,second,parity\n${rows.join('\n')}\n`);
const summary = await pretrain({
  data: 'numbers.csv',
  out: 'run',
  config: {
    encoder: { width: 16, layers: 1, latents: 4, heads: 2 },
    training: { steps: 3, batch_size: 8, threads: 1 },
  },
});
assert.equal(summary.step, 3);
const embedded = await embed({ run: 'run', data: 'numbers.csv', out: 'embeddings.npy' });
assert.equal(embedded.rows, rows.length);
const bytes = await readFile('embeddings.npy');
assert.equal(bytes.length, 128 + 4 * 16 * rows.length);
