/**
 * Python's pickle format, protocols 2 to 5 (PEP 307, 3154 and 574), for data only: text, bytes, numbers, lists, tuples,
 * dictionaries and NumPy arrays and scalars. A pickle is a program for a stack machine that may call any Python
 * function by name; here the few names that NumPy's data needs stand for code of this file, and any other is refused.
 */

/** Why a pickle was not read: one clause without the place. */
export class PickleError extends Error {}

export type NumpyData =
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

/** A NumPy array in row-major order. */
export class NumpyArray {
  /** As NumPy calls it: `float32`, `int64`, `bool` … */
  dtype = 'uint8';
  shape: readonly number[] = [0];
  /** Of booleans, bytes that are 0 or 1. */
  data: NumpyData = new Uint8Array(0);
}

export type PickleValue =
  | null
  | boolean
  | number
  /** An integer that no double holds. */
  | bigint
  | string
  | Uint8Array
  | NumpyArray
  | PickleValue[]
  | PickleDictionary;

/** Without a prototype. Keys that are integers or bytes are text here. */
export interface PickleDictionary {
  [key: string]: PickleValue;
}

/** A name that a pickle may call. */
class Callable {
  constructor(readonly call: (args: unknown[], machine: Machine) => unknown) {}
}

/** A NumPy dtype. Its byte order comes with its state. */
class DType {
  bigEndian = false;
  /** Such as `f4`. */
  constructor(readonly code: string) {}
}

/** Names and elements by code. */
const arrayTypes = new Map<string, [name: string, array: new (bytes: ArrayBuffer) => NumpyData]>([
  ['b1', ['bool', Uint8Array]],
  ['i1', ['int8', Int8Array]],
  ['i2', ['int16', Int16Array]],
  ['i4', ['int32', Int32Array]],
  ['i8', ['int64', BigInt64Array]],
  ['u1', ['uint8', Uint8Array]],
  ['u2', ['uint16', Uint16Array]],
  ['u4', ['uint32', Uint32Array]],
  ['u8', ['uint64', BigUint64Array]],
  ['f4', ['float32', Float32Array]],
  ['f8', ['float64', Float64Array]],
]);

const callables = new Map(
  Object.entries<Callable['call']>({
    'numpy._core.multiarray._reconstruct': () => new NumpyArray(),
    'numpy._core.multiarray.scalar': ([dtype, bytes], machine) => scalar(dtype, machine.copied(bytes)),
    'numpy._core.numeric._frombuffer': ([bytes, dtype, shape, order], machine) =>
      fillArray(new NumpyArray(), dtype, shape, order === 'F', machine.copied(bytes)),
    'numpy.ndarray': () => {
      throw new PickleError('an array that is made by calling numpy.ndarray');
    },
    'numpy.dtype': ([code]) => new DType(shortText(code)),
    // Protocol 2 writes bytes as text of the same code points.
    '_codecs.encode': ([text, encoding], machine) => machine.encoded(text, encoding),
    'builtins.bytes': ([text, encoding], machine) => machine.encoded(text ?? '', encoding ?? 'latin1'),
    'builtins.bytearray': ([content, encoding], machine) =>
      content instanceof Uint8Array ? content : machine.encoded(content ?? '', encoding ?? 'latin1'),
    'collections.OrderedDict': () => Object.create(null),
  }).flatMap(([name, call]) => {
    const callable = new Callable(call);
    return [name, formerName(name)].map((called): [string, Callable] => [called, callable]);
  }),
);

/** The value of a pickle. Throws PickleError where it is damaged or asks for something else than data. */
export function unpickle(bytes: Buffer): PickleValue {
  return new Machine(bytes).run();
}

/** The stack machine. What it allocates is bounded by a small multiple of the pickle's length. */
class Machine {
  private at = 0;
  private stack: unknown[] = [];
  /** The stacks below each mark. */
  private readonly marked: unknown[][] = [];
  private readonly memo = new Map<number, unknown>();
  private copiedBytes = 0;
  constructor(private readonly bytes: Buffer) {}

