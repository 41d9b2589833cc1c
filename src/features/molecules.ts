import { InputError } from '../errors.js';
import { describeMolecules, descriptorNames } from '../molecules/descriptors.js';
import { morganFingerprints } from '../molecules/fingerprint.js';
import { type FeatureSet, type RawRecords, unfitted } from './feature-set.js';

const BITS = 2048;

function textsOf({ texts, block }: RawRecords): readonly string[] {
  if (texts?.length === block.count) return texts;
  throw new InputError(
    `features of molecules: expected a SMILES text for each of ${block.count} records, got ${texts?.length ?? 'none'}`,
  );
}

const FINGERPRINT = `Morgan fingerprint of radius 2 without chirality, by RDKit, ${BITS} bits: 1 where a neighbourhood is hashed to the bit, else 0.`;
const DESCRIPTORS =
  "RDKit's descriptors (get_descriptors of @rdkit/rdkit; 0 where not finite), the number of each functional group (fr_…, those of RDKit's Fragments), the number of atoms of each type of Crippen's, and the MACCS keys, 0 or 1.";
const REFUSED = ' A SMILES that RDKit refuses has zeros.';
const bitNames = Array.from({ length: BITS }, (_, bit) => `bit ${bit}`);

const ofMolecules = (...about: Parameters<typeof unfitted>): FeatureSet => ({
  ...unfitted(...about),
  zeros: 'text that RDKit does not read as a molecule',
});

export const fingerprints = ofMolecules(
  'fingerprints',
  `Morgan fingerprints of radius 2 with ${BITS} bits`,
  () => BITS,
  async (records) => Float32Array.from((await morganFingerprints(textsOf(records), { bits: BITS })).values),
  { of: 'text', columns: () => ({ computation: FINGERPRINT + REFUSED, names: bitNames }) },
);

/** A text that RDKit refuses has zeros, as its fingerprint has. */
async function descriptorRows(records: RawRecords): Promise<{ width: number; values: Float32Array }> {
  const { names, values, unreadable } = await describeMolecules(textsOf(records));
  const width = names.length;
  for (const row of unreadable) values.fill(0, row * width, (row + 1) * width);
  return { width, values };
}

export const descriptors = ofMolecules(
  'descriptors',
  "RDKit's descriptors, counts of functional groups and of types of atoms, MACCS keys",
  async () => (await descriptorNames()).length,
  async (records) => (await descriptorRows(records)).values,
  {
    of: 'text',
    columns: async () => ({ computation: DESCRIPTORS + REFUSED, names: await descriptorNames() }),
  },
);

export const fingerprintsAndDescriptors = ofMolecules(
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
  {
    of: 'text',
    columns: async () => ({
      computation: `${FINGERPRINT} Then ${DESCRIPTORS}${REFUSED}`,
      names: [...bitNames, ...(await descriptorNames())],
    }),
  },
);
