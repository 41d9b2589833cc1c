/**
 * Python's pickle format, protocols 2 to 5 (PEP 307, 3154 and 574), for data only: text, bytes, numbers, lists, tuples,
 * dictionaries and NumPy arrays and scalars. A pickle is a program for a stack machine that may call any Python
 * function by name; here the few names that NumPy's data needs stand for code beside this file, and any other is refused.
 */
import { DType, type NumpyArray, narrowed } from './numpy-array.js';
import { damagedAt, PickleError } from './pickle-error.js';
import { CountedCopies, functionNamed, giveState, PickleFunction, shortText } from './pickle-functions.js';

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
  private readonly copies: CountedCopies;
  constructor(private readonly bytes: Buffer) {
    this.copies = new CountedCopies(2 * bytes.length);
  }

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
          this.stack.push(functionNamed(this.line(), this.line()));
          break;
        case 0x93: {
          // STACK_GLOBAL
          const [module, name] = this.popLast(2);
          this.stack.push(functionNamed(module, name));
          break;
        }
        case 0x52: {
          // REDUCE
          const [called, args] = this.popLast(2);
          if (!(called instanceof PickleFunction && Array.isArray(args)))
            throw damagedAt('a call of no function');
          this.stack.push(called.call(args, this.copies));
          break;
        }
        case 0x62: // BUILD
          this.giveState(this.popLast(1)[0]);
          break;
        default:
          throw damagedAt(`opcode 0x${opcode.toString(16)}, which no plain data has`);
      }
    }
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

  private giveState(state: unknown): void {
    giveState(this.top(), state, this.copies);
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

const isData = (value: unknown): value is PickleValue =>
  !(value instanceof PickleFunction || value instanceof DType);

const isDictionary = (value: unknown): value is PickleDictionary =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === null;

function keyText(key: unknown): string {
  return typeof key === 'number' || typeof key === 'bigint' ? String(key) : shortText(key);
}
