import { link, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readLabelledPath as readLabelled } from '../datasets/labelled-file.case.js';
import { nodeEngine } from '../engine/node.js';
import { InputError } from '../errors.js';
import { embeddingWriter } from '../files/vector-files.js';
import { Embedder, encoderParameters, untrainedParameters } from '../finetuning/frozen-encoder.js';
import { concatenateBlocks } from '../records/batch.js';
import type { TokenBlock } from '../records/token-block.js';
import { openRun, type Run, runFile } from '../runs/folder.js';
import { withQuery } from '../sources/duckdb.js';
import { openSource } from '../sources/open-source.js';
import { embed } from './embed.js';
import { exportRun } from './export.js';
import { pretrain } from './pretrain.js';
import { probe } from './probe.js';

/** Real molecules (ESOL, Delaney 2004) with their log solubility. */
const molecules = `Cc1occc1C(=O)Nc2ccccc2,-3.3
CC(C)=CCCC(C)=CC(=O),-2.06
c1ccc2c(c1)ccc3c2ccc4c5ccccc5ccc43,-7.87
c1ccsc1,-1.33
c2ccc1scnc1c2,-1.5
Clc1cc(Cl)c(c(Cl)c1)c2c(Cl)cccc2Cl,-7.32
ClC4=C(Cl)C5(Cl)C3C1CC(C2OC12)C3C4(Cl)C5(Cl)Cl,-6.29
COc5cc4OCC3Oc2c1CC(Oc1ccc2C(=O)C3c4cc5OC)C(C)=C,-4.42
O=C1CCCN1,1.07
Clc1ccc2ccccc2c1,-4.14
CCCC=C,-2.68
CCC1(C(=O)NCNC1=O)c2ccccc2,-2.64
CCCCCCCCCCCCCC,-7.96
CC(C)Cl,-1.41
CCC(C)CO,-0.47
N#Cc1ccccc1,-1
CCOP(=S)(OCC)Oc1cc(C)nc(n1)C(C)C,-3.64
CCCCCCCCCC(C)O,-2.94
Clc1ccc(c(Cl)c1)c2ccc(Cl)c(Cl)c2Cl,-7.66
O=c2[nH]c1CCCc1c(=O)n2C3CCCCC3,-4.594
CCOP(=S)(OCC)SCSCC,-4.11
CCOc1ccc(NC(=O)C)cc1,-2.35
CCN(CC)c1c(cc(c(N)c1N(=O)=O)C(F)(F)F)N(=O)=O,-5.47
CCCCCCCO,-1.81
Cn1c(=O)n(C)c2nc[nH]c2c1=O,-1.39
CCCCC1(CC)C(=O)NC(=O)NC1=O,-1.661
ClC(Cl)=C(c1ccc(Cl)cc1)c2ccc(Cl)cc2,-6.9
CCCCCCCC(=O)OC,-3.17
CCc1ccc(CC)cc1,-3.75
CCOP(=S)(OCC)SCSC(C)(C)C,-4.755
COC(=O)Nc1cccc(OC(=O)Nc2cccc(C)c2)c1,-4.805
ClC(=C)Cl,-1.64
Cc1cccc2c1Cc3ccccc32,-5.22
CCCCC=O,-0.85
N(c1ccccc1)c2ccccc2,-3.504
CN(C)C(=O)SCCCCOc1ccccc1,-3.927
CCCOP(=S)(OCCC)SCC(=O)N1CCCCC1C,-4.15
CCCCCCCI,-4.81
c1c(Cl)cccc1c2ccccc2,-4.88
OCCCC=C,-0.15`
  .split('\n')
  .map((line) => line.split(','));

let folder: string;
let data: string;
let trained: string;
let run: Run;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-embed-'));
  data = join(folder, 'molecules.csv');
  trained = join(folder, 'run');
  const rows = molecules.map(([smiles, value], i) => `m${i},${smiles},${value}`);
  await writeFile(data, `id,smiles,solubility\n${rows.join('\n')}\n`);
  await pretrain({
    data,
    out: trained,
    config: {
      data: { columns: ['smiles'], valid_fraction: 0.2 },
      encoder: { width: 16, embed_width: 16, layers: 1, heads: 2, latents: 4 },
      training: { steps: 3, batch_size: 8, threads: 1 },
    },
  });
  run = await openRun(trained);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function tokensOf(path: string): Promise<TokenBlock> {
  const source = await openSource(path);
  const blocks: TokenBlock[] = [];
  for await (const batch of source.read()) blocks.push(run.tokenizer.encode(batch));
  return concatenateBlocks(blocks);
}

