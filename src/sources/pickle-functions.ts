/** What a pickle may call: the few Python functions that plain data and NumPy's data need, as code of this file. */
import { DType, fillArray, NumpyArray, numpyScalar } from './numpy-array.js';
import { damagedAt, PickleError } from './pickle-error.js';

/** A Python function by what it does here. */
export class PickleFunction {
  constructor(readonly call: (args: unknown[], copies: CountedCopies) => unknown) {}
}

const functions = new Map(
  Object.entries<PickleFunction['call']>({
    'numpy._core.multiarray._reconstruct': () => new NumpyArray(),
    'numpy._core.multiarray.scalar': ([dtype, bytes], copies) => numpyScalar(dtype, copies.bytes(bytes)),
    'numpy._core.numeric._frombuffer': ([bytes, dtype, shape, order], copies) =>
      fillArray(new NumpyArray(), dtype, shape, order === 'F', copies.bytes(bytes)),
    'numpy.ndarray': () => {
      throw new PickleError('an array that is made by calling numpy.ndarray');
    },
    'numpy.dtype': ([code]) => new DType(shortText(code)),
    // Protocol 2 writes bytes as text of the same code points.
    '_codecs.encode': ([text, encoding], copies) => copies.encoded(text, encoding),
    'builtins.bytes': ([text, encoding], copies) => copies.encoded(text ?? '', encoding ?? 'latin1'),
    'builtins.bytearray': ([content, encoding], copies) =>
      content instanceof Uint8Array ? content : copies.encoded(content ?? '', encoding ?? 'latin1'),
    'collections.OrderedDict': () => Object.create(null),
  }).flatMap(([name, call]) => {
    const known = new PickleFunction(call);
    return [name, formerName(name)].map((called): [string, PickleFunction] => [called, known]);
  }),
);

/** What it was called before NumPy 2 or Python 3. */
function formerName(name: string): string {
  return name.replace(/^numpy\._core\./, 'numpy.core.').replace(/^builtins\./, '__builtin__.');
}

/** Throws PickleError for a name that stands for nothing here. */
export function functionNamed(module: unknown, name: unknown): PickleFunction {
  if (typeof module !== 'string' || typeof name !== 'string')
    throw damagedAt('a function whose name is no text');
  const found = functions.get(`${module}.${name}`);
  if (found) return found;
  throw new PickleError(
    `the pickle asks for ${JSON.stringify(`${module}.${name}`.slice(0, 80))}, and nothing is run for it; only text, numbers, lists, dictionaries and NumPy arrays are read`,
  );
}

/** Gives an object that was made its content, as `__setstate__` would. Throws PickleError for one that takes none. */
export function giveState(object: unknown, state: unknown, copies: CountedCopies): void {
  if (Array.isArray(state) && object instanceof DType) {
    object.bigEndian = shortText(state[1]) === '>';
  } else if (Array.isArray(state) && object instanceof NumpyArray) {
    const [, shape, dtype, fortran, bytes] = state;
    fillArray(object, dtype, shape, fortran === true, copies.bytes(bytes));
  } else throw damagedAt('a state for something that has none');
}

/** Bytes that functions copy, counted: they may not be more than a multiple of the pickle, whatever it repeats. */
export class CountedCopies {
  private copied = 0;
  constructor(private readonly most: number) {}

  /** The bytes of an array. */
  bytes(bytes: unknown): Buffer {
    if (!(bytes instanceof Uint8Array)) throw new PickleError('a NumPy array of Python objects');
    this.count(bytes.length);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** The bytes of a text of Latin-1. */
  encoded(text: unknown, encoding: unknown): Buffer {
    if (typeof text !== 'string' || !['latin1', 'latin-1'].includes(shortText(encoding))) {
      throw new PickleError('bytes that are not written as Latin-1 text');
    }
    this.count(text.length);
    return Buffer.from(text, 'latin1');
  }

  private count(bytes: number): void {
    this.copied += bytes;
    if (this.copied > this.most) throw new PickleError('arrays larger than the pickle that holds them');
  }
}

/** A name or code; Python 2 writes it as bytes. */
export function shortText(value: unknown): string {
  const text = typeof value === 'string' || value instanceof Uint8Array;
  if (!text || value.length > 1024) throw new PickleError('a name or key that is no short text');
  return typeof value === 'string' ? value : Buffer.from(value).toString('utf8');
}
