// @ts-nocheck: plain JavaScript that runs what is built
/** Small valid files of every format, made by code. */
import { readFileSync, rmSync } from 'node:fs';
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import * as arrow from '@uwdata/flechette';
import { strToU8, zipSync } from 'fflate';
import sharp from 'sharp';

const bytes = (text) => Buffer.from(text);

/** A big-endian header, then a byte for each element. */
function idx(...sizes) {
  const file = Buffer.alloc(4 + 4 * sizes.length + sizes.reduce((product, size) => product * size, 1), 7);
  file.set([0, 0, 8, sizes.length]);
  sizes.forEach((size, axis) => {
    file.writeUInt32BE(size, 4 + 4 * axis);
  });
  return file;
}

function npyFile(descr, shape, data, version = 1) {
  const written = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${written}), }`;
  const start = version === 1 ? 10 : 12;
  const header = Buffer.from(`${text.padEnd(Math.ceil((start + text.length + 1) / 64) * 64 - start - 1)}\n`);
  const length = Buffer.alloc(start - 8);
  if (version === 1) length.writeUInt16LE(header.length);
  else length.writeUInt32LE(header.length);
  return Buffer.concat([Buffer.from('\x93NUMPY', 'latin1'), Buffer.from([version, 0]), length, header, data]);
}
const zeros = (count) => Buffer.alloc(count, 1);

const wav = (code, channels, bits, steps) => {
  const data = Buffer.alloc((steps * channels * bits) / 8, 9);
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + data.length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(code, 20);
  head.writeUInt16LE(channels, 22);
  head.writeUInt32LE(8000, 24);
  head.writeUInt32LE((8000 * channels * bits) / 8, 28);
  head.writeUInt16LE((channels * bits) / 8, 32);
  head.writeUInt16LE(bits, 34);
  head.write('data', 36);
  head.writeUInt32LE(data.length, 40);
  return Buffer.concat([head, data]);
};

const lines = 'CCO\nCCN\nc1ccccc1 benzene\n\nCC(=O)O\n';
const table = 'name,x,when\nCCO,1.5,2024-05-01\n"a ""quoted"", cell",-2e3,2024-05-02\nCCN,,2024-05-03\n';
const objects =
  '{"text": "CCO", "x": 1.5, "yes": true, "list": [1, 2, 3]}\n{"text": "é\\n", "x": null, "list": [2.5]}\n';

/** A frame of zstd with one block as it is. */
const zstd = (content) =>
  Buffer.concat([
    Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, content.length]),
    Buffer.from([1 | ((content.length & 31) << 3), content.length >> 5, 0]),
    content,
  ]);

const arrays = {
  x: [1.5, Number.POSITIVE_INFINITY, null],
  n: [1n, 2n ** 53n + 1n, null],
  text: ['a', 'é', null],
  kind: ['cat', 'dog', 'cat'],
  yes: [true, false, null],
  day: [Date.UTC(2024, 4, 1), null, null],
  list: [[1, 2], [3], null],
};
const types = {
  x: arrow.float64(),
  n: arrow.int64(),
  text: arrow.utf8(),
  kind: arrow.dictionary(arrow.utf8()),
  yes: arrow.bool(),
  day: arrow.dateDay(),
  list: arrow.list(arrow.float64()),
};
const arrowTable = (names) =>
  arrow.tableFromArrays(Object.fromEntries(names.map((name) => [name, arrays[name]])), {
    types: Object.fromEntries(names.map((name) => [name, types[name]])),
  });

function workbook() {
  const main = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main';
  const office = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';
  const packaged = 'http://schemas.openxmlformats.org/package/2006/relationships';
  const relation = (id, type, target) =>
    `<Relationship Id="${id}" Type="${office}/${type}" Target="${target}"/>`;
  const files = {
    '[Content_Types].xml': '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
    '_rels/.rels': `<Relationships xmlns="${packaged}">${relation('rId1', 'officeDocument', 'xl/workbook.xml')}</Relationships>`,
    'xl/workbook.xml': `<workbook xmlns="${main}" xmlns:r="${office}"><sheets><sheet name="a" sheetId="1" r:id="rId1"/></sheets></workbook>`,
    'xl/_rels/workbook.xml.rels': `<Relationships xmlns="${packaged}">${relation('rId1', 'worksheet', 'worksheets/sheet1.xml')}${relation('rId9', 'styles', 'styles.xml')}</Relationships>`,
    'xl/styles.xml': `<styleSheet xmlns="${main}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>`,
    'xl/worksheets/sheet1.xml': `<worksheet xmlns="${main}"><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>name</t></is></c><c r="B1" t="inlineStr"><is><t>x</t></is></c></row><row r="2"><c r="A2" t="inlineStr"><is><t>CCO</t></is></c><c r="B2"><v>1.5</v></c></row></sheetData></worksheet>`,
  };
  return zipSync(
    Object.fromEntries(Object.entries(files).map(([name, xml]) => [name, [strToU8(xml), { level: 0 }]])),
  );
}

