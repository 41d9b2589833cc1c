import { describe, expect, it } from 'vitest';
import { describeMolecules } from '../molecules/descriptors.js';
import { takeRecords } from '../records/batch.js';
import type { TokenBlock } from '../records/token-block.js';
import { random } from '../tensor/random.js';
import { tokenizers } from '../tokenizers/index.js';
import { molecules, realRecords } from '../tokenizers/real-records.case.js';
import { records, texts } from '../tokenizers/tokenizer.case.js';
import { featureTargets } from './feature-targets.js';

const batch = records({ smiles: texts(molecules) }, molecules.length);
const tokenizer = await tokenizers.sequence.fit([batch], { columns: ['smiles'], maxTokens: 200, own: {} });
const block = tokenizer.encode(batch);
const all = Array.from({ length: block.count }, (_, record) => record);

/** The rows float32[dimension] of some records. */
async function rowsOf(targets: Awaited<ReturnType<typeof featureTargets>>, some: TokenBlock, of: number[]) {
  const { features, described } = await targets.of(some, of, of.length + 1);
  const { dimension } = targets;
  return {
    rows: of.map((_, row) => features.data.slice(row * dimension, (row + 1) * dimension) as Float32Array),
    described: [...described.data],
    rest: features.data.slice(of.length * dimension),
  };
}

describe('features that are predicted', () => {
  it('are those of the texts, standardised over the training records, without columns that do not vary', async () => {
    const targets = await featureTargets('descriptors', tokenizer, block);
    const { rows, described, rest } = await rowsOf(targets, block, all);
    expect(described).toEqual([...all.map(() => 1), 0]);
    expect(rest.every((value) => value === 0)).toBe(true);
    const { names, values } = await describeMolecules(molecules);
    expect(targets.dimension).toBeGreaterThan(50);
    expect(targets.dimension).toBeLessThan(names.length);
    for (let column = 0; column < targets.dimension; column++) {
      const own = rows.map((row) => row[column]);
      const mean = own.reduce((a, b) => a + b) / own.length;
      // A few values are brought in to six standard deviations.
      expect(Math.abs(mean)).toBeLessThan(0.1);
      expect(own.reduce((sum, value) => sum + value ** 2, 0) / own.length).toBeLessThan(1 + 1e-4);
    }
    // The first column that varies, by hand.
    const exact = names.indexOf('exactmw');
    const masses = molecules.map((_, row) => values[row * names.length + exact]);
    const mean = masses.reduce((a, b) => a + b) / masses.length;
    const deviation = Math.sqrt(masses.reduce((sum, mass) => sum + (mass - mean) ** 2, 0) / masses.length);
    expect(rows.map(([first]) => first)).toEqual(
      masses.map((mass) => expect.closeTo((mass - mean) / deviation, 4)),
    );
  });

  it('are the same of any block and at the second call, and missing where RDKit does not read the text', async () => {
    const targets = await featureTargets('fingerprints', tokenizer, block);
    const { rows } = await rowsOf(targets, block, all);
    const later = takeRecords(block, [5, 3]);
    expect((await rowsOf(targets, later, [1, 0])).rows).toEqual([rows[3], rows[5]]);
    const broken = tokenizer.encode(records({ smiles: texts(['CC(', 'CCO']) }, 2, 1000));
    const { described, rows: two } = await rowsOf(targets, broken, [0, 1]);
    expect(described).toEqual([0, 1, 0]);
    expect(two[0].every((value) => value === 0)).toBe(true);
  });

  it('are those that most records differ in, where there are many', async () => {
    const letters = 'ACDEFGHIKLMNPQRSTVWY';
    const { integer } = random(0, 'proteins');
    const chains = Array.from({ length: 400 }, () =>
      Array.from({ length: 90 }, () => letters[integer(20)]).join(''),
    );
    const proteins = records({ sequence: texts(chains) }, chains.length);
    const own = await tokenizers.sequence.fit([proteins], { columns: ['sequence'], maxTokens: 96, own: {} });
    const targets = await featureTargets('runs of letters', own, own.encode(proteins));
    expect(targets.dimension).toBe(2048);
    expect(targets.words).toMatch(/^runs of letters, 2048 of \d{4,5} columns/);
  });

  it('are refused in words where there are none, or others', async () => {
    await expect(featureTargets('letters', tokenizer, block)).rejects.toThrow(
      'training.feature_targets: "letters" does not suit these records; choose among descriptors, fingerprints',
    );
    const table = (await realRecords()).fields;
    await expect(featureTargets('values', table.tokenizer, table.block)).rejects.toThrow(
      'training.feature_targets: are features of texts, and the tokenizer fields reads none; leave it out',
    );
  });
});
