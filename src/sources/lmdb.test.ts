import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import type { OpenOptions } from '../records/open-bytes.js';
import type { BadRecord } from '../records/record-batch.js';
import { inspect } from '../verbs/inspect.js';
import { LmdbFile } from './lmdb-file.js';
import { NumpyArray } from './numpy-array.js';
import { openSource } from './open-source.js';
import { type PickleDictionary, unpickle } from './pickle.js';

const folder = mkdtempSync(join(tmpdir(), 'lacuna-lmdb-'));
afterAll(() => rmSync(folder, { recursive: true }));

const bytesOf = (name: string): Buffer =>
  gunzipSync(readFileSync(new URL(`../../test/fixtures/lmdb/${name}.mdb.gz`, import.meta.url)));

function file(name: string, bytes: Uint8Array = bytesOf(name)): string {
  const path = join(folder, `${name}.mdb`);
  writeFileSync(path, bytes);
  return path;
}

/** What the values of a database hold, also where no column can. */
function objectsOf(path: string): PickleDictionary[] {
  const database = new LmdbFile(path);
  try {
    return Array.from(database.inKeyOrder())
      .filter(({ key }) => key.toString() !== 'num_examples')
      .map((entry) => unpickle(entry.value()) as PickleDictionary);
  } finally {
    database.close();
  }
}

async function columnsOf(path: string, options?: OpenOptions) {
  const columns: Record<string, unknown[]> = {};
  for await (const batch of (await openSource(path, options)).read()) {
    for (const [name, { values }] of Object.entries(batch.columns)) {
      columns[name] ??= [];
      columns[name].push(...values);
    }
  }
  return columns;
}

/** The InputError of a path that cannot be read, or else what was read. */
async function failure(path: string, options?: OpenOptions): Promise<string | object> {
  try {
    return await columnsOf(path, options);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    expect(error.message.startsWith(folder)).toBe(true);
    expect(error.message).not.toContain('\n');
    return error.message;
  }
}

// As in test/fixtures/make-lmdb.py.
const sequences = [
  'VLSEGEWQLVLHVWAKVEADVAGHGQDILIRLFKSHPETLEKFDRFKHLKTEAEMKASEDLKKHGVTVLTALGAILKKKGHHEAELKPLAQSHATKHKIPIKYLEFISEAIIHVLHSRHPGDFGADAQGAMNKALELFRKDIAAKYKELGYQG',
  'MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDGRTLSDYNIQKESTLHLVLRLRGG',
  'TTCCPSIVARSNFNVCRLPGTPEALCATYTGCIIIPGATCPGDYAN',
];

describe.each([2, 3, 4, 5])('pickle protocol %i', (protocol) => {
  it('gives columns of text, numbers and labels, and leaves the matrix out', async () => {
    const source = await openSource(file(`protocol${protocol}`));
    expect(source.format).toBe('lmdb');
    expect(source.columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'id text',
      'primary text',
      'protein_length number',
      'log_fluorescence number',
      'fold_label number',
      'score number',
      'large number',
      'ss3 text',
      'valid_mask text',
    ]);
    expect(source.leftOut).toEqual([
      { name: 'tertiary', reason: 'float32[153, 3] in record 0; a column holds numbers or text' },
    ]);
    const columns = await columnsOf(source.path);
    expect(columns).toMatchObject({
      id: ['protein-0', 'protein-1', 'protein-2'],
      primary: sequences,
      protein_length: sequences.map(({ length }) => length),
      log_fluorescence: [-1, -0.875, -0.75],
      fold_label: [-2, -1, 0],
      score: [0, 1 / 3, 2 / 3],
      large: [-5e9, -5e9 - 1, -5e9 - 2],
    });
    for (const [i, { length }] of sequences.entries()) {
      const tokens = (label: (j: number) => number) =>
        Array.from({ length }, (_, j) => label(i + j)).join(' ');
      expect(columns.ss3[i]).toBe(tokens((j) => j % 3));
      expect(columns.valid_mask[i]).toBe(tokens((j) => (j % 7 > 0 ? 1 : 0)));
    }
  });

  it('gives plain records with their arrays', () => {
    const objects = objectsOf(file(`protocol${protocol}`));
    expect(objects.map(({ primary }) => primary)).toEqual(sequences);
    objects.forEach(({ tertiary, id, valid_mask }, i) => {
      const { length } = sequences[i];
      expect(tertiary).toBeInstanceOf(NumpyArray);
      expect(tertiary).toMatchObject({
        dtype: 'float32',
        shape: [length, 3],
        data: Float32Array.from({ length: 3 * length }, (_, j) => j / 4 - i),
      });
      expect(Buffer.from(id as Uint8Array).toString()).toBe(`protein-${i}`);
      expect(valid_mask).toMatchObject({ dtype: 'bool', shape: [length] });
    });
  });
});

