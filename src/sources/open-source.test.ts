import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import { type OpenOptions, openBytes } from '../records/open-bytes.js';
import type { BadRecord, DataSource, ReadOptions, RecordBatch } from '../records/record-batch.js';
import { diskFile } from './disk-file.js';
import { withQuery } from './duckdb.js';
import { openSource } from './open-source.js';

const folder = mkdtempSync(join(tmpdir(), 'lacuna-records-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, name.endsWith('.gz') ? gzipSync(content) : content);
  return path;
}

/** All cells by column, and the row numbers. */
async function readAll(source: DataSource, options?: ReadOptions) {
  const rows: number[] = [];
  const columns: Record<string, (string | number | null)[]> = {};
  for await (const batch of source.read(options)) {
    rows.push(...batch.rows);
    for (const [name, { values }] of Object.entries(batch.columns)) {
      columns[name] ??= [];
      for (const value of values) columns[name].push(value);
    }
  }
  return { rows, columns };
}

async function batches(source: DataSource): Promise<RecordBatch[]> {
  const all: RecordBatch[] = [];
  for await (const batch of source.read()) all.push(batch);
  return all;
}

async function read(name: string, content: string | Uint8Array, options?: OpenOptions) {
  return (await readAll(await opened(file(name, content), options))).columns;
}

/** The message of the InputError that opening and reading throws. */
async function failure(path: string, options?: OpenOptions): Promise<string> {
  try {
    await readAll(await opened(path, options));
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    const { message } = error as InputError;
    expect(message).not.toContain('\n');
    expect(message.startsWith(path)).toBe(true);
    return message.slice(path.length + 2);
  }
  throw new Error(`${path} was read without an error`);
}

const esol =
  'smiles,log_solubility,scaffold_split\nOCC3OC(OCC2OC(OC(C#N)c1ccccc1)C(O)C(O)C2O)C(O)C(O)C3O,-0.77,test\nCc1occc1C(=O)Nc2ccccc2,-3.3,train\n';

/** Both ways to open a file: as on a disk, and as in a page. */
const openers = {
  'through the database': openSource,
  'as bytes': async (path: string, options?: OpenOptions) => openBytes(await diskFile(path), options),
} as const;
let opened: (path: string, options?: OpenOptions) => Promise<DataSource> = openSource;
const bothWays = (title: string, tests: () => void) =>
  describe.each(Object.entries(openers))(`${title}, read %s,`, (_, open) => {
    beforeAll(() => {
      opened = open;
    });
    afterAll(() => {
      opened = openSource;
    });
    tests();
  });

bothWays('CSV and TSV', () => {
  it.each(['esol.csv', 'esol.csv.gz'])('reads real rows of %s with their types', async (name) => {
    const source = await opened(file(name, esol));
    expect(source.format).toBe('csv');
    expect(source.columns).toEqual([
      { name: 'smiles', type: 'text' },
      { name: 'log_solubility', type: 'number' },
      { name: 'scaffold_split', type: 'text' },
    ]);
    const { rows, columns } = await readAll(source);
    expect(rows).toEqual([0, 1]);
    expect(columns.smiles[1]).toBe('Cc1occc1C(=O)Nc2ccccc2');
    expect(columns.log_solubility).toEqual([-0.77, -3.3]);
    expect(await readAll(source, { columns: ['log_solubility'] })).toEqual({
      rows: [0, 1],
      columns: { log_solubility: [-0.77, -3.3] },
    });
  });

  it('reads missing cells, NaN and infinities as missing', async () => {
    const { age, job } = await read(
      'adult.csv',
      'age,job\n39,State-gov\n?,?\nNaN,Private\n,\nNA,null\ninf,Private\n1e3,Private\n',
    );
    expect(age).toEqual([39, Number.NaN, Number.NaN, Number.NaN, Number.NaN, Number.NaN, 1000]);
    expect(job).toEqual(['State-gov', null, 'Private', null, null, 'Private', 'Private']);
  });

  it('reads quotes, line ends in quotes, CRLF, unicode and a byte order mark', async () => {
    const text = '\uFEFFid,note\r\n1,"a, ""b""\nc"\r\n2,中文 é\r\n3,5" disk\r\n';
    expect(await read('quotes.csv', text)).toEqual({
      id: [1, 2, 3],
      note: ['a, "b"\nc', '中文 é', '5" disk'],
    });
  });

  it('reads tabs without quoting, semicolons, one column, no header, booleans and codes', async () => {
    expect(await read('cola.tsv', 'split\tsentence\ntrain\tHe said "so.\ntest\t"No" was it\n')).toEqual({
      split: ['train', 'test'],
      sentence: ['He said "so.', '"No" was it'],
    });
    expect(await read('semi.csv', 'a;b\n1;2\n')).toEqual({ a: [1], b: [2] });
    expect(await read('one.csv', 'smiles\nCC(=O)O\nc1ccccc1\n')).toEqual({ smiles: ['CC(=O)O', 'c1ccccc1'] });
    expect(await read('digits.csv', '0,5,1\n0,12,2\n')).toEqual({
      column0: [0, 0],
      column1: [5, 12],
      column2: [1, 2],
    });
    expect(await read('codes.csv', 'zip,ok\n00501,true\n10001,false\n')).toEqual({
      zip: ['00501', '10001'],
      ok: ['true', 'false'],
    });
  });

  it('gives back quoted cells, whatever is in them', async () => {
    const cell = fc.string({ unit: 'grapheme', maxLength: 12 }).map((text) => `c${text.replace(/\0/g, '')}`);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 20 }),
        fc.constantFrom('\n', '\r\n'),
        async (records, end) => {
          const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;
          const lines = [['first', 'second'], ...records].map((cells) => cells.map(quote).join(','));
          expect(await read('round.csv', lines.join(end))).toEqual({
            first: records.map(([left]) => left),
            second: records.map(([, right]) => right),
          });
        },
      ),
      { numRuns: 100 },
    );
  });

  it('takes a path literally, whatever is in it', async () => {
    expect(await read("it's [1] *.csv", 'a\n1\n')).toEqual({ a: [1] });
  });

  it('reads a field of 10 MB and refuses a longer record than it can hold', async () => {
    const { sequence } = await read('long.csv', `sequence,y\nMK,1\n${'M'.repeat(10_000_000)},2\n`);
    expect(String(sequence[1]).length).toBe(10_000_000);
    const path = file('longer.csv', `sequence,y\nMK,1\n${'M'.repeat(20_000_000)},2\n`);
    expect(await failure(path)).toMatch(/line|16 MiB/i);
  });

  it('refuses a bad record among the first hundred with its place', async () => {
    expect(await failure(file('ragged.csv', 'a,b,c\n1,2,3\n4,5\n6,7,8\n'))).toMatch(
      /^line 3: expected 3 columns, got 2; /,
    );
    const cells = Array.from({ length: 30 }, (_, i) => (i === 20 ? 'x,"two\nlines"' : `x,${i}`));
    const stray = ['name,age', ...Array.from({ length: 30 }, (_, i) => `x,${i === 20 ? 'oops' : i}`)];
    expect(await failure(file('stray.csv', stray.join('\n')))).toMatch(
      /^line 22, column "age": expected a number as in the other records, got "oops"; /,
    );
    expect(await failure(file('lines.csv', ['name,age', ...cells, 'y,1,2'].join('\n')))).toMatch(
      /^line 22, /,
    );
    expect(await failure(file('latin.csv', Buffer.from('a,b\n1,x\n2,\xe9\n', 'latin1')))).toMatch(/UTF-8/);
  });

  it.each(['\n', '\r\n'])(
    'skips and reports later bad records once and keeps the other numbers, lines ending in %j',
    async (end) => {
      const lines = ['a,b', ...Array.from({ length: 30_000 }, (_, i) => `${i},x${i}`)];
      lines[25_001] = 'oops,x';
      lines[25_002] = '1,"two\nlines"';
      lines[25_003] = '1';
      lines[25_004] = '1,2,3';
      const reported: BadRecord[] = [];
      const source = await opened(file('late.csv', lines.join(end)), {
        report: (bad) => reported.push(bad),
      });
      const first = await readAll(source);
      expect(await readAll(source)).toEqual(first);
      expect(first.rows.length).toBe(29_997);
      for (const i of [0, 24_999, 25_000, 25_001, 29_996]) {
        const row = first.rows[i];
        expect(first.columns.a[i]).toBe(row === 25_001 ? 1 : row);
      }
      expect(reported.map(({ row, line, column }) => [row, line, column])).toEqual([
        [25_000, 25_002, 'a'],
        [25_002, 25_005, undefined],
        [25_003, 25_006, undefined],
      ]);
      expect(await failure(source.path, { onBadRecord: 'fail' })).toMatch(/^line 25002, column "a": /);
      const other = await readAll(source, { columns: ['b'] });
      expect(other.rows.length).toBe(29_998);
    },
  );

  it('can be left early and read twice at once', async () => {
    const text = `a\n${Array.from({ length: 50_000 }, (_, i) => i).join('\n')}\n`;
    const source = await opened(file('numbers.csv.gz', text));
    for await (const batch of source.read()) {
      expect(batch.rows[0]).toBe(0);
      break;
    }
    const [left, right] = await Promise.all([readAll(source), readAll(source)]);
    expect(left).toEqual(right);
    expect(left.columns.a).toEqual(left.rows);
    expect(left.rows.length).toBe(50_000);
  });
});

