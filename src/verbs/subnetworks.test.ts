import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { UserConfig } from '../config/schema.js';
import { checkpointPath } from '../runs/checkpoints.js';
import { molecules } from '../tokenizers/real-records.case.js';
import { pretrain } from './pretrain.js';

let folder: string;
let data: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-subnetworks-'));
  data = join(folder, 'molecules.csv');
  await writeFile(data, `smiles\n${[...molecules, ...molecules].join('\n')}\n`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const STEPS = 12;
const config: UserConfig = {
  data: { columns: ['smiles'] },
  encoder: { kind: 'transformer', width: 8, heads: 2, layers: 3 },
  objective: { kind: 'random-masking' },
  training: { steps: STEPS, batch_size: 4, threads: 1, checkpoint_steps: 3, subnetworks: 0.5 },
};

/** Pretrains; with `until` it is interrupted after so many steps. */
async function run(name: string, { until, resume }: { until?: number; resume?: boolean } = {}) {
  const stop = new AbortController();
  const messages: string[] = [];
  const out = join(folder, name);
  await pretrain(
    { data, out, config, resume },
    {
      signal: stop.signal,
      onEvent(event) {
        if ('message' in event) messages.push(event.message);
        if (event.type === 'step' && event.step === until) stop.abort();
      },
    },
  );
  return { bytes: await readFile(checkpointPath(out, until ?? STEPS)), messages };
}

it('trains parts of a network, says what that saves, and goes on to the same bits', async () => {
  const whole = await run('whole');
  expect(whole.messages.join('\n')).toMatch(
    /two thirds of the steps train a part of the network: \d+ % fewer operations/,
  );
  await run('stopped', { until: 5 });
  const resumed = await run('stopped', { resume: true });
  expect(resumed.bytes.equals(whole.bytes)).toBe(true);
});