it.each([2, 5])('reads what else NumPy writes, in protocol %i', async (protocol) => {
  const [kinds] = objectsOf(file(`kinds${protocol}`));
  expect({ ...kinds, bytes: String(kinds.bytes) }).toMatchObject({
    text: 'héllo',
    bytes: String(Buffer.from('abc')),
    truth: true,
    big: 2n ** 62n,
    small: -3,
    big_endian: { dtype: 'int32', shape: [3], data: Int32Array.from([1, -2, 3]) },
    columns_first: { dtype: 'int16', shape: [2, 3], data: Int16Array.from([0, 1, 2, 3, 4, 5]) },
    none: null,
    list: [1, 2, 3],
    nested: { a: [1.5, [true, Buffer.alloc(0)]] },
    long: 2n ** 80n,
    half: 0.5,
    empty: { dtype: 'float32', shape: [0] },
    zero_dimensions: { dtype: 'uint8', shape: [], data: Uint8Array.of(7) },
  });
  const columns = await columnsOf(file(`kinds${protocol}`));
  // An integer that no number holds is text, as in JSON.
  expect(columns).toMatchObject({
    text: ['héllo'],
    bytes: ['abc'],
    big: [String(2n ** 62n)],
    list: ['1 2 3'],
  });
  const source = await openSource(file(`kinds${protocol}`));
  const kept = ['big', 'zero_dimensions', 'empty'];
  for await (const { texts } of source.read({ verbatim: kept }))
    expect(kept.map((name) => texts?.[name]?.[0])).toEqual([String(2n ** 62n), '7', null]);
  expect(Object.keys(columns)).not.toContain('nested');
});

describe('the order of records', () => {
  const score = Array.from({ length: 60 }, (_, i) => i / 4);

  it('is that of the numbers, without num_examples', async () => {
    const { stability_score, primary } = await columnsOf(file('tree'));
    expect(stability_score).toEqual(score);
    expect(primary[0]).toBe(sequences[0]);
  });

  it('goes over deleted records, and says where num_examples announces them', async () => {
    const path = file('deleted');
    const rest = score.filter((_, i) => i % 3 > 0);
    expect((await columnsOf(path)).stability_score).toEqual(rest);
    // num_examples was 40 for 40 records; one of 60 records says so, too.
    const bytes = bytesOf('deleted');
    const pickled = Buffer.from([0x80, 3, 0x4b, 40, 0x2e]);
    for (let at = bytes.indexOf(pickled); at >= 0; at = bytes.indexOf(pickled, at + 1)) bytes[at + 3] = 60;
    const more = file('announced', bytes);
    expect(await failure(more)).toMatch(/record 40: missing: num_examples is 60, but there are 40 records; /);
    const reported: BadRecord[] = [];
    const { stability_score } = await columnsOf(more, {
      onBadRecord: 'skip',
      report: (bad) => reported.push(bad),
    });
    expect([stability_score, reported.length]).toEqual([rest, 1]);
  });

  it('is that of the bytes for other keys', async () => {
    expect((await columnsOf(file('named'))).primary).toEqual([sequences[2], sequences[0], sequences[1]]);
  });
});

