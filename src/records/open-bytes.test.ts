import { File } from 'node:buffer';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { tableFromArrays, tableToIPC } from '@uwdata/flechette';
import { zipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import { openSource } from '../sources/open-source.js';
import { npyHeader } from '../tensor/npy.js';
import { molecules } from '../tokenizers/real-records.case.js';
import { byteReaders, type OpenOptions, openBytes } from './open-bytes.js';
import type { BadRecord, DataSource } from './record-batch.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-bytes-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** All cells of a source by column, with the numbers of their records. */
async function cells(source: DataSource) {
  const rows: number[] = [];
  const columns: Record<string, unknown[]> = {};
  const lengths: number[] = [];
  for await (const batch of source.read()) {
    rows.push(...batch.rows);
    for (const [name, column] of Object.entries(batch.columns)) {
      columns[name] ??= [];
      for (const value of column.values) columns[name].push(value);
      if (column.type === 'series') lengths.push(...column.offsets);
    }
  }
  return { rows, columns, lengths };
}

/** What a source says of itself, but for where it lies. */
const about = ({ format, bytes, columns, leftOut }: DataSource) => ({ format, bytes, columns, leftOut });

/** Two 28 × 28 digits of MNIST. */
function digits(): Buffer {
  const { data }: { data: number[] } = createRequire(import.meta.url)('mnist/src/digits/3.json');
  const header = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 28];
  return Buffer.from([...header, ...data.slice(0, 2 * 784).map((value) => Math.round(255 * value))]);
}

// Human insulin, and the beginning of its precursor.
const fasta = `>sp|P01308|INS chain B\nFVNQHLCGSHLVEALYLVCGERGFFYTPKT\n>chain A\nGIVEQCCTSICSLYQLENYCN\n\n>signal\nMALWMRLLPLLALL\nALWGPDPAAA\n`;
const objects = molecules.map((smiles, i) => ({
  smiles,
  length: smiles.length,
  ...(i % 3 && { group: `g${i % 3}` }),
}));
const italian = `@problemName power
@univariate true
@classLabel true 1 2
@data
-0.71,0.33,-0.18,?,1.2:1
0.42,-0.6,-0.11:2
`;

const npyNumbers = Buffer.concat([npyHeader(3, 2), Buffer.from(Float32Array.of(1, 2, 3, 4, 5, 6).buffer)]);

/** By name of the file. */
const files: Record<string, string | Buffer> = {
  'insulin.fasta': fasta,
  'molecules.jsonl': objects.map((object) => JSON.stringify(object)).join('\n'),
  'molecules.json': JSON.stringify(objects, null, 1),
  'text.txt': 'Zwölf Boxkämpfer\r\njagen\r\n\r\nViktor 🥊\r\n',
  'molecules.smi': molecules.map((smiles, i) => `${smiles} molecule ${i}`).join('\n'),
  'power.ts': italian,
  'digits.idx': digits(),
  'numbers.npy': npyNumbers,
  'numbers.npz': Buffer.from(zipSync({ 'numbers.npy': npyNumbers })),
  'numbers.arrow': Buffer.from(tableToIPC(tableFromArrays({ x: [1, 2, 3] }), { format: 'file' })!),
  // Longer than what a stream gives at once, so that characters and lines are cut.
  'long.txt': Array.from({ length: 20_000 }, (_, i) => `${molecules[i % molecules.length]} é€🥊 ${i}`).join(
    '\n',
  ),
};

async function bothWays(name: string, content: string | Buffer, options: OpenOptions = {}) {
  const path = join(folder, name);
  await writeFile(path, content);
  return {
    disk: await openSource(path, options),
    bytes: await openBytes(new File([content], name), options),
  };
}

