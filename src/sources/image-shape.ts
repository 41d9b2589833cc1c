/** Which images are read, and the shape that they are brought to. */
import type { PixelShape } from '../records/record-batch.js';

/** Endings of the files that are taken for images; `.bmp` is refused by name, not passed over. */
export const IMAGE_ENDINGS: readonly string[] = [
  'png',
  'jpg',
  'jpeg',
  'webp',
  'gif',
  'tif',
  'tiff',
  'avif',
  'bmp',
];

/** The shape is told from so many images. */
export const LOOKED_AT = 64;
const MOST_SIDE = 64;
const LEAST_SIDE = 8;

/**
 * Where all are of one size of at most 64 pixels a side, each a multiple of 4: that. Else a square, whose side is the
 * largest multiple of 8 that is at most the smaller of the median height and width, at least 8 and at most 64. One channel
 * where all are grey, else three.
 */
export function shapeOf(
  sizes: readonly { readonly height: number; readonly width: number }[],
  grey: boolean,
): PixelShape {
  const channels = grey ? 1 : 3;
  const [{ height, width }] = sizes;
  const plain = (side: number) => side <= MOST_SIDE && side % 4 === 0;
  if (plain(height) && plain(width) && sizes.every((size) => size.height === height && size.width === width))
    return [height, width, channels];
  const median = (sides: readonly number[]) => sides.toSorted((a, b) => a - b)[sides.length >> 1];
  const smaller = Math.min(median(sizes.map((size) => size.height)), median(sizes.map((size) => size.width)));
  const side = Math.min(MOST_SIDE, Math.max(LEAST_SIDE, smaller - (smaller % 8)));
  return [side, side, channels];
}

/** Some items, spread evenly over all. */
export function spread<T>(items: readonly T[], count = LOOKED_AT): T[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)]);
}
