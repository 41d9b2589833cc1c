import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unpickle } from './pickle.js';
import { PickleError } from './pickle-error.js';

/** A pickle of protocol 4 from opcodes as characters of Latin-1. */
const pickle = (opcodes: string) => Buffer.from(`\x80\x04${opcodes}`, 'latin1');
const read = (opcodes: string) => unpickle(pickle(opcodes));

describe('unpickle', () => {
  it('reads integers of any length, with their sign', () => {
    expect(read('K\xff.')).toBe(255);
    expect(read('J\xff\xff\xff\xff.')).toBe(-1);
    expect(read('\x8a\x00.')).toBe(0);
    expect(read('\x8a\x05\x00\x0e\xfa\xd5\xfe.')).toBe(-5_000_000_000);
    expect(read('\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80.')).toBe(-(2n ** 63n));
    expect(read('\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00.')).toBe(2n ** 63n);
  });

  it('keeps one object for what is remembered', () => {
    const list = read(']\x94(h\x00h\x00e.') as unknown[];
    expect(list[0]).toBe(list);
    expect(list.length).toBe(2);
  });

  it('takes any key of a dictionary for data', () => {
    const dictionary = read('}(\x8c\x09__proto__K\x01K\x07K\x02C\x01bNu.');
    expect(Object.entries(dictionary as object)).toEqual([
      ['7', 2],
      ['__proto__', 1],
      ['b', null],
    ]);
    expect(Object.getPrototypeOf(dictionary)).toBe(null);
  });

  it.each([
    ['', /no pickle of protocol 2 to 5/, Buffer.from('{"a": 1}')],
    ['no end', /ends early/, pickle('K\x01')],
    ['a text longer than the rest', /ends early/, pickle('X\xff\xff\xff\xff.')],
    ['bytes of 2^63', /ends early/, pickle('\x8e\x00\x00\x00\x00\x00\x00\x00\x80.')],
    ['an empty stack', /the stack is empty/, pickle('\x87.')],
    ['no mark', /the stack is empty/, pickle('t.')],
    ['a mark that stays', /not emptied/, pickle('(K\x01.')],
    ['a function as value', /function where data was expected/, pickle('}\x8c\x01acnumpy\ndtype\ns.')],
    ['a list as function', /a call of no function/, pickle('])R.')],
    ['a list as name', /whose name is no text/, pickle(']]\x93.')],
    ['a state for a list', /a state for something that has none/, pickle(']]b.')],
    ['an unknown function', /the pickle asks for "os\.system"/, pickle('cos\nsystem\n\x8c\x02ls\x85R.')],
    [
      'what every object has',
      /the pickle asks for "builtins\.constructor"/,
      pickle('cbuiltins\nconstructor\n.'),
    ],
    ['a new object', /opcode 0x81/, pickle('cnumpy\nndarray\n)\x81.')],
    ['protocol 0', /opcode 0x49/, pickle('I1\n.')],
  ])('refuses %s', (_, message, bytes) => {
    expect(() => unpickle(bytes)).toThrow(PickleError);
    expect(() => unpickle(bytes)).toThrow(message);
  });

  const dtype = (code: string) => `cnumpy\ndtype\n\x8c${String.fromCharCode(code.length)}${code}\x85R`;

  it('makes no array that its bytes do not fill', () => {
    const scalar = (code: string, bytes: string) =>
      `cnumpy.core.multiarray\nscalar\n${dtype(code)}C${String.fromCharCode(bytes.length)}${bytes}\x86R.`;
    expect(read(scalar('i2', '\x01\xff'))).toBe(-255);
    expect(() => read(scalar('i2', '\x01'))).toThrow(/1 bytes for an array int16\[\]/);
    expect(() => read(scalar('O8', '12345678'))).toThrow(/dtype "O8"/);
    expect(() => read(scalar('constructor', ''))).toThrow(/dtype "constructor"/);
    const array = (shape: string) =>
      `cnumpy._core.numeric\n_frombuffer\n(C\x04abcd${dtype('u1')}${shape}\x8c\x01CtR.`;
    expect(read(array('K\x02K\x02\x86'))).toMatchObject({
      shape: [2, 2],
      data: Uint8Array.from(Buffer.from('abcd')),
    });
    const huge = 'J\xff\xff\xff\x7f';
    expect(() => read(array(`${huge}${huge}\x86`))).toThrow(
      /4 bytes for an array uint8\[2147483647, 2147483647\]/,
    );
    expect(() => read(array('J\xff\xff\xff\xff\x85'))).toThrow(/impossible shape/);
  });

  it('does not grow by repetition', () => {
    const bytes = 'a'.repeat(255);
    const again = 'h\x00h\x01h\x02K\xff\x85\x8c\x01CtR';
    const program = `cnumpy._core.numeric\n_frombuffer\n\x94C\xff${bytes}\x94${dtype('u1')}\x94`;
    const arrays = Array.from({ length: 50 }, () => `(${again.replace('h\x00', '')}`);
    expect(() => read(`${program}${arrays.map((one) => `h\x00${one}`).join('')}.`)).toThrow(
      /arrays larger than the pickle/,
    );
  });

  it('gives a value or a PickleError for any bytes', () => {
    const opcodes = [
      ...'.(012NJKMGXTBUC)]}aesutqrhjcRb\x88\x89\x8a\x8b\x8c\x8d\x8e\x85\x86\x87\x93\x94\x95\x96',
    ];
    const names = ['cnumpy\ndtype\n', 'cnumpy.core.multiarray\nscalar\n', 'c_codecs\nencode\n', '\x8c\x02f4'];
    const piece = fc.oneof(
      fc.constantFrom(...opcodes, ...names),
      fc.nat({ max: 255 }).map((code) => String.fromCharCode(code)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        try {
          read(pieces.join(''));
        } catch (error) {
          expect(error).toBeInstanceOf(PickleError);
        }
      }),
      { numRuns: 5000 },
    );
  });
});
