/** Instead of `molecules/descriptors.ts`, which needs RDKit: texts that are molecules count as texts. */
import { InputError } from '../../errors.js';

export const isMolecule = async (): Promise<boolean> => false;

const refuse = (): never => {
  throw new InputError('a page has no RDKit, which describes molecules; use lacuna on the command line');
};
export const describeMolecules = refuse;
export const descriptorNames = refuse;
