import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import type { OpenOptions } from '../records/open-bytes.js';
import { toneSamples, wavFile } from '../records/readers/wav.case.js';
import type { BadRecord, ColumnValues, DataSource, PixelShape } from '../records/record-batch.js';
import { openSource } from './open-source.js';

const root = mkdtempSync(join(tmpdir(), 'lacuna-media-'));
afterAll(() => rmSync(root, { recursive: true }));

/** A folder with these files in it. */
function folderOf(name: string, files: Record<string, string | Uint8Array>): string {
  const folder = join(root, name);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}

/** An image of one colour. */
const image = (
  colour: string | { r: number; g: number; b: number; alpha: number },
  { width = 12, height = 8, grey = false, format = 'png' as 'png' | 'jpeg' | 'webp' } = {},
) => {
  const made = sharp({
    create: { width, height, channels: typeof colour === 'string' ? 3 : 4, background: colour },
  });
  return (grey ? made.toColourspace('b-w') : made).toFormat(format).toBuffer();
};

async function readAll(source: DataSource, columns?: string[]) {
  const rows: number[] = [];
  const values: Record<string, (string | number | null)[]> = {};
  const last: Record<string, ColumnValues> = {};
  for await (const batch of source.read({ columns })) {
    rows.push(...batch.rows);
    for (const [name, column] of Object.entries(batch.columns)) {
      last[name] = column;
      values[name] ??= [];
      for (const value of column.values) values[name].push(value);
    }
  }
  const shape = (last.pixels as { shape?: PixelShape } | undefined)?.shape;
  return { rows, values, shape, last };
}

async function failure(folder: string, options?: OpenOptions): Promise<string> {
  try {
    await readAll(await openSource(folder, options));
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    expect((error as Error).message).not.toContain('\n');
    return (error as Error).message;
  }
  throw new Error(`${folder} was read`);
}

const red = await image('#ff0000');
const blue = await image('#0000ff');

