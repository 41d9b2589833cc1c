import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { inspect } from './inspect.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-shown-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it('the first records are shown as the tokens that they become, in the units and words of the file', async () => {
  const data = join(folder, 'table.csv');
  const remarks = ['as good as new', 'worn, but complete', 'a page is missing', 'signed by the author'];
  const rows = Array.from({ length: 60 }, (_, i) => {
    const day = new Date(Date.UTC(2020, 0, 1 + 9 * i)).toISOString().slice(0, 10);
    return `${day},"$1,${100 + i},000",${['red', 'blue'][i % 2]},"${remarks[i % 4]} ${i}",${i % 5 ? i / 4 : ''}`;
  });
  await writeFile(data, `day,price,colour,remark,weight\n${rows.join('\n')}\n`);
  const { tokens, schema, source } = await inspect({
    data,
    config: { data: { columns: ['day', 'price', 'colour', 'remark', 'weight'] } },
  });
  expect(source.dialect).toBe('delimiter ",", quote \'"\', header yes');
  expect(schema.columns.map(({ format }) => format?.kind)).toEqual([
    'date',
    'number',
    undefined,
    undefined,
    undefined,
  ]);
  expect(tokens).toHaveLength(3);
  expect(tokens[0]).toEqual(
    expect.arrayContaining(['day = 2020-01-01', 'price = 1100000', 'colour = red', 'weight missing']),
  );
  expect(tokens[0].join()).toContain('remark = "as good as new 0"');
  expect(tokens[1]).toContain('weight = 0.25');
});
