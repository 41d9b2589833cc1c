import { describe, expect, it } from 'vitest';
import { EncodingLosses } from './encoding-losses.js';

describe('EncodingLosses', () => {
  it('counts each record once and names the first values of each column', () => {
    const losses = new EncodingLosses('proteins.fasta');
    expect(losses.summaries('embedded')).toEqual([]);
    expect(losses.encoding).toMatchObject({ unseen: 'keep' });
    for (const [row, column, value] of [
      [0, 'seq', 'J'],
      [0, 'seq', 'O'],
      [7, 'seq', 'J'],
      [7, 'organism', 'yeast'],
    ] as const)
      losses.encoding.onUnknown!(row, column, value);
    expect(losses.unknown).toBe(2);
    expect(losses.summaries('embedded')).toEqual([
      '2 records hold letters or categories that the run was not trained on (column seq: "J", "O"; column organism: "yeast"), first in record 0; they are embedded all the same; --on-unknown fail refuses them',
    ]);
  });

  it('lists five values at most', () => {
    const losses = new EncodingLosses('x');
    for (const [row, letter] of [...'ABCDEFG'].entries()) losses.encoding.onUnknown!(row, 's', letter);
    expect(losses.summaries('read')[0]).toContain('(column s: "A", "B", "C", "D", "E", …)');
  });

  it('fails at the first where asked to, and leaves its record out where bad ones are skipped', () => {
    const strict = new EncodingLosses('proteins.fasta', 'fail');
    expect(() => strict.encoding.onUnknown!(3, 'seq', 'J')).toThrow(
      /^proteins\.fasta: record 3, column "seq": "J" is no letter or category that the run was trained on; .*--on-unknown keep$/,
    );
    expect(new EncodingLosses('x', 'fail', 'skip').encoding).toMatchObject({ unseen: 'reject' });
  });

  it('counts the records whose end is not read', () => {
    const losses = new EncodingLosses('proteins.fasta', 'fail', 'skip');
    losses.encoding.onCropped!(3, 'seq');
    expect(losses.summaries('embedded')).toEqual([
      '1 record is longer than the run reads (column seq), first record 3; the beginning alone is embedded',
    ]);
    losses.encoding.onCropped!(3, 'note');
    losses.encoding.onCropped!(1200, 'note');
    expect(losses.summaries('read')).toEqual([
      '2 records are longer than the run reads (column seq, note), first record 3; the beginning alone is read',
    ]);
  });
});
