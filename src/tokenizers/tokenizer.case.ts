/** The contract of every tokenizer, run on each kind by its own test file. */

import { describe, expect, it } from 'vitest';
import { InputError } from '../errors.js';
import { concatenateBlocks, takeRecords } from '../records/batch.js';
import type { ColumnValues, RecordBatch } from '../records/record-batch.js';
import { restoreTokenizer } from './index.js';
import type { EncodeOptions, Tokenizer, TokenizerFamily, TokenizerOptions } from './tokenizer.js';

/** A batch of file rows `firstRow`, `firstRow + 1`, …. */
export function records(columns: Record<string, ColumnValues>, count: number, firstRow = 0): RecordBatch {
  return { rows: Int32Array.from({ length: count }, (_, row) => firstRow + row), columns };
}

export const numbers = (values: readonly number[]): ColumnValues => ({
  type: 'number',
  values: Float64Array.from(values),
});

export const texts = (values: readonly (string | null)[]): ColumnValues => ({ type: 'text', values });

/** A column of series, each with the `channels` values of a step together. */
export const seriesColumn = (series: readonly (readonly number[])[], channels = 1): ColumnValues => {
  const offsets = new Int32Array(series.length + 1);
  for (const [row, { length }] of series.entries()) offsets[row + 1] = offsets[row] + length / channels;
  return { type: 'series', values: Float32Array.from(series.flat()), offsets, channels };
};

/** All rejections of an encoding, as `row column: message`. */
export function rejections(tokenizer: Tokenizer, batch: RecordBatch, options?: EncodeOptions): string[] {
  const messages: string[] = [];
  tokenizer.encode(batch, (row, column, message) => messages.push(`${row} ${column}: ${message}`), options);
  return messages;
}

/** All letters and categories that an encoding found unknown, as `row column: value`. */
export function unknowns(tokenizer: Tokenizer, batch: RecordBatch): string[] {
  const found: string[] = [];
  const onUnknown = (row: number, column: string, value: string) => found.push(`${row} ${column}: ${value}`);
  tokenizer.encode(batch, undefined, { onUnknown });
  return found;
}

/** All texts and series of which an encoding left out the end, as `row column`. */
export function croppings(tokenizer: Tokenizer, batch: RecordBatch): string[] {
  const found: string[] = [];
  tokenizer.encode(batch, undefined, { onCropped: (row, column) => found.push(`${row} ${column}`) });
  return found;
}

export interface TokenizerCase {
  readonly family: TokenizerFamily;
  readonly options: TokenizerOptions;
  /** Real records, all good. */
  readonly batch: RecordBatch;
  /** The same columns without records. */
  readonly empty: RecordBatch;
}

export function tokenizerCases(kind: string, { family, options, batch, empty }: TokenizerCase): void {
  describe(`${kind}: what every tokenizer promises`, () => {
    it('encodes the records asked for as it does among the others', async () => {
      const tokenizer = await family.fit([batch], options);
      const each = Array.from(batch.rows, (_, place) =>
        tokenizer.encode(batch, undefined, { places: [place] }),
      );
      const all = tokenizer.encode(batch);
      expect(concatenateBlocks(each)).toEqual(all);
      const places = [...all.rows.keys()].filter((place) => place % 2 === 1);
      expect(tokenizer.encode(batch, undefined, { places })).toEqual(takeRecords(all, places));
    });

    it('gives every record its tokens, within the specification', async () => {
      const tokenizer = await family.fit([batch], options);
      const { spec } = tokenizer;
      const block = tokenizer.encode(batch);
      expect(tokenizer.kind).toBe(kind);
      expect(tokenizer.columns).toEqual(options.columns);
      expect(tokenizer.fitted.records).toBe(batch.rows.length);
      expect(block.count).toBe(batch.rows.length);
      expect(block.rows).toEqual(batch.rows);
      expect(block.offsets.length).toBe(block.count + 1);
      expect(block.offsets[0]).toBe(0);
      for (let record = 0; record < block.count; record++) {
        const length = block.offsets[record + 1] - block.offsets[record];
        expect(length).toBeGreaterThan(0);
        expect(length).toBeLessThanOrEqual(spec.maxTokens);
        if (spec.kind === 'fields') expect(length).toBe(spec.maxTokens);
      }
      const tokens = block.offsets[block.count];
      const channels = { discrete: 0, continuous: spec.kind === 'continuous' ? spec.channels : 0, fields: 1 };
      expect(block.values?.length ?? 0).toBe(tokens * channels[spec.kind]);
      expect(block.values?.every(Number.isFinite) ?? true).toBe(true);
      expect(block.ids?.length ?? 0).toBe(spec.kind === 'continuous' ? 0 : tokens);
      if (spec.kind !== 'continuous') {
        expect(block.ids!.every((id) => id >= 0 && id < spec.vocabulary)).toBe(true);
      }
    });

    it('is the same after a round trip through JSON', async () => {
      const tokenizer = await family.fit([batch], options);
      const restored = restoreTokenizer(JSON.parse(JSON.stringify(tokenizer)));
      expect(restored.encode(batch)).toEqual(tokenizer.encode(batch));
      expect(restored.spec).toEqual(tokenizer.spec);
      expect(restored.fitted).toEqual(tokenizer.fitted);
      expect(JSON.stringify(restored)).toBe(JSON.stringify(tokenizer));
      expect(restored.tokenLabel(0)).toBe(tokenizer.tokenLabel(0));
    });

    it('refuses a damaged state', async () => {
      const state = JSON.parse(JSON.stringify(await family.fit([batch], options)));
      for (const key of Object.keys(state)) {
        const { [key]: _, ...damaged } = state;
        expect(() => restoreTokenizer(damaged), `without ${key}`).toThrow(InputError);
      }
      expect(() => restoreTokenizer({ ...state, version: 3 })).toThrow('version');
      expect(() => restoreTokenizer({ ...state, extra: 1 })).toThrow('extra');
    });

    it('passes over empty batches of training records', async () => {
      const cut = [empty, batch, empty];
      const once = await family.fit([batch], options);
      expect(JSON.stringify(await family.fit(cut, options))).toBe(JSON.stringify(once));
    });

    it('gives an empty block for an empty batch', async () => {
      const block = (await family.fit([batch], options)).encode(empty);
      expect(block.count).toBe(0);
      expect([...block.offsets]).toEqual([0]);
      expect((block.ids?.length ?? 0) + (block.values?.length ?? 0)).toBe(0);
    });

    it('cannot be fitted on nothing', async () => {
      await expect(family.fit([], options)).rejects.toThrow('no training records');
      await expect(family.fit([empty], options)).rejects.toThrow(InputError);
    });

    it('names a column that is not there', async () => {
      const tokenizer = await family.fit([batch], options);
      const other = records({ other: numbers([1]) }, 1);
      expect(() => tokenizer.encode(other)).toThrow(
        /column "[^"]+" is not in the data; its columns are other/,
      );
      await expect(family.fit([other], options)).rejects.toThrow(InputError);
    });
  });
}
