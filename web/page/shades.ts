/** Colours of points by the cells of a column. */
import type { MapInPage } from '../../src/web/index.js';

export type Shade = readonly [number, number, number];

export interface Shaded {
  readonly colours: Uint8Array;
  readonly shades: readonly Shade[];
  readonly legend: readonly { readonly shade: Shade; readonly text: string }[];
}

/** Okabe and Ito's colours, which most people tell apart, on light and on dark. */
const PALETTE: readonly Shade[] = [
  [0, 114, 178],
  [213, 94, 0],
  [0, 158, 115],
  [204, 121, 167],
  [86, 180, 233],
  [230, 159, 0],
  [127, 127, 127],
];
const OTHER: Shade = [150, 150, 150];

/** From blue over green to yellow, light enough for dark screens and dark enough for light ones. */
const RAMP: readonly Shade[] = [
  [68, 84, 180],
  [46, 122, 184],
  [30, 150, 170],
  [38, 170, 130],
  [110, 184, 80],
  [180, 180, 50],
  [225, 160, 40],
];

export const one = (count: number): Shaded => ({
  colours: new Uint8Array(count),
  shades: [PALETTE[0]],
  legend: [],
});

/** Milliseconds of work after which the page gets its turn, and records between two looks at the clock. */
const [SLICE, LOOK] = [8, 1024];

/**
 * By value where there are few, along a ramp where they are numbers, else the most frequent ones. Works in slices, so that the page answers
 * meanwhile. Throws the reason of the signal.
 */
export async function shadesOf(
  { rows, cell }: MapInPage,
  column: number,
  signal?: AbortSignal,
): Promise<Shaded> {
  const cells: string[] = [];
  const numbers = new Float64Array(rows.length);
  const often = new Map<string, number>();
  let numeric = true;
  let began = performance.now();
  for (let record = 0; record < rows.length; record++) {
    const text = cell(record, column) ?? '';
    cells.push(text);
    numbers[record] = text === '' ? Number.NaN : Number(text);
    numeric &&= text === '' || Number.isFinite(numbers[record]);
    often.set(text, (often.get(text) ?? 0) + 1);
    if (record % LOOK !== 0 || performance.now() - began < SLICE) continue;
    await new Promise((turn) => setTimeout(turn));
    signal?.throwIfAborted();
    began = performance.now();
  }
  if (numeric && often.size > PALETTE.length) return ramp(numbers);
  const top = mostFrequent(often, often.size > PALETTE.length ? PALETTE.length - 1 : often.size);
  const place = new Map(top.map((text, i) => [text, i]));
  const rest = often.size - top.length;
  return {
    colours: Uint8Array.from(cells, (text) => place.get(text) ?? top.length),
    shades: [...PALETTE.slice(0, top.length), OTHER],
    legend: [
      ...top.map((text, i) => ({ shade: PALETTE[i], text: text === '' ? '(missing)' : text.slice(0, 40) })),
      ...(rest > 0 ? [{ shade: OTHER, text: `${rest.toLocaleString('en-US')} others` }] : []),
    ],
  };
}

/** The texts that are there most often, of equal ones the first: without sorting all of them. */
function mostFrequent(often: ReadonlyMap<string, number>, count: number): string[] {
  const counts = Int32Array.from(often.values()).sort();
  const least = counts[counts.length - count];
  const above = [...often].filter(([, times]) => times > least).sort((a, b) => b[1] - a[1]);
  const equal = [...often].filter(([, times]) => times === least);
  return [...above, ...equal].slice(0, count).map(([text]) => text);
}

/** From the 2nd to the 98th percentile; NaN is missing. */
function ramp(numbers: Float64Array): Shaded {
  const sorted = numbers.filter((value) => !Number.isNaN(value)).sort();
  const [low, high] = [0.02, 0.98].map((part) => sorted[Math.floor(sorted.length * part)]);
  const last = RAMP.length - 1;
  return {
    colours: Uint8Array.from(numbers, (value) =>
      Number.isNaN(value)
        ? RAMP.length
        : high > low
          ? Math.max(0, Math.min(last, Math.round((last * (value - low)) / (high - low))))
          : 0,
    ),
    shades: [...RAMP, OTHER],
    legend: [
      { shade: RAMP[0], text: String(Number(low.toPrecision(4))) },
      { shade: RAMP[last], text: String(Number(high.toPrecision(4))) },
    ],
  };
}
