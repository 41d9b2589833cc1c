import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import type { FormatName } from '../records/formats.js';
import type { OpenOptions } from '../records/open-bytes.js';
import type { BadRecord, ColumnValues, ReadOptions } from '../records/record-batch.js';
import { findDataFiles } from './data-files.js';
import { openSource } from './open-source.js';

const root = mkdtempSync(join(tmpdir(), 'lacuna-parts-'));
afterAll(() => rmSync(root, { recursive: true }));

let folders = 0;

/** A new folder with these files; their content, or that of a file whose content does not matter. */
function folder(files: readonly string[] | Readonly<Record<string, string | Uint8Array>>): string {
  const path = join(root, `set${folders++}`);
  mkdirSync(path);
  const contents = Array.isArray(files) ? files.map((name) => [name, 'x']) : Object.entries(files);
  for (const [name, content] of contents) writeFileSync(join(path, name), content);
  return path;
}

const found = async (path: string, format?: FormatName) =>
  (await findDataFiles(path, format)).map(({ path, part }) => `${basename(path)} ${part ?? '-'}`);

const failure = async (path: string, format?: FormatName): Promise<string> => {
  const error: unknown = await findDataFiles(path, format).then(
    () => new Error('files were found'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(InputError);
  return (error as InputError).message.replace(path, '…');
};

describe('the files that a path means', () => {
  it.each([
    [
      'MNIST',
      [
        't10k-images-idx3-ubyte.gz',
        't10k-labels-idx1-ubyte.gz',
        'train-images-idx3-ubyte.gz',
        'train-labels-idx1-ubyte.gz',
      ],
      ['train-images-idx3-ubyte.gz train', 't10k-images-idx3-ubyte.gz test'],
    ],
    [
      'fewer images',
      ['t5k-images-idx3-ubyte', 'train10k-images-idx3-ubyte'],
      ['train10k-images-idx3-ubyte train', 't5k-images-idx3-ubyte test'],
    ],
    [
      'a problem of the UCR archive',
      ['GunPoint.txt', 'GunPoint_TEST.ts', 'GunPoint_TEST.txt', 'GunPoint_TRAIN.ts', 'GunPoint_TRAIN.txt'],
      ['GunPoint_TRAIN.ts train', 'GunPoint_TEST.ts test'],
    ],
    [
      'parts in several files',
      [
        'README.md',
        'test-00000-of-00001.parquet',
        'train-00000-of-00002.parquet',
        'train-00001-of-00002.parquet',
        'validation-00000-of-00001.parquet',
      ],
      [
        'train-00000-of-00002.parquet train',
        'train-00001-of-00002.parquet train',
        'validation-00000-of-00001.parquet valid',
        'test-00000-of-00001.parquet test',
      ],
    ],
    [
      'a table in three parts',
      ['dev.csv', 'test.csv', 'train.csv'],
      ['train.csv train', 'dev.csv valid', 'test.csv test'],
    ],
    ['one file', ['notes.txt', 'training_data.csv'], ['training_data.csv -']],
    ['images and labels', ['some-images-idx3-ubyte', 'some-labels-idx1-ubyte'], ['some-images-idx3-ubyte -']],
    ['one text', ['words.txt'], ['words.txt -']],
  ])('%s: those of a folder', async (_, names, expected) => {
    expect(await found(folder(names))).toEqual(expected);
  });

  it('are those whose names go on from the path with a part', async () => {
    const path = folder(['A_TEST.ts', 'A_TRAIN.ts', 'AB_TEST.ts', 'AB_TRAIN.ts', 'B_TRAIN.ts']);
    expect(await found(join(path, 'A'))).toEqual(['A_TRAIN.ts train', 'A_TEST.ts test']);
    expect(await found(join(path, 'A_TRAIN.ts'))).toEqual(['A_TRAIN.ts -']);
    expect(await failure(join(path, 'B'))).toBe('…: no such file; check the path');
    expect(await failure(join(path, 'none', 'A'))).toBe('…: no such file; check the path');
    expect(await failure(path)).toBe(`…: 2 data sets (A, AB); give one of them, such as ${join(path, 'A')}`);
  });

  it('are asked for where the folder does not tell them', async () => {
    expect(await failure(folder([]))).toBe('…: a folder without data files; give a data file');
    expect(await failure(folder(['a.csv']), 'tsv')).toMatch(/without data files of the format tsv/);
    expect(await failure(folder(['a.csv', 'b.csv']))).toMatch(
      /several data files \(a\.csv, b\.csv\); give one of them/,
    );
    expect(await failure(folder(['a.csv', 'a_train.csv']))).toMatch(/several data files/);
    expect(await failure(folder(['extra.csv', 'test.csv', 'train.csv']))).toMatch(
      /train\.csv are the parts of one data set, and beside them lies extra\.csv; move that away/,
    );
    expect(await failure(folder(['test.csv', 'train.csv', 'train.csv.gz']))).toMatch(
      /both train\.csv and train\.csv\.gz; keep one/,
    );
    const both = folder(['test.csv', 'test.parquet', 'train.csv', 'train.parquet']);
    expect(await failure(both)).toMatch(/in several formats \(csv, parquet\); choose with --format/);
    expect(await found(both, 'csv')).toEqual(['train.csv train', 'test.csv test']);
  });
});

async function readAll(path: string, options?: OpenOptions, wanted?: ReadOptions) {
  const rows: number[] = [];
  const columns: Record<string, unknown[]> = {};
  for await (const batch of (await openSource(path, options)).read(wanted)) {
    rows.push(...batch.rows);
    for (const [name, column] of Object.entries<ColumnValues>(batch.columns)) {
      columns[name] = [...(columns[name] ?? []), ...column.values];
    }
  }
  return { rows, columns };
}

describe('a data set in parts', () => {
  const table = {
    'train.csv': 'a,b\n1,x\n2,y\n3,z\n',
    'dev.csv': 'a,b\n4,x\n',
    'test.csv': 'a,b\n5,y\n6,x\n',
  };

  it('is one source: its parts one after the other, with a column that names them', async () => {
    const path = folder(table);
    const source = await openSource(path);
    expect(source.columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'split text',
      'a number',
      'b text',
    ]);
    expect(source.files.map((file) => basename(file))).toEqual(['train.csv', 'dev.csv', 'test.csv']);
    expect(source.bytes).toBe(Object.values(table).reduce((sum, { length }) => sum + length, 0));
    expect(await readAll(path)).toEqual({
      rows: [0, 1, 2, 3, 4, 5],
      columns: {
        split: ['train', 'train', 'train', 'valid', 'test', 'test'],
        a: [1, 2, 3, 4, 5, 6],
        b: ['x', 'y', 'z', 'x', 'y', 'x'],
      },
    });
  });

  it('numbers its rows alike for every choice of columns, also where records are bad', async () => {
    const header = '@univariate true\n@classLabel true 1 2\n@data\n';
    const path = folder({ 'P_TRAIN.ts': `${header}1,2:1\n1,x:1\n`, 'P_TEST.ts': `${header}1,y:2\n3,4:2\n` });
    for (const [columns, rows] of [
      [['split'], [0, 1, 2, 3]],
      [['label'], [0, 1, 2, 3]],
      [
        ['series', 'split'],
        [0, 3],
      ],
    ] as const) {
      const bad: BadRecord[] = [];
      const options = { onBadRecord: 'skip', report: (record: BadRecord) => bad.push(record) } as const;
      const read = await readAll(path, options, { columns });
      expect(read.rows).toEqual(rows);
      expect(read.columns.split).toEqual(
        (columns as readonly string[]).includes('split')
          ? rows.map((row) => (row < 2 ? 'train' : 'test'))
          : undefined,
      );
      expect(bad.map(({ path, row, line }) => [basename(path), row, line])).toEqual(
        rows.length === 4
          ? []
          : [
              ['P_TRAIN.ts', 1, 5],
              ['P_TEST.ts', 2, 4],
            ],
      );
    }
  });

  it('is refused where its files differ or have a split of their own', async () => {
    const differing = folder({ 'train.csv': 'a,b\n1,x\n', 'test.csv': 'a\n1\n' });
    await expect(openSource(differing)).rejects.toThrow(
      /test\.csv: expected the columns of .*train\.csv \(a: number, b: text\), got a: number; give them the same columns/,
    );
    const split = folder({ 'train.csv': 'a,split\n1,x\n', 'test.csv': 'a,split\n1,x\n' });
    await expect(openSource(split)).rejects.toThrow(/train\.csv: has a column "split"/);
  });

  it('reads images with their labels', async () => {
    const idx = (sizes: number[], elements: number[]) =>
      Uint8Array.from([0, 0, 8, sizes.length, ...sizes.flatMap((size) => [0, 0, 0, size]), ...elements]);
    const path = folder({
      'train-images-idx3-ubyte': idx([2, 1, 1], [1, 2]),
      'train-labels-idx1-ubyte': idx([2], [7, 8]),
      't10k-images-idx3-ubyte': idx([1, 1, 1], [3]),
      't10k-labels-idx1-ubyte': idx([1], [9]),
    });
    expect((await openSource(path)).files).toHaveLength(4);
    expect((await readAll(path)).columns).toEqual({
      split: ['train', 'train', 'test'],
      pixels: [1, 2, 3],
      label: [7, 8, 9],
    });
    rmSync(join(path, 't10k-labels-idx1-ubyte'));
    await expect(openSource(path)).rejects.toThrow(
      /t10k-images.*got pixels: pixels; give them the same columns/,
    );
  });
});
