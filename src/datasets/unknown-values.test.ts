import { describe, expect, it } from 'vitest';
import { UnknownValues } from './unknown-values.js';

describe('UnknownValues', () => {
  it('counts each record once and names the first values of each column', () => {
    const unknown = new UnknownValues('proteins.fasta');
    expect(unknown.summary('embedded')).toBeUndefined();
    expect(unknown.encoding).toMatchObject({ unseen: 'keep' });
    for (const [row, column, value] of [
      [0, 'seq', 'J'],
      [0, 'seq', 'O'],
      [7, 'seq', 'J'],
      [7, 'organism', 'yeast'],
    ] as const)
      unknown.encoding.onUnknown!(row, column, value);
    expect(unknown.count).toBe(2);
    expect(unknown.summary('embedded')).toBe(
      '2 records hold letters or categories that the run was not trained on (column seq: "J", "O"; column organism: "yeast"), first in record 0; they are embedded all the same; --on-unknown fail refuses them',
    );
  });

  it('lists five values at most', () => {
    const unknown = new UnknownValues('x');
    for (const [row, letter] of [...'ABCDEFG'].entries()) unknown.report(row, 's', letter);
    expect(unknown.summary('read')).toContain('(column s: "A", "B", "C", "D", "E", …)');
  });

  it('fails at the first where asked to, and leaves its record out where bad ones are skipped', () => {
    const strict = new UnknownValues('proteins.fasta', 'fail');
    expect(() => strict.encoding.onUnknown!(3, 'seq', 'J')).toThrow(
      /^proteins\.fasta: record 3, column "seq": "J" is no letter or category that the run was trained on; .*--on-unknown keep$/,
    );
    expect(new UnknownValues('x', 'fail', 'skip').encoding).toEqual({ unseen: 'reject' });
  });
});