/** Records of a block in another order, some of them several times. */
function pick(block: TokenBlock, records: readonly number[]): TokenBlock {
  const one = (record: number): TokenBlock => {
    const [start, end] = block.offsets.subarray(record, record + 2);
    return {
      count: 1,
      offsets: Int32Array.of(0, end - start),
      ids: block.ids!.slice(start, end),
      rows: block.rows.slice(record, record + 1),
    };
  };
  return concatenateBlocks(records.map(one));
}

function expectClose(a: ArrayLike<number>, b: ArrayLike<number>): void {
  expect(a.length).toBe(b.length);
  for (let i = 0; i < a.length; i++) expect(Math.abs(a[i] - b[i])).toBeLessThan(1e-5);
}

describe('Embedder', () => {
  it('gives each record the same embedding in any order and company', async () => {
    const block = await tokensOf(data);
    const engine = await nodeEngine({ threads: 1 });
    const embedder = new Embedder(engine, run.model, encoderParameters(run.model, run.tensors, trained));
    try {
      const { width } = embedder;
      const all = await embedder.embed(block);
      expect(new Set(all).size).toBeGreaterThan(all.length / 2);
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.nat(block.count - 1), { minLength: 1, maxLength: 150 }),
          async (records) => {
            const got = await embedder.embed(pick(block, records));
            for (const [i, record] of records.entries()) {
              expectClose(
                got.subarray(i * width, (i + 1) * width),
                all.subarray(record * width, (record + 1) * width),
              );
            }
          },
        ),
        { numRuns: 10 },
      );
    } finally {
      await embedder.release();
    }
  });

  it('starts untrained parameters from their seed and takes only what the encoder has', () => {
    const names = Object.keys(encoderParameters(run.model, run.tensors, trained)).sort();
    expect(names.some((name) => name.startsWith('optimizer.') || name.startsWith('decoder'))).toBe(false);
    const [a, b, again] = [0, 1, 0].map((seed) => untrainedParameters(run.model, seed));
    expect(Object.keys(a).sort()).toEqual(names);
    expect(again).toEqual(a);
    expect(b).not.toEqual(a);
  });

  it('names each parameter that is not there', () => {
    const { 'encoder.latents': _, ...rest } = run.tensors;
    expect(() => encoderParameters(run.model, rest, 'runs/x')).toThrow(/runs\/x.*encoder\.latents/);
  });
});

