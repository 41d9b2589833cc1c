/** The cells of many records as one text a column, which a page receives without a long pause. */

/** A column: its cells one behind the other. */
export interface PackedColumn {
  readonly text: string;
  /** int32[records]: where each cell ends in the text; of a missing one the bitwise complement. */
  readonly ends: Int32Array;
}

/** Cells, record by record, as columns. */
export function packCells(
  cells: readonly (readonly (string | null)[])[],
  columns: number,
): readonly PackedColumn[] {
  return Array.from({ length: columns }, (_, column) => {
    const ends = new Int32Array(cells.length);
    const parts: string[] = [];
    let end = 0;
    for (const [record, own] of cells.entries()) {
      const cell = own[column];
      end += cell?.length ?? 0;
      parts.push(cell ?? '');
      ends[record] = cell === null ? ~end : end;
    }
    return { text: parts.join(''), ends };
  });
}

/** A cell, or null where it is missing. */
export function cellOf({ text, ends }: PackedColumn, record: number): string | null {
  const end = ends[record];
  if (end < 0) return null;
  const before = record === 0 ? 0 : ends[record - 1];
  return text.slice(before < 0 ? ~before : before, end);
}
