import { inflateSync } from 'node:zlib';
import {
  bool,
  columnFromArray,
  dateDay,
  decimal32,
  decimal128,
  dictionary,
  float64,
  int32,
  int64,
  list,
  struct,
  type Table,
  tableFromArrays,
  tableFromColumns,
  tableToIPC,
  timestamp,
  utf8,
} from '@uwdata/flechette';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../errors.js';
import { openBytes } from '../open-bytes.js';
import type { ColumnValues } from '../record-batch.js';

const asFile = (bytes: Uint8Array, name = 'a.arrow') => new File([new Uint8Array(bytes)], name);

async function read(file: File, columns?: string[]) {
  const source = await openBytes(file);
  const batches: Readonly<Record<string, ColumnValues>>[] = [];
  for await (const batch of source.read({ columns })) batches.push(batch.columns);
  const values = (name: string) => batches.flatMap((batch) => [...batch[name].values]);
  return { source, batches, values };
}

const day = Date.UTC(2024, 4, 1);
const table: Table = tableFromArrays(
  {
    x: [1.5, Number.POSITIVE_INFINITY, null],
    n: [1, null, 3],
    big: [1n, 2n ** 53n + 1n, null],
    small: [1n, 2n, 3n],
    text: ['a', 'é', null],
    kind: ['cat', 'dog', 'cat'],
    yes: [true, false, null],
    day: [day, day, null],
    at: [day + 1500, day, null],
    utc: [day, null, null],
    list: [[1, 2], [3], null],
    pair: [{ a: 1 }, { a: 2 }, { a: 3 }],
  },
  {
    types: {
      x: float64(),
      n: int32(),
      big: int64(),
      small: int64(),
      text: utf8(),
      kind: dictionary(utf8()),
      yes: bool(),
      day: dateDay(),
      at: timestamp(1),
      utc: timestamp(1, 'UTC'),
      list: list(float64()),
      pair: struct({ a: int32() }),
    },
  },
);

/** Of pyarrow: `x` is 0, 1, 2, 3 again and again, `s` is missing in every third record; deflated, then base64. */
const feathers = {
  lz4:
    'eNrNk89Kw0AQxr8kmxgl2tBWqBiK/0ARBKUoFYSkgiCIWtqDHi2eexB76FE8+RgefABPPXv0EQpefATPXuq3m0mNRe8O7P5m' +
    'tvPtTna2jVbr/GIHGNEeAYTQNoMAHlz49GiWYgxGPmclM2BzJOIPqWeiq/UVWTNSjlsTK7MWoky9hymzYyjnWc5vuj7zdK5n' +
    'Vmwz6zqHZFnyAqrSSgOzIxyFSNdqYWwBV0JTd5rT54hkj43vtHGNLv62XWFdGAkvhQ/Cd+FaTmtPnIdcPCdMpG61clq5Su6r' +
    'dBd4GasfcQHFxEfJ96FsFJbw2dSfmYguq1l0DO8G3bdBNzvn6efvN3RL3Lft0PEU2tP6nsgCWSTndT/IRbJKLutvIdfJTXKL' +
    '3CZr5B65Tx6QMXlIHpHHCi8n5JkM5Ch1zNKNrzs9B7Vmp0cnq3dk3lP6HgN2yjPdC9Mes0t1uTslb+V54t7z/cc/eLuvnBvm' +
    'v/YFtWlCeg==',
  zstd:
    'eNpzDAryDzdkYPgPBAsYGBgEGECAi4GHgY2BlYEDyAICRhYgnwHI4wCSLFCSgYEJiB2g7BtA/UCFrCD9ElAxsFYgLgbzWcBi' +
    'AgwiQP1sDOxgEwWg9jEyY9NXAVQHUssGFmECkyB3PgDSIlB1PEBdEJfygE1kYGZhkAFSJxgQgIdBDmgPC1xNAxCrQO3TYEAG' +
    'IPvYofYBPcOAG2hDaQMoLQalPaB0FJReAaWlkPQyYdiL4PNBaQdGqPhW/b8JDgxnwSH9wR5IcrAx8DtrMvCH3WFlak4sYOAG' +
    'q4O5FaRegVWTgWFb7u1tuQwMS5DFl/gyMSw6wiWQcFvm0e9970GILXiaL9f++9qvJn/h+PV4T+I+Df8J8se4HzV/YKhIjmfn' +
    'ZVDInmB6QiqFdxNbZPMax2tgbtX0rwwbIOb6IZvv5wsM1OTEEkYGjVdtDPD4YoCmKx5grLGBY0EAElfAOLGA+p0FGudQYxle' +
    'QOkTaOE00GkQ5B5HcJ4BANrFYcA=',
};

