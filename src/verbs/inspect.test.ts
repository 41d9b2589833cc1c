import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { inspect } from './inspect.js';

const folder = mkdtempSync(join(tmpdir(), 'lacuna-inspect-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** Real rows of UCI Adult: age, work class, hours per week, income. */
const people = `39,State-gov,40,<=50K
50,Self-emp-not-inc,13,<=50K
38,Private,40,<=50K
53,Private,40,<=50K
28,Private,40,<=50K
37,Private,40,<=50K
49,Private,16,<=50K
52,Self-emp-not-inc,45,>50K
31,Private,50,>50K
42,Private,40,>50K
37,Private,80,>50K
30,State-gov,40,>50K`.split('\n');
const rows = [...people, ...people, ...people];
const header = 'part,age,workclass,hours,income';
const part = (i: number) => (i % 4 === 3 ? 'test' : 'train');
const adult = [header, ...rows.map((row, i) => `${part(i)},${row}`), ''].join('\n');

describe('inspect', () => {
  it('tells of values behind the records that types are told from, and refuses to read them untyped', async () => {
    const rows = Array.from({ length: 10_010 }, (_, i) => `${i % 7},${i < 10_000 ? '' : '0.5'},${i % 5}`);
    const data = file('late.csv', `a,wind,b\n${rows.join('\n')}\n`);
    const { source, tokenizer } = await inspect({ data });
    expect(tokenizer.columns).toEqual(['a', 'b']);
    expect(source.notes).toEqual([
      expect.stringContaining('column wind: no value in the first 10000 records'),
    ]);
    const wrong = { data: { colums: ['a'] } } as object;
    await expect(inspect({ data, config: wrong })).rejects.toThrow('config: data.colums: unknown key');
    await expect(inspect({ data, config: { data: { columns: ['a', 'wind'] } } })).rejects.toThrow(
      'column "wind" has no value in the first records',
    );
  });

  it('tells what is there, what would be learned from, and why the rest would not', async () => {
    const { source, rejected, badRecords, tokenizer } = await inspect({
      data: file('adult.csv.gz', gzipSync(adult)),
    });
    expect(source).toMatchObject({ format: 'csv', rows: 36, split: 'part' });
    expect([rejected, badRecords]).toEqual([0, []]);
    expect(tokenizer).toMatchObject({
      kind: 'fields',
      columns: ['age', 'workclass', 'hours'],
      reasons: { part: 'says which records are for training' },
      maxTokens: 3,
      // Fitted on the training part alone.
      fitted: { records: 27 },
    });
    expect(tokenizer.warnings).toEqual([
      expect.stringMatching(/^column income is left out \(may be a label/),
    ]);
  });

  it('follows the same configuration as pretraining', async () => {
    const { tokenizer } = await inspect({
      data: file('adult.csv', adult),
      config: { data: { ignore: ['income'] }, training: { seed: 3 } },
    });
    expect(tokenizer.columns).toEqual(['age', 'workclass', 'hours']);
    expect(tokenizer.reasons.income).toBe('ignored as asked');
  });

  it('lists bad records instead of stopping at them, unless it is asked to', async () => {
    const data = file('ragged.csv', adult.replace('39,State-gov,40,<=50K', '39,State-gov,40,<=50K,1'));
    const { rejected, badRecords, source } = await inspect({ data });
    expect(source.rows).toBe(35);
    expect(rejected).toBe(1);
    expect(badRecords).toMatchObject([{ line: 2, message: 'expected 5 columns, got 6' }]);
    await expect(inspect({ data, config: { data: { on_bad_record: 'fail' } } })).rejects.toThrow(
      /ragged\.csv: line 2: expected 5 columns, got 6/,
    );
  });

  it('refuses records of a single token, which nothing could be predicted from', async () => {
    const data = file('lone.csv', `x\n${rows.map((row) => row.split(',')[0]).join('\n')}\n`);
    await expect(inspect({ data })).rejects.toThrow(
      /lone\.csv: a record would be a single token \(column x\)/,
    );
    const labelled = file('labelled.csv', `x,y\n${rows.map((_, i) => `${i / 7},${i / 3}`).join('\n')}\n`);
    await expect(inspect({ data: labelled })).rejects.toThrow(
      'a single token (column x; y: its name is that of a label)',
    );
  });
});
