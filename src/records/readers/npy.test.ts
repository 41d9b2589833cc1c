import fc from 'fast-check';
import { strToU8, zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../errors.js';
import { halfNumber, parseNpyHeader } from '../../tensor/npy-header.js';
import { openBytes } from '../open-bytes.js';

/** A file as NumPy writes it, from the bytes of its elements. */
function npy(descr: string, shape: readonly number[], data: ArrayBufferView | Uint8Array, fortran = false) {
  const quoted = descr.startsWith('[') ? descr : `'${descr}'`;
  const axes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const dictionary = `{'descr': ${quoted}, 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': (${axes}), }`;
  const text = `${dictionary.padEnd(128 - 11)}\n`;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return Uint8Array.from([0x93, ...strToU8('NUMPY'), 1, 0, text.length, 0, ...strToU8(text), ...bytes]);
}

const asFile = (bytes: Uint8Array, name = 'a.npy') => new File([new Uint8Array(bytes)], name);

async function read(file: File, columns?: string[]) {
  const source = await openBytes(file);
  const values: Record<string, unknown[]> = {};
  const shapes: Record<string, unknown> = {};
  for await (const batch of source.read({ columns })) {
    for (const [name, column] of Object.entries(batch.columns)) {
      values[name] = [...(values[name] ?? []), ...column.values];
      if (column.type === 'pixels') shapes[name] = column.shape;
      if (column.type === 'series') shapes[name] = [[...column.offsets], column.channels];
    }
  }
  return { values, shapes, leftOut: source.leftOut };
}

async function failure(file: File): Promise<string> {
  try {
    await read(file);
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return (error as Error).message;
  }
  throw new Error('it was read');
}

const counting = Array.from({ length: 6 }, (_, i) => i);

describe('a NumPy array', () => {
  it.each<[string, ArrayBufferView]>([
    ['<f4', Float32Array.from(counting)],
    ['<f8', Float64Array.from(counting)],
    ['<i8', BigInt64Array.from(counting, BigInt)],
    ['<u8', BigUint64Array.from(counting, BigInt)],
    ['<i4', Int32Array.from(counting)],
    ['<u2', Uint16Array.from(counting)],
    ['|i1', Int8Array.from(counting)],
    ['|u1', Uint8Array.from(counting)],
    ['>i2', Uint8Array.from(counting.flatMap((value) => [0, value]))],
    [
      '>f4',
      Uint8Array.from([
        0, 0, 0, 0, 0x3f, 0x80, 0, 0, 0x40, 0, 0, 0, 0x40, 0x40, 0, 0, 0x40, 0x80, 0, 0, 0x40, 0xa0, 0, 0,
      ]),
    ],
    ['<f2', Uint16Array.of(0, 0x3c00, 0x4000, 0x4200, 0x4400, 0x4500)],
  ])('of %s gives a column for each of its own, in either order', async (descr, data) => {
    const rows = await read(asFile(npy(descr, [2, 3], data)));
    expect(rows.values).toEqual({ column0: [0, 3], column1: [1, 4], column2: [2, 5] });
    const columns = await read(asFile(npy(descr, [2, 3], data, true)));
    expect(columns.values).toEqual({ column0: [0, 1], column1: [2, 3], column2: [4, 5] });
    expect((await read(asFile(npy(descr, [6], data)))).values).toEqual({ column0: counting });
  });

  it('gives truth as 1 and 0, missing and infinite values as missing, text as text', async () => {
    expect((await read(asFile(npy('|b1', [3], Uint8Array.of(1, 0, 7))))).values.column0).toEqual([1, 0, 1]);
    const odd = Float64Array.of(Number.NaN, Number.POSITIVE_INFINITY, 2);
    expect((await read(asFile(npy('<f8', [3], odd)))).values.column0).toEqual([Number.NaN, Number.NaN, 2]);
    const points = (text: string) => Array.from({ length: 3 }, (_, i) => text.codePointAt(i) ?? 0);
    const names = Uint32Array.from(['cat', 'é', ''].flatMap(points));
    expect((await read(asFile(npy('<U3', [3], names)))).values.column0).toEqual(['cat', 'é', null]);
    expect((await read(asFile(npy('|S2', [2], strToU8('abc\0'))))).values.column0).toEqual(['ab', 'c']);
  });

  it('of unsigned bytes with three or four axes gives images, of other numbers with three series', async () => {
    const bytes = Uint8Array.from({ length: 24 }, (_, i) => i);
    const grey = await read(asFile(npy('|u1', [2, 4, 3], bytes)));
    expect(grey).toMatchObject({ values: { pixels: [...bytes] }, shapes: { pixels: [4, 3, 1] } });
    const colour = await read(asFile(npy('|u1', [2, 2, 2, 3], bytes)));
    expect(colour).toMatchObject({ values: { pixels: [...bytes] }, shapes: { pixels: [2, 2, 3] } });
    const series = await read(asFile(npy('<f4', [2, 4, 3], Float32Array.from(bytes))));
    expect(series).toMatchObject({ values: { series: [...bytes] }, shapes: { series: [[0, 4, 8], 3] } });
    // The first index runs fastest in the file: element [record, step, channel] is at record + 2 (step + 4 channel).
    const turned = await read(asFile(npy('<f4', [2, 4, 3], Float32Array.from(bytes), true)));
    expect(turned.values.series.slice(0, 6)).toEqual([0, 8, 16, 2, 10, 18]);
    const wide = await read(asFile(npy('<f4', [2, 1025], new Float32Array(2050).fill(1))));
    expect(wide.shapes.series).toEqual([[0, 1025, 2050], 1]);
  });

  it('is read in batches, some columns alone, and compressed', async () => {
    const data = Float64Array.from({ length: 15_000 }, (_, i) => i);
    const file = npy('<f8', [5000, 3], data);
    const expected = { column2: Array.from({ length: 5000 }, (_, i) => 3 * i + 2) };
    expect((await read(asFile(file), ['column2'])).values).toEqual(expected);
    const zipped = zipSync({ 'a.txt': file });
    expect((await read(asFile(zipped, 'a.npy.zip'), ['column2'])).values).toEqual(expected);
  });

  it('is refused where it holds objects, or integers that a number does not hold', async () => {
    expect(await failure(asFile(npy('|O', [1], Uint8Array.of(1))))).toContain('pickled Python objects');
    expect(await failure(asFile(npy("[('x', '<f4')]", [1], new Float32Array(1))))).toContain(
      'structured array',
    );
    expect(await failure(asFile(npy('<c8', [1], new Float32Array(2))))).toContain('dtype "<c8"');
    expect(await failure(asFile(npy('<i8', [1], BigInt64Array.of(2n ** 53n))))).toContain('beyond 2^53');
    expect(await failure(asFile(npy('<f4', [1, 2, 2, 2], new Float32Array(8))))).toContain('unsigned bytes');
    expect(await failure(asFile(npy('<f4', [], new Float32Array(1))))).toContain('a single value');
  });

  it('is refused where its size is not what its header says, before memory is taken', async () => {
    for (const shape of [[3], [1], [1e15], [2, 2 ** 31, 2 ** 31], [2 ** 53]])
      expect(await failure(asFile(npy('<f8', shape, new Float64Array(2))))).toMatch(/announces|impossible/);
    expect(await failure(asFile(npy('<f8', [0], new Float64Array(0))))).toContain('no records');
  });

  it('is never read with another error than that of a bad input', async () => {
    const whole = npy('<f4', [2, 3], Float32Array.from(counting));
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), async (at, byte) => {
        const damaged = whole.slice();
        damaged[at] = byte;
        await read(asFile(damaged)).catch((error) => expect(error).toBeInstanceOf(InputError));
      }),
      { numRuns: 300 },
    );
  });
});

