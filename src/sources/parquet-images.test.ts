import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BadRecord } from '../records/record-batch.js';
import { openSource } from './open-source.js';

const folder = mkdtempSync(join(tmpdir(), 'lacuna-parquet-images-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A grey PNG of 8 x 8 pixels, as SQL. */
const png = async (level: number) => {
  const bytes = await sharp({
    create: { width: 8, height: 8, channels: 3, background: { r: level, g: level, b: level } },
  })
    .toColourspace('b-w')
    .png()
    .toBuffer();
  return `from_base64('${bytes.toString('base64')}')`;
};

const path = join(folder, 'images.parquet');

beforeAll(async () => {
  const [dark, light] = [await png(10), await png(200)];
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  await connection.run(
    `COPY (SELECT * FROM (VALUES
       (${dark}, {bytes: ${dark}, path: 'a.png'}, 'text'::BLOB, 1),
       (${light}, {bytes: ${light}, path: NULL}, NULL, 2),
       ('broken'::BLOB, {bytes: ${dark}, path: NULL}, NULL, 3),
       (${light}, NULL, NULL, 4)
     ) t(plain, "a ""struct""", other, y)) TO '${path}' (FORMAT parquet)`,
  );
});

async function read(columns?: string[]) {
  const bad: BadRecord[] = [];
  const source = await openSource(path, { onBadRecord: 'skip', report: (found) => bad.push(found) });
  const rows: number[] = [];
  const values: Record<string, unknown[]> = {};
  for await (const batch of source.read({ columns })) {
    rows.push(...batch.rows);
    for (const [name, column] of Object.entries(batch.columns)) {
      if (column.type === 'pixels') expect(column.shape).toEqual([8, 8, 1]);
      const step = column.type === 'pixels' ? 64 : 1;
      values[name] = [...(values[name] ?? []), ...[...column.values].filter((_, i) => i % step === 0)];
    }
  }
  return { source, rows, values, bad };
}

describe('a Parquet column of encoded images', () => {
  it('becomes pixels, as bytes and in a struct; other bytes stay text', async () => {
    const { source, rows, values, bad } = await read();
    expect(source.columns.map(({ type }) => type)).toEqual(['pixels', 'pixels', 'text', 'number']);
    expect(rows).toEqual([0, 1]);
    expect(values).toEqual({ plain: [10, 200], 'a "struct"': [10, 200], other: ['text', null], y: [1, 2] });
    expect(bad).toMatchObject([
      { path, row: 2, column: 'plain', message: expect.stringContaining('not an image') },
      { path, row: 3, column: 'a "struct"', message: 'no image' },
    ]);
  });

  it('makes a record bad only where it is read', async () => {
    expect(await read(['y', 'plain'])).toMatchObject({ rows: [0, 1, 3], values: { y: [1, 2, 4] } });
    expect(await read(['y'])).toMatchObject({ rows: [0, 1, 2, 3], bad: [] });
  });

  it('warns of 16 bits, and is no text where they are of no use', async () => {
    const deep = async (most: number) => {
      const levels = Uint16Array.from({ length: 64 }, (_, i) => (i * most) / 63);
      const made = sharp(levels, { raw: { width: 8, height: 8, channels: 1 } }).toColourspace('grey16');
      return `from_base64('${(await made.png().toBuffer()).toString('base64')}')`;
    };
    const connection = await (await DuckDBInstance.create(':memory:')).connect();
    const open = async (most: number) => {
      const file = join(folder, `deep-${most}.parquet`);
      await connection.run(`COPY (SELECT ${await deep(most)} AS scan) TO '${file}' (FORMAT parquet)`);
      return openSource(file);
    };
    expect((await open(65_535)).notes).toEqual([
      expect.stringContaining('column "scan": images have 16 bits'),
    ]);
    await expect(open(1023)).rejects.toThrow(/deep-1023.parquet: scan: .* of 256 levels; scale the values/);
  });
});
