/** A record as 64 bits: the same for the same cells, whatever file, order or number of records it comes in. */
import type { ColumnValues, RecordBatch } from './record-batch.js';

/** One hash for each record of a batch, as two unsigned halves. */
export interface RecordHashes {
  readonly low: Uint32Array;
  readonly high: Uint32Array;
}

/** One bit pattern for each missing number, and one for both zeros. */
const canonical = new Float64Array(1);
const canonicalWords = new Uint32Array(canonical.buffer);
const canonicalStep = new Float32Array(1);
const canonicalStepWord = new Uint32Array(canonicalStep.buffer);

/** Murmur3's last mixing: every bit of a word reaches every bit of the result. */
function finished(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Hashes of the first `count` records of a batch by the cells of these columns, in this order; all by default. */
export function recordHashes(
  batch: RecordBatch,
  columns: readonly string[] = Object.keys(batch.columns),
  count = batch.rows.length,
): RecordHashes {
  const low = new Uint32Array(count).fill(0x9747b28c);
  const high = new Uint32Array(count).fill(0x1b873593);
  for (const name of columns) mixColumn(batch.columns[name], low, high);
  for (let i = 0; i < count; i++) {
    const [a, b] = [low[i], high[i]];
    low[i] = finished(a + Math.imul(b, 5));
    high[i] = finished(b ^ a);
  }
  return { low, high };
}

function mixColumn(column: ColumnValues, low: Uint32Array, high: Uint32Array): void {
  const mix = (i: number, word: number) => {
    const a = Math.imul(low[i] ^ word, 0xcc9e2d51);
    low[i] = Math.imul((a << 13) | (a >>> 19), 5) + 0xe6546b64;
    const b = Math.imul(high[i] ^ Math.imul(word, 0x1b873593), 0x85ebca6b);
    high[i] = Math.imul((b << 17) | (b >>> 15), 9) + 0x38495ab5;
  };
  const count = low.length;
  if (column.type === 'text') {
    for (let i = 0; i < count; i++) {
      const cell = column.values[i];
      // A missing cell is told from an empty one by its length.
      mix(i, cell === null ? 0xffffffff : cell.length);
      for (let j = 0; cell !== null && j < cell.length; j++) mix(i, cell.charCodeAt(j));
    }
  } else if (column.type === 'number') {
    for (let i = 0; i < count; i++) {
      canonical[0] = Number.isNaN(column.values[i]) ? Number.NaN : column.values[i] + 0;
      mix(i, canonicalWords[0]);
      mix(i, canonicalWords[1]);
    }
  } else if (column.type === 'series') {
    const { values, offsets, channels } = column;
    for (let i = 0; i < count; i++) {
      for (let j = offsets[i] * channels; j < offsets[i + 1] * channels; j++) {
        canonicalStep[0] = Number.isNaN(values[j]) ? Number.NaN : values[j] + 0;
        mix(i, canonicalStepWord[0]);
      }
      mix(i, offsets[i + 1] - offsets[i]);
    }
  } else {
    const size = column.shape[0] * column.shape[1] * column.shape[2];
    for (let i = 0; i < count; i++) {
      for (let j = i * size; j < (i + 1) * size; j++) mix(i, column.values[j]);
    }
  }
}
