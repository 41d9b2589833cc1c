import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadCheckpoint } from '../runs/checkpoints.js';
import { random } from '../tensor/random.js';
import { finetune } from './finetune.js';
import { predict } from './predict.js';
import { pretrain } from './pretrain.js';
import { probe } from './probe.js';

const LETTERS = 'ACDEFG';
const parts = ['train', 'train', 'train', 'train', 'valid', 'test'];

/** The label of a letter says which half of the alphabet its right neighbour is from; the last letter has none. */
const label = (sequence: string) =>
  [...sequence].map((_, i) => (i + 1 === sequence.length ? '-' : sequence[i + 1] < 'D' ? 'L' : 'H')).join('');

interface Row {
  readonly sequence: string;
  readonly part: string;
  readonly label: string;
  readonly mask: string;
}

const source = random(0, 'sequences with labels');
const rows: Row[] = Array.from({ length: 240 }, (_, row) => {
  const sequence = Array.from({ length: 6 + source.integer(7) }, () => LETTERS[source.integer(6)]).join('');
  return {
    sequence,
    part: parts[row % parts.length],
    label: label(sequence),
    mask: '01'.padEnd(sequence.length, '1'),
  };
});

let folder: string;
const file = (name: string) => join(folder, name);
const write = (name: string, change: (row: Row) => string = ({ label: same }) => same) =>
  writeFile(
    file(name),
    [
      'sequence,split,label,mask',
      ...rows.map((row) => [row.sequence, row.part, change(row), row.mask].join(',')),
      '',
    ].join('\n'),
  );

const accuracyOf = (predicted: readonly string[], part: string) => {
  let [right, all] = [0, 0];
  rows.forEach((row, i) => {
    if (row.part !== part) return;
    [...row.label].forEach((own, token) => {
      if (own === '-' || row.mask[token] === '0') return;
      all++;
      if (predicted[i][token] === own) right++;
    });
  });
  return right / all;
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-per-token-'));
  await write('labelled.csv');
  for (const kind of ['transformer', 'perceiver'] as const) {
    await pretrain({
      data: file('labelled.csv'),
      out: file(kind),
      config: {
        data: { columns: ['sequence'] },
        encoder: { kind, width: 32, layers: 2, heads: 4, ...(kind === 'perceiver' && { latents: 16 }) },
        objective: { kind: 'random-masking' },
        training: { steps: 20, batch_size: 16, threads: 1 },
      },
    });
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const tune = (kind: string, out: string, options: object = {}, data = 'labelled.csv') =>
  finetune({
    run: file(kind),
    data: file(data),
    targets: ['label'],
    out: file(out),
    config: {
      task: 'per-token',
      mask_column: 'mask',
      seeds: 1,
      threads: 1,
      batch_size: 16,
      learning_rate: 5e-3,
      ...options,
    },
  });

describe.each(['transformer', 'perceiver'])('a %s with labels per token', (kind) => {
  it("learns what follows from a token's neighbour, and predicts what it scored", async () => {
    const { methods, task, metric } = await tune(kind, `${kind}-tuned`, { steps: 300 });
    expect({ task, metric }).toEqual({ task: 'per-token', metric: 'accuracy' });
    for (const { perSeed } of methods) expect(perSeed[0]).toBeGreaterThan(0.9);

    const out = file(`${kind}.csv`);
    const summary = await predict({ run: file(`${kind}-tuned`), data: file('labelled.csv'), out });
    expect(summary).toMatchObject({ rows: rows.length, rejected: 0 });
    const [header, ...lines] = (await readFile(out, 'utf8')).trim().split('\n');
    expect(header).toBe('row,label');
    const predicted = lines.map((line) => line.split(',')[1]);
    expect(predicted.map(({ length }) => length)).toEqual(rows.map(({ sequence }) => sequence.length));
    expect(accuracyOf(predicted, 'test')).toBeCloseTo(methods[0].perSeed[0], 12);
  });
});

describe('labels per token', () => {
  it('of the test part change nothing but the score', async () => {
    await write('flipped.csv', (row) =>
      row.part === 'test' ? row.label.replaceAll(/[LH]/g, (own) => (own === 'L' ? 'H' : 'L')) : row.label,
    );
    const options = { steps: 10, from_scratch: true };
    const plain = await tune('transformer', 'plain', options);
    const flipped = await tune('transformer', 'flipped', options, 'flipped.csv');
    expect(plain.methods[0].perSeed[0] + flipped.methods[0].perSeed[0]).toBeCloseTo(1, 12);
    const parameters = async (out: string) => {
      const [name] = await readdir(join(file(out), 'checkpoints'));
      return (await loadCheckpoint(join(file(out), 'checkpoints', name))).tensors;
    };
    expect(await parameters('flipped')).toEqual(await parameters('plain'));
  });

  it('are seen unasked, and no probe takes them', async () => {
    const asked = probe({ run: file('transformer'), data: file('labelled.csv'), targets: ['label'] });
    await expect(asked).rejects.toThrow(
      /one letter for each token, so per-token, and a probe .* use finetune/,
    );
  });

  it('are seen where one record has too few, which is bad', async () => {
    await write('short.csv', (row) => (row === rows[3] ? row.label.slice(1) : row.label));
    const { length } = rows[3].sequence;
    const options = { task: undefined, on_bad_record: 'fail' } as const;
    await expect(tune('transformer', 'short', options, 'short.csv')).rejects.toThrow(
      new RegExp(`record 3, column "label": .*${length - 1}.*${length}`),
    );
  });
});