describe('embed', () => {
  it('writes the same rows, ids and numbers to Parquet, NPY and CSV, in input order', async () => {
    const out = (name: string) => join(folder, name);
    for (const name of ['e.parquet', 'e.npy', 'e.csv']) {
      const written = await embed({ run: trained, data, out: out(name) });
      expect(written).toEqual({ file: out(name), rows: 40, rejected: 0, unknown: 0, dimension: 16 });
    }
    const parquet = await withQuery((query) => query(`SELECT * FROM '${out('e.parquet')}'`));
    expect(Object.keys(parquet[0])).toEqual(['row', 'id', 'embedding']);
    expect(parquet.map(({ row, id }) => `${row} ${id}`)).toEqual(molecules.map((_, i) => `${i} m${i}`));
    const numbers = parquet.flatMap(({ embedding }) => embedding as number[]);

    const npy = await readFile(out('e.npy'));
    expect(npy.toString('latin1', 0, 128)).toContain('(40, 16)');
    expect([...new Float32Array(npy.buffer.slice(npy.byteOffset + 128))]).toEqual(numbers);

    const [head, ...lines] = (await readFile(out('e.csv'), 'utf8')).trimEnd().split('\n');
    expect(head).toBe(`row,id,${Array.from({ length: 16 }, (_, i) => `embedding_${i}`).join(',')}`);
    const cells = lines.map((line) => line.split(','));
    expect(cells.map((line) => line[1])).toEqual(molecules.map((_, i) => `m${i}`));
    // Nine digits bring each float32 back exactly.
    expect(cells.flatMap((line) => line.slice(2).map((cell) => Math.fround(Number(cell))))).toEqual(numbers);
  });

  it('leaves out a bad record, keeps the rows of the others, and counts', async () => {
    const path = join(folder, 'bad.csv');
    await writeFile(path, 'id,smiles\na,CCO\nb,C~C\nc,\n"d,""1""",CCO\n');
    const out = join(folder, 'bad-out.csv');
    const config = { on_bad_record: 'skip', on_unknown: 'fail' } as const;
    expect(await embed({ run: trained, data: path, out, config })).toMatchObject({ rows: 2, rejected: 2 });
    const [, first, second] = (await readFile(out, 'utf8')).split('\n');
    expect(first).toMatch(/^0,a,/);
    expect(second).toMatch(/^3,"d,""1""",/);
    expect(second.slice('3,"d,""1""",'.length)).toBe(first.slice('0,a,'.length));
    await expect(embed({ run: trained, data: path, out })).rejects.toThrow(/record 2, column "smiles"/);
    // A letter of its own is no reason to leave a record out, unless that is asked for.
    const kept = await embed({ run: trained, data: path, out, config: { on_bad_record: 'skip' } });
    expect(kept).toMatchObject({ rows: 3, rejected: 1 });
  });

  it('writes kept columns beside the embeddings, and refuses them where there is no place', async () => {
    const out = (name: string) => join(folder, name);
    await embed({ run: trained, data, out: out('kept.parquet'), keep: ['smiles'] });
    const [first] = await withQuery((query) => query(`FROM '${out('kept.parquet')}'`));
    expect(first).toMatchObject({ row: 0, id: 'm0', smiles: molecules[0][0] });
    await embed({ run: trained, data, out: out('kept.csv'), keep: ['solubility', 'smiles'] });
    const [head, line] = (await readFile(out('kept.csv'), 'utf8')).split('\n');
    expect(head).toMatch(/^row,id,solubility,smiles,embedding_0,/);
    expect(line).toMatch(/^0,m0,-3\.3,Cc1occc1C\(=O\)Nc2ccccc2,/);
    await expect(embed({ run: trained, data, out: out('kept.npy'), keep: ['all'] })).rejects.toThrow(
      /\.npy holds embeddings alone; keep columns in a file named \.parquet or \.csv/,
    );
  });

  it('keeps cells of columns that it does not read as they are, whatever training had there', async () => {
    const path = join(folder, 'undecided.csv');
    // Numbers in training: a row without a measurement yet.
    await writeFile(path, 'id,smiles,solubility\nm0,CCO,tbd\nm1,CCN,-1.50\n');
    const out = join(folder, 'undecided-out.csv');
    expect(await embed({ run: trained, data: path, out, keep: ['solubility'] })).toMatchObject({ rows: 2 });
    const [, first, second] = (await readFile(out, 'utf8')).split('\n');
    expect(first).toMatch(/^0,m0,tbd,/);
    expect(second).toMatch(/^1,m1,-1\.50,/);
  });

  it('never writes over what it reads', async () => {
    const before = await readFile(data, 'utf8');
    const linked = join(folder, 'linked.csv');
    await link(data, linked);
    for (const out of [data, linked, runFile(trained, 'config'), '/dev/null']) {
      await expect(embed({ run: trained, data, out: `${out}` })).rejects.toThrow(InputError);
    }
    await rm(linked);
    expect(await readFile(data, 'utf8')).toBe(before);
  });

  it('refuses what it cannot do, and leaves nothing behind', async () => {
    const before = await readdir(folder);
    await expect(embed({ run: trained, data, out: join(folder, 'e.xlsx') })).rejects.toThrow(
      /expected a file named \.parquet, \.npy or \.csv/,
    );
    const other = join(folder, 'bad.csv');
    await expect(embed({ run: folder, data: other, out: join(folder, 'x.csv') })).rejects.toThrow(/config/);
    const wrong = { delimeter: ';' } as object;
    await expect(embed({ run: trained, data, out: join(folder, 'x.csv'), config: wrong })).rejects.toThrow(
      'config: delimeter: unknown key; did you mean delimiter?',
    );
    const controller = new AbortController();
    controller.abort();
    for (const name of ['stopped.parquet', 'stopped.npy', 'stopped.csv']) {
      const stopped = embed({ run: trained, data, out: join(folder, name) }, { signal: controller.signal });
      await expect(stopped).rejects.toThrow('aborted');
    }
    await expect(embed({ run: trained, data, out: join(data, 'e.parquet') })).rejects.toThrow(
      /part of the path is a file/,
    );
    expect(await readdir(folder)).toEqual(before);
  });

  it('streams more rows than a vector of DuckDB holds, in order', async () => {
    const path = join(folder, 'many.parquet');
    async function* blocks() {
      for (let first = 0; first < 9000; first += 4500) {
        const rows = Int32Array.from({ length: 4500 }, (_, i) => first + i);
        yield { rows, texts: [], embeddings: Float32Array.from({ length: 9000 }, (_, i) => 2 * first + i) };
      }
    }
    await embeddingWriter(path)(path, 2, [], blocks());
    const wrong = await withQuery((query) =>
      query(
        `SELECT count(*) AS n, count(*) FILTER ("row" = file_row_number AND embedding = [2 * "row", 2 * "row" + 1]) AS good FROM read_parquet('${path}', file_row_number = true)`,
      ),
    );
    expect(wrong).toEqual([{ n: 9000n, good: 9000n }]);
  });
});