const lmdb = (name) => gunzipSync(readFileSync(new URL(`../fixtures/lmdb/${name}.mdb.gz`, import.meta.url)));

const pickle = (opcodes) => Buffer.from(`\x80\x04${opcodes}`, 'latin1');
/** `{'a': numpy.array([1, 2], '<i2'), 'b': [1, 2.5, None, True], 'c': b'xy', 'd': -5000000000}` */
const pickles = [
  pickle(
    '}\x94(\x8c\x01a\x94\x8c\x16numpy._core.multiarray\x94\x8c\x0c_reconstruct\x94\x93\x94\x8c\x05numpy\x94\x8c\x07ndarray\x94\x93\x94K\x00\x85\x94C\x01b\x94\x87\x94R\x94(K\x01K\x02\x85\x94\x8c\x05numpy\x8c\x05dtype\x93\x8c\x02i2\x89\x88\x87R(K\x03\x8c\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89C\x04\x01\x00\x02\x00tbu.',
  ),
  pickle(
    '}(\x8c\x01b](K\x01G@\x04\x00\x00\x00\x00\x00\x00N\x88e\x8c\x01cC\x02xy\x8c\x01d\x8a\x05\x00\x0e\xfa\xd5\xfeu.',
  ),
  pickle(']\x94(K\x01h\x00M\x01\x02e.'),
];

const block = [
  'ethanol\n  made by hand\n\n  3  2  0  0  0  0            999 V2000',
  '    0.0000    0.0000    0.0000 C   0  0\n    1.5000    0.0000    0.0000 C   0  0\n    2.0000    1.4000    0.0000 O   0  0',
  '  1  2  1  0\n  2  3  1  0\nM  END\n>  <logP>\n-0.31\n\n>  <class>\nalcohol\n\n$$$$\n',
].join('\n');

const ts = `# made by hand
@problemName toy
@timeStamps false
@univariate false
@dimensions 2
@equalLength true
@seriesLength 4
@classLabel true 1 2
@data
1,2,3,4:4,3,2,1:1
4,3,?,1:2,2,2,2:2
`;

const yaml = `data:
  columns: [smiles, x]
  valid_fraction: 0.1
encoder: {width: 32, layers: 2, heads: 2}
training:
  steps: 300 # a remark
  learning_rate: 1e-3
objective:
  kind: sma
`;