bothWays('Parquet', () => {
  it('reads numbers, booleans, decimals, text, missing cells and constant columns', async () => {
    const path = join(folder, 'table.parquet');
    await withQuery((query) =>
      query(`COPY (SELECT i::INTEGER AS i, CASE WHEN i = 1 THEN NULL ELSE i / 4 END AS x, i = 2 AS flag,
        (i / 10)::DECIMAL(6, 2) AS money, 'c' AS constant, CASE WHEN i > 0 THEN 'é' || i END AS name,
        DATE '2020-01-01' + i::INTEGER AS day FROM range(3) t(i)) TO '${path}'`),
    );
    const source = await opened(path);
    expect(source.columns.map(({ type }) => type).join()).toBe('number,number,text,number,text,text,number');
    expect((await readAll(source)).columns).toEqual({
      i: [0, 1, 2],
      x: [0, Number.NaN, 0.5],
      flag: ['false', 'false', 'true'],
      money: [0, 0.1, 0.2],
      constant: ['c', 'c', 'c'],
      name: [null, 'é1', 'é2'],
      day: ['2020-01-01', '2020-01-02', '2020-01-03'].map((day) => Date.parse(day) / 1000),
    });
  });

  it('refuses what is not Parquet or is cut off', async () => {
    expect(await failure(file('text.parquet', 'a,b\n1,2\n'))).toMatch(/not Parquet/);
    expect(await failure(file('cut.parquet', 'PAR1abcdefgh'))).toMatch(/not a readable Parquet file/);
    expect(await failure(file('zipped.parquet.gz', 'PAR1abcdefgh'))).toMatch(/decompress it/);
  });
});

