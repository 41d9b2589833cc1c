/** Instead of `@rdkit/rdkit`, whose seven megabytes a page does not load. */
import { InputError } from '../../errors.js';

const refuse = () => {
  throw new InputError(
    'molecules are read by RDKit here, which a page does not have; leave out randomized SMILES and fingerprints, or use lacuna on the command line',
  );
};

export default { default: refuse };
