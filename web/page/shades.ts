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

/** Records that tell whether a column of numbers has few values. */
const TELLING = 1000;

/** By value where there are few, along a ramp where they are numbers, else the most frequent ones. */
export function shadesOf({ rows, cell }: MapInPage, column: number): Shaded {
  const cells = Array.from(rows, (_, record) => cell(record, column) ?? '');
  const numbers = Float64Array.from(cells, (text) => (text === '' ? Number.NaN : Number(text)));
  const numeric = cells.every((text, i) => text === '' || Number.isFinite(numbers[i]));
  if (numeric && new Set(cells.slice(0, TELLING)).size > PALETTE.length) return ramp(numbers);
  const often = new Map<string, number>();
  for (const text of cells) often.set(text, (often.get(text) ?? 0) + 1);
  const top = [...often]
    .sort((a, b) => b[1] - a[1])
    .slice(0, often.size > PALETTE.length ? PALETTE.length - 1 : PALETTE.length)
    .map(([text]) => text);
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
