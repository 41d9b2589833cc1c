import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadRiskMolecules } from '../demo/molecules.js';
import { pretrain } from './pretrain.js';
import { rank } from './rank.js';

let folder: string;
const at = (name: string) => join(folder, name);
const data = () => at('molecules.csv');

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-rank-'));
  const molecules = (await loadRiskMolecules()).filter((_, i) => i % 20 === 0);
  const lines = molecules.map(
    ({ smiles, mutagenic }) => `${smiles},${mutagenic ? 'yes' : 'no'},${smiles.length}`,
  );
  await writeFile(data(), `smiles,mutagenic,length\n${lines.join('\n')}\n`);
  for (const [name, kind, seed] of [
    ['a', 'random-masking', 0],
    ['b', 'sma', 1],
  ] as const)
    await pretrain({
      data: data(),
      out: at(name),
      config: {
        data: { columns: ['smiles'] },
        encoder: { kind: 'transformer', width: 16, layers: 1, heads: 2 },
        objective: { kind },
        training: { steps: 10, batch_size: 16, threads: 1, seed },
      },
    });
});
afterAll(() => rm(folder, { recursive: true }));

it('scores runs on the same labels, the one that promises most first, and writes nothing', async () => {
  const before = await readdir(at('a'));
  const asked = { runs: [at('a'), at('b')], data: data(), targets: ['mutagenic'] };
  const { task, runs, records, scores } = await rank(asked);
  expect(task).toBe('binary');
  expect(Object.keys(scores)).toEqual([
    'linear-probe',
    'nearest-neighbors',
    'logme',
    'sfda',
    'ped-logme',
    'ped-sfda',
    'tmi',
    'rankme',
    'lidar',
  ]);
  expect(runs.map(({ objective }) => objective).sort()).toEqual(['random-masking', 'sma']);
  for (const { scores: own } of runs)
    expect(Object.values(own).every((value) => typeof value === 'number')).toBe(true);
  const [first, second] = runs.map(({ scores: own }) => own['linear-probe'] ?? 0);
  expect(first).toBeGreaterThanOrEqual(second);
  expect(records).toBeGreaterThan(100);
  expect(await readdir(at('a'))).toEqual(before);
  // The order in which runs are named makes no difference to what they score.
  const turned = await rank({ ...asked, runs: [at('b'), at('a')] });
  expect(turned.runs).toEqual(runs);
});

it('ranks for numbers by the scores that need no classes', async () => {
  const { task, scores } = await rank({ runs: [at('a')], data: data(), targets: ['length'] });
  expect(task).toBe('regression');
  expect(Object.keys(scores)).toEqual(['linear-probe', 'nearest-neighbors', 'logme', 'rankme', 'lidar']);
});

it('refuses no run at all, and labels of which validation has one class alone', async () => {
  await expect(rank({ runs: [], data: data(), targets: ['mutagenic'] })).rejects.toThrow(
    'runs: expected at least one folder of a run, got none',
  );
  const lines = (await readFile(data(), 'utf8')).trim().split('\n');
  const column = lines[0].split(',').indexOf('mutagenic');
  const [, ...rows] = lines.map((line) => line.split(','));
  const parts = rows.map((cells, row) =>
    row % 3 > 0 ? 'train' : cells[column] === rows[0][column] ? 'valid' : 'test',
  );
  await writeFile(
    at('one.csv'),
    [`${lines[0]},part`, ...rows.map((cells, i) => `${cells.join(',')},${parts[i]}`), ''].join('\n'),
  );
  const asked = {
    runs: [at('a')],
    data: at('one.csv'),
    targets: ['mutagenic'],
    config: { split_column: 'part' },
  };
  await expect(rank(asked)).rejects.toThrow('is not defined on the validation part');
});
