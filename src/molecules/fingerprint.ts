import { InputError } from '../errors.js';
import { loadRDKit, withMolecule } from './rdkit.js';

export interface FingerprintOptions {
  /** Bonds from an atom to the edge of its neighbourhood; 2 by default, which is known as ECFP4. */
  readonly radius?: number;
  /** Length of a fingerprint, a multiple of 8; 2048 by default. */
  readonly bits?: number;
}

export interface Fingerprints {
  /** uint8[molecules, bits]: 1 where a neighbourhood was hashed to the bit, else 0. */
  readonly values: Uint8Array;
  readonly bits: number;
  /** The places of texts that RDKit refuses, ascending; their rows are 0. */
  readonly unreadable: readonly number[];
}

/**
 * Morgan fingerprints (Rogers and Hahn, J. Chem. Inf. Model. 2010), without chirality: which neighbourhoods of atoms a
 * molecule has, hashed to bits. A row takes `bits` bytes. Throws InputError for a length that is no positive multiple of 8.
 */
export async function morganFingerprints(
  smiles: readonly string[],
  { radius = 2, bits = 2048 }: FingerprintOptions = {},
): Promise<Fingerprints> {
  if (!(bits > 0 && bits % 8 === 0)) {
    throw new InputError(`fingerprints: expected bits to be a multiple of 8, such as 2048, got ${bits}`);
  }
  const rdkit = await loadRDKit();
  const details = JSON.stringify({ radius, nBits: bits });
  const values = new Uint8Array(smiles.length * bits);
  const unreadable: number[] = [];
  for (const [row, text] of smiles.entries()) {
    const packed: Uint8Array | undefined = withMolecule(
      rdkit,
      text,
      (molecule) => molecule.get_morgan_fp_as_uint8array(details),
      { complexes: true },
    );
    if (packed === undefined) {
      unreadable.push(row);
      continue;
    }
    // The lowest bit of a byte is the first.
    for (let bit = 0; bit < bits; bit++) values[row * bits + bit] = (packed[bit >> 3] >> (bit & 7)) & 1;
  }
  return { values, bits, unreadable };
}
