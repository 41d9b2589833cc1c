import { describe, expect, it } from 'vitest';
import { morganFingerprints } from './fingerprint.js';

const ASPIRIN = 'CC(=O)Oc1ccccc1C(=O)O';
const ALANINE = 'C[C@H](N)C(=O)O';
const onBits = (values: Uint8Array) => [...values.entries()].flatMap(([bit, value]) => (value ? [bit] : []));

describe('morganFingerprints', () => {
  it('sets the bits that RDKit sets in Python, and none for what is no molecule', async () => {
    const { values, bits, unreadable } = await morganFingerprints([ASPIRIN, 'C1CC', ALANINE]);
    expect([bits, values.length, unreadable]).toEqual([2048, 3 * 2048, [1]]);
    expect(onBits(values.subarray(0, 2048))).toEqual([
      389, 456, 650, 695, 807, 909, 1017, 1035, 1047, 1057, 1088, 1199, 1380, 1410, 1447, 1468, 1616, 1729,
      1750, 1775, 1873, 1917, 1970, 1991,
    ]);
    expect(onBits(values.subarray(2048, 4096))).toEqual([]);
    expect(onBits(values.subarray(4096))).toEqual([
      1, 132, 283, 389, 473, 650, 786, 807, 1057, 1171, 1844, 1917,
    ]);
    expect(new Set(values)).toEqual(new Set([0, 1]));
  });

  it('has another radius and length', async () => {
    const { values } = await morganFingerprints([ASPIRIN], { radius: 1, bits: 256 });
    expect(values).toHaveLength(256);
    expect(onBits(values)).toEqual([
      11, 33, 39, 64, 81, 100, 125, 133, 138, 178, 183, 193, 199, 200, 214, 249,
    ]);
  });

  it('refuses a length that is no multiple of 8', async () => {
    await expect(morganFingerprints([ASPIRIN], { bits: 100 })).rejects.toThrow(/bits.*multiple of 8.*100/);
  });
});