/** The seeds of each format that need no training. */
export async function formatSeeds() {
  const image = (format, channels = 3) =>
    sharp({ create: { width: 12, height: 10, channels, background: { r: 200, g: 30, b: 60, alpha: 0.5 } } })
      .toFormat(format)
      .toBuffer();
  const column = (names) => Buffer.from(arrow.tableToIPC(arrowTable(names), { format: 'stream' }));
  return {
    idx: [idx(3, 4, 4), idx(2, 3, 3, 3), idx(5, 8, 8)],
    ts: [bytes(ts), bytes('@univariate true\n@targetLabel true\n@data\n1,2,3:0.5\n4,5:NaN\n')],
    npy: [
      npyFile('<f4', [3, 4], zeros(48)),
      npyFile('|u1', [2, 4, 4], zeros(32)),
      npyFile('<U3', [3], Buffer.from('a\0\0\0b\0\0\0c\0\0\0'.repeat(3))),
      npyFile('>i8', [2, 2], zeros(32), 2),
      npyFile('<f2', [2, 3, 2], zeros(24), 3),
    ],
    npz: [
      Buffer.from(
        zipSync(
          { 'x.npy': npyFile('<f4', [3, 2], zeros(24)), 'y.npy': npyFile('<i4', [3], zeros(12)) },
          { level: 0 },
        ),
      ),
      Buffer.from(zipSync({ 'x.npy': npyFile('<f8', [30, 20], zeros(4800)) })),
    ],
    pickle: pickles,
    lmdb: ['tree', 'protocol5', 'kinds5', 'named', 'empty'].map(lmdb),
    json: [
      bytes(`[${objects.trim().replace('\n', ',\n')}]`),
      bytes('{"x": [1, 2], "y": ["a", "b"]}'),
      bytes('{"columns": ["x", "y"], "data": [[1, 3], [2, 4]]}'),
      bytes('{"x": {"0": 1, "1": 2}, "y": {"0": 3, "1": 4}}'),
      bytes('{"data": [{"x": 1}, {"x": NaN}], "n": 2}'),
    ],
    jsonl: [bytes(objects), bytes('{"x": 12345678901234567890, "y": [[1, 2], [3, 4]]}\n\n{"x": Infinity}\n')],
    fasta: [bytes('>a first one\nMKV\nLLT\n;remark\n>b\nACDEF\n'), bytes('>x\r\nACGT\r\n>y\r\nAC\r\n')],
    lines: [bytes(lines), bytes('\ufeffone\r\ntwo\r\n'), Buffer.from('\ufeffa\nb\n', 'utf16le')],
    smiles: [bytes(lines)],
    sdf: [bytes(block), bytes(block.repeat(2))],
    wav: [wav(1, 1, 16, 400), wav(1, 2, 8, 300), wav(3, 1, 32, 100), wav(1, 1, 24, 200)],
    gzip: [gzipSync(bytes(lines)), Buffer.concat([gzipSync(bytes('a\n')), gzipSync(bytes('b\n'))])],
    zstd: [zstd(bytes(lines)), Buffer.concat([zstd(bytes('a\n')), zstd(bytes('b\n'))])],
    zip: [
      Buffer.from(zipSync({ 'a.txt': strToU8(lines.repeat(20)) })),
      Buffer.from(zipSync({ 'a.txt': [strToU8(lines), { level: 0 }] }, { comment: 'a' })),
      Buffer.from(zipSync({ 'deep/a.txt': strToU8(lines), 'b.txt': strToU8('b') })),
    ],
    arrow: [
      column(['x', 'text']),
      column(['n', 'kind', 'yes']),
      column(['day', 'list']),
      Buffer.from(arrow.tableToIPC(arrowTable(['x', 'kind']), { format: 'file' })),
    ],
    xlsx: [Buffer.from(workbook())],
    images: await Promise.all(['png', 'jpeg', 'webp', 'gif', 'tiff'].map((format) => image(format))).then(
      async (found) => [...found, await image('png', 4)],
    ),
    yaml: [bytes(yaml), bytes('a: &x [1, 2]\nb: *x\n'), bytes('{"training": {"steps": 3}}')],
    csv: [bytes(table), bytes('x;y\n1,5;2\n2,5;3\n'), bytes("x\ty\n1\t'a'\n")],
    tsv: [bytes('a\tb\nCCO\t1\nCCN\t2\n')],
    parquet: await parquet(),
  };
}

async function parquet() {
  const folder = await mkdtemp(join(tmpdir(), 'lacuna-fuzz-seeds-'));
  try {
    const connection = await (await DuckDBInstance.create(':memory:')).connect();
    const queries = [
      "SELECT i AS x, 'text ' || i AS t, i % 2 = 0 AS yes FROM range(20) r(i)",
      "SELECT [i, i + 1]::DOUBLE[] AS list, DATE '2024-05-01' + i::INTEGER AS day FROM range(9) r(i)",
    ];
    const written = queries.flatMap((query, i) =>
      ['uncompressed', 'snappy'].map((codec) => [query, codec, join(folder, `${i} ${codec}`)]),
    );
    for (const [query, codec, path] of written)
      await connection.run(`COPY (${query}) TO '${path}' (FORMAT parquet, COMPRESSION ${codec})`);
    return await Promise.all(written.map(([, , path]) => readFile(path)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A small pretrained run, a fine-tuned one and a fit in `folder`, whose files are seeds. */
export async function trainRuns(folder) {
  const { pretrain, finetune, fit: choose } = await import('../../dist/index.js');
  const data = join(folder, 'molecules.csv');
  const records = Array.from(
    { length: 60 },
    (_, i) => `${'C'.repeat(1 + (i % 7))}${'ON'[i % 2]}${'C'.repeat(i % 5)},${(i % 7) - (i % 5)}\n`,
  );
  await writeFile(data, `smiles,y\n${records.join('')}`);
  const config = {
    encoder: { width: 8, heads: 1, layers: 1, latents: 2 },
    training: { steps: 3, warmup_steps: 0, batch_size: 8, threads: 1, checkpoint_steps: 2 },
  };
  await pretrain({ data, out: join(folder, 'run'), config: { ...config, data: { columns: ['smiles'] } } });
  await finetune({
    run: join(folder, 'run'),
    data,
    targets: ['y'],
    out: join(folder, 'tuned'),
    config: { epochs: 2, batch_size: 8 },
  });
  await choose({ data, targets: ['y'], out: join(folder, 'fit') });
}

/** The newest checkpoint of a run. */
export async function checkpointOf(run) {
  const names = (await readdir(join(run, 'checkpoints'))).filter((name) => name.endsWith('.safetensors'));
  return join(run, 'checkpoints', names.sort().at(-1));
}