  run(): PickleValue {
    const { bytes } = this;
    if (bytes[0] !== 0x80) throw new PickleError('no pickle of protocol 2 to 5');
    for (;;) {
      const opcode = bytes[this.take(1)];
      switch (opcode) {
        case 0x80: {
          const protocol = bytes[this.take(1)];
          if (protocol < 2 || protocol > 5) throw new PickleError(`pickle protocol ${protocol}, not 2 to 5`);
          break;
        }
        case 0x95: // FRAME
          this.take(8);
          break;
        case 0x2e: {
          // STOP
          const value = this.pop();
          if (this.stack.length + this.marked.length > 0 || !isData(value)) throw unfinished();
          return value;
        }
        case 0x28: // MARK
          this.marked.push(this.stack);
          this.stack = [];
          break;
        case 0x30: // POP
          this.pop();
          break;
        case 0x31: // POP_MARK
          this.popToMark();
          break;
        case 0x32: // DUP
          this.stack.push(this.top());
          break;
        case 0x4e: // NONE
          this.stack.push(null);
          break;
        case 0x88: // NEWTRUE
          this.stack.push(true);
          break;
        case 0x89: // NEWFALSE
          this.stack.push(false);
          break;
        case 0x4a: // BININT
          this.stack.push(bytes.readInt32LE(this.take(4)));
          break;
        case 0x4b: // BININT1
          this.stack.push(bytes[this.take(1)]);
          break;
        case 0x4d: // BININT2
          this.stack.push(bytes.readUInt16LE(this.take(2)));
          break;
        case 0x8a: // LONG1
          this.stack.push(this.integer(this.length(1)));
          break;
        case 0x8b: // LONG4
          this.stack.push(this.integer(this.length(4)));
          break;
        case 0x47: // BINFLOAT
          this.stack.push(bytes.readDoubleBE(this.take(8)));
          break;
        case 0x58: // BINUNICODE
          this.stack.push(this.text(this.length(4)));
          break;
        case 0x8c: // SHORT_BINUNICODE
          this.stack.push(this.text(this.length(1)));
          break;
        case 0x8d: // BINUNICODE8
          this.stack.push(this.text(this.length(8)));
          break;
        case 0x54: // BINSTRING, the bytes of Python 2
        case 0x42: // BINBYTES
          this.stack.push(this.slice(this.length(4)));
          break;
        case 0x55: // SHORT_BINSTRING, the bytes of Python 2
        case 0x43: // SHORT_BINBYTES
          this.stack.push(this.slice(this.length(1)));
          break;
        case 0x8e: // BINBYTES8
        case 0x96: // BYTEARRAY8
          this.stack.push(this.slice(this.length(8)));
          break;
        case 0x29: // EMPTY_TUPLE
        case 0x5d: // EMPTY_LIST
          this.stack.push([]);
          break;
        case 0x85: // TUPLE1
        case 0x86: // TUPLE2
        case 0x87: // TUPLE3
          this.stack.push(this.popLast(opcode - 0x84));
          break;
        case 0x74: // TUPLE
          this.tuple(this.popToMark());
          break;
        case 0x61: // APPEND
          this.append(this.popLast(1));
          break;
        case 0x65: // APPENDS
          this.append(this.popToMark());
          break;
        case 0x7d: // EMPTY_DICT
          this.stack.push(Object.create(null));
          break;
        case 0x73: // SETITEM
          this.set(this.popLast(2));
          break;
        case 0x75: // SETITEMS
          this.set(this.popToMark());
          break;
        case 0x71: // BINPUT
          this.memo.set(bytes[this.take(1)], this.top());
          break;
        case 0x72: // LONG_BINPUT
          this.memo.set(this.length(4), this.top());
          break;
        case 0x94: // MEMOIZE
          this.memo.set(this.memo.size, this.top());
          break;
        case 0x68: // BINGET
          this.recall(bytes[this.take(1)]);
          break;
        case 0x6a: // LONG_BINGET
          this.recall(this.length(4));
          break;
        case 0x63: // GLOBAL
          this.stack.push(callable(this.line(), this.line()));
          break;
        case 0x93: {
          // STACK_GLOBAL
          const [module, name] = this.popLast(2);
          this.stack.push(callable(module, name));
          break;
        }
        case 0x52: {
          // REDUCE
          const [called, args] = this.popLast(2);
          if (!(called instanceof Callable && Array.isArray(args))) throw damagedAt('a call of no function');
          this.stack.push(called.call(args, this));
          break;
        }
        case 0x62: // BUILD
          build(this.popLast(1)[0], this.top(), this);
          break;
        default:
          throw damagedAt(`opcode 0x${opcode.toString(16)}, which no plain data has`);
      }
    }
  }