describe('JSON Lines', () => {
  it('reads numbers, text, nested values and missing keys', async () => {
    const text =
      '{"_id": "1", "year": 1958, "text": "wing in a slipstream", "tags": ["a"]}\n\n{"_id": "2", "year": 2.5, "text": null}\r\n';
    const expected = {
      _id: ['1', '2'],
      year: [1958, 2.5],
      text: ['wing in a slipstream', null],
      tags: ['["a"]', null],
    };
    expect(await read('corpus.jsonl', text)).toEqual(expected);
    expect(await read('corpus.ndjson.gz', text)).toEqual(expected);
  });

  it('says what texts make a column of numbers one of text, and takes white space around NA for none', async () => {
    const open = (cells: unknown[]) =>
      openSource(file('mixed.jsonl', cells.map((a) => JSON.stringify({ a })).join('\n')));
    const numbers = Array.from({ length: 20 }, (_, i) => i / 2);
    const rest = 'of 22 cells are numbers, others such as';
    expect((await open([...numbers, '7.5', '8'])).notes).toEqual([
      `column a: 20 ${rest} "7.5", and all are read as text; write them without quotes`,
    ]);
    expect((await open([...numbers, '<1', '<2'])).notes).toEqual([
      `column a: 20 ${rest} "<1", and all are read as text; correct them, or read them as missing with --missing "<1"`,
    ]);
    const { columns, notes } = await open([...numbers, ' NA', ' ', 'NA ']);
    expect(columns[0].type).toBe('number');
    expect(notes ?? []).toEqual([]);
  });

  it('refuses or skips broken lines and text in a number column', async () => {
    const lines = Array.from({ length: 300 }, (_, i) => `{"a":${i}}`);
    lines[150] = '{"a":1,';
    lines[151] = '{"a":"oops"}';
    const path = file('late.jsonl', lines.join('\n'));
    const reported: BadRecord[] = [];
    const { rows } = await readAll(await openSource(path, { report: (bad) => reported.push(bad) }));
    expect(rows.length).toBe(298);
    expect(rows[150]).toBe(152);
    expect(reported.map(({ line, column }) => [line, column])).toEqual([
      [151, undefined],
      [152, 'a'],
    ]);
    expect(await failure(path, { onBadRecord: 'fail' })).toMatch(/^line 151: expected one JSON object, got /);
    expect(await failure(file('words.jsonl', 'hello\nworld\n'))).toMatch(/^line 1: expected one JSON object/);
  });
});

