/** Which images are read, and the shape that they are brought to. */
import type { PixelShape } from '../records/record-batch.js';
import { type Encoded, mapSome } from './decoder.js';

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

/** What to do with images whose values do not fit into bytes. */
export const TO_BYTES = 'scale the values of all images alike to 0 … 255 and save them as PNG of 8 bits';

/** Images of 16 bits have to use so many of the 256 levels that they are brought to. */
const LEAST_LEVELS = 32;

/**
 * What is left of images of 16 bits, `deep` out of so many, once `decode` has brought them to bytes: the levels from the
 * lowest to the highest, and whether these are too few to be images and most images are such. Undefined where there are none.
 */
export async function describeDeep(
  deep: readonly Encoded[],
  outOf: number,
  decode: (encoded: Encoded) => Promise<Uint8Array>,
): Promise<{ note: string; tooFew: boolean } | undefined> {
  let [low, high] = [255, 0];
  await mapSome(deep, async (encoded) => {
    // A broken one is a bad record where it is read.
    for (const value of await decode(encoded).catch(() => [])) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  });
  if (low > high) return undefined;
  const levels = high - low + 1;
  const which = deep.length < outOf ? `${deep.length} of ${outOf} images have` : 'images have';
  return {
    note: `${which} 16 bits, which are brought to 8: their values become ${low} … ${high}, ${levels} of 256 levels`,
    tooFew: levels < LEAST_LEVELS && 2 * deep.length > outOf,
  };
}

/** Some items, spread evenly over all. */
export function spread<T>(items: readonly T[], count = LOOKED_AT): T[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)]);
}
