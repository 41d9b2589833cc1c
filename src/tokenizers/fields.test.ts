import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ColumnValues } from '../records/record-batch.js';
import { MISSING_ID, PRESENT_ID } from '../records/token-block.js';
import { fields } from './fields.js';
import { restoreTokenizer } from './index.js';
import {
  numbers,
  records,
  rejections,
  seriesColumn,
  texts,
  tokenizerCases,
  unknowns,
} from './tokenizer.case.js';
import { FIT_RECORDS } from './tokenizer.js';

/** Five collisions of the HIGGS data set (Baldi et al. 2014) and a column of text. */
const events = {
  lepton_pT: numbers([0.869, 0.908, 0.799, 1.344, 1.105]),
  jet1_btag: numbers([0, 2.173, 0, 2.173, Number.NaN]),
  m_bb: numbers([0.989, 0.986, 0.801, 7.4, 1.0]),
  trigger: texts(['electron', 'muon', 'muon', null, 'electron']),
};
const options = { columns: Object.keys(events) };
const empty = { lepton_pT: numbers([]), jet1_btag: numbers([]), m_bb: numbers([]), trigger: texts([]) };

tokenizerCases('fields', {
  family: fields,
  options,
  batch: records(events, 5, 40),
  empty: records(empty, 0),
});

const fitColumn = (values: readonly number[]) =>
  fields.fit([records({ x: numbers(values) }, values.length)], { columns: ['x'] });