describe('JSON', () => {
  // The form of TAPE's files: labels of a record in lists, of its tokens too.
  const objects = [
    {
      id: '0',
      primary: 'GIVEQCC',
      log_fluorescence: [3.5],
      ss3: [2, 2, 0, 0, 0, 1, 1],
      valid_mask: [true, false],
    },
    { id: '1', primary: 'F"V\\', log_fluorescence: [-1], ss3: [1], valid_mask: [true], note: ['a, [b}'] },
  ];
  const columns = {
    id: ['0', '1'],
    primary: ['GIVEQCC', 'F"V\\'],
    log_fluorescence: [3.5, -1],
    ss3: ['2 2 0 0 0 1 1', '1'],
    valid_mask: ['1 0', '1'],
    note: [null, '["a, [b}"]'],
  };

  it('reads an array of objects, written in any way and under either name', async () => {
    const text = JSON.stringify(objects);
    expect(await read('a.json', text)).toEqual(columns);
    expect(await read('a.json.gz', `\uFEFF\r\n${JSON.stringify(objects, null, 2)}\n `)).toEqual(columns);
    expect((await openSource(file('a.jsonl', text))).format).toBe('json');
    const lines = file('lines.json', objects.map((object) => JSON.stringify(object)).join('\n'));
    expect((await openSource(lines)).format).toBe('jsonl');
    expect((await readAll(await openSource(lines))).columns).toEqual(columns);
    expect((await openSource(file('array', text))).format).toBe('json');
  });

  it('gives back what was written, wherever the chunks end', async () => {
    // U+FFFD is what damaged text is decoded to, and taken for damage.
    const long = fc.string({ unit: 'grapheme' }).map((text) => `c${text.replaceAll('\uFFFD', '')}`);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ a: long, b: fc.integer() }), { minLength: 1, maxLength: 20 }),
        fc.constantFrom(undefined, 1, '\t'),
        fc.nat({ max: 40 }),
        async (records, indent, before) => {
          // The first megabyte ends somewhere in the records.
          const space = ' '.repeat((1 << 20) - before);
          const { a, b } = await read('round.json', space + JSON.stringify(records, null, indent));
          expect(a).toEqual(records.map((record) => record.a));
          expect(b).toEqual(records.map((record) => record.b));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('reads lists of numbers as series, and leaves uneven ones out', async () => {
    const source = await openSource(file('map.json', '[{"a": "x", "xyz": [[1, 2.5, 3], [4, 5, 6]]}]'));
    expect(source.columns).toEqual([
      { name: 'a', type: 'text' },
      { name: 'xyz', type: 'series' },
    ]);
    const ragged = await openSource(file('ragged.json', '[{"a": "x", "xyz": [[1, 2.5], [4]]}]'));
    expect(ragged.columns).toEqual([{ name: 'a', type: 'text' }]);
    expect(ragged.leftOut).toEqual([
      { name: 'xyz', reason: 'a list of [2, 2] numbers in record 0; a column holds numbers or text' },
    ]);
  });

  it('reads lists of many different whole numbers as series, of few as words, and an empty one as missing', async () => {
    const list = (length: number, most: number) => Array.from({ length }, (_, i) => (i * 37) % most);
    const records = [
      { beats: list(80, 200), states: list(80, 64), tags: ['a'] },
      { beats: [], states: [], tags: [] },
    ];
    const { columns, notes } = await openSource(file('whole.json', JSON.stringify(records)));
    expect(columns).toEqual([
      { name: 'beats', type: 'series' },
      { name: 'states', type: 'text' },
      { name: 'tags', type: 'text' },
    ]);
    expect(notes).toEqual([
      'column beats: lists of more than 64 different whole numbers are read as measurements; if they are codes, write them as text',
    ]);
    const path = file('whole.jsonl', records.map((record) => JSON.stringify(record)).join('\n'));
    for await (const batch of (await openSource(path)).read()) {
      expect(batch.columns.beats).toMatchObject({ type: 'series', offsets: Int32Array.of(0, 80, 80) });
      expect(batch.columns.states).toEqual({ type: 'text', values: [list(80, 64).join(' '), null] });
      expect(batch.columns.tags).toEqual({ type: 'text', values: ['["a"]', null] });
    }
  });

  it.each(['json', 'jsonl'] as const)('reads lists as the schema of a run says: %s', async (format) => {
    const records = [
      { beats: [1, 2, 1], states: Array.from({ length: 80 }, (_, i) => i) },
      { beats: [3], states: [1, 2] },
    ];
    const text =
      format === 'json' ? JSON.stringify(records) : records.map((own) => JSON.stringify(own)).join('\n');
    const columns = [
      { name: 'beats', type: 'series' },
      { name: 'states', type: 'text' },
    ] as const;
    const source = await openSource(file(`run.${format}`, text), { schema: { version: 1, columns } });
    expect(source.columns).toEqual(columns);
    for await (const batch of source.read()) {
      expect(batch.columns.beats).toMatchObject({ values: Float32Array.of(1, 2, 1, 3) });
      expect(batch.columns.states).toMatchObject({ values: [records[0].states.join(' '), '1 2'] });
    }
  });

  it('names the line of a bad record', async () => {
    const records = Array.from({ length: 150 }, (_, i) => `{"a": ${i}}`);
    records[120] = '{"a": oops}';
    records[121] = '[1, 2]';
    records[122] = '{"a": "x"}';
    const path = file('late.json', `[\n${records.join(',\n')}\n]`);
    const reported: BadRecord[] = [];
    const { rows } = await readAll(await openSource(path, { report: (bad) => reported.push(bad) }));
    expect(rows.length).toBe(147);
    expect(reported.map(({ row, line, message }) => [row, line, message])).toEqual([
      [120, 122, 'expected one JSON object, got "{\\"a\\": oops}"'],
      [121, 123, 'expected one JSON object, got "[1, 2]"'],
      [122, 124, 'expected a number as in the other records, got "x"'],
    ]);
  });

  it.each([
    ['', '[]', /no records; expected an array of JSON objects/],
    [
      'without an end',
      '[{"a":1},\n{"a":2}',
      /^line 2: the array is not closed by "]"; the file is truncated/,
    ],
    ['with an open quote', '[{"a":"1},\n{"a":2}]', /^line 2: the array is not closed/],
    ['with an empty place', '[{"a":1},\n,{"a":2}]', /^line 2: expected an object, got nothing/],
    ['with a last comma', '[{"a":1},]', /^line 1: expected an object, got nothing/],
    ['with a bracket too many', '[{"a":1}}]', /^line 1: "}" without "{"/],
    [
      'with something after it',
      '[{"a":1}]\n{"a":2}',
      /^line 2: expected nothing after the array, got "{\\"a\\":2}"/,
    ],
    ['that is a text', '"words"', /^line 1: expected "\[" and an array of objects, got /],
  ])('refuses an array %s', async (_, text, message) => {
    expect(await failure(file('broken.json', text))).toMatch(message);
  });
});