describe('an Arrow file', () => {
  it.each(['lz4', 'zstd'] as const)('whose buffers are compressed by %s is read', async (codec) => {
    const bytes = inflateSync(Buffer.from(feathers[codec], 'base64'));
    const { values } = await read(asFile(bytes, 'a.feather'));
    expect(values('x')).toEqual(Array.from({ length: 40 }, (_, i) => i % 4));
    expect(values('s')).toEqual(Array.from({ length: 40 }, (_, i) => (i % 3 === 0 ? null : 'cat')));
  });

  it('whose buffers are compressed is refused in one line where it is damaged', async () => {
    for (const codec of ['lz4', 'zstd'] as const) {
      const whole = inflateSync(Buffer.from(feathers[codec], 'base64'));
      for (let at = 8; at < whole.length; at += 7) {
        const damaged = Buffer.from(whole);
        damaged[at] ^= 0xff;
        await read(asFile(damaged)).catch((error) => expect(error).toBeInstanceOf(InputError));
      }
    }
  });

  it.each(['file', 'stream'] as const)('is read from a %s with the types of its columns', async (format) => {
    const { source, batches, values } = await read(asFile(tableToIPC(table, { format })!));
    expect(source.format).toBe('arrow');
    expect(Object.fromEntries(source.columns.map(({ name, type }) => [name, type]))).toEqual({
      x: 'number',
      n: 'number',
      big: 'text',
      small: 'number',
      text: 'text',
      kind: 'text',
      yes: 'text',
      day: 'number',
      at: 'number',
      utc: 'number',
      list: 'series',
    });
    expect(source.leftOut).toMatchObject([{ name: 'pair' }]);
    expect(values('x')).toEqual([1.5, Number.NaN, Number.NaN]);
    expect(values('n')).toEqual([1, Number.NaN, 3]);
    expect(values('big')).toEqual(['1', '9007199254740993', null]);
    expect(values('small')).toEqual([1, 2, 3]);
    expect(values('text')).toEqual(['a', 'é', null]);
    expect(values('kind')).toEqual(['cat', 'dog', 'cat']);
    expect(values('yes')).toEqual(['true', 'false', null]);
    const midnight = Date.parse('2024-05-01T00:00:00Z') / 1000;
    expect(values('day')).toEqual([midnight, midnight, Number.NaN]);
    expect(values('at')).toEqual([midnight + 1.5, midnight, Number.NaN]);
    expect(values('utc')).toEqual([midnight, Number.NaN, Number.NaN]);
    expect(batches[0].list).toEqual({
      type: 'series',
      values: Float32Array.of(1, 2, 3),
      offsets: Int32Array.of(0, 2, 3, 3),
      channels: 1,
    });
  });

  it('keeps the digits of decimals without a fraction that no number holds', async () => {
    const decimals = tableFromArrays(
      { id: [10n ** 17n + 1n, -(10n ** 17n) - 3n], price: [0.25, -12.5], cents: [725n, 100n], few: [3, 4] },
      {
        types: {
          id: decimal128(18, 0),
          price: decimal128(18, 2),
          cents: decimal32(6, 2),
          few: decimal128(18, 0),
        },
      },
    );
    const { values } = await read(asFile(tableToIPC(decimals, { format: 'file' })!));
    expect(values('id')).toEqual(['100000000000000001', '-100000000000000003']);
    expect(values('price')).toEqual([0.25, -12.5]);
    expect(values('cents')).toEqual([7.25, 1]);
    expect(values('few')).toEqual([3, 4]);
  });

  it('is known by its content, and gives some of its columns', async () => {
    const { source, batches } = await read(asFile(tableToIPC(table, { format: 'file' })!, 'unnamed'), [
      'text',
    ]);
    expect(source.format).toBe('arrow');
    expect(batches.map((columns) => Object.keys(columns))).toEqual([['text']]);
  });

  it('keeps columns of one name apart, and gives those without a name one', async () => {
    const twice = tableFromColumns([
      ['a', columnFromArray([1, 2])],
      ['a', columnFromArray([3, 4])],
      ['', columnFromArray([5, 6])],
    ]);
    const { source, values } = await read(asFile(tableToIPC(twice, { format: 'file' })!));
    expect(source.columns.map(({ name }) => name)).toEqual(['a', 'a_1', 'column2']);
    expect([values('a'), values('a_1'), values('column2')]).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
  });

  it('is refused in one line where it is damaged', async () => {
    const whole = tableToIPC(table, { format: 'file' })!;
    for (let at = 8; at < whole.length; at += 13) {
      const damaged = whole.slice();
      damaged[at] ^= 0xff;
      await read(asFile(damaged)).catch((error) => {
        expect(error).toBeInstanceOf(InputError);
        expect(error.message).not.toContain('\n');
      });
    }
    for (const end of [12, 100, whole.length - 9])
      await expect(read(asFile(whole.subarray(0, end)))).rejects.toThrow(InputError);
  });
});
