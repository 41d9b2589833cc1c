import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../../errors.js';
import { openSource } from '../../sources/open-source.js';
import type { OpenOptions } from '../open-bytes.js';
import type { BadRecord, ColumnValues, ReadOptions, RecordBatch } from '../record-batch.js';

const folder = mkdtempSync(join(tmpdir(), 'lacuna-ts-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(text: string, name = 'Motions_TRAIN.ts'): string {
  const path = join(folder, name);
  writeFileSync(path, name.endsWith('.gz') ? gzipSync(text) : text);
  return path;
}

async function batches(path: string, options?: OpenOptions, wanted?: ReadOptions): Promise<RecordBatch[]> {
  const all: RecordBatch[] = [];
  for await (const batch of (await openSource(path, options)).read(wanted)) all.push(batch);
  return all;
}

/** Each record's values, [step][channel], of a column of series. */
function stepsOf(column: ColumnValues): number[][][] {
  if (column.type !== 'series') throw new Error(`a column of series was expected, not of ${column.type}`);
  const { values, offsets, channels } = column;
  return Array.from(offsets.subarray(1), (end, record) =>
    Array.from({ length: end - offsets[record] }, (_, step) => {
      const at = (offsets[record] + step) * channels;
      return Array.from(values.subarray(at, at + channels));
    }),
  );
}

/** Accelerometer and gyroscope along one axis, from BasicMotions of the UEA archive, shortened. */
const motions = `#The data was generated as part of a student project.

@problemName BasicMotions
@timeStamps false
@missing false
@univariate false
@dimensions 2
@equalLength true
@seriesLength 4
@classLabel true Standing Running Walking
@data
0.079106,0.079106,-0.903497,1.116125:-0.063925,-0.063925,0.0213,-0.0799:Standing
# a comment between records
0.377751,0.377751,2.952965,4.310925:0.12,-0.27,?,NaN:running
`;

const univariate = '@univariate true\n@classLabel true 1 2\n@data\n';

async function failure(text: string, options?: OpenOptions): Promise<string> {
  const path = file(text, 'bad.ts');
  const error = await batches(path, options).then(
    () => new Error('it was read'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(InputError);
  const { message } = error as InputError;
  expect(message.startsWith(`${path}: `), message).toBe(true);
  return message.slice(path.length + 2);
}

describe('.ts files of time series', () => {
  it.each(['Motions_TRAIN.ts', 'Motions_TRAIN.ts.gz'])(
    'reads %s: values by step, labels as text',
    async (name) => {
      const path = file(motions, name);
      const { columns, format } = await openSource(path);
      expect(format).toBe('ts');
      expect(columns).toEqual([
        { name: 'series', type: 'series' },
        { name: 'label', type: 'text' },
      ]);
      const [batch] = await batches(path);
      expect([...batch.rows]).toEqual([0, 1]);
      // The header's spelling of a class counts.
      expect(batch.columns.label.values).toEqual(['Standing', 'Running']);
      const [first, second] = stepsOf(batch.columns.series);
      expect(first[1]).toEqual([0.079106, -0.063925].map(Math.fround));
      expect(second.map(([, gyroscope]) => gyroscope)).toEqual(
        [0.12, -0.27, Number.NaN, Number.NaN].map(Math.fround),
      );
    },
  );

  it('reads the label alone, and targets as numbers', async () => {
    const [batch] = await batches(file(motions), {}, { columns: ['label'] });
    expect(Object.keys(batch.columns)).toEqual(['label']);
    const targets = file('@univariate true\n@targetLabel true\n@data\n1,2:2.5\n3,4:?\n', 'target.ts');
    const [{ columns }] = await batches(targets);
    expect(columns.label).toEqual({ type: 'number', values: Float64Array.of(2.5, Number.NaN) });
  });

  it('reads records of any length, without labels, in any number of batches, back as they were written', async () => {
    const value = fc.oneof(fc.float({ noDefaultInfinity: true, noNaN: true }), fc.constant(Number.NaN));
    const shape = fc.record({
      channels: fc.integer({ min: 1, max: 3 }),
      lengths: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 }),
    });
    const record = ({ channels, lengths }: { channels: number; lengths: number[] }) =>
      fc.tuple(
        ...lengths.map((length) =>
          fc.array(fc.array(value, { minLength: channels, maxLength: channels }), {
            minLength: length,
            maxLength: length,
          }),
        ),
      );
    await fc.assert(
      fc.asyncProperty(shape.chain(record), async (rows) => {
        const lines = rows.map((steps) =>
          steps[0].map((_, channel) => steps.map((step) => step[channel]).join(',')).join(':'),
        );
        const path = file(`@equalLength false\n@classLabel false\n@data\n${lines.join('\n')}`, 'any.ts');
        const read = (await batches(path)).flatMap(({ columns }) => stepsOf(columns.series));
        expect(read).toEqual(rows.map((steps) => steps.map((step) => step.map((v) => v + 0))));
      }),
      { numRuns: 30 },
    );
    const long = file(`${univariate}${`${'1,'.repeat(999)}1:2\n`.repeat(3000)}`, 'long.ts');
    const all = await batches(long);
    expect(all.length).toBeGreaterThan(1);
    expect(all.flatMap(({ rows }) => [...rows])).toEqual([...Array(3000).keys()]);
  });

  it('reads decimal numbers as JavaScript does, in single precision', async () => {
    const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: 12 });
    const decimal = fc
      .tuple(
        fc.constantFrom('', '-', '+'),
        digits,
        fc.constantFrom('', '.'),
        digits,
        fc.constantFrom('', 'e-3', 'E2', ' '),
      )
      .map((parts) => parts.join(''))
      .filter((text) => text.trim() !== '' && Number.isFinite(Number(text)));
    await fc.assert(
      fc.asyncProperty(fc.array(decimal, { minLength: 1, maxLength: 20 }), async (cells) => {
        const path = file(`@univariate true\n@data\n${cells.join(',')},1\n`, 'decimals.ts');
        const [{ columns }] = await batches(path);
        expect([...columns.series.values]).toEqual([...cells.map(Number).map(Math.fround), 1]);
      }),
      { numRuns: 50 },
    );
    for (const cell of ['.', '-', '1.2.3', '1-2', '--1', '- 1']) {
      expect(await failure(`@univariate true\n@data\n${cell},1\n`)).toMatch(/value 1: expected a number/);
    }
  });

  it.each([
    [
      'too few values',
      `${motions}1,2,3,4:1,2,3:Walking\n`,
      /^line 15: dimension 2: expected 4 values as all records have, got 3/,
    ],
    [
      'channels of different lengths',
      '@dimensions 2\n@data\n1,2:1,2\n1,2,3:1,2\n',
      /^line 4: dimension 2: expected 3 values as in dimension 1, got 2/,
    ],
    [
      'a missing label',
      `${univariate}1,2:1\n1,2\n`,
      /^line 5: expected 1 dimension and a label separated by ":", got 1 of them/,
    ],
    ['an empty label', `${univariate}1,2:\n`, /^line 4: the label is empty; write \?/],
    [
      'another label',
      `${univariate}1,2:3\n`,
      /^line 4: label "3" is none of those that @classLabel lists \(1, 2\)/,
    ],
    [
      'a dimension too many',
      `${motions}1,2,3,4:1,2,3,4:1,2,3,4:Walking\n`,
      /^line 15: expected 2 dimensions and a label/,
    ],
    ['a word', `${univariate}1,two:1\n`, /^line 4: dimension 1, value 2: expected a number.*"two"/],
    ['an empty value', `${univariate}1,,2:1\n`, /^line 4: dimension 1, value 2: expected a number/],
    ['a number too large', `${univariate}1,1e99:1\n`, /^line 4: dimension 1, value 2: expected a number/],
    ['text that is not UTF-8', `${univariate}1,\uFFFD:1\n`, /^line 4: not valid UTF-8/],
  ])('rejects a record with %s, by its line', async (_, text, message) => {
    expect(await failure(text)).toMatch(message);
    const bad: BadRecord[] = [];
    const good = await batches(file(text), { onBadRecord: 'skip', report: (record) => bad.push(record) });
    const rows = good.flatMap((batch) => [...batch.rows]);
    // Each record is given or rejected.
    expect([...rows, ...bad.map(({ row }) => row)].sort()).toEqual([...Array(rows.length + 1).keys()]);
  });

  it.each([
    [
      'time stamps',
      '@timeStamps true\n@data\n(0,1),(1,2)\n',
      /^line 1: series with time stamps are not read; write the values alone/,
    ],
    ['no @data', '@univariate true\n# the end\n', /^no line "@data"/],
    ['no records', univariate, /^a header but no records/],
    ['no header', '# comment\n1,2:3\n', /^line 2: expected a header line such as .* got "1,2:3"/],
    [
      'a word for a truth',
      '@univariate yes\n@data\n1\n',
      /^line 1: @univariate: expected true or false, got "yes"/,
    ],
    [
      'a word for a number',
      '@dimensions many\n@data\n1\n',
      /^line 1: @dimensions: expected a whole number above 0, got "many"/,
    ],
    [
      'a contradiction',
      '@univariate true\n@dimensions 3\n@data\n1\n',
      /^@univariate is true and @dimensions is 3/,
    ],
    ['something else', 'export const a = 1;\n', /^not a \.ts file of time series; expected a header/],
  ])('refuses a file with %s', async (_, text, message) => {
    expect(await failure(text, { onBadRecord: 'skip' })).toMatch(message);
  });
});