describe('FASTA', () => {
  it('reads ids, descriptions and folded sequences', async () => {
    const text = '>sp|P02185|MYG Myoglobin\r\nVLSEGEWQ\r\nLVLHVW\r\n\r\n>two\nMK LV\n';
    expect(await read('a.fasta.gz', text)).toEqual({
      id: ['sp|P02185|MYG', 'two'],
      description: ['Myoglobin', null],
      sequence: ['VLSEGEWQLVLHVW', 'MKLV'],
    });
  });

  it('gives back what was written, however the lines are folded', async () => {
    const record = fc.record({
      id: fc.stringMatching(/^[A-Za-z0-9|_]{1,12}$/),
      sequence: fc.stringMatching(/^[ACDEFGHIKLMNPQRSTVWY]{1,80}$/),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 90 }),
        async (records, width) => {
          const text = records
            .map(
              ({ id, sequence }) => `>${id}\n${sequence.match(new RegExp(`.{1,${width}}`, 'g'))!.join('\n')}`,
            )
            .join('\n');
          const { id, sequence } = await read('round.fa', text);
          expect(id).toEqual(records.map((one) => one.id));
          expect(sequence).toEqual(records.map((one) => one.sequence));
        },
      ),
      { numRuns: 30 },
    );
  });

  it('reads a sequence of 10 MB and refuses one without residues', async () => {
    const { sequence } = await read('long.fasta', `>a\n${'MKLV'.repeat(2_500_000)}\n>b\nMK\n`);
    expect(sequence.map((text) => String(text).length)).toEqual([10_000_000, 2]);
    expect(await failure(file('hollow.fasta', '>a\nMK\n>b\n>c\nML\n'))).toMatch(
      /^line 3: "b" has no sequence/,
    );
    expect(await failure(file('bare.fasta', 'MKLV\n'))).toMatch(/not FASTA/);
  });
});

