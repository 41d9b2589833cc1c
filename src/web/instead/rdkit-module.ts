/** Instead of `@rdkit/rdkit`, whose seven megabytes a page does not load. */
import { InputError } from '../../errors.js';

const refuse = () => {
  throw new InputError(
    'molecules are read by RDKit here, which a page does not have; leave out randomized and canonical SMILES and fingerprints, or use lacuna on the command line, where a run that learned by canonical SMILES is read, too',
  );
};

export default { default: refuse };