describe('a file of a page', () => {
  it.each(Object.keys(files))('%s gives the records that it gives on a disk, gzipped, too', async (name) => {
    const plain = await bothWays(name, files[name]);
    const read = await cells(plain.bytes);
    expect(read.rows.length).toBeGreaterThan(1);
    expect(read).toEqual(await cells(plain.disk));
    expect(about(plain.bytes)).toEqual(about(plain.disk));
    expect(plain.bytes).toMatchObject({ path: name, files: [name] });
    // As often as it is asked.
    expect(await cells(plain.bytes)).toEqual(read);

    const gzipped = await bothWays(`${name}.gz`, gzipSync(files[name]));
    expect(await cells(gzipped.bytes)).toEqual(read);
    expect(about(gzipped.bytes)).toEqual(about(gzipped.disk));
  });

  it('is of each format but those of a disk; tables have tests beside their readers', () => {
    const endings = Object.keys(files).map((name) => name.split('.')[1]);
    const formats = {
      fasta: 'fasta',
      jsonl: 'jsonl',
      json: 'json',
      txt: 'lines',
      smi: 'smiles',
      ts: 'ts',
      idx: 'idx',
      npy: 'npy',
      npz: 'npz',
      arrow: 'arrow',
    };
    const tables = ['csv', 'tsv', 'parquet'];
    expect(new Set(Object.keys(byteReaders))).toEqual(new Set([...Object.values(formats), ...tables]));
    expect(new Set(endings)).toEqual(new Set(Object.keys(formats)));
  });

  it('is told by its content, or by what is asked for, where its name tells nothing', async () => {
    expect((await openBytes(new File([fasta], 'insulin'))).format).toBe('fasta');
    const file = new File([molecules.join('\n')], 'molecules');
    await expect(openBytes(file)).rejects.toThrow('molecules: unknown format');
    expect((await openBytes(file, { format: 'smiles' })).format).toBe('smiles');
    await expect(openBytes(file, { format: 'xml' as 'json' })).rejects.toThrow('got "xml"');
  });

  it('is refused by name where its format needs a disk', async () => {
    const lmdb = Buffer.alloc(4096);
    lmdb.writeUInt32LE(0xbeefc0de, 16);
    const refused: [string, string, string | Buffer][] = [['lmdb', 'irises.mdb', lmdb]];
    for (const [format, name, content] of refused) {
      const opened = openBytes(new File([content], name));
      await expect(opened).rejects.toThrow(InputError);
      await expect(opened).rejects.toThrow(
        `${name}: ${format} is read from a disk alone; as bytes csv, tsv, parquet, jsonl, json,`,
      );
    }
  });

  it('is refused where its gzip stream is cut off or damaged, before a record is read', async () => {
    for (const name of ['long.txt', 'insulin.fasta']) {
      const whole = gzipSync(files[name]);
      const damaged = Buffer.from(whole);
      damaged[whole.length - 6] ^= 1;
      for (const content of [
        whole.subarray(0, whole.length - 5),
        whole.subarray(0, whole.length >> 1),
        damaged,
      ]) {
        const opened = openBytes(new File([content], `${name}.gz`));
        await expect(opened).rejects.toThrow(InputError);
        await expect(opened).rejects.toThrow(`${name}.gz: the gzip stream is truncated or corrupt`);
      }
    }
  });

  it('is refused where it is empty, or not what its name says', async () => {
    const failures: [string, string | Buffer, string][] = [
      ['empty.txt', '', 'empty file'],
      ['empty.txt.gz', gzipSync(''), 'empty after decompression'],
      ['plain.txt.gz', 'text', 'named .gz but not gzip'],
      ['insulin.fasta', molecules.join('\n'), 'not FASTA'],
      ['digits.idx', fasta, 'not IDX'],
    ];
    for (const [name, content, message] of failures)
      await expect(openBytes(new File([content], name))).rejects.toThrow(`${name}: ${message}`);
  });

  it('is refused before memory is taken for a size that it announces and has not', async () => {
    const axes = [0, 0, 8, 3, 0, 0, 4, 3, 0x20, 0, 0, 0x41, 0, 0, 0, 0];
    const huge = [0, 0, 8, 3, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    for (const header of [axes, huge]) {
      for (const [name, content] of [
        ['a.idx', Buffer.from(header)],
        ['a.idx.gz', gzipSync(Buffer.from(header))],
      ] as const) {
        await expect(openBytes(new File([content], name))).rejects.toThrow(InputError);
        await expect(openBytes(new File([content], name))).rejects.toThrow(`${name}: `);
      }
    }
    for (const length of ['1e308', '1e15']) {
      const text = `@equalLength true\n@seriesLength ${length}\n@classLabel true 1 2\n@data\n1,2,3,4:1\n4,3,?,1:2\n`;
      const source = await openBytes(new File([text], 'a.ts'));
      await expect(cells(source)).rejects.toThrow(/expected 1(e\+308|0{15}) values/);
    }
  });

  it('has its bad records skipped and told, or is refused, as asked', async () => {
    const lines = objects.map((object) => JSON.stringify(object));
    lines[2] = '{"smiles": ';
    const file = new File([lines.join('\n')], 'molecules.jsonl');
    const told: BadRecord[] = [];
    const source = await openBytes(file, { onBadRecord: 'skip', report: (bad) => told.push(bad) });
    expect((await cells(source)).rows).toEqual([...objects.keys()].filter((row) => row !== 2));
    expect(told).toMatchObject([{ path: 'molecules.jsonl', row: 2, line: 3 }]);
    const strict = openBytes(file, { onBadRecord: 'fail' }).then(cells);
    await expect(strict).rejects.toThrow('molecules.jsonl: line 3');
  });
});

describe('cells that are asked for verbatim', () => {
  it('are texts of every cell, null where it is not there, whatever else is read', async () => {
    const text = '{"id":7,"name":"a b"}\n{"id":null,"name":""}\n{"id":0.5}\n';
    const source = await openBytes(new File([text], 'v.jsonl'));
    const read = async (columns?: string[]) => {
      const texts: Record<string, (string | null)[]> = { id: [], name: [] };
      for await (const batch of source.read({ columns, verbatim: ['id', 'name'] }))
        for (const name of ['id', 'name']) texts[name].push(...batch.texts![name]);
      return texts;
    };
    const { id, name } = await read();
    expect([id[0], id[1], id[2], name[0], name[2]]).toEqual(['7', null, '0.5', 'a b', null]);
    expect(await read(['name', 'id'])).toEqual({ id, name });
  });

  it('of the parts of a data set have the part beside them', async () => {
    await writeFile(join(folder, 'X_train.csv'), 'id,v\n007,1\n');
    await writeFile(join(folder, 'X_test.csv'), 'id,v\n010,2\n');
    const source = await openSource(join(folder, 'X'));
    const texts: unknown[] = [];
    for await (const batch of source.read({ columns: ['split', 'id'], verbatim: ['id', 'split'] }))
      texts.push([batch.texts!.split[0], batch.texts!.id[0]]);
    expect(texts).toEqual([
      ['train', '007'],
      ['test', '010'],
    ]);
  });
});

describe('a compressed content without an end', () => {
  /** As much as anybody wants of one byte behind a beginning. */
  const endless = (name: string, beginning: string | Uint8Array, byte: string) => ({
    name,
    size: 1000,
    async *stream() {},
    slice: () => ({ arrayBuffer: async () => Uint8Array.of(0x1f, 0x8b, 8, 0).buffer }),
    async *gunzip() {
      yield Buffer.from(beginning as string);
      for (const block = Buffer.alloc(1 << 24, byte); ; ) yield block;
    },
  });
  const idx = Uint8Array.from([0, 0, 8, 3, 0, 0, 0, 9, 0, 0, 0, 28, 0, 0, 0, 28]);

  it.each<[string, string | Uint8Array, string, string]>([
    ['a.json', '[{"x": 1}, {"x": "', 'a', 'unpacks to more than 256 MiB without a line end or a comma'],
    ['a.json', '[{"x": 1}, ', ' ', 'unpacks to more than 256 MiB without a line end or a comma'],
    ['a.json', '{"x": "', 'a', 'unpacks to more than 256 MiB without a line end or a comma'],
    ['a.jsonl', '{"x": 1}\n{"x": "', 'a', 'unpacks to more than 256 MiB without a line end or a comma'],
    ['a.fasta', '>a\nMKV\n>b\n', 'A', 'unpacks to more than 256 MiB without a line end or a comma'],
    ['a.txt', 'one\n', 'a', 'unpacks to more than 256 MiB without a line end or a comma'],
    ['a.ts', '@univariate true\n@data\n', '1', 'unpacks to more than 256 MiB without a line end or a comma'],
    ['a.npy', npyHeader(10, 4), '\0', 'more than 1024 MiB, the most that is read in this format'],
    ['a.idx', idx, '\0', 'longer than its header announces (9 records)'],
  ])(
    'is refused where the limit of what is held is reached: %s %j %j',
    async (name, beginning, byte, message) => {
      const opening = openBytes(endless(`${name}.gz`, beginning, byte));
      await expect(opening).rejects.toThrow(InputError);
      await expect(opening).rejects.toThrow(message);
    },
  );
});