describe('one record per line', () => {
  it('gives back the lines that are not blank', async () => {
    const line = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter((text) => !/[\r\n]/.test(text) && text.trim() !== '');
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { minLength: 1 }),
        fc.constantFrom('\n', '\r\n', '\n\n'),
        async (lines, end) => {
          fc.pre(!lines[0].startsWith('\uFEFF') && !lines.some((text) => text.includes('\0')));
          expect((await read('round.txt', lines.join(end))).text).toEqual(lines);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('reads the first word of SMILES lines, and long lines', async () => {
    expect(await read('a.smi.gz', 'CCO ethanol\nC\tmethane\n')).toEqual({ text: ['CCO', 'C'] });
    const { text } = await read('long.txt', `a\n${'é'.repeat(5_000_000)}\nb`);
    expect(text.map((line) => String(line).length)).toEqual([1, 5_000_000, 1]);
  });

  it('names the line that is not UTF-8', async () => {
    expect(await failure(file('latin.txt', Buffer.from('abc\nd\xe9f\n', 'latin1')))).toMatch(
      /^line 2: not valid UTF-8/,
    );
  });
});

describe('IDX images', () => {
  const idx = (sizes: number[], elements: number[]) => {
    const header = [0, 0, 8, sizes.length, ...sizes.flatMap((size) => [0, 0, size >> 8, size & 255])];
    return Uint8Array.from([...header, ...elements]);
  };
  const place = (name: string) => {
    mkdirSync(join(folder, name));
    return name;
  };

  it('reads a folder of images and labels, and images with channels alone', async () => {
    const name = place('digits');
    file(`${name}/some-images-idx3-ubyte.gz`, idx([3, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255]));
    file(`${name}/some-labels-idx1-ubyte`, idx([3], [7, 0, 9]));
    const source = await openSource(join(folder, name));
    const [batch] = await batches(source);
    expect(batch.columns.pixels).toEqual({
      type: 'pixels',
      values: Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255]),
      shape: [2, 2, 1],
    });
    expect(batch.columns.label.values).toEqual(Float64Array.from([7, 0, 9]));
    const colour = await openSource(file('c.idx', idx([1, 1, 2, 3], [1, 2, 3, 4, 5, 6])));
    const [{ columns }] = await batches(colour);
    expect(columns.pixels).toMatchObject({ shape: [1, 2, 3] });
  });

  it('does not take a gzipped copy beside a file for its labels', async () => {
    const name = place('copies');
    const images = idx([2, 1, 1], [1, 2]);
    const plain = file(`${name}/some.idx`, images);
    const gzipped = file(`${name}/some.idx.gz`, images);
    for (const path of [plain, gzipped]) {
      const { columns, files } = await openSource(path);
      expect([columns, files]).toEqual([[{ name: 'pixels', type: 'pixels' }], [path]]);
    }
  });

  it('refuses truncated images, images without their labels and empty folders', async () => {
    expect(await failure(file('cut-idx3-ubyte', idx([2, 2, 2], [1, 2, 3])))).toMatch(/5 bytes are missing/);
    expect(await failure(file('more-idx3-ubyte', idx([1, 1, 1], [1, 2])))).toMatch(/longer than its header/);
    expect(await failure(file('b-labels-idx1-ubyte', idx([1], [1])))).toMatch(/labels without images/);
    expect(await failure(join(folder, place('empty')))).toMatch(/a folder without data files/);
    const name = place('unequal');
    file(`${name}/t-images-idx3-ubyte`, idx([1, 1, 1], [1]));
    const labels = file(`${name}/t-labels-idx1-ubyte`, idx([2], [1, 2]));
    await expect(openSource(join(folder, name))).rejects.toThrow(`${labels}: expected a label for each`);
  });
});

