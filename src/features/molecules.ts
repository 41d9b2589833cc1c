import { InputError } from '../errors.js';
import { describeMolecules, descriptorNames } from '../molecules/descriptors.js';
import { morganFingerprints } from '../molecules/fingerprint.js';
import { type RawRecords, unfitted } from './feature-set.js';

const BITS = 2048;

function textsOf({ texts, block }: RawRecords): readonly string[] {
  if (texts?.length === block.count) return texts;
  throw new InputError(
    `features of molecules: expected a SMILES text for each of ${block.count} records, got ${texts?.length ?? 'none'}`,
  );
}

export const fingerprints = unfitted(
  'fingerprints',
  `Morgan fingerprints of radius 2 with ${BITS} bits`,
  () => BITS,
  async (records) => Float32Array.from((await morganFingerprints(textsOf(records), { bits: BITS })).values),
);

/** A text that RDKit refuses has zeros, as its fingerprint has. */
async function descriptorRows(records: RawRecords): Promise<{ width: number; values: Float32Array }> {
  const { names, values, unreadable } = await describeMolecules(textsOf(records));
  const width = names.length;
  for (const row of unreadable) values.fill(0, row * width, (row + 1) * width);
  return { width, values };
}

export const descriptors = unfitted(
  'descriptors',
  "RDKit's descriptors, counts of functional groups and of types of atoms, MACCS keys",
  async () => (await descriptorNames()).length,
  async (records) => (await descriptorRows(records)).values,
);

export const fingerprintsAndDescriptors = unfitted(
  'fingerprints and descriptors',
  `${BITS} bits of Morgan fingerprints beside the descriptors`,
  async () => BITS + (await descriptorNames()).length,
  async (records) => {
    const bits = await fingerprints.of(records, { name: '', dimension: BITS });
    const { width, values } = await descriptorRows(records);
    const rows = new Float32Array(records.block.count * (BITS + width));
    for (let row = 0; row < records.block.count; row++) {
      rows.set(bits.subarray(row * BITS, (row + 1) * BITS), row * (BITS + width));
      rows.set(values.subarray(row * width, (row + 1) * width), row * (BITS + width) + BITS);
    }
    return rows;
  },
);
