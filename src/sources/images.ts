/** Images, through sharp: any size and kind becomes pixels of one shape. */
import type { Sharp } from 'sharp';
import { InputError } from '../errors.js';
import type { ReaderOptions } from '../records/reader-options.js';
import type { PixelShape } from '../records/record-batch.js';
import { type Decoder, type Encoded, mapSome } from './decoder.js';
import { shapeOf } from './image-shape.js';

/** sharp, loaded at the first call; it keeps no files in memory, which may change between two reads. */
async function loadSharp() {
  const { default: sharp } = await import('sharp');
  sharp.cache(false);
  return sharp;
}

/** The longest side and the most pixels of an image that is read: that of JPEG, and 256 MiB of them. */
const [LONGEST_SIDE, MOST_PIXELS] = [65_535, 1 << 26];

/**
 * What decodes images to one shape: rotated as their EXIF data say, laid on white where they are transparent, resized so
 * that they cover the shape, and cropped around their middle. Of an animation the first frame is read. `looked` are some
 * of the images, from which the shape is told (see `shapeOf`) unless `options` has it. Throws InputError where none of
 * them can be read.
 */
export async function imageDecoder(
  looked: readonly Encoded[],
  { shape: given }: ReaderOptions,
  where: string,
): Promise<Decoder<Uint8Array>> {
  const sharp = await loadSharp();
  const open = (encoded: Encoded): Sharp =>
    sharp(encoded, { failOn: 'error', limitInputPixels: MOST_PIXELS });
  const shape = given ?? (await chosenShape(looked, open, where));
  const [height, width, channels] = shape;
  const size = height * width * channels;
  return {
    column: { name: 'pixels', type: 'pixels', shape },
    recordBytes: size,
    async decode(encoded) {
      const image = open(encoded)
        .autoOrient()
        .flatten({ background: 'white' })
        .resize(width, height, { fit: 'cover' })
        .toColourspace(channels === 1 ? 'b-w' : 'srgb');
      const { data, info } = await refuseLong(image)
        .then(() => image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true }))
        .catch((error: unknown) => {
          throw new Error(unreadable(error));
        });
      return withChannels(data, info.channels, channels);
    },
    pack(records) {
      const values = new Uint8Array(records.length * size);
      records.forEach((record, i) => {
        values.set(record, i * size);
      });
      return { type: 'pixels', values, shape };
    },
  };
}

/** Throws Error for an image that is so long that a row of it, brought to the height of the shape, is gigabytes. */
async function refuseLong(image: Sharp): Promise<void> {
  const { width, height } = await image.metadata();
  if (Math.max(width, height) > LONGEST_SIDE)
    throw new Error(`${width} × ${height} pixels, and no side may have more than ${LONGEST_SIDE}`);
}

const unreadable = (error: unknown): string => {
  const message = (error as Error).message.split('\n', 1)[0];
  return /unsupported image format/i.test(message)
    ? 'not an image that is read (PNG, JPEG, WebP, GIF, TIFF, AVIF); convert it to PNG'
    : `not a readable image (${message})`;
};

/** Pixels with as many channels as are wanted: grey is repeated, alpha left off. */
function withChannels(data: Uint8Array, found: number, wanted: number): Uint8Array {
  if (found === wanted) return data;
  const pixels = data.length / found;
  const values = new Uint8Array(pixels * wanted);
  for (let i = 0; i < pixels; i++) {
    for (let channel = 0; channel < wanted; channel++)
      values[i * wanted + channel] = data[i * found + Math.min(channel, found >= 3 ? found - 1 : 0)];
  }
  return values;
}

/** The shape of `shapeOf`. Throws InputError where no image can be read. */
async function chosenShape(
  looked: readonly Encoded[],
  open: (encoded: Encoded) => Sharp,
  where: string,
): Promise<PixelShape> {
  let fault: string | undefined;
  const found = await mapSome(looked, async (encoded) => {
    try {
      return await open(encoded).metadata();
    } catch (error) {
      fault ??= `${typeof encoded === 'string' ? `${encoded}: ` : ''}${unreadable(error)}`;
      return undefined;
    }
  });
  const sizes = found.flatMap((meta) => (meta ? [{ ...meta.autoOrient, space: meta.space }] : []));
  if (sizes.length === 0) throw new InputError(`${where}: no image could be read; ${fault}`);
  return shapeOf(
    sizes,
    sizes.every(({ space }) => space === 'b-w' || space === 'grey16'),
  );
}
