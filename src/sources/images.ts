/** Images, through sharp: any size and kind becomes pixels of one shape. */
import type { Metadata, Sharp } from 'sharp';
import { InputError } from '../errors.js';
import type { ReaderOptions } from '../records/reader-options.js';
import type { PixelShape } from '../records/record-batch.js';
import { type Decoder, type Encoded, readSome } from './decoder.js';
import { describeDeep, shapeOf, TO_BYTES } from './image-shape.js';

/** sharp, loaded at the first call; it keeps no files in memory, which may change between two reads. */
async function loadSharp() {
  const { default: sharp } = await import('sharp');
  sharp.cache(false);
  return sharp;
}

/** The longest side and the most pixels of an image that is read: that of JPEG, and 256 MiB of them. */
const [LONGEST_SIDE, MOST_PIXELS] = [65_535, 1 << 26];

/** An image that was looked at, and what its header says. */
interface Looked {
  readonly encoded: Encoded;
  readonly meta: Metadata;
}

/**
 * What decodes images to one shape: rotated as their EXIF data say, laid on white where they are transparent, resized so
 * that they cover the shape, and cropped around their middle. Of several pages or frames the first is read, values of 16 bits
 * are brought to 8. `looked` are some of the images, from which the shape is told (see `shapeOf`) unless `options` has it. Throws
 * InputError where none of them can be read, or next to nothing of their 16 bits is left.
 */
export async function imageDecoder(
  looked: readonly Encoded[],
  where: string,
  { shape: given }: ReaderOptions,
): Promise<Decoder<Uint8Array>> {
  const sharp = await loadSharp();
  const open = (encoded: Encoded): Sharp =>
    sharp(encoded, { failOn: 'error', limitInputPixels: MOST_PIXELS });
  const { found, fault } = await readSome(looked, async (encoded): Promise<Looked> => {
    const meta = await readableMetadata(open(encoded)).catch((error: unknown) => {
      throw new Error(unreadable(error));
    });
    return { encoded, meta };
  });
  if (!given && found.length === 0) throw new InputError(`${where}: no image could be read; ${fault}`);
  const shape = given ?? chosenShape(found);
  const [height, width, channels] = shape;
  const size = height * width * channels;
  async function decode(encoded: Encoded): Promise<Uint8Array> {
    const image = open(encoded)
      .autoOrient()
      .flatten({ background: 'white' })
      .resize(width, height, { fit: 'cover' })
      .toColourspace(channels === 1 ? 'b-w' : 'srgb');
    const { data, info } = await readableMetadata(image)
      .then(() => image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true }))
      .catch((error: unknown) => {
        throw new Error(unreadable(error));
      });
    return withChannels(data, info.channels, channels);
  }
  const deep = found.filter(({ meta }) => meta.depth === 'ushort').map(({ encoded }) => encoded);
  const left = await describeDeep(deep, found.length, decode);
  if (left?.tooFew && !given) throw new InputError(`${where}: ${left.note}; ${TO_BYTES}`);
  return {
    column: { name: 'pixels', type: 'pixels', shape },
    notes: [left?.note, describePages(found)].filter((note) => note !== undefined),
    recordBytes: size,
    decode,
    pack(records) {
      const values = new Uint8Array(records.length * size);
      records.forEach((record, i) => {
        values.set(record, i * size);
      });
      return { type: 'pixels', values, shape };
    },
  };
}

/**
 * What the header of an image says. Throws Error for one that is so long that a row of it, brought to the height of the
 * shape, is gigabytes, and for one whose values would be cut off where they become bytes.
 */
async function readableMetadata(image: Sharp): Promise<Metadata> {
  const meta = await image.metadata();
  const { width, height, depth } = meta;
  if (Math.max(width, height) > LONGEST_SIDE)
    throw new Error(`${width} × ${height} pixels, and no side may have more than ${LONGEST_SIDE}`);
  if (depth !== 'uchar' && depth !== 'ushort') {
    throw new Error(
      `values of type ${depth}, and integers of 8 or 16 bits without a sign are read; ${TO_BYTES}`,
    );
  }
  return meta;
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

/** The shape of `shapeOf`. */
const chosenShape = (found: readonly Looked[]): PixelShape =>
  shapeOf(
    found.map(({ meta }) => meta.autoOrient),
    found.every(({ meta: { space } }) => space === 'b-w' || space === 'grey16'),
  );

function describePages(found: readonly Looked[]): string | undefined {
  const several = found.filter(({ meta }) => (meta.pages ?? 1) > 1);
  if (several.length === 0) return undefined;
  const [{ encoded, meta }] = several;
  const example = `${typeof encoded === 'string' ? `${encoded} has ` : ''}${meta.pages}`;
  return `${several.length} of ${found.length} images have several pages or frames (${example}), of which the first alone is read`;
}

/** Whether something is an image by its first bytes, be it one that can be read or not. */
export async function isImage(encoded: Encoded): Promise<boolean> {
  const sharp = await loadSharp();
  return sharp(encoded)
    .metadata()
    .then(
      () => true,
      () => false,
    );
}