describe('a folder of images', () => {
  it('by class gives the pixels, the class, the path and the part of each, and can be read again', async () => {
    const folder = folderOf('classes', {
      'train/label=cat/b.png': red,
      'train/label=cat/a.png': blue,
      'train/[a]*b/1.jpg': await image('#00ff00', { format: 'jpeg' }),
      'test/label=cat/1.png': red,
      'test/.hidden/2.png': red,
      'README.txt': 'notes',
      '.DS_Store': 'x',
    });
    const source = await openSource(folder);
    expect(source).toMatchObject({ format: 'images', path: folder });
    expect(source.files).toHaveLength(4);
    expect(source.columns).toEqual([
      { name: 'pixels', type: 'pixels', shape: [8, 12, 3] },
      { name: 'label', type: 'text' },
      { name: 'path', type: 'text' },
      { name: 'split', type: 'text' },
    ]);
    const read = await readAll(source);
    expect(read.values.path).toEqual([
      'train/[a]*b/1.jpg',
      'train/label=cat/a.png',
      'train/label=cat/b.png',
      'test/label=cat/1.png',
    ]);
    expect(read.values.label).toEqual(['[a]*b', 'label=cat', 'label=cat', 'label=cat']);
    expect(read.values.split).toEqual(['train', 'train', 'train', 'test']);
    expect(read.shape).toEqual([8, 12, 3]);
    expect(read.values.pixels).toHaveLength(4 * 8 * 12 * 3);
    expect(read.values.pixels.slice(8 * 12 * 3, 8 * 12 * 3 + 3)).toEqual([0, 0, 255]);
    expect(await readAll(source)).toEqual(read);
    expect((await readAll(source, ['label'])).values).toEqual({ label: read.values.label });
  });

  it('that is flat gives pixels and paths; grey images have one channel', async () => {
    const folder = folderOf('flat', {
      'images/1.png': await image('#808080', { grey: true }),
      'images/2.png': await image('#808080', { grey: true, width: 30, height: 20 }),
    });
    const { values, shape } = await readAll(await openSource(folder));
    expect(Object.keys(values)).toEqual(['pixels', 'path']);
    expect(shape).toEqual([16, 16, 1]);
    expect(new Set(values.pixels)).toEqual(new Set([128]));
  });

  it('of any size gives a square of at most 64 and at least 8, or the shape that is asked for', async () => {
    const large = folderOf('large', {
      'a.png': await image('#ff0000', { width: 300, height: 200 }),
      'b.webp': await image('#ff0000', { width: 100, height: 120, format: 'webp' }),
    });
    expect((await readAll(await openSource(large))).shape).toEqual([64, 64, 3]);
    expect((await readAll(await openSource(large, { shape: [4, 6, 1] }))).shape).toEqual([4, 6, 1]);
    const small = folderOf('small', {
      'a.png': await image('#ff0000', { width: 3, height: 5 }),
      'b.png': red,
    });
    expect((await readAll(await openSource(small))).shape).toEqual([8, 8, 3]);
    const middle = folderOf('middle', {
      'a.png': await image('#ff0000', { width: 47, height: 80 }),
      'b.png': await image('#ff0000', { width: 47, height: 47 }),
    });
    expect((await readAll(await openSource(middle))).shape).toEqual([40, 40, 3]);
  });

  it('lays transparent images on white, and turns them as EXIF says', async () => {
    const clear = await image({ r: 255, g: 0, b: 0, alpha: 0 });
    // Left half black, right half white, to be turned by a quarter to the right.
    const halves = await sharp(Buffer.from([0, 255]), { raw: { width: 2, height: 1, channels: 1 } })
      .resize(16, 16, { kernel: 'nearest', fit: 'fill' })
      .withMetadata({ orientation: 6 })
      .png()
      .toBuffer();
    const folder = folderOf('turned', { 'a.png': clear, 'b.png': clear, 'c.png': halves });
    const { values } = await readAll(await openSource(folder, { shape: [16, 16, 1] }));
    expect(new Set(values.pixels.slice(0, 256))).toEqual(new Set([255]));
    const turned = values.pixels.slice(512);
    expect([turned[0], turned[15], turned[240], turned[255]]).toEqual([0, 0, 255, 255]);
  });

  it('skips a broken image as a bad record with its path, or refuses it', async () => {
    const folder = folderOf('broken', {
      'a/1.png': red,
      'a/2.png': red.subarray(0, 60),
      'a/3.bmp': 'BM',
      'b/4.png': blue,
    });
    const bad: BadRecord[] = [];
    const source = await openSource(folder, { onBadRecord: 'skip', report: (record) => bad.push(record) });
    const { rows, values } = await readAll(source);
    expect(rows).toEqual([0, 3]);
    expect(values.label).toEqual(['a', 'b']);
    expect(bad).toMatchObject([
      { path: join(folder, 'a/2.png'), row: 1, column: 'pixels' },
      { path: join(folder, 'a/3.bmp'), row: 2, message: expect.stringContaining('convert it to PNG') },
    ]);
    expect(await failure(folder)).toContain(join(folder, 'a/2.png'));
    // Only what is read can be bad.
    expect((await readAll(await openSource(folder), ['label'])).rows).toEqual([0, 1, 2, 3]);
    const none = folderOf('none', { 'a.png': 'x', 'b.png': 'y' });
    expect(await failure(none)).toContain('no image could be read');
  });
});

/** A grey TIFF of 16 × 16 of these values, on each of its pages. */
function tiffFile(values: Float32Array | Int16Array | Uint8Array, pages = 1): Uint8Array {
  const format = values instanceof Float32Array ? 3 : values instanceof Int16Array ? 2 : 1;
  const tags = (offset: number) => [
    [256, 16],
    [257, 16],
    [258, 8 * values.BYTES_PER_ELEMENT],
    [259, 1],
    [262, 1],
    [273, offset],
    [277, 1],
    [278, 16],
    [279, values.byteLength],
    [339, format],
  ];
  const directory = 2 + 12 * tags(0).length + 4;
  const file = Buffer.alloc(8 + pages * directory + values.byteLength);
  const offset = 8 + pages * directory;
  file.write('II*\0');
  file.writeUInt32LE(8, 4);
  for (let page = 0; page < pages; page++) {
    const start = 8 + page * directory;
    file.writeUInt16LE(tags(0).length, start);
    tags(offset).forEach(([tag, value], i) => {
      const at = start + 2 + 12 * i;
      file.writeUInt16LE(tag, at);
      file.writeUInt16LE(4, at + 2);
      file.writeUInt32LE(1, at + 4);
      file.writeUInt32LE(value, at + 8);
    });
    if (page + 1 < pages) file.writeUInt32LE(start + directory, start + directory - 4);
  }
  Buffer.from(values.buffer).copy(file, offset);
  return file;
}

