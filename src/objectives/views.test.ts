import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Batch, packBatch } from '../records/batch.js';
import { MISSING_ID, PRESENT_ID, type TokenSpec } from '../records/token-block.js';
import { random } from '../tensor/random.js';
import { realRecords } from '../tokenizers/real-records.case.js';
import { drawImageView, IMAGE_VIEWS, imageRenderer } from './image-views.js';
import { hiddenCount, roundHalfToEven } from './masked-autoencoding.js';
import { drawViews, droppedCount, TOKEN_VIEWS, type ViewOptions, type Views } from './views.js';

const records = await realRecords();
const digits = records.continuous;
const digitSpec = {
  kind: 'continuous',
  channels: 49,
  maxTokens: 16,
  grid: { rows: 4, columns: 4, patch: 7 },
} as const;
const real = {
  discrete: { spec: records.discrete.tokenizer.spec, block: records.discrete.block },
  fields: { spec: records.fields.tokenizer.spec, block: records.fields.block },
  series: { spec: records.series.tokenizer.spec, block: records.series.block },
  image: { spec: digitSpec, block: digits.block },
};
const kinds = Object.keys(real) as (keyof typeof real)[];

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const sourceOf =
  (seed = 1, step = 0) =>
  (purpose: string, row: number) =>
    random(seed, purpose, step, row);
const pack = (kind: keyof typeof real, rows: readonly number[], size = rows.length) =>
  packBatch(real[kind].block, rows, size, real[kind].spec.maxTokens);

/** What one row of views (or of a batch) holds. */
function rowOf({ ids, values, dropped }: Partial<Views>, row: number, tokens: number, channels: number) {
  return {
    ids: ids?.slice(row * tokens, (row + 1) * tokens),
    values: values?.slice(row * tokens * channels, (row + 1) * tokens * channels),
    dropped: dropped?.slice(row * tokens, (row + 1) * tokens),
  };
}

const channelsOf = (spec: TokenSpec) => (spec.kind === 'continuous' ? spec.channels : 1);
const places = (mask: Uint8Array | undefined) => [...mask!.keys()].filter((i) => mask![i]);

/** A batch whose every value names its place: `1000 * row + token`, plus 0.25 in a second channel. */
function labelledBatch(lengths: readonly number[], size = lengths.length) {
  const tokens = Math.max(...lengths);
  const spec: TokenSpec = { kind: 'continuous', channels: 2, maxTokens: tokens };
  const values = new Float32Array(size * tokens * 2);
  for (let row = 0; row < size; row++) {
    const record = row < lengths.length ? row : 0;
    for (let token = 0; token < lengths[record]; token++)
      values.set(
        range(2).map((c) => 1000 * (record + 1) + token + 0.25 * c),
        (row * tokens + token) * 2,
      );
  }
  const batch: Batch = {
    rows: lengths.length,
    size,
    tokens,
    values,
    lengths: Int32Array.from({ length: size }, (_, row) => lengths[row] ?? lengths[0]),
    fileRows: Int32Array.from(range(size)),
  };
  return { spec, batch };
}

