import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MISSING_ID, PRESENT_ID } from '../records/token-block.js';
import { fields } from './fields.js';
import { restoreTokenizer } from './index.js';
import { numbers, records, rejections, texts, tokenizerCases } from './tokenizer.case.js';
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

  it('rejects infinite cells, unseen categories and text that is no number; once per record', async () => {
    const columns = { x: numbers([1, 2, 3]), kind: texts(['a', 'b', 'a']) };
    const tokenizer = await fields.fit([records(columns, 3)], { columns: ['x', 'kind'] });
    const batch = records(
      { x: numbers([2, Infinity, 1, -Infinity]), kind: texts(['a', 'b', 'c', 'c']) },
      4,
      9,
    );
    expect(rejections(tokenizer, batch)).toEqual([
      '10 x: "Infinity" is not a finite number',
      '11 kind: "c" was not seen in training (2 categories: a, b)',
      '12 x: "-Infinity" is not a finite number',
    ]);
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

  it('leaves out columns without cells or with too many texts, and says so', async () => {
    const names = Array.from({ length: 300 }, (_, row) => `name ${row}`);
    const columns = {
      x: numbers(names.map((_, row) => row)),
      gone: numbers(names.map(() => Number.NaN)),
      name: texts(names),
    };
    const tokenizer = await fields.fit([records(columns, 300)], { columns: ['x', 'gone', 'name'] });
    expect(tokenizer.columns).toEqual(['x']);
    expect(tokenizer.fitted['columns left out']).toBe(
      'gone (every cell is missing), name (more than 256 different texts)',
    );
    await expect(fields.fit([records(columns, 300)], { columns: ['gone'] })).rejects.toThrow(
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
      'one token per column',
    );
    const state = JSON.parse(JSON.stringify(await fitColumn([1, 2])));
    state.fields[0].sd = 0;
    expect(() => restoreTokenizer(state)).toThrow('at fields.0.sd');
  });
});