/** A grey PNG of 16 × 16 with 16 bits: values from 0 to `most`. */
const deepImage = (most: number) =>
  sharp(
    Uint16Array.from({ length: 256 }, (_, i) => Math.round((i * most) / 255)),
    { raw: { width: 16, height: 16, channels: 1 } },
  )
    .toColourspace('grey16')
    .png()
    .toBuffer();

describe('images that are no bytes', () => {
  it('of floats or with a sign are refused, and bad records among others', async () => {
    const float = tiffFile(Float32Array.from({ length: 256 }, (_, i) => i / 256));
    const signed = tiffFile(Int16Array.from({ length: 256 }, (_, i) => i));
    const folder = folderOf('floats', { 'a.tif': float, 'b.tif': float });
    const message = await failure(folder);
    expect(message).toContain(`no image could be read; ${join(folder, 'a.tif')}: not a readable image`);
    expect(message).toContain('type float');
    expect(message).toContain('scale the values of all images alike to 0 … 255');
    expect(await failure(folder, { shape: [16, 16, 1] })).toContain('type float');
    expect(await failure(folderOf('signed', { 'a.tif': signed }))).toContain('type short');
    const mixed = folderOf('some floats', { 'a.png': red, 'b.png': blue, 'c.tif': float });
    const bad: BadRecord[] = [];
    const source = await openSource(mixed, { onBadRecord: 'skip', report: (record) => bad.push(record) });
    expect((await readAll(source)).rows).toEqual([0, 1]);
    expect(bad).toMatchObject([{ row: 2, message: expect.stringContaining('type float') }]);
  });

  it('of 16 bits are brought to 8, with a warning, and are refused where few levels are left', async () => {
    const deep = folderOf('deep', { 'a.png': await deepImage(65_535), 'b.png': await deepImage(30_000) });
    const source = await openSource(deep);
    expect(source.notes).toEqual([
      'images have 16 bits, which are brought to 8: their values become 0 … 255, 256 of 256 levels',
    ]);
    expect(new Set((await readAll(source)).values.pixels.slice(0, 256)).size).toBe(256);
    const dark = folderOf('dark', { 'a.png': await deepImage(4095), 'b.png': await deepImage(4000) });
    expect(await failure(dark)).toMatch(/values become 0 … 1[56], 1[67] of 256 levels; scale the values/);
    // A run's images decided the shape: the levels of all of them are known, not of these few.
    expect((await openSource(dark, { shape: [16, 16, 1] })).notes).toHaveLength(1);
    const some = folderOf('some deep', { 'a.png': red, 'b.png': await deepImage(65_535) });
    expect((await openSource(some)).notes?.[0]).toContain('1 of 2 images have 16 bits');
  });

  it('of several pages give the first, with a warning', async () => {
    const values = Uint8Array.from({ length: 256 }, (_, i) => i);
    const folder = folderOf('pages', { 'a.tif': tiffFile(values, 3), 'b.tif': tiffFile(values) });
    const source = await openSource(folder);
    expect(source.notes).toEqual([
      `1 of 2 images have several pages or frames (${join(folder, 'a.tif')} has 3), of which the first alone is read`,
    ]);
    expect((await readAll(source)).rows).toEqual([0, 1]);
    const files = { 'a.tif': tiffFile(values, 3), 'b.tif': tiffFile(values) };
    const table = folderOf('pages and table', { ...files, 't.csv': 'id,y\na,1\nb,2\n' });
    expect((await openSource(table)).notes).toEqual([expect.stringContaining('several pages')]);
    expect((await openSource(folderOf('plain', { 'a.png': red, 'b.png': blue }))).notes).toEqual([]);
  });
});