describe.each(kinds)('views of %s rows', (kind) => {
  const { spec } = real[kind];
  const channels = channelsOf(spec);

  it('are as many as asked, in the shapes of the batch, each with its numbers dropped', () => {
    const shares = fc.double({ min: 0, max: 0.9, noNaN: true });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 0, max: 3 }),
        shares,
        shares,
        (count, rows, fillers, drop, swap) => {
          const batch = pack(kind, range(rows), rows + fillers);
          const views = drawViews(spec, batch, { count, drop, swap, noise: 0.1 }, sourceOf());
          expect(views.ids?.length).toBe(batch.ids && count * batch.ids.length);
          expect(views.values?.length).toBe(batch.values && count * batch.values.length);
          for (let row = 0; row < count * batch.size; row++) {
            const length = batch.lengths[row % batch.size];
            expect(views.lengths[row]).toBe(length);
            const hidden = places(rowOf(views, row, batch.tokens, channels).dropped);
            expect(hidden.length).toBe(droppedCount(spec, length, { count, drop }));
            expect(hidden.length).toBe(drop === 0 ? 0 : hiddenCount(spec, length, drop));
            expect(hidden.length).toBeLessThan(length);
            expect(hidden.every((token) => token < length)).toBe(true);
          }
          expect(views.lengths.length).toBe(count * batch.size);
          expect(views.values?.every(Number.isFinite) ?? true).toBe(true);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('are the rows themselves where nothing is asked', () => {
    const batch = pack(kind, [3, 5, 7], 4);
    const options = { count: 2, drop: 0, swap: 0, noise: 0, image: false } as const;
    const views = drawViews(spec, batch, options, sourceOf());
    const twice = <T>(array: Iterable<T> | undefined) => array && [...array, ...array];
    expect(views.ids && [...views.ids]).toEqual(twice(batch.ids));
    expect(views.values && [...views.values]).toEqual(twice(batch.values));
    expect(views.dropped.some(Boolean)).toBe(false);
  });

  it('depend on the key alone, and differ from view to view and step to step', () => {
    const batch = pack(kind, range(8));
    const draw = (seed: number, step: number) => drawViews(spec, batch, { count: 2 }, sourceOf(seed, step));
    expect(draw(1, 2)).toEqual(draw(1, 2));
    expect(draw(1, 2)).not.toEqual(draw(2, 2));
    expect(draw(1, 2)).not.toEqual(draw(1, 3));
    const [first, second] = [0, 8].map((row) => rowOf(draw(1, 2), row, batch.tokens, channels));
    expect(first).not.toEqual(second);
    // A third view does not change the first two.
    const more = drawViews(spec, batch, { count: 3 }, sourceOf(1, 2));
    expect(more.dropped.subarray(0, 16 * batch.tokens)).toEqual(draw(1, 2).dropped);
    expect(more.values?.subarray(0, 16 * batch.tokens * channels)).toEqual(draw(1, 2).values);
  });

  it('depend on other rows only through what is taken from them', () => {
    const [before, after] = [pack(kind, [0, 1, 2, 3]), pack(kind, [9, 1, 8, 15])];
    const options: ViewOptions = { count: 2, drop: 0.3, swap: 0, noise: 0.2 };
    const [one, other] = [before, after].map((batch) => drawViews(spec, batch, options, sourceOf()));
    for (const row of [1, 5])
      expect(rowOf(one, row, before.tokens, channels)).toEqual(rowOf(other, row, before.tokens, channels));
    const alone = drawViews(spec, pack(kind, [0, 1]), options, sourceOf());
    expect(rowOf(alone, 1, before.tokens, channels)).toEqual(rowOf(one, 1, before.tokens, channels));
    // What is replaced by other tokens is drawn after what is dropped.
    const swapped = [before, after].map((batch) =>
      drawViews(spec, batch, { ...options, swap: 0.4, noise: 0 }, sourceOf()),
    );
    const [a, b] = swapped.map((views) => rowOf(views, 1, before.tokens, channels));
    expect(a.dropped).toEqual(b.dropped);
    expect(a.dropped).toEqual(rowOf(one, 1, before.tokens, channels).dropped);
  });

  it('fill the batch up with copies of its rows in turn', () => {
    const batch = pack(kind, [4, 5], 5);
    const views = drawViews(spec, batch, { count: 2 }, sourceOf());
    for (const first of [0, 5])
      for (const filler of [2, 3, 4])
        expect(rowOf(views, first + filler, batch.tokens, channels)).toEqual(
          rowOf(views, first + (filler % 2), batch.tokens, channels),
        );
  });

  it('leave the batch as it was', () => {
    const batch = pack(kind, range(6));
    drawViews(spec, batch, { count: 2, drop: 0.2, swap: 0.5, noise: 1 }, sourceOf());
    expect(batch).toEqual(pack(kind, range(6)));
  });

  it('have nothing to drop or replace in a row of one token', () => {
    const batch = pack(kind, [2]);
    batch.lengths[0] = 1;
    const { dropped } = drawViews(spec, batch, { count: 2, drop: 0.9, swap: 0.9 }, sourceOf());
    expect(dropped.some(Boolean)).toBe(false);
  });
});

describe('dropping', () => {
  it('drops every token equally often', () => {
    const { spec, batch } = labelledBatch([8]);
    const counts = new Array<number>(8).fill(0);
    const draws = 2000;
    for (let step = 0; step < draws; step++) {
      const { dropped } = drawViews(spec, batch, { count: 1, drop: 0.25 }, sourceOf(3, step));
      for (const token of places(dropped)) counts[token]++;
    }
    const chiSquare = counts.reduce((sum, n) => sum + (n - draws / 4) ** 2 / (draws / 4), 0);
    // The 99.99 % point for 7 degrees of freedom is 29.9; without replacement it is lower still.
    expect(chiSquare).toBeLessThan(29.9);
  });

  it('drops the usual share where the options say none, and nothing of an image', () => {
    const table = real.fields.spec;
    expect(droppedCount(table, 40, { count: 2 })).toBe(10);
    expect(droppedCount(digitSpec, 16, { count: 2 })).toBe(0);
    expect(droppedCount(digitSpec, 16, { count: 2, image: false })).toBe(4);
    expect(droppedCount(digitSpec, 16, { count: 2, drop: 0.5 })).toBe(8);
  });
});

describe('replacing', () => {
  it('takes whole tokens from the same position of another row that is long enough, as many as said', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 2, maxLength: 6 }),
        fc.double({ min: 0, max: 0.9, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.nat(),
        (lengths, drop, swap, seed) => {
          const { spec, batch } = labelledBatch(lengths, lengths.length + 1);
          const { tokens } = batch;
          const views = drawViews(spec, batch, { count: 2, drop, swap, noise: 0 }, sourceOf(seed));
          for (let view = 0; view < 2; view++) {
            for (const [row, length] of lengths.entries()) {
              const { values, dropped } = rowOf(views, view * batch.size + row, tokens, 2);
              let replaced = 0;
              for (let token = 0; token < tokens; token++) {
                const [value, second] = values!.subarray(token * 2);
                if (token >= length) {
                  expect([value, second]).toEqual([0, 0]);
                  continue;
                }
                const from = Math.floor(value / 1000) - 1;
                expect(value % 1000).toBe(token);
                expect(second).toBe(value + 0.25);
                expect(lengths[from]).toBeGreaterThan(token);
                if (from !== row) replaced++;
                if (dropped![token]) expect(from).toBe(row);
              }
              const said = roundHalfToEven(swap * (length - places(dropped).length));
              // Where no other row is as long there is nothing to take.
              const others = Math.max(...lengths.filter((_, other) => other !== row));
              if (others >= length) expect(replaced).toBe(said);
              else expect(replaced).toBeLessThanOrEqual(said);
            }
          }
        },
      ),
    );
  });

  it('takes from every other row equally often', () => {
    const { spec, batch } = labelledBatch([3, 3, 2, 3, 3]);
    const counts = new Map<number, number>();
    for (let step = 0; step < 3000; step++) {
      const { values } = drawViews(spec, batch, { count: 1, drop: 0, swap: 1, noise: 0 }, sourceOf(2, step));
      // The third token of the second row; the third row has none.
      const from = Math.floor(values![(1 * 3 + 2) * 2] / 1000) - 1;
      counts.set(from, (counts.get(from) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual([0, 3, 4]);
    // Five deviations of a third of 3000.
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(130);
  });

  it('leaves a row that is alone as it is', () => {
    const { spec, batch } = labelledBatch([5], 3);
    const { values } = drawViews(spec, batch, { count: 1, drop: 0, swap: 1, noise: 0 }, sourceOf());
    expect(values).toEqual(batch.values);
  });

  it('keeps a field to its own categories, and a cell to what goes together', () => {
    const { spec, block } = real.fields;
    if (spec.kind !== 'fields') throw new Error('a table was expected');
    const batch = packBatch(block, range(16), 16, spec.maxTokens);
    for (let step = 0; step < 50; step++) {
      const { ids, values } = drawViews(spec, batch, { count: 2, swap: 0.8 }, sourceOf(4, step));
      for (const [i, id] of ids!.entries()) {
        const { type, firstId, size } = spec.fields[i % spec.maxTokens];
        if (id !== PRESENT_ID) expect(values![i]).toBe(0);
        if (id === MISSING_ID) continue;
        if (type === 'numeric') expect(id).toBe(PRESENT_ID);
        else expect(id >= firstId && id < firstId + size).toBe(true);
      }
    }
  });

  it('replaces ids by ids of the batch, as often as they occur in it', () => {
    const { spec } = real.discrete;
    const batch = pack('discrete', range(16));
    const occurs = new Map<number, number>();
    let total = 0;
    for (let row = 0; row < 16; row++)
      for (const id of batch.ids!.subarray(row * batch.tokens, row * batch.tokens + batch.lengths[row])) {
        occurs.set(id, (occurs.get(id) ?? 0) + 1);
        total++;
      }
    const drawn = new Map<number, number>();
    let draws = 0;
    for (let step = 0; step < 50; step++) {
      const { ids } = drawViews(spec, batch, { count: 1, drop: 0, swap: 1 }, sourceOf(5, step));
      for (let row = 0; row < 16; row++)
        for (let i = 0; i < batch.tokens; i++) {
          const id = ids![row * batch.tokens + i];
          if (i >= batch.lengths[row]) expect(id).toBe(0);
          else {
            drawn.set(id, (drawn.get(id) ?? 0) + 1);
            draws++;
          }
        }
    }
    for (const [id, count] of drawn) {
      const share = occurs.get(id)! / total;
      // Five deviations of a share.
      expect(Math.abs(count / draws - share)).toBeLessThan(5 * Math.sqrt((share * (1 - share)) / draws));
    }
  });
});

describe('noise', () => {
  const deviation = (values: readonly number[]) =>
    Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);

  it('has the deviation asked for on cells that are there, and none on others', () => {
    const { spec } = real.fields;
    const batch = pack('fields', range(16));
    const differences: number[] = [];
    for (let step = 0; step < 50; step++) {
      const options = { count: 1, drop: 0.25, swap: 0, noise: 0.3 };
      const { ids, values, dropped } = drawViews(spec, batch, options, sourceOf(6, step));
      expect(ids).toEqual(batch.ids);
      for (const [i, id] of batch.ids!.entries()) {
        const difference = values![i] - batch.values![i];
        if (id === PRESENT_ID && !dropped[i]) differences.push(difference);
        else expect(difference).toBe(0);
      }
    }
    expect(batch.ids!.includes(MISSING_ID)).toBe(true);
    expect(differences.length).toBeGreaterThan(2000);
    expect(Math.abs(deviation(differences) / 0.3 - 1)).toBeLessThan(0.08);
    const mean = differences.reduce((a, b) => a + b) / differences.length;
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(new Set(differences).size).toBeGreaterThan(0.99 * differences.length);
  });

  it('leaves missing steps of a series, and what is beyond its end', () => {
    const { spec } = real.series;
    const batch = pack('series', range(16));
    batch.values![2] = 0;
    const differences: number[] = [];
    const options = { count: 2, drop: 0, swap: 0, noise: 0.2 };
    for (let step = 0; step < 10; step++) {
      const { values } = drawViews(spec, batch, options, sourceOf(7, step));
      for (const [i, value] of values!.entries()) {
        const before = batch.values![i % batch.values!.length];
        if (before === 0) expect(value).toBe(0);
        else differences.push(value - before);
      }
    }
    expect(Math.abs(deviation(differences) / 0.2 - 1)).toBeLessThan(0.08);
  });

  it('is usual where the options say nothing', () => {
    const { spec } = real.fields;
    const batch = pack('fields', range(16));
    expect(drawViews(spec, batch, { count: 2 }, sourceOf())).toEqual(
      drawViews(spec, batch, { count: 2, ...TOKEN_VIEWS }, sourceOf()),
    );
  });
});