describe('readLabelled', () => {
  const read = (path: string, targets: string[], more = {}) =>
    readLabelled({ path, tokenizer: run.tokenizer, targets, ...more });

  it('joins labels and parts to records by row, and counts what it leaves out', async () => {
    const path = join(folder, 'labelled.csv');
    const rows = ['CCO,1,train', ',2,train', 'CCC,,train', 'CCN,4,valid', 'CCl,5,test', 'CO,6,elsewhere'];
    await writeFile(path, `smiles,value,split\n${rows.join('\n')}\nCCCC,8,train\n`);
    const got = await read(path, ['value'], { task: 'regression', onBadRecord: 'skip' });
    expect([...got.block.rows]).toEqual([0, 3, 4, 6]);
    expect([...got.labels]).toEqual([1, 4, 5, 8]);
    expect(got.part).toEqual(['train', 'valid', 'test', 'train']);
    expect(got).toMatchObject({ counts: { train: 2, valid: 1, test: 1 }, splitBy: 'column split' });
    expect([got.rejected.count, got.unlabelled, got.unassigned]).toEqual([1, 1, 1]);
  });

  it('draws parts that do not depend on the order of the records', async () => {
    const [head, ...rows] = (await readFile(data, 'utf8')).trimEnd().split('\n');
    const path = join(folder, 'reversed.csv');
    await writeFile(path, `${head}\n${rows.reverse().join('\n')}\n`);
    const more = { validFraction: 0.3, testFraction: 0.3 };
    const [a, b] = [await read(data, ['solubility'], more), await read(path, ['solubility'], more)];
    expect([...b.part].reverse()).toEqual([...a.part]);
    expect([...b.labels].reverse()).toEqual(molecules.map(([, value]) => Number(value)));
  });

  it.each([
    [['solubilty'], {}, /no target column "solubilty"; it has id, smiles, solubility/],
    [['smiles'], {}, /target column "smiles" is one the encoder reads/],
    [['solubility'], { splitColumn: 'fold' }, /no column "fold"/],
    [['solubility'], { testFraction: 0 }, /expected labelled records in every part, got .* 0 test/],
  ])('refuses target %j with %j', async (targets, more, message) => {
    await expect(read(data, targets, more)).rejects.toThrow(message);
  });

  it('names the columns that the tokenizer misses', async () => {
    const path = join(folder, 'other.csv');
    await writeFile(path, 'structure,value\nCCO,1\nCCC,2\n');
    await expect(read(path, ['value'])).rejects.toThrow(
      /no column "smiles", which the run reads; it has structure, value/,
    );
  });
});

describe('probe', () => {
  it('scores the pretrained encoder beside untrained ones and writes scores.json', async () => {
    const config = { valid_fraction: 0.3, test_fraction: 0.3, threads: 1 };
    const scores = await probe({ run: trained, data, targets: ['solubility'], config });
    expect(scores).toMatchObject({ task: 'regression', metric: 'rmse', higherIsBetter: false });
    expect(scores.methods.map(({ method, n }) => [method, n])).toEqual([
      ['sma, linear', 1],
      ['sma, nearest-neighbors', 1],
      ['untrained, linear', 3],
      ['untrained, nearest-neighbors', 3],
    ]);
    for (const { perSeed, n } of scores.methods) {
      expect(perSeed).toHaveLength(n);
      expect(perSeed.every((value) => value > 0 && value < 10)).toBe(true);
    }
    const written = JSON.parse(await readFile(scores.file!, 'utf8'));
    expect(scores.file).toBe(runFile(trained, 'scores'));
    expect(written.methods[0]).toMatchObject({ n: 1, low: null, high: null });
    const again = await probe({ run: trained, data, targets: ['solubility'], config });
    expect(again.methods.map(({ perSeed }) => perSeed)).toEqual(scores.methods.map(({ perSeed }) => perSeed));
  });
});

