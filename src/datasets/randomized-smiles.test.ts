import { describe, expect, it } from 'vitest';
import { loadRDKit, withMolecule } from '../molecules/rdkit.js';
import type { TokenBlock } from '../records/token-block.js';
import { tokenizers } from '../tokenizers/index.js';
import { randomizedSmiles } from './randomized-smiles.js';

const rdkit = await loadRDKit();
const texts = ['CC(=O)Oc1ccccc1C(O)=O', 'no molecule', 'CN1CCC[C@H]1c1cccnc1', 'CCO'];

async function* batches() {
  const letters = [...texts, '()[]=@Hh12345'];
  yield {
    rows: Int32Array.from(letters.keys()),
    columns: { smiles: { type: 'text' as const, values: letters } },
  };
}
const tokenizer = await tokenizers.sequence.fit(batches(), { columns: ['smiles'] });

/** The texts that a block was made of. */
const textsOf = ({ ids, offsets, count }: TokenBlock) =>
  Array.from({ length: count }, (_, record) =>
    Array.from(ids!.subarray(offsets[record], offsets[record + 1]), (id) => tokenizer.tokenLabel(0, id)).join(
      '',
    ),
  );
const canonical = (smiles: string) => withMolecule(rdkit, smiles, (molecule) => molecule.get_smiles());

describe('randomizedSmiles', () => {
  it('gives the records asked for, in their order, each as the same molecule, or as it is', async () => {
    const { blockOf, readable } = await randomizedSmiles(tokenizer, texts);
    const records = Int32Array.of(2, 1, 0);
    expect(readable(records)).toBe(2);
    for (let epoch = 0; epoch < 5; epoch++) {
      const drawn = textsOf(blockOf(records, 0, epoch));
      expect(drawn[1]).toBe('no molecule');
      expect([canonical(drawn[0]), canonical(drawn[2])]).toEqual([canonical(texts[2]), canonical(texts[0])]);
    }
  });

  it('draws by seed, epoch and record alone, whatever was drawn before and beside it', async () => {
    const one = await randomizedSmiles(tokenizer, texts);
    const drawn = [0, 1, 2, 3].map((epoch) => textsOf(one.blockOf(Int32Array.of(0, 2), 7, epoch)));
    expect(new Set(drawn.map(([aspirin]) => aspirin)).size).toBeGreaterThan(1);
    const other = await randomizedSmiles(tokenizer, texts);
    expect(textsOf(other.blockOf(Int32Array.of(2), 7, 3))).toEqual([drawn[3][1]]);
    expect(textsOf(other.blockOf(Int32Array.of(0, 2), 8, 0))).not.toEqual(drawn[0]);
  });

  it('refuses a run that does not read text', async () => {
    await expect(randomizedSmiles({ ...tokenizer, kind: 'fields', text: undefined }, texts)).rejects.toThrow(
      /molecules as SMILES text, with the sequence or byte-pairs tokenizer; this one has fields/,
    );
  });
});