describe('views of images', () => {
  const batch = pack('image', range(6));

  it('are the images that are drawn and rendered for each row', () => {
    const { values, dropped } = drawViews(digitSpec, batch, { count: 2 }, sourceOf(8));
    const write = imageRenderer({ rows: 4, columns: 4, patch: 7 }, 1);
    const expected = new Float32Array(784);
    for (let view = 0; view < 2; view++)
      for (let row = 0; row < 6; row++) {
        const image = batch.values!.subarray(row * 784, (row + 1) * 784);
        write(image, drawImageView(IMAGE_VIEWS, random(8, `view ${view}`, 0, row)), expected);
        const start = (view * 6 + row) * 784;
        expect(values!.subarray(start, start + 784)).toEqual(expected);
      }
    expect(dropped.some(Boolean)).toBe(false);
  });

  it('take the options given, and are those of any tokens if asked', () => {
    const mirrored = drawViews(digitSpec, batch, { count: 2, image: { flip: 1 } }, sourceOf(8));
    const upright = drawViews(digitSpec, batch, { count: 2, image: { flip: 0 } }, sourceOf(8));
    expect(mirrored).not.toEqual(upright);
    const { grid: _, ...plain } = digitSpec;
    expect(drawViews(digitSpec, batch, { count: 2, image: false }, sourceOf(8))).toEqual(
      drawViews(plain, batch, { count: 2 }, sourceOf(8)),
    );
  });

  it('may have tokens dropped, and noise, as well', () => {
    const bare = drawViews(digitSpec, batch, { count: 2 }, sourceOf(8));
    const more = drawViews(digitSpec, batch, { count: 2, drop: 0.5, noise: 0.1 }, sourceOf(8));
    for (let token = 0; token < bare.dropped.length; token++) {
      const [before, after] = [bare, more].map(({ values }) =>
        values!.subarray(token * 49, (token + 1) * 49),
      );
      if (more.dropped[token]) expect(after).toEqual(before);
      else expect(after).not.toEqual(before);
    }
    expect(places(more.dropped).length).toBe(12 * 8);
  });
});
