import fc from 'fast-check';
import { expect, it } from 'vitest';
import { cellOf, packCells } from './packed-cells.js';

it('gives every cell back, empty and missing ones too', () => {
  const cell = fc.option(fc.string());
  fc.assert(
    fc.property(fc.array(fc.tuple(cell, cell, cell)), (cells) => {
      const columns = packCells(cells, 3);
      expect(cells.map((_, record) => columns.map((column) => cellOf(column, record)))).toEqual(cells);
    }),
  );
});
