import { describe, expect, it } from 'vitest';
import { normals } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { InputError } from '../errors.js';
import { recordGroups } from '../learning/record-groups.js';
import { takeRecords } from '../records/batch.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import { clustersOf } from './g-simclr.js';
import { smallModel } from './objective.case.js';

const engine = await nodeEngine({ threads: 1 });
const real = await realRecords();

describe('clusters', () => {
  it('are what lies together, the same for one seed', async () => {
    const noise = normals('points', 60 * 2, 0.05);
    const points = Array.from({ length: 60 }, (_, i) => [
      (i % 3) * 4 + noise[2 * i],
      (i % 3) ** 2 + noise[2 * i + 1],
    ]);
    const found = await Promise.all([1, 2, 3, 4].map((seed) => clustersOf(points, 3, seed)));
    // Points drawn at random may begin in one heap; of some seeds, one finds all three.
    const separated = found.filter((clusters) => new Set(clusters.subarray(0, 3)).size === 3);
    expect(separated.length).toBeGreaterThan(0);
    for (const clusters of separated) for (let i = 0; i < 60; i++) expect(clusters[i]).toBe(clusters[i % 3]);
    expect(await clustersOf(points, 3, 1)).toEqual(found[0]);
  });
});

describe('the groups of G-SimCLR', () => {
  it.each(Object.entries(real))(
    'are few and hold copies together: %s tokens',
    async (_, { tokenizer, block }) => {
      const { spec } = tokenizer;
      const twice = takeRecords(
        block,
        Array.from({ length: 2 * block.count }, (_, i) => i % block.count),
      );
      const model = smallModel(spec, 'g-simclr', { clusters: 6 });
      const groups = (await recordGroups(engine, model, twice, { seed: 3 }))!;
      expect(groups.subarray(block.count)).toEqual(groups.subarray(0, block.count));
      expect(new Set(groups).size).toBeGreaterThan(1);
      expect(Math.max(...groups)).toBeLessThan(6);
    },
  );

  it('are no more than records', async () => {
    const { tokenizer, block } = real.fields;
    const model = smallModel(tokenizer.spec, 'g-simclr', { clusters: block.count + 1 });
    const groups = recordGroups(engine, model, block, { seed: 3 });
    await expect(groups).rejects.toThrow(InputError);
    await expect(groups).rejects.toThrow(
      `objective.clusters: expected at most ${block.count}, as many as records are clustered, got ${block.count + 1}`,
    );
  });
});