describe('exportRun', () => {
  it('writes files that ONNX Runtime opens alone and that agree with the run', async () => {
    const out = join(folder, 'exported');
    const { files, maximumDifference, rows } = await exportRun({ run: trained, out });
    const names = [
      'SHA256SUMS',
      'encoder.onnx',
      'model.safetensors',
      'tokenizer.json',
      'schema.json',
      'tokenize.js',
      'tokenize.d.ts',
      'package.json',
      'config.json',
      'scores.json',
      'README.md',
    ];
    expect(files).toEqual(names.map((name) => `${out}/${name}`));
    expect((await readdir(out)).sort()).toEqual([...names].sort());
    expect(maximumDifference).toBeLessThan(1e-5);
    expect(rows).toBe(40);
    const texts = await Promise.all(
      ['README.md', 'config.json'].map((name) => readFile(join(out, name), 'utf8')),
    );
    for (const text of texts) {
      expect(text).toContain('molecules.csv');
      expect(text).not.toContain(folder);
    }
    await expect(exportRun({ run: trained, out })).rejects.toThrow(/not empty/);
    await expect(exportRun({ run: trained, out: trained })).rejects.toThrow(/name another folder with --out/);
  });

  it.each(['convolution', 'residual-network'] as const)(
    'writes the encoder %s as it is in evaluation',
    async (kind) => {
      const learned = join(folder, kind);
      await pretrain({
        data,
        out: learned,
        config: {
          data: { columns: ['smiles'], valid_fraction: 0.2 },
          encoder: { kind, width: 16, layers: 3 },
          objective: { kind: 'random-masking' },
          training: { steps: 3, batch_size: 8, threads: 1 },
        },
      });
      const { maximumDifference } = await exportRun({ run: learned, out: join(folder, `${kind} exported`) });
      expect(maximumDifference).toBeLessThan(1e-5);
    },
  );

  it('checks on drawn tokens when the data are gone', async () => {
    const moved = join(folder, 'moved.csv');
    await rename(data, moved);
    try {
      const messages: string[] = [];
      const onEvent = (event: { type: string; message?: string }) => messages.push(event.message ?? '');
      const summary = await exportRun({ run: trained, out: join(folder, 'drawn') }, { onEvent });
      expect(summary.rows).toBe(64);
      expect(messages.join()).toMatch(/drawn tokens/);
    } finally {
      await rename(moved, data);
    }
  });
});

describe('an embedding that is stopped', () => {
  it('goes on from what is kept, to the same bytes, and leaves nothing of it', async () => {
    const data = join(folder, 'many.csv');
    const lines = molecules.map((cells) => cells.join());
    await writeFile(
      data,
      `smiles,y\n${Array.from({ length: 9000 }, (_, i) => lines[i % lines.length]).join('\n')}\n`,
    );
    const [whole, out] = [join(folder, 'whole.npy'), join(folder, 'stopped.npy')];
    const embedding = vi.spyOn(Embedder.prototype, 'embed');
    const clock = vi.spyOn(performance, 'now');
    try {
      await embed({ run: run.folder, data, out: whole });
      const blocks = embedding.mock.calls.length;
      expect(blocks).toBeGreaterThan(2);
      // As if each look at the clock came a minute after the last.
      let minutes = 0;
      clock.mockImplementation(() => 60_000 * minutes++);
      const controller = new AbortController();
      const messages: string[] = [];
      const onEvent = (event: object) => void ('message' in event && messages.push(String(event.message)));
      embedding.mockClear();
      embedding.mockImplementationOnce(async function (this: Embedder, block) {
        controller.abort(new Error('stopped'));
        return this.embed(block);
      });
      await expect(
        embed({ run: run.folder, data, out }, { signal: controller.signal, onEvent }),
      ).rejects.toThrow('stopped');
      expect(messages).toContain('what is embedded is kept; the same command goes on');
      expect(await readdir(folder)).not.toContain('stopped.npy');
      embedding.mockClear();
      await embed({ run: run.folder, data, out });
      expect(embedding.mock.calls).toHaveLength(blocks - 1);
      expect(await readFile(out)).toEqual(await readFile(whole));
      expect((await readdir(folder)).filter((name) => name.startsWith('stopped'))).toEqual(['stopped.npy']);
    } finally {
      embedding.mockRestore();
      clock.mockRestore();
    }
  });
});