describe('a folder of images with a table', () => {
  const files = { 'images/cat1.png': red, 'images/dog 2.png': blue, 'images/17.png': red };

  it.each([
    ['names', 'file,weight\ncat1.png,3\ndog 2.png,4\nmissing.png,5\n17.png,6\n'],
    ['names without endings', 'file,weight\ncat1,3\ndog 2,4\nmissing,5\n17,6\n'],
    ['paths', 'file,weight\n./images/cat1.png,3\nC:\\data\\dog 2.png,4\nno.png,5\nx/images/17.png,6\n'],
  ])('gives its columns and the pixels by %s; a row without an image is a bad record', async (_, table) => {
    const folder = folderOf(`table ${_}`, { ...files, 'labels.csv': table });
    const bad: BadRecord[] = [];
    const source = await openSource(folder, { onBadRecord: 'skip', report: (record) => bad.push(record) });
    expect(source.columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'file text',
      'weight number',
      'pixels pixels',
    ]);
    const { rows, values } = await readAll(source, ['weight', 'pixels']);
    expect(rows).toEqual([0, 1, 3]);
    expect(values.weight).toEqual([3, 4, 6]);
    expect(values.pixels.slice(8 * 12 * 3, 8 * 12 * 3 + 3)).toEqual([0, 0, 255]);
    expect(bad).toMatchObject([
      { row: 2, column: 'pixels', message: expect.stringContaining('no file is named') },
    ]);
    expect((await readAll(source, ['weight'])).values.weight).toEqual([3, 4, 5, 6]);
  });

  it('finds numbers, and bad records of the table and of the images in order', async () => {
    const lines = ['{"id":1,"y":1}', '{"id":9,"y":2}', 'oops', '{"id":2,"y":3}', '{"id":1,"y":4}'];
    const folder = folderOf('numbers', { '1.png': red, '2.png': blue, 't.jsonl': lines.join('\n') });
    const bad: BadRecord[] = [];
    const source = await openSource(folder, { onBadRecord: 'skip', report: (record) => bad.push(record) });
    expect((await readAll(source)).values.y).toEqual([1, 3, 4]);
    expect(bad.map(({ row }) => row)).toEqual([1, 2]);
  });

  it('takes the column that names most files, not a label that happens to be a name', async () => {
    const folder = folderOf('labels', {
      '1.png': red,
      '2.png': blue,
      '3.png': red,
      't.csv': 'y,id\n1,1\n1,2\n2,3\n',
    });
    const { values } = await readAll(await openSource(folder));
    expect(values.pixels.filter((_, i) => i % (8 * 12 * 3) === 0)).toEqual([255, 0, 255]);
  });

  it('is refused where no column names them; a figure beside a table is none', async () => {
    const table = { 'data.csv': 'a,b\n1,2\n3,4\n' };
    expect(await failure(folderOf('unnamed', { ...files, ...table }))).toContain(
      'with no column that names them; give the table alone, or the folder of the images',
    );
    const figure = await openSource(folderOf('figure', { 'plot.png': red, ...table }));
    expect(figure.format).toBe('csv');
  });

  it('is refused where images are asked for and there are none', async () => {
    const folder = folderOf('tables', { 'data.csv': 'a,b\n1,2\n' });
    expect(await failure(folder, { format: 'images' })).toContain('no images in this folder');
    expect(await failure(join(folder, 'data.csv'), { format: 'images' })).toContain(
      'give the folder of them',
    );
  });
});

describe('a folder of sounds', () => {
  const sound = (frequency: number, rate = 8000, count = 4000) =>
    wavFile(toneSamples(frequency, rate, count), { rate });

  it('gives log-mel spectrograms as series, by class', async () => {
    const folder = folderOf('sounds', { 'low/1.wav': sound(200), 'high/2.wav': sound(2000, 8000, 8000) });
    const source = await openSource(folder);
    expect(source.format).toBe('audio');
    const { values, last } = await readAll(source);
    expect(values.label).toEqual(['high', 'low']);
    expect(last.series).toMatchObject({ type: 'series', channels: 64, offsets: Int32Array.of(0, 98, 146) });
  });

  it('refuses another rate by name, and a folder with images, too', async () => {
    const folder = folderOf('rates', { 'a.wav': sound(200), 'b.wav': sound(200, 16000) });
    const message = await failure(folder);
    expect(message).toContain(join(folder, 'b.wav'));
    expect(message).toContain('16000 samples a second, expected 8000');
    const both = folderOf('both', { 'a.wav': sound(200), 'b.png': red });
    expect(await failure(both)).toContain('1 images and 1 sounds; choose with --format');
    expect((await openSource(both, { format: 'audio' })).files).toHaveLength(1);
  });
});
