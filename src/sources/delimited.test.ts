/** CSV files as people have them, each read as a person would, or refused with what to do. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { zipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { schemaOf } from '../records/cells/schema.js';
import { type OpenOptions, openBytes } from '../records/open-bytes.js';
import type { BadRecord } from '../records/record-batch.js';
import { diskFile } from './disk-file.js';
import { openSource } from './open-source.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lacuna-delimited-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function file(content: string | Uint8Array, ending = 'csv'): string {
  const path = join(folder, `${files++}.${ending}`);
  writeFileSync(path, content);
  return path;
}

const openers = {
  'through the database': openSource,
  'as bytes': async (path: string, options?: OpenOptions) => openBytes(await diskFile(path), options),
} as const;

describe.each(Object.entries(openers))('read %s,', (_, openPath) => {
  const open = (content: string | Uint8Array, options: OpenOptions = {}) => openPath(file(content), options);

  function add(to: Record<string, unknown[]>, name: string, cells: Iterable<unknown>): void {
    to[name] = [...(to[name] ?? []), ...cells];
  }

  /** The values of all columns, the verbatim cells, and the bad records. */
  async function read(content: string | Uint8Array, options: OpenOptions = {}, verbatim?: string[]) {
    const bad: BadRecord[] = [];
    const source = await open(content, { onBadRecord: 'skip', report: (one) => bad.push(one), ...options });
    const columns: Record<string, unknown[]> = Object.create(null);
    const texts: Record<string, unknown[]> = Object.create(null);
    const rows: number[] = [];
    for await (const batch of source.read({ verbatim })) {
      rows.push(...batch.rows);
      for (const [name, { values }] of Object.entries(batch.columns)) add(columns, name, values);
      for (const [name, cells] of Object.entries(batch.texts ?? {})) add(texts, name, cells);
    }
    return {
      source,
      columns: { ...columns },
      texts: { ...texts },
      rows,
      bad: bad.map(({ line, column, message }) => [line, column, message]),
    };
  }

  describe('a table between blanks', () => {
    it('has its columns where numbers stand below each other', async () => {
      const { source, columns, bad } = await read(
        '  0.00632  18.00   2.310  0\r\n  0.02731   0.00   7.070  0\r\n oops\r\n 13.9134    0.00  18.100  0\r\n',
        { delimiter: 'whitespace' },
      );
      expect(columns).toEqual({
        column0: [0.00632, 0.02731, 13.9134],
        column1: [18, 0, 0],
        column2: [2.31, 7.07, 18.1],
        column3: [0, 0, 0],
      });
      expect(bad).toEqual([[3, undefined, 'expected 4 columns, got 1']]);
      expect(source.dialect).toBe("delimiter space, quote '\"', header no");
    });
    it('is found, with the names of R before it, and a cell in quotes that holds blanks', async () => {
      const rows = '"AirFlow" "WaterTemp"\n"day 1"   80 27\n"day 2"  80   27\n"day 3" NA 25\n';
      const { columns } = await read(rows);
      expect(columns).toEqual({
        index: ['day 1', 'day 2', 'day 3'],
        AirFlow: [80, 80, Number.NaN],
        WaterTemp: [27, 27, 25],
      });
    });
    it('keeps an empty cell between two blanks where one parts them', async () => {
      const { columns } = await read('a b c\n1 2 3\n4  6\n7 8 9\n');
      expect(columns).toEqual({ a: [1, 4, 7], b: [2, Number.NaN, 8], c: [3, 6, 9] });
    });
    it('is no text of words', async () => {
      const { columns } = await read('sentence\nthe quick fox\nover 2 dogs\n');
      expect(columns).toEqual({ sentence: ['the quick fox', 'over 2 dogs'] });
    });
  });
  describe('a CSV file', () => {
    it('is read with mixed line ends, with CR alone, and with a backslash before quotes', async () => {
      expect((await read('a,b\n1,x\r\n2,"y,z"\n3,w\r\n')).columns).toEqual({
        a: [1, 2, 3],
        b: ['x', 'y,z', 'w'],
      });
      expect((await read('a,b\r1,x\r2,y\r')).columns).toEqual({ a: [1, 2], b: ['x', 'y'] });
      expect((await read('a,b\n1,"he said \\"hi\\" once"\n2,z\n')).columns.b).toEqual([
        'he said "hi" once',
        'z',
      ]);
    });

    it('gives an open quote as a bad record with its line, and goes on behind it', async () => {
      const { rows, columns, bad } = await read('a,b\n1,x\n2,"y\n3,z\n4,w\n');
      expect(bad).toEqual([[3, undefined, 'a quote is opened and not closed']]);
      expect(columns).toEqual({ a: [1, 3, 4], b: ['x', 'z', 'w'] });
      expect(rows).toEqual([0, 2, 3]);
    });

    it('loses no record behind a bad one', async () => {
      const { rows, columns, bad } = await read('a,b\n1,"x"z\n2,y\n3\n4,w,v\n5,u\n');
      expect(bad).toEqual([
        [2, undefined, 'text behind a closing quote'],
        [4, undefined, 'expected 2 columns, got 1'],
        [5, undefined, 'expected 2 columns, got 3'],
      ]);
      expect(columns).toEqual({ a: [2, 5], b: ['y', 'u'] });
      expect(rows).toEqual([1, 4]);
    });

    it('takes no word for a number that is none, wherever it stands', async () => {
      const numbers = Array.from({ length: 30_000 }, (_, i) => `${i}.5,x`);
      numbers[25_000] = '1_01,x';
      const { bad, columns } = await read(`a,b\n${numbers.join('\n')}\n`);
      expect(bad).toEqual([[25_002, 'a', 'expected a number as in the other records, got "1_01"']]);
      expect(columns.a.length).toBe(29_999);
    });

    it('counts lines, not records, where cells hold line ends', async () => {
      const rows = Array.from({ length: 120 }, (_, i) => `${i},"two\nlines"`);
      rows[110] = 'oops,"two\nlines"';
      expect((await read(`a,b\n${rows.join('\n')}\n`)).bad).toEqual([
        [222, 'a', 'expected a number as in the other records, got "oops"'],
      ]);
    });

    it('has columns of any name, also such as objects have, and names that differ in case', async () => {
      const { columns } = await read('__proto__,constructor,A,a\n1,x,2,3\n4,y,5,6\n');
      expect(Object.entries(columns)).toEqual([
        ['__proto__', [1, 4]],
        ['constructor', ['x', 'y']],
        ['A', [2, 5]],
        ['a', [3, 6]],
      ]);
    });

    it('gives the cells in their own characters where they are asked for', async () => {
      const content = 'id,x,when,c\n1e0,0.10,01.02.2024,NA\n+1, 7 ,13.02.2024,"a,b"\n9007199254740993,$1,,\n';
      const { texts, columns } = await read(content, {}, ['id', 'x', 'when', 'c']);
      expect(texts).toEqual({
        id: ['1e0', '+1', '9007199254740993'],
        x: ['0.10', ' 7 ', '$1'],
        when: ['01.02.2024', '13.02.2024', null],
        c: ['NA', 'a,b', null],
      });
      expect(columns.c).toEqual([null, 'a,b', null]);
      expect(columns.id).toEqual(['1e0', '+1', '9007199254740993']);
    });

    it('is read by the words for missing cells that the user names, and tells the usual ones', async () => {
      const content = `x,continent\n${'1,NA\n2,EU\n-999,AS\n'.repeat(5)}`;
      const usual = await read(content);
      expect(usual.columns.continent.slice(0, 3)).toEqual([null, 'EU', 'AS']);
      expect(usual.source.notes).toEqual([
        'column continent: "NA" (5) read as missing; --missing names other words, or none: --missing ""',
      ]);
      expect((await read(content, { missing: [''] })).columns.continent.slice(0, 3)).toEqual([
        'NA',
        'EU',
        'AS',
      ]);
      expect((await read(content, { missing: ['-999'] })).columns.x.slice(0, 3)).toEqual([1, 2, Number.NaN]);
    });

    it('reads a point before three digits as others of the file have their decimal sign', async () => {
      const german = await read('n;p\n1.234;5,50\n12;6,25\n');
      expect(german.columns).toEqual({ n: [1234, 12], p: [5.5, 6.25] });
      expect(german.source.notes).toEqual([
        'column n: points stand between thousands, since other columns have a decimal comma',
      ]);
      expect((await read('n;p\n1.234;5.5\n12;6.25\n')).columns.n).toEqual([1.234, 12]);
      expect((await read('n;p\n1.234;5,50\n0.5;6,25\n')).columns.n).toEqual([1.234, 0.5]);
    });

    it('compares words for missing cells without the blanks around them', async () => {
      const content = 'k, v, n\n0, NA, 1.5\n1, red,  xx\n2, , 2.5\n';
      const usual = await read(content, { missing: ['NA', 'xx '] });
      expect(usual.columns).toEqual({ k: [0, 1, 2], v: [null, ' red', null], n: [1.5, Number.NaN, 2.5] });
      expect((await read(content.replace('xx', 'NA'))).source.notes).toEqual([
        'column v: "NA" (1) read as missing; --missing names other words, or none: --missing ""',
      ]);
    });

    it('reads the minus of typesetters and zeros before a number, and empty columns at the end as none', async () => {
      const { columns, bad } = await read('t,u,,\n\u22120.5,0012.04,,\n1.5,07.5,,\n,2,,\n');
      expect(columns).toEqual({ t: [-0.5, 1.5, Number.NaN], u: [12.04, 7.5, 2] });
      expect(bad).toEqual([]);
    });

    it('counts codes that come late, in their column, behind quotes with delimiters and line ends in them', async () => {
      const early = Array.from({ length: 10_000 }, (_, i) => `"0,1\n""0",01/02/2024,${99_000 - i},${i}`);
      const { source, columns } = await read(
        `k,day,zip,n\n${[...early, 'a,03/02/2024,"00516",1', 'b,04/02/2024,00501,2'].join('\n')}\n`,
      );
      expect(columns.zip.slice(-2)).toEqual([516, 501]);
      expect(source.found?.().map((note) => note.slice(0, note.indexOf(',')))).toEqual([
        'column zip: 2 of its numbers begin with zeros',
      ]);
    });

    it('counts such codes behind a sign, too', async () => {
      const early = Array.from({ length: 10_000 }, (_, i) => `${i},${i}`);
      const { source } = await read(`k,n\n${[...early, '-007,1', '+08,2'].join('\n')}\n`);
      expect(source.found?.()).toEqual([
        expect.stringContaining('column k: 2 of its numbers begin with zeros'),
      ]);
    });

    it('reads decimal commas, currency and dates as numbers', async () => {
      const { columns, source } = await read('x;price;day\n0,5;$1,200;2024-01-01\n1,5;$3;2024-01-02\n');
      expect(columns).toEqual({ x: [0.5, 1.5], price: [1200, 3], day: [1704067200, 1704153600] });
      expect(source.columns.map(({ format }) => format?.kind)).toEqual(['number', 'number', 'date']);
    });
  });

  describe('what only looks like another dialect', () => {
    it('lists within cells do not divide records', async () => {
      const rows = Array.from({ length: 20 }, (_, i) => `${i},Action|Comedy|Drama`);
      expect((await open(`id,genres\n${rows.join('\n')}\n`)).columns.map(({ name }) => name)).toEqual([
        'id',
        'genres',
      ]);
    });
    it('a title may have a line end in quotes', async () => {
      const { columns, rows } = await read('"T\nu, v"\nx,t\n0.5,a\n1.5,b\n2.5\n3.5,b\n');
      expect(columns).toEqual({ x: [0.5, 1.5, 3.5], t: ['a', 'b', 'b'] });
      expect(rows).toEqual([0, 1, 3]);
    });
    it('a table of many thousand columns is one, and a first line without an end is refused', async () => {
      const names = Array.from({ length: 5000 }, (_, j) => `gene ${j}`);
      const lines = [0, 1, 2].map((row) =>
        names.map((_, j) => (row === 1 && j === 7 ? 'NA' : row + j / 2)).join(','),
      );
      const { columns, rows, source } = await read([names.join(','), ...lines, '1,2', ''].join('\n'));
      expect(source.columns).toHaveLength(5000);
      expect(columns['gene 4999']).toEqual([2499.5, 2500.5, 2501.5]);
      expect(columns['gene 7']).toEqual([3.5, Number.NaN, 5.5]);
      expect(rows).toEqual([0, 1, 2]);
      await expect(open(`${'long name,'.repeat(120_000)}x\n1\n`)).rejects.toThrow(
        'the first line is longer than 1 MiB, too long for the names of columns',
      );
    });
    it('a carriage return alone among other line ends is refused', async () => {
      await expect(read('a,b\n1,x\n2,y\r3,x\n4,y\n')).rejects.toThrow(
        'line 3: a carriage return alone ends lines here',
      );
    });
    it('a space before a quote is refused', async () => {
      await expect(open('a, b\n0, "t,0"\n1, "u,1"\n')).rejects.toThrow(
        'line 2: a space before an opening quote',
      );
    });
    it('any character may be the quote, and a tab be named', async () => {
      expect((await read('a\tb\n1\t(x\ty(\n2\tz\n', { quote: '(', delimiter: 'tab' })).columns.b).toEqual([
        'x\ty',
        'z',
      ]);
      await expect(open('a,b\n1,2\n', { quote: 'ab' })).rejects.toThrow(
        '--quote: expected one character or none',
      );
    });
    it('a mark for damaged text that is written in the file is text', async () => {
      const rows = Array.from({ length: 12_000 }, (_, i) => `${i},x`);
      rows[2] = '2,\uFFFD';
      rows[11_999] = 'oops,x';
      const { rows: given, columns, bad } = await read(`a,b\n${rows.join('\n')}\n`);
      expect(bad).toEqual([[12_001, 'a', expect.stringContaining('oops')]]);
      expect(given.length).toBe(11_999);
      expect(columns.b[2]).toBe('\uFFFD');
    });
    it('an integer that no number holds is a bad cell among numbers, wherever it stands', async () => {
      const rows = Array.from({ length: 12_000 }, (_, i) => `${i},x`);
      rows[11_000] = '9007199254740993,x';
      rows[11_500] = '1e20,x';
      const { columns, bad } = await read(`a,b\n${rows.join('\n')}\n`);
      expect(bad).toEqual([[11_002, 'a', expect.stringContaining('got "9007199254740993"')]]);
      expect(columns.a.slice(11_498, 11_500)).toEqual([11_499, 1e20]);
    });
    it('a number that the database reads otherwise is read as it is here', async () => {
      const rows = Array.from({ length: 11_000 }, (_, i) => `${i},x`);
      rows[10_500] = '\u00a07,x';
      expect((await read(`a,b\n${rows.join('\n')}\n`)).columns.a[10_500]).toBe(7);
    });
  });

  describe('the encoding of a text file', () => {
    it('is told by a byte order mark, or by zeros', async () => {
      for (const content of [
        Buffer.from('\ufeffa,b\n1,é\n', 'utf16le'),
        Buffer.from('\ufeffa,b\n1,é\n', 'utf16le').swap16(),
        Buffer.from('a,b\n1,é\n', 'utf16le'),
        Buffer.from('\ufeffa,b\n1,é\n'),
      ]) {
        expect((await read(content)).columns).toEqual({ a: [1], b: ['é'] });
      }
    });
    it('is asked for where it is not UTF-8', async () => {
      const content = Buffer.from('größe,b\n1,ü\n', 'latin1');
      await expect(open(content)).rejects.toThrow(/line 1: not UTF-8 text; .* --encoding windows-1252/);
      expect((await read(content, { encoding: 'windows-1252' })).columns).toEqual({ größe: [1], b: ['ü'] });
      const lines = await openPath(file(content, 'txt'), { encoding: 'latin1' });
      for await (const { columns } of lines.read()) expect(columns.text.values).toEqual(['größe,b', '1,ü']);
      await expect(open('a\n1\n', { encoding: 'klingon' })).rejects.toThrow(
        'encoding: expected a name such as utf-8',
      );
    });
    it('is not in question for one damaged line among many', async () => {
      const rows = Array.from({ length: 300 }, (_, i) => `${i},x`);
      const content = Buffer.concat([Buffer.from(`a,b\n${rows.join('\n')}\n300,`), Buffer.from([0xfc, 10])]);
      const { bad, columns } = await read(content);
      expect(columns.a.length).toBe(300);
      expect(bad).toEqual([[302, undefined, expect.stringContaining('not valid UTF-8')]]);
    });
    it('is read through a zip archive of one file', async () => {
      const zipped = zipSync({ 'inner.csv': Buffer.from('a,b\n1,é\n2,"x,y"\n') });
      const source = await openPath(file(zipped, 'csv.zip'));
      for await (const { columns } of source.read()) expect(columns.b.values).toEqual(['é', 'x,y']);
    });
    it('is read through gzip', async () => {
      const content = gzipSync(Buffer.from('\ufeffa,b\n1,é\n', 'utf16le'));
      const source = await openPath(file(content, 'csv.gz'), { encoding: 'utf-16le' });
      for await (const { columns } of source.read()) expect(columns.b.values).toEqual(['é']);
    });
  });

  describe('a schema', () => {
    const train = `x,c,b\n${'0.5,1,true\n1.5,A,maybe\n2.5,2,false\n'.repeat(10)}`;

    it('reads a later file by the types of the first, cell by cell', async () => {
      const schema = schemaOf(await open(train));
      expect(schema.columns.map(({ type }) => type)).toEqual(['number', 'text', 'text']);
      const one = await read('x,c,b\n0.5,1,true\n', { schema });
      expect(one.columns).toEqual({ x: [0.5], c: ['1'], b: ['true'] });
      const other = await read('b,x,c\nfalse,7,1e0\n', { schema });
      expect(other.columns).toEqual({ b: ['false'], x: [7], c: ['1e0'] });
      await expect(
        read('x,c,b\nhigh,1,true\n', { schema, onBadRecord: 'auto' }).then(({ bad }) => bad),
      ).rejects.toThrow('line 2, column "x": expected a number as in the other records, got "high"');
    });

    it('reads JSON Lines and Parquet by the types of a CSV file', async () => {
      const schema = schemaOf(await open(train));
      const path = file('{"x": "0.5", "c": 1, "b": true}\n{"x": 7, "c": 1.0, "b": "maybe"}\n', 'jsonl');
      const source = await openPath(path, { schema });
      for await (const { columns } of source.read()) {
        expect([...columns.x.values]).toEqual([0.5, 7]);
        expect(columns.c.values).toEqual(['1', '1.0']);
        expect(columns.b.values).toEqual(['true', 'maybe']);
      }
    });

    it('says what is missing in every format', async () => {
      const schema = schemaOf(await open('x,c\n-999,NA\n1,b\n2,c\n', { missing: ['-999'] }));
      const path = file('{"x": -999, "c": "NA"}\n{"x": 5, "c": "b"}\n', 'jsonl');
      for await (const { columns } of (await openPath(path, { schema })).read()) {
        expect([...columns.x.values]).toEqual([Number.NaN, 5]);
        expect(columns.c.values).toEqual(['NA', 'b']);
      }
    });

    it('refuses digits of a date in an order that it does not tell', async () => {
      const schema = schemaOf(await open('d,x\n2020-01-05,1\n2020-01-06,2\n'));
      const { bad } = await read('d,x\n01/04/2020,1\n2020-01-07,2\n', { schema });
      expect(bad).toEqual([[2, 'd', 'expected a date as in the other records, got "01/04/2020"']]);
    });

    it('decides nothing of a column that was empty', async () => {
      const schema = schemaOf(await open('x,y\n1,\n2,NA\n'));
      expect(schema.columns).toEqual([{ name: 'x', type: 'number' }]);
      expect((await read('x,y\n1,5\n', { schema })).columns).toEqual({ x: [1], y: [5] });
    });

    it('keeps the formats of numbers and dates, whatever the later file holds', async () => {
      const schema = schemaOf(await open('n;d\n1.234,5;13/01/2024\n7,5;02/01/2024\n'));
      const later = await read('n;d\n1,5;02/03/2024\n', { schema });
      expect(later.columns).toEqual({ n: [1.5], d: [Date.parse('2024-03-02') / 1000] });
    });
  });
});