describe('an npz archive', () => {
  const arrays = {
    'x.npy': npy('<f4', [2, 2], Float32Array.of(1, 2, 3, 4)),
    'y.npy': npy('<i8', [2], BigInt64Array.of(7n, 8n)),
    'images.npy': npy('|u1', [2, 1, 1], Uint8Array.of(9, 10)),
    'other.npy': npy('<f4', [5], new Float32Array(5)),
    'object.npy': npy('|O', [2], new Uint8Array(2)),
  };

  it.each([0, 6] as const)('gives its arrays side by side, at compression level %i', async (level) => {
    const file = asFile(zipSync(arrays, { level }), 'a.npz');
    const { values, leftOut } = await read(file);
    expect(values).toEqual({ x0: [1, 3], x1: [2, 4], y: [7, 8], images: [9, 10] });
    expect(leftOut).toEqual([
      { name: 'object', reason: expect.stringContaining('pickled Python objects') },
      { name: 'other', reason: 'an array of 5 records beside others of 2' },
    ]);
    expect((await read(file, ['y'])).values).toEqual({ y: [7, 8] });
  });

  it('is refused where no array is left', async () => {
    expect(await failure(asFile(zipSync({ 'object.npy': arrays['object.npy'] }), 'a.npz'))).toContain(
      'no array that can be read; object: an array of pickled',
    );
  });
});

describe('the header of an NPY file', () => {
  it('is read in its second version, and with a size of Python 2', () => {
    const text = "{'descr': '<f4', 'fortran_order': False, 'shape': (3L, 4L), }\n";
    const head = Uint8Array.from([0x93, ...strToU8('NUMPY'), 2, 0, text.length, 0, 0, 0, ...strToU8(text)]);
    expect(parseNpyHeader(head)).toEqual({
      descr: '<f4',
      columnMajor: false,
      shape: [3, 4],
      dataAt: 12 + text.length,
    });
  });

  it('knows half-precision numbers', () => {
    const known: [number, number][] = [
      [0x0001, 2 ** -24],
      [0x3555, 0.333251953125],
      [0xc000, -2],
      [0x7bff, 65504],
      [0x7c00, Number.POSITIVE_INFINITY],
    ];
    for (const [bits, value] of known) expect(halfNumber(bits)).toBe(value);
    expect(halfNumber(0x7e00)).toBeNaN();
  });
});
