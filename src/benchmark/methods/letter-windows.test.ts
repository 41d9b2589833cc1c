import { describe, expect, it } from 'vitest';
import { evaluate, integers } from '../../engine/evaluate.case.js';
import { nodeEngine } from '../../engine/node.js';
import { letterWindows } from './letter-windows.js';

const engine = await nodeEngine({ threads: 1 });

describe('letterWindows', () => {
  it('lays out the letters around each position, and nothing beyond the ends of a record', async () => {
    const [vocabulary, width] = [5, 3];
    const { windows, real } = letterWindows({ kind: 'discrete', vocabulary, maxTokens: 8 }, 2, 4, width);
    // The second record has two letters; what fills its row up is no letter.
    const rows = [
      [2, 3, 4, 2],
      [4, 3, 2, 2],
    ];
    const lengths = [4, 2];
    const found = await evaluate(
      engine,
      { windows, real },
      { ids: integers([2, 4], rows.flat()), lengths: integers([2], lengths) },
    );
    expect(windows.shape).toEqual([2, 4, width * vocabulary]);
    const expected = rows.flatMap((ids, row) =>
      ids.flatMap((_, position) =>
        [-1, 0, 1].flatMap((offset) => {
          const place = position + offset;
          const inside = place >= 0 && place < lengths[row];
          return Array.from({ length: vocabulary }, (__, id) => (inside && ids[place] === id ? 1 : 0));
        }),
      ),
    );
    expect(found.windows).toEqual(expected);
    expect(found.real).toEqual([1, 1, 1, 1, 1, 1, 0, 0]);
  });
});
