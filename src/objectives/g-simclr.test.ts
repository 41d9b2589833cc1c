import { describe, expect, it } from 'vitest';
import { nodeEngine } from '../engine/node.js';
import { InputError } from '../errors.js';
import { recordGroups } from '../learning/record-groups.js';
import { takeRecords } from '../records/batch.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import { smallModel } from './objective.case.js';

const engine = await nodeEngine({ threads: 1 });
const real = await realRecords();

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