describe('files that cannot be opened', () => {
  it.each([
    ['empty.csv', '', /empty file/],
    ['empty.csv.gz', '', /empty after decompression/],
    ['blank.txt', ' \n\n', /only white space/],
    ['header.csv', 'a,b\n', /a header but no records/],
    ['junk.csv', Uint8Array.from({ length: 9000 }, (_, i) => (i * 7919) % 256), /binary data/],
    ['table.csv', 'PAR1....', /name it \.parquet/],
    ['what.xyz', 'a,b\n1,2\n', /unknown format/],
  ])('%s', async (name, content, message) => {
    expect(await failure(file(name, content))).toMatch(message);
  });

  it('a missing file, a false .gz, an unknown column', async () => {
    expect(await failure(join(folder, 'nowhere.csv'))).toMatch(/no such file/);
    const path = join(folder, 'plain.csv.gz');
    writeFileSync(path, 'a\n1\n');
    expect(await failure(path)).toMatch(/not gzip/);
    const source = await openSource(file('known.csv', 'a,b\n1,2\n'));
    expect(() => source.read({ columns: ['c'] })).toThrow(/no column "c"; it has a, b$/);
  });

  it.each(['csv', 'jsonl', 'fasta', 'txt', 'ts'])(
    'a truncated or corrupted gzip of %s',
    async (extension) => {
      const bad =
        { csv: 'a,b\n', jsonl: '', fasta: '>a\n', txt: '', ts: '@univariate true\n@data\n' }[extension] ?? '';
      const line =
        { csv: '1,2\n', jsonl: '{"a":1}\n', fasta: 'MKLV\n', txt: 'words\n', ts: '1,2\n' }[extension] ?? '';
      const whole = gzipSync(bad + line.repeat(50_000));
      const path = join(folder, `cut.${extension}.gz`);
      for (const length of [whole.length >> 1, whole.length - 3]) {
        writeFileSync(path, whole.subarray(0, length));
        expect(await failure(path)).toMatch(/truncated/);
      }
      const damaged = Buffer.from(whole);
      damaged[whole.length - 6] ^= 1;
      writeFileSync(path, damaged);
      expect(await failure(path)).toMatch(/checksum/);
    },
  );
});