  /** Bytes for an array, counted: those of one pickle may not be more than the pickle, whatever it repeats. */
  copied(bytes: unknown): Buffer {
    if (!(bytes instanceof Uint8Array)) throw new PickleError('a NumPy array of Python objects');
    this.count(bytes.length);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  encoded(text: unknown, encoding: unknown): Buffer {
    if (typeof text !== 'string' || !['latin1', 'latin-1'].includes(shortText(encoding))) {
      throw new PickleError('bytes that are not written as Latin-1 text');
    }
    this.count(text.length);
    return Buffer.from(text, 'latin1');
  }

  private count(bytes: number): void {
    this.copiedBytes += bytes;
    if (this.copiedBytes > 2 * this.bytes.length)
      throw new PickleError('arrays larger than the pickle that holds them');
  }

  /** Where the next `count` bytes begin, which are then behind. */
  private take(count: number): number {
    const at = this.at;
    if (count > this.bytes.length - at) throw new PickleError('the pickle ends early');
    this.at = at + count;
    return at;
  }

  /** An unsigned integer of 1, 4 or 8 bytes. */
  private length(size: 1 | 4 | 8): number {
    const at = this.take(size);
    if (size === 8) return Number(this.bytes.readBigUInt64LE(at));
    return this.bytes.readUIntLE(at, size);
  }

  private slice(length: number): Buffer {
    const at = this.take(length);
    return this.bytes.subarray(at, at + length);
  }

  private text(length: number): string {
    const at = this.take(length);
    return this.bytes.toString('utf8', at, at + length);
  }

  private line(): string {
    const end = this.bytes.indexOf(0x0a, this.at);
    if (end < 0) throw new PickleError('the pickle ends early');
    const text = this.text(end - this.at);
    this.at++;
    return text;
  }

  /** A little-endian integer in two's complement. */
  private integer(length: number): number | bigint {
    const at = this.take(length);
    if (length === 0) return 0;
    if (length <= 6) return this.bytes.readIntLE(at, length);
    if (length > 1024) throw new PickleError(`an integer of ${length} bytes`);
    const hex = Buffer.from(this.bytes.subarray(at, at + length))
      .reverse()
      .toString('hex');
    return narrowed(BigInt.asIntN(8 * length, BigInt(`0x${hex}`)));
  }

  private top(): unknown {
    if (this.stack.length === 0) throw unfinished();
    return this.stack[this.stack.length - 1];
  }

  private pop(): unknown {
    if (this.stack.length === 0) throw unfinished();
    return this.stack.pop();
  }

  private popLast(count: number): unknown[] {
    if (this.stack.length < count) throw unfinished();
    return this.stack.splice(this.stack.length - count);
  }

  private popToMark(): unknown[] {
    const below = this.marked.pop();
    if (!below) throw unfinished();
    const items = this.stack;
    this.stack = below;
    return items;
  }

  /** Its own step, since the mark below the items is on another stack. */
  private tuple(items: unknown[]): void {
    this.stack.push(items);
  }

  private recall(key: number): void {
    if (!this.memo.has(key)) throw damagedAt(`nothing is remembered as ${key}`);
    this.stack.push(this.memo.get(key));
  }

  private append(items: unknown[]): void {
    const list = this.top();
    if (!Array.isArray(list)) throw damagedAt('an item of something that is no list');
    for (const item of items) {
      if (!isData(item)) throw damagedAt('a function where data was expected');
      list.push(item);
    }
  }

  private set(items: unknown[]): void {
    const dictionary = this.top();
    if (!isDictionary(dictionary)) throw damagedAt('an item of something that is no dictionary');
    for (let i = 0; i + 1 < items.length; i += 2) {
      const [key, value] = [items[i], items[i + 1]];
      if (!isData(value)) throw damagedAt('a function where data was expected');
      dictionary[keyText(key)] = value;
    }
  }
}

const unfinished = () => damagedAt('the stack is empty or not emptied');
const damagedAt = (what: string) => new PickleError(`a damaged pickle: ${what}`);

const isData = (value: unknown): value is PickleValue =>
  !(value instanceof Callable || value instanceof DType);

const isDictionary = (value: unknown): value is PickleDictionary =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === null;

function keyText(key: unknown): string {
  return typeof key === 'number' || typeof key === 'bigint' ? String(key) : shortText(key);
}

/** A name or code; Python 2 writes it as bytes. */
function shortText(value: unknown): string {
  const text = typeof value === 'string' || value instanceof Uint8Array;
  if (!text || value.length > 1024) throw new PickleError('a name or key that is no short text');
  return typeof value === 'string' ? value : Buffer.from(value).toString('utf8');
}

/** What it was called before NumPy 2 or Python 3. */
function formerName(name: string): string {
  return name.replace(/^numpy\._core\./, 'numpy.core.').replace(/^builtins\./, '__builtin__.');
}

function callable(module: unknown, name: unknown): Callable {
  if (typeof module !== 'string' || typeof name !== 'string')
    throw damagedAt('a function whose name is no text');
  const found = callables.get(`${module}.${name}`);
  if (found) return found;
  throw new PickleError(
    `the pickle asks for ${JSON.stringify(`${module}.${name}`.slice(0, 80))}, and nothing is run for it; only text, numbers, lists, dictionaries and NumPy arrays are read`,
  );
}

/** Gives an object that was made its content, as `__setstate__` would. */
function build(state: unknown, object: unknown, machine: Machine): void {
  if (Array.isArray(state) && object instanceof DType) {
    object.bigEndian = shortText(state[1]) === '>';
  } else if (Array.isArray(state) && object instanceof NumpyArray) {
    const [, shape, dtype, fortran, bytes] = state;
    fillArray(object, dtype, shape, fortran === true, machine.copied(bytes));
  } else throw damagedAt('a state for something that has none');
}

function fillArray(
  array: NumpyArray,
  dtype: unknown,
  shape: unknown,
  columnMajor: boolean,
  bytes: Buffer,
): NumpyArray {
  if (!(dtype instanceof DType)) throw damagedAt('an array without a dtype');
  const type = arrayTypes.get(dtype.code);
  if (!type)
    throw new PickleError(
      `a NumPy array of dtype ${JSON.stringify(dtype.code.slice(0, 40))}, which is not read`,
    );
  const [name, Elements] = type;
  const sizes: unknown[] = Array.isArray(shape) ? shape : [shape];
  if (
    sizes.length > 64 ||
    !sizes.every((size): size is number => Number.isInteger(size) && Number(size) >= 0)
  ) {
    throw damagedAt('an array of impossible shape');
  }
  const width = Number(dtype.code.slice(1));
  const count = sizes.reduce((product, size) => product * size, 1);
  if (count * width !== bytes.length) {
    throw damagedAt(`${bytes.length} bytes for an array ${name}[${sizes.join(', ')}]`);
  }
  const data = new Elements(nativeBytes(bytes, width, dtype.bigEndian));
  array.dtype = name;
  array.shape = sizes;
  array.data = columnMajor && sizes.length > 1 ? rowMajor(data, sizes) : data;
  return array;
}

/** A copy that begins where any typed array may begin, in the byte order of this machine. */
function nativeBytes(bytes: Buffer, width: number, bigEndian: boolean): ArrayBuffer {
  const copy = Buffer.from(new ArrayBuffer(bytes.length));
  bytes.copy(copy);
  if (bigEndian && width === 2) copy.swap16();
  else if (bigEndian && width === 4) copy.swap32();
  else if (bigEndian && width === 8) copy.swap64();
  return copy.buffer;
}

/** Reorders elements whose first index runs fastest. */
function rowMajor(data: NumpyData, shape: readonly number[]): NumpyData {
  const result = data.slice();
  const index = shape.map(() => 0);
  for (let to = 0; to < data.length; to++) {
    let from = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) from = from * shape[axis] + index[axis];
    result[to] = data[from];
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis] === shape[axis]; axis--) index[axis] = 0;
  }
  return result;
}

function scalar(dtype: unknown, bytes: Buffer): PickleValue {
  if (!(dtype instanceof DType)) throw damagedAt('a scalar without a dtype');
  if (/^S\d/.test(dtype.code)) return bytes;
  if (/^U\d/.test(dtype.code)) return utf32(bytes, dtype.bigEndian);
  const { dtype: name, data } = fillArray(new NumpyArray(), dtype, [], false, bytes);
  const value = data[0];
  if (name === 'bool') return value !== 0;
  return typeof value === 'bigint' ? narrowed(value) : value;
}

/** Text of fixed length, padded with zeros. */
function utf32(bytes: Buffer, bigEndian: boolean): string {
  const points: number[] = [];
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    const point = bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
    if (point > 0x10ffff) throw damagedAt('a character that Unicode has not');
    points.push(point);
  }
  while (points.at(-1) === 0) points.pop();
  return points.map((point) => String.fromCodePoint(point)).join('');
}

function narrowed(integer: bigint): number | bigint {
  const number = Number(integer);
  return Number.isSafeInteger(number) ? number : integer;
}