describe('opening', () => {
  it('takes a folder with data.mdb, whatever it is called', async () => {
    for (const name of ['train.lmdb', 'train']) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'data.mdb'), bytesOf('protocol4'));
      const source = await openSource(join(folder, name));
      expect(source).toMatchObject({ format: 'lmdb', bytes: 20480, path: join(folder, name) });
      expect((await columnsOf(join(folder, name))).primary).toEqual(sequences);
    }
    const path = join(folder, 'renamed.bin');
    writeFileSync(path, bytesOf('tree'));
    expect((await openSource(path)).format).toBe('lmdb');
  });

  it('chooses the sequence and not its longer labels', async () => {
    const { tokenizer, source } = await inspect({ data: file('protocol4') });
    expect(tokenizer).toMatchObject({ kind: 'sequence', columns: ['primary'] });
    expect(tokenizer.reasons.tertiary).toMatch(/^float32\[153, 3\]/);
    expect(source.columns.find(({ name }) => name === 'ss3')?.looksLikeLabel).toMatch(/a label per token/);
  });

  it('refuses what it cannot read', async () => {
    const changed = (name: string, at: number, value: number) => {
      const bytes = bytesOf('protocol4');
      // Both meta pages.
      for (const meta of [0, 4096]) bytes[meta + at] = value;
      return file(name, bytes);
    };
    expect(await failure(changed('version', 20, 2))).toMatch(/LMDB data format 2; expected format 1/);
    expect(await failure(changed('duplicates', 92, 4))).toMatch(/several values of a key/);
    expect(await failure(changed('page-size', 41, 7))).toMatch(/pages of 1792 bytes/);
    expect(await failure(file('empty'))).toMatch(/no records; expected pickled dictionaries/);
    expect(await failure(file('junk', Buffer.from('Standard Jet DB'.repeat(20))))).toMatch(/not LMDB/);
    const zipped = join(folder, 'zipped.mdb.gz');
    writeFileSync(zipped, readFileSync(new URL('../../test/fixtures/lmdb/tree.mdb.gz', import.meta.url)));
    expect(await failure(zipped)).toMatch(/gzipped LMDB is not read; decompress it/);
    mkdirSync(join(folder, 'hollow.lmdb'));
    expect(await failure(join(folder, 'hollow.lmdb'))).toMatch(/an LMDB folder without data\.mdb/);
  });

  it('names the matrix when it is asked for as a column', async () => {
    const data = file('protocol4');
    await expect(inspect({ data, config: { data: { columns: ['tertiary'] } } })).rejects.toThrow(
      /there is no column "tertiary" \(it is float32\[153, 3\] in record 0/,
    );
  });

  it('runs nothing that a pickle asks for', async () => {
    const path = file('refused');
    const refusal =
      /record 0: key "0": the pickle asks for "(posix|nt)\.system", and nothing is run for it; only text, /;
    expect(await failure(path)).toMatch(refusal);
    expect((await columnsOf(path, { onBadRecord: 'skip' })).primary).toEqual([sequences[1]]);
  });
});

describe('a damaged file', () => {
  const names = ['protocol4', 'protocol2', 'tree', 'deleted'] as const;

  it('that is cut off anywhere is read whole or refused', async () => {
    const whole = Object.fromEntries(
      await Promise.all(names.map(async (name) => [name, await columnsOf(file(name))])),
    );
    for (const name of names) {
      const bytes = bytesOf(name);
      const lengths = [1, 20, 151, 152, 4095, bytes.length - 1];
      for (let length = 512; length < bytes.length; length += 1024) lengths.push(length);
      for (const length of lengths) {
        const outcome = await failure(file('cut', bytes.subarray(0, length)));
        if (typeof outcome === 'string') {
          expect(outcome).toMatch(/truncated or corrupt|not LMDB|unknown format/);
        } else expect(outcome).toEqual(whole[name]);
      }
    }
  });

  it('with changed bytes gives records or an InputError', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 12 }),
        fc.constantFrom<OpenOptions>({ onBadRecord: 'skip' }, { onBadRecord: 'fail' }),
        async (name, changes, options) => {
          const bytes = bytesOf(name);
          for (const [at, value] of changes) bytes[at % bytes.length] = value;
          await failure(file('changed', bytes), options);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('with changed page headers, node headers and page numbers ends, too', async () => {
    // The tree's pages alone, in their structured first and last bytes.
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 40 }), fc.nat({ max: 255 })), {
          minLength: 1,
          maxLength: 4,
        }),
        async (name, changes) => {
          const bytes = bytesOf(name);
          for (const [page, at, value] of changes) bytes[4096 * (page % (bytes.length / 4096)) + at] = value;
          await failure(file('headers', bytes), { onBadRecord: 'skip' });
        },
      ),
      { numRuns: 400 },
    );
  });

  it('whose branch is its own child is refused', async () => {
    const bytes = bytesOf('tree');
    const root = Number(bytes.readBigUInt64LE(4096 + 128));
    const branch = bytes.subarray(4096 * root, 4096 * (root + 1));
    expect(branch.readUInt16LE(10)).toBe(1);
    for (let i = 0; i < (branch.readUInt16LE(12) - 16) / 2; i++) {
      branch.writeUInt32LE(root, branch.readUInt16LE(16 + 2 * i));
    }
    expect(await failure(file('cycle', bytes))).toMatch(/page \d+ is not the leaf it should be/);
  });
});
