import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { strToU8, zipSync } from 'fflate';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import { openSource } from './open-source.js';

const folder = mkdtempSync(join(tmpdir(), 'lacuna-xlsx-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Cell = string | number | boolean | Date | null;

const DAY = 86_400_000;
/** Excel counts days from here. */
const EPOCH = Date.UTC(1899, 11, 30);

function cellXml(cell: Cell, place: string): string {
  if (cell === null) return '';
  if (typeof cell === 'number') return `<c r="${place}"><v>${cell}</v></c>`;
  if (typeof cell === 'boolean') return `<c r="${place}" t="b"><v>${Number(cell)}</v></c>`;
  if (cell instanceof Date) return `<c r="${place}" s="1"><v>${(cell.getTime() - EPOCH) / DAY}</v></c>`;
  return `<c r="${place}" t="inlineStr"><is><t>${cell}</t></is></c>`;
}

/** The smallest workbook that Excel would open. */
function workbook(sheets: Record<string, Cell[][]>, properties = ''): Uint8Array {
  const names = Object.keys(sheets);
  const main = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main';
  const office = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';
  const packaged = 'http://schemas.openxmlformats.org/package/2006/relationships';
  const relation = (id: string, type: string, target: string) =>
    `<Relationship Id="${id}" Type="${office}/${type}" Target="${target}"/>`;
  const files: Record<string, string> = {
    '[Content_Types].xml':
      '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>',
    '_rels/.rels': `<Relationships xmlns="${packaged}">${relation('rId1', 'officeDocument', 'xl/workbook.xml')}</Relationships>`,
    'xl/workbook.xml': `<workbook xmlns="${main}" xmlns:r="${office}">${properties}<sheets>${names
      .map((name, i) => `<sheet name="${name}" sheetId="${i + 1}" r:id="rId${i + 1}"/>`)
      .join('')}</sheets></workbook>`,
    'xl/_rels/workbook.xml.rels': `<Relationships xmlns="${packaged}">${names
      .map((_, i) => relation(`rId${i + 1}`, 'worksheet', `worksheets/sheet${i + 1}.xml`))
      .join('')}${relation('rId99', 'styles', 'styles.xml')}</Relationships>`,
    'xl/styles.xml': `<styleSheet xmlns="${main}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>`,
  };
  Object.values(sheets).forEach((rows, i) => {
    const xml = rows
      .map((row, y) => {
        const cells = row.map((cell, x) => cellXml(cell, `${String.fromCharCode(65 + x)}${y + 1}`)).join('');
        return cells === '' ? '' : `<row r="${y + 1}">${cells}</row>`;
      })
      .join('');
    files[`xl/worksheets/sheet${i + 1}.xml`] =
      `<worksheet xmlns="${main}"><sheetData>${xml}</sheetData></worksheet>`;
  });
  return zipSync(Object.fromEntries(Object.entries(files).map(([name, xml]) => [name, strToU8(xml)])));
}

async function read(name: string, bytes: Uint8Array) {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  const source = await openSource(path);
  const values: Record<string, unknown[]> = {};
  for await (const batch of source.read())
    for (const [column, cells] of Object.entries(batch.columns))
      values[column] = [...(values[column] ?? []), ...cells.values];
  return { source, values };
}

async function failure(name: string, bytes: Uint8Array): Promise<string> {
  try {
    await read(name, bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    expect((error as Error).message).not.toContain('\n');
    return (error as Error).message;
  }
  throw new Error('it was read');
}

describe('an Excel file', () => {
  const noon = new Date(Date.UTC(2024, 4, 1, 12));
  const day = new Date(Date.UTC(2024, 4, 2));

  it('gives the first sheet with the types of its cells; the header is the first row that is not empty', async () => {
    const bytes = workbook({
      Data: [
        [],
        ['x', 'text', 'when', null, 'yes'],
        [1.5, 'a', noon, 7, true],
        [null, 'NA', day, 8, false],
        [],
        [3, 'c', null, null, null],
      ],
      Notes: [['not read']],
    });
    const { source, values } = await read('a.xlsx', bytes);
    expect(source.format).toBe('xlsx');
    expect(values).toEqual({
      x: [1.5, Number.NaN, 3],
      text: ['a', null, 'c'],
      when: [Date.parse('2024-05-01T12:00:00Z') / 1000, Date.parse('2024-05-02') / 1000, Number.NaN],
      column3: [7, 8, Number.NaN],
      yes: ['true', 'false', null],
    });
    expect(source.leftOut).toEqual([
      { name: 'sheet Notes', reason: expect.stringContaining('not the first sheet') },
    ]);
    expect((await read('unnamed', bytes)).values).toEqual(values);
  });

  it('gives times without a day as times of day, or as hours where one is longer than a day', async () => {
    const length = (hours: number) => new Date(EPOCH + (hours * DAY) / 24);
    const rows = [
      ['start', 'length', 'day'],
      [length(14.5), length(2), length(0)],
      [length(0.25), length(26.5), day],
      [null, null, day],
    ];
    const { source, values } = await read('times.xlsx', workbook({ Data: rows }));
    expect(values).toEqual({
      start: [14.5 * 3600, 0.25 * 3600, Number.NaN],
      length: [2, 26.5, Number.NaN],
      day: [EPOCH / 1000, day.getTime() / 1000, day.getTime() / 1000],
    });
    expect(source.notes).toEqual([
      'column start: cells without a day are read as times of day',
      'column length: cells without a day are read as hours',
    ]);
    // The same days since the first, which is one of 1904 there.
    const later = workbook({ Data: rows }, '<workbookPr defaultThemeVersion="124226" date1904="1"/>');
    const { source: source1904, values: values1904 } = await read('times-1904.xlsx', later);
    expect(values1904).toMatchObject({ start: values.start, length: values.length });
    expect(values1904.day[0]).toBe(Date.UTC(1904, 0, 1) / 1000);
    expect(source1904.notes).toEqual(source.notes);
  });

  it('is refused where it is empty, damaged, or a name stands twice', async () => {
    expect(await failure('empty.xlsx', workbook({ Data: [] }))).toContain(
      'the first sheet, "Data", is empty',
    );
    expect(await failure('header.xlsx', workbook({ Data: [['x']] }))).toContain('no records');
    expect(
      await failure(
        'twice.xlsx',
        workbook({
          Data: [
            ['x', 'x'],
            [1, 2],
          ],
        }),
      ),
    ).toContain('row 1 of the sheet "Data" names the column "x" twice');
    const whole = workbook({ Data: [['x'], [1]] });
    expect(await failure('cut.xlsx', whole.subarray(0, whole.length - 40))).toContain(
      'not a readable zip archive',
    );
    expect(await failure('text.xlsx', strToU8('a,b\n1,2\n'))).toContain('not xlsx (it is no zip archive)');
  });
});