describe('fields', () => {
  it('standardises numbers and gives categories and missing cells ids', async () => {
    const tokenizer = await fields.fit([records(events, 5)], options);
    expect(tokenizer.spec).toEqual({
      kind: 'fields',
      fields: [
        { name: 'lepton_pT', type: 'numeric', firstId: 0, size: 0 },
        { name: 'jet1_btag', type: 'numeric', firstId: 0, size: 0 },
        { name: 'm_bb', type: 'numeric', firstId: 0, size: 0 },
        { name: 'trigger', type: 'categorical', firstId: 2, size: 2 },
      ],
      vocabulary: 4,
      maxTokens: 4,
    });
    const { ids, values } = tokenizer.encode(records(events, 5));
    expect([...ids!.subarray(0, 4)]).toEqual([PRESENT_ID, PRESENT_ID, PRESENT_ID, 2]);
    expect(ids![3 * 4 + 3]).toBe(MISSING_ID);
    expect(ids![4 * 4 + 1]).toBe(MISSING_ID);
    expect(values![4 * 4 + 1]).toBe(0);
    expect(values![3]).toBe(0);
    expect(tokenizer.tokenLabel(0)).toBe('lepton_pT');
    expect(tokenizer.tokenLabel(3, 3)).toBe('trigger = muon');
    expect(tokenizer.tokenLabel(3, MISSING_ID)).toBe('trigger missing');
  });

  const cell = fc.oneof(fc.double({ min: -1e6, max: 1e6, noNaN: true }), fc.constant(Number.NaN));

  it('gives mean 0 and variance 1 on the training cells, and decode undoes it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(cell, { minLength: 3, maxLength: 50 }),
        fc.nat({ max: 50 }),
        async (values, cut) => {
          const present = values.filter((value) => !Number.isNaN(value));
          fc.pre(present.length > 0 && Math.max(...present) - Math.min(...present) > 1e-3);
          const parts = [values.slice(0, cut), values.slice(cut)];
          const batches = parts.map((part) => records({ x: numbers(part) }, part.length));
          const tokenizer = await fields.fit(batches, { columns: ['x'] });
          const encoded = tokenizer.encode(records({ x: numbers(values) }, values.length));
          const standardised = [...encoded.values!].filter((_, row) => encoded.ids![row] === PRESENT_ID);
          const mean = standardised.reduce((a, b) => a + b) / standardised.length;
          const variance = standardised.reduce((sum, z) => sum + z * z, 0) / standardised.length - mean ** 2;
          expect(mean).toBeCloseTo(0, 4);
          expect(variance).toBeCloseTo(1, 3);
          const spread = Math.max(...present) - Math.min(...present);
          for (const [i, z] of standardised.entries()) {
            expect(Math.abs(tokenizer.decode!(0, 0, z) - present[i])).toBeLessThan(1e-6 * spread);
          }
        },
      ),
    );
  });

  it('is exact where the mean is large against the spread', async () => {
    const tokenizer = await fitColumn([1e9 + 1, 1e9 + 2, 1e9 + 3]);
    const { values } = tokenizer.encode(records({ x: numbers([1e9 + 1, 1e9 + 3]) }, 2));
    expect(values![0]).toBeCloseTo(-Math.sqrt(1.5), 6);
    expect(values![1]).toBeCloseTo(Math.sqrt(1.5), 6);
  });

  it('keeps sd 1 for a constant column and clips outliers at 10 sd', async () => {
    const constant = await fitColumn([0.1, 0.1, 0.1, Number.NaN]);
    expect([...constant.encode(records({ x: numbers([0.1, 1.1]) }, 2)).values!]).toEqual([0, 1]);
    const unit = await fitColumn([-1, 1]);
    expect([...unit.encode(records({ x: numbers([300, -300]) }, 2)).values!]).toEqual([10, -10]);
  });

  it('rejects infinite cells, text that is no number and, if told to, unseen categories; once per record', async () => {
    const columns = { x: numbers([1, 2, 3]), kind: texts(['a', 'b', 'a']) };
    const tokenizer = await fields.fit([records(columns, 3)], { columns: ['x', 'kind'] });
    const batch = records(
      { x: numbers([2, Infinity, 1, -Infinity]), kind: texts(['a', 'b', 'c', 'c']) },
      4,
      9,
    );
    expect(rejections(tokenizer, batch, { unseen: 'reject' })).toEqual([
      '10 x: "Infinity" is not a finite number',
      '11 kind: "c" was not seen in training (2 categories: a, b)',
      '12 x: "-Infinity" is not a finite number',
    ]);
    expect(unknowns(tokenizer, batch)).toEqual(['11 kind: c']);
    expect([...tokenizer.encode(batch).ids!]).toEqual([PRESENT_ID, 2, PRESENT_ID, MISSING_ID]);
    const other = { x: texts(['2', null, ' 3e0 ', 'x7']), kind: texts(['a', 'b', 'a', 'b']) };
    expect(rejections(tokenizer, records(other, 4))).toEqual(['3 x: "x7" is not a finite number']);
    const block = tokenizer.encode(records(other, 4));
    expect(block.rows).toEqual(Int32Array.from([0, 1, 2]));
    expect([...block.ids!]).toEqual([PRESENT_ID, 2, MISSING_ID, 3, PRESENT_ID, 2]);
    expect(block.values![4]).toBeCloseTo(Math.sqrt(1.5), 6);
  });

  it('closes the gap of a rejected record', async () => {
    const tokenizer = await fitColumn([-1, 1]);
    const block = tokenizer.encode(records({ x: numbers([Infinity, 1, Infinity, -1]) }, 4, 5));
    expect([...block.values!]).toEqual([1, -1]);
    expect([...block.rows]).toEqual([6, 8]);
    expect([...block.offsets]).toEqual([0, 1, 2]);
  });

  it('leaves out columns without cells, and says so', async () => {
    const columns = { x: numbers([1, 2, 4]), gone: numbers(Array(3).fill(Number.NaN)) };
    const tokenizer = await fields.fit([records(columns, 3)], { columns: ['x', 'gone'] });
    expect(tokenizer.columns).toEqual(['x']);
    expect(tokenizer.fitted['columns left out']).toBe('gone (every cell is missing)');
    await expect(fields.fit([records(columns, 3)], { columns: ['gone'] })).rejects.toThrow(
      'no column can be a field',
    );
  });

  it('ignores infinities in fitting and refuses a spread beyond float64', async () => {
    expect((await fitColumn([-1, 1, Infinity])).decode!(0, 0, 2)).toBe(2);
    await expect(fitColumn([-1e200, 1e200])).rejects.toThrow('cannot be standardised');
  });

  it('stops reading after FIT_RECORDS records and closes the stream', async () => {
    let closed = false;
    async function* endless() {
      try {
        for (;;) yield records({ x: numbers(Array.from({ length: 120_000 }, (_, row) => row % 7)) }, 120_000);
      } finally {
        closed = true;
      }
    }
    const tokenizer = await fields.fit(endless(), { columns: ['x'] });
    expect(tokenizer.fitted.records).toBe(FIT_RECORDS);
    expect(closed).toBe(true);
  });

  it('refuses options that are not its own and states that cannot be', async () => {
    const batch = records({ x: numbers([1]) }, 1);
    await expect(fields.fit([batch], { columns: ['x'], maxTokens: 4 })).rejects.toThrow(
      'one token or a few per column',
    );
    const state = JSON.parse(JSON.stringify(await fitColumn([1, 2])));
    state.fields[0].sd = 0;
    expect(() => restoreTokenizer(state)).toThrow('at fields.0.sd');
  });

  it('refuses records of more than 16,384 tokens, and says what to do', async () => {
    const wide = Object.fromEntries(Array.from({ length: 16_380 }, (_, i) => [`x${i}`, numbers([i, 1])]));
    const batch = records({ ...wide, embedding: seriesColumn([Array(25).fill(1), Array(25).fill(2)]) }, 2);
    await expect(fields.fit([batch], { columns: Object.keys(batch.columns) })).rejects.toThrow(
      'a record would be 16405 tokens of 16381 columns (embedding 25, …), and at most 16384 are possible; leave columns out with --ignore, or name those to read with --columns',
    );
    const tokenizer = await fields.fit([batch], { columns: Object.keys(batch.columns).slice(21) });
    expect(tokenizer.spec.maxTokens).toBe(16_384);
    // So many columns are refused before anything is read.
    const many = Array.from({ length: 20_000 }, (_, i) => `x${i}`);
    await expect(fields.fit([], { columns: many })).rejects.toThrow(
      'at least 20000 tokens, and at most 16384',
    );
  });

  it('says what was expected of a column that has another type', async () => {
    const columns = { x: numbers([1, 2]), kind: texts(['a', 'b']), list: seriesColumn([[1], [2]]) };
    const tokenizer = await fields.fit([records(columns, 2)], { columns: Object.keys(columns) });
    const list = seriesColumn([[1, 2]]);
    const lists = { x: list, kind: texts(['a']), list };
    expect(() => tokenizer.encode(records(lists, 1))).toThrow(
      'column "x" holds lists of numbers, but numbers were expected; give it the type it had in training',
    );
    const noList = { x: numbers([1]), kind: texts(['a']), list: numbers([1]) };
    expect(() => tokenizer.encode(records(noList, 1))).toThrow('but lists of numbers were expected');
    const image: ColumnValues = { type: 'pixels', values: new Uint8Array(4), shape: [2, 2, 1] };
    await expect(fields.fit([records({ image }, 1)], { columns: ['image'] })).rejects.toThrow('holds images');
  });
});

describe('the state of an earlier run', () => {
  const state = {
    kind: 'fields',
    version: 1,
    fields: [
      { name: 'm_bb', type: 'numeric', mean: 2, sd: 4 },
      { name: 'trigger', type: 'categorical', categories: ['electron', 'muon'] },
      { name: 'flavour', type: 'categorical', categories: ['b', 'c'] },
    ],
    fitted: { records: 5 },
  };

  it('gives the tokens it gave, and is kept as it is', () => {
    const tokenizer = restoreTokenizer(state);
    expect(tokenizer.spec).toMatchObject({ vocabulary: 6, maxTokens: 3 });
    const columns = {
      m_bb: numbers([4, Number.NaN]),
      trigger: texts(['muon', null]),
      flavour: texts(['c', 'b']),
    };
    const { ids, values } = tokenizer.encode(records(columns, 2));
    expect([...ids!]).toEqual([PRESENT_ID, 3, 5, MISSING_ID, MISSING_ID, 4]);
    expect([...values!]).toEqual([0.5, 0, 0, 0, 0, 0]);
    expect(tokenizer.toJSON()).toEqual(state);
  });
});
