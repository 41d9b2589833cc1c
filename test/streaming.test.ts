import { execFile } from 'node:child_process';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { molecules } from '../src/tokenizers/real-records.case.js';
import { pretrain } from '../src/verbs/pretrain.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-streaming-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const config = {
  tokenizer: { max_tokens: 40 },
  encoder: { width: 16, heads: 2, layers: 1, latents: 4 },
  data: { valid_fraction: 0.1 },
  training: { epochs: 2, batch_size: 8, threads: 1, valid_steps: 10, checkpoint_steps: 6 },
};

const learned = async (run: string) =>
  (await readFile(join(run, 'metrics.jsonl'), 'utf8'))
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const { step, epoch, loss, gradient_norm, val_loss } = JSON.parse(line);
      return { step, epoch, loss, gradient_norm, val_loss };
    });

describe('a file that is learned from block by block', () => {
  it('goes on exactly from the middle of any block, and an epoch is all of its blocks', async () => {
    const data = join(folder, 'molecules.csv');
    await writeFile(data, `smiles\n${Array.from({ length: 12 }, () => molecules.join('\n')).join('\n')}\n`);
    // The twelve copies of a molecule are in one part: about 150 training records of 20 tokens in blocks of 500.
    const options = { data, config, blockValues: 2000 };
    const whole = join(folder, 'whole');
    const { steps, rows } = await pretrain({ ...options, out: whole });
    expect(rows % 12).toBe(0);
    expect(rows).toBeGreaterThan(100);
    expect(rows).toBeLessThan(12 * molecules.length);
    expect(steps).toBe(2 * Math.floor(rows / 8));

    const stopped = join(folder, 'stopped');
    for (const stop of [3, 10, 11, 25, 40]) {
      const controller = new AbortController();
      const { interrupted } = await pretrain(
        { ...options, out: stopped, resume: stop > 3 },
        {
          signal: controller.signal,
          onEvent: (event) => {
            if (event.type === 'step' && event.step >= stop) controller.abort();
          },
        },
      );
      expect(interrupted).toBe(stop < steps);
    }
    await pretrain({ ...options, out: stopped, resume: true });
    const log = await learned(whole);
    expect(await learned(stopped)).toEqual(log);
    expect(log.map(({ step }) => step)).toEqual(Array.from({ length: steps + 1 }, (_, i) => i));
    // The end of a small block that fills no batch waits for another epoch's order.
    expect(log.at(-1)?.epoch).toBeLessThanOrEqual(2);
  });

  it('holds no more in memory for five times the records', async () => {
    const script = join(folder, 'peak.mjs');
    const built = (path: string) => JSON.stringify(new URL(`../dist/${path}`, import.meta.url).href);
    await writeFile(
      script,
      `import { openSource } from ${built('sources/open-source.js')};
      import { tokenizers } from ${built('tokenizers/index.js')};
      import { partition } from ${built('datasets/partition.js')};
      import { trainingBlocks, trainingRecords } from ${built('datasets/token-stream.js')};
      const source = await openSource(process.argv[2], { onBadRecord: 'fail', report() {} });
      const rule = { columns: ['sequence'], heldOut: { valid: 0.05, test: 0 } };
      const parts = await partition(source, rule);
      const records = trainingRecords(source.read(), parts);
      const tokenizer = await tokenizers.sequence.fit(records, { columns: ['sequence'] });
      let tokens = 0;
      let largest = 0;
      let held = 0;
      const options = { source, tokenizer, rule, parts, reject() {}, capacity: 1 << 18 };
      for await (const block of trainingBlocks(options, [])) {
        tokens += block.offsets[block.count];
        largest = Math.max(largest, block.offsets[block.count]);
        gc();
        const { heapUsed, arrayBuffers } = process.memoryUsage();
        held = Math.max(held, heapUsed + arrayBuffers);
      }
      console.log(JSON.stringify({ tokens, largest, held }));`,
    );
    /** Real residues, cut at different places, so that no two lines in a row are the same. */
    const residues = 'MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDGRTLSDYNIQKESTLHLVLRLRGG'.repeat(4);
    const measure = async (records: number) => {
      const path = join(folder, `${records}.csv`);
      const file = await open(path, 'w');
      await file.write('id,sequence\n');
      for (let start = 0; start < records; start += 1000) {
        const lines = Array.from({ length: 1000 }, (_, i) => `${start + i},${residues.slice(i % 70, 230)}\n`);
        await file.write(lines.join(''));
      }
      await file.close();
      const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', script, path]);
      return JSON.parse(stdout) as { tokens: number; largest: number; held: number };
    };
    const [few, many] = [await measure(20_000), await measure(100_000)];
    expect(many.tokens).toBeGreaterThan(4.9 * few.tokens);
    expect(many.largest).toBeLessThanOrEqual(1 << 18);
    // Held at once, the further tokens would take more than 50 MB.
    expect(many.held - few.held).toBeLessThan(10e6);
  });
});
