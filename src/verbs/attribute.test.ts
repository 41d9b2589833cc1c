import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadRiskMolecules } from '../demo/molecules.js';
import { attribute } from './attribute.js';
import { pretrain } from './pretrain.js';

let folder: string;
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-attribute-'));
  const molecules = (await loadRiskMolecules()).filter((_, i) => i % 20 === 0);
  const lines = molecules.map(
    ({ smiles, mutagenic }) => `${smiles},${mutagenic ? 'yes' : 'no'},${smiles.length}`,
  );
  await writeFile(at('molecules.csv'), `smiles,mutagenic,length\n${lines.join('\n')}\n`);
  await pretrain({
    data: at('molecules.csv'),
    out: at('run'),
    config: {
      data: { columns: ['smiles'] },
      encoder: { kind: 'transformer', width: 16, layers: 1, heads: 2 },
      objective: { kind: 'random-masking' },
      training: { steps: 10, batch_size: 16, threads: 1 },
    },
  });
});
afterAll(() => rm(folder, { recursive: true }));

it('writes for each prediction the training records it rests on, with their labels', async () => {
  const asked = { run: at('run'), data: at('molecules.csv'), out: at('why.csv'), k: 4, records: 6 };
  const summary = await attribute({ ...asked, targets: ['mutagenic'] });
  expect(summary).toMatchObject({ rows: 6, task: 'binary', moved: { n: 6 }, difference: { n: 6 } });
  const [header, ...lines] = (await readFile(at('why.csv'), 'utf8')).trim().split('\n');
  expect(header).toBe(
    'row,mutagenic=yes,moved,moved_at_random,rank,training_row,similarity,training_mutagenic',
  );
  expect(lines).toHaveLength(24);
  const cells = lines.map((line) => line.split(','));
  expect(cells.slice(0, 4).map(([, , , , rank]) => rank)).toEqual(['1', '2', '3', '4']);
  const labels = (await readFile(at('molecules.csv'), 'utf8')).trim().split('\n').slice(1);
  for (const [row, , , , , training, , label] of cells) {
    expect(training).not.toBe(row);
    expect(labels[Number(training)].split(',')[1]).toBe(label);
  }
  expect((await attribute({ ...asked, targets: ['length'] })).task).toBe('regression');
  await expect(attribute({ ...asked, targets: ['length'], k: 0 })).rejects.toThrow(
    'k: expected a whole number of at least 1, got 0',
  );
});
