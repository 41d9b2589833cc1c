/** Instead of `yaml`: a page gives its configuration as an object. */
import { InputError } from '../../errors.js';

export class LineCounter {}
const refuse = (): never => {
  throw new InputError('a page reads no YAML; give the configuration as an object');
};
export const parseDocument = refuse;
export const isCollection = refuse;
export const isMap = refuse;
export const isScalar = refuse;
