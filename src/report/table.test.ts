import { describe, expect, it } from 'vitest';
import { formatTable } from './table.js';

const header = ['method', 'ROC-AUC', 'seeds'];
const rows = [
  ['SMA', '0.812 ± 0.011', 5],
  ['untrained', '0.7 ± 0.1', 10],
];

describe('formatTable', () => {
  it('aligns columns for a terminal, numbers to the right', () => {
    expect(formatTable(header, rows)).toBe(
      [
        'method           ROC-AUC  seeds',
        '─────────  ─────────────  ─────',
        'SMA        0.812 ± 0.011      5',
        'untrained      0.7 ± 0.1     10',
      ].join('\n'),
    );
  });

  it('writes Markdown', () => {
    expect(formatTable(['a|b', 'n'], [['x', 1]], 'markdown')).toBe(
      '| a\\|b |   n |\n| ---- | --: |\n| x    |   1 |',
    );
  });

  it('takes missing cells, no rows, and letters outside ASCII', () => {
    expect(formatTable(['name', 'n'], [['größe 𝛼'], ['b', 2]]).split('\n')).toEqual([
      'name       n',
      '───────  ───',
      'größe 𝛼',
      'b          2',
    ]);
    expect(formatTable(['a'], [])).toBe('a\n───');
  });
});
