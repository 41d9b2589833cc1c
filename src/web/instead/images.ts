/** Instead of `sources/images.ts`: images through the canvas of the browser, which resizes them in its own way. */
import { InputError, LacunaError } from '../../errors.js';
import type { ReaderOptions } from '../../records/reader-options.js';
import { type Decoder, type Encoded, readSome } from '../../sources/decoder.js';
import { describeDeep, shapeOf, TO_BYTES } from '../../sources/image-shape.js';
import { findFile } from '../files.js';

/** What is used of a decoded image and of a canvas. */
interface Bitmap {
  readonly width: number;
  readonly height: number;
  close(): void;
}
interface Context {
  fillStyle: string;
  imageSmoothingQuality: string;
  fillRect(x: number, y: number, width: number, height: number): void;
  drawImage(image: Bitmap, ...places: number[]): void;
  getImageData(x: number, y: number, width: number, height: number): { readonly data: Uint8ClampedArray };
}
interface Browser {
  createImageBitmap?(image: Blob): Promise<Bitmap>;
  OffscreenCanvas?: new (
    width: number,
    height: number,
  ) => { getContext(kind: '2d', options: { willReadFrequently: true }): Context | null };
}

async function contentOf(encoded: Encoded): Promise<Blob> {
  const content =
    typeof encoded === 'string' ? await findFile(encoded) : new Blob([encoded as Uint8Array<ArrayBuffer>]);
  if (!content) throw new Error('no such file');
  return content;
}

/** Whether an image is a PNG of 16 bits, which the browser brings to 8; of other formats it does not tell. */
async function isDeep(encoded: Encoded): Promise<boolean> {
  const head = new Uint8Array(await (await contentOf(encoded)).slice(0, 25).arrayBuffer());
  return head[0] === 0x89 && head[1] === 0x50 && head[24] === 16;
}

async function decoded(encoded: Encoded): Promise<Bitmap> {
  const { createImageBitmap } = globalThis as Browser;
  if (!createImageBitmap) throw new LacunaError('images are decoded by browsers alone');
  return createImageBitmap(await contentOf(encoded)).catch(() => {
    throw new Error('not an image that this browser reads; convert it to PNG');
  });
}

/** RGBA of an image on white that covers height × width, cropped around its middle. */
function pixelsOf(image: Bitmap, height: number, width: number): Uint8ClampedArray {
  const { OffscreenCanvas } = globalThis as Browser;
  const context = new OffscreenCanvas!(width, height).getContext('2d', { willReadFrequently: true })!;
  context.fillStyle = 'white';
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = 'high';
  const scale = Math.min(image.width / width, image.height / height);
  const [w, h] = [width * scale, height * scale];
  context.drawImage(image, (image.width - w) / 2, (image.height - h) / 2, w, h, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

const isGrey = (rgba: Uint8ClampedArray): boolean => {
  for (let i = 0; i < rgba.length; i += 4)
    if (rgba[i] !== rgba[i + 1] || rgba[i] !== rgba[i + 2]) return false;
  return true;
};

/** As in `sources/images.ts`; images count as grey where their pixels are. */
export async function imageDecoder(
  looked: readonly Encoded[],
  where: string,
  { shape: given }: ReaderOptions,
): Promise<Decoder<Uint8Array>> {
  const look = async (encoded: Encoded) => {
    const image = await decoded(encoded);
    const { height, width } = image;
    const grey = isGrey(pixelsOf(image, Math.min(height, 64), Math.min(width, 64)));
    image.close();
    return { encoded, height, width, grey, deep: await isDeep(encoded) };
  };
  const { found: sizes, fault } = await readSome(given ? [] : looked, look);
  if (!given && sizes.length === 0) throw new InputError(`${where}: no image could be read; ${fault}`);
  const shape =
    given ??
    shapeOf(
      sizes,
      sizes.every(({ grey }) => grey),
    );
  const [height, width, channels] = shape;
  const size = height * width * channels;
  async function decode(encoded: Encoded): Promise<Uint8Array> {
    const image = await decoded(encoded);
    const rgba = pixelsOf(image, height, width);
    image.close();
    const values = new Uint8Array(size);
    for (let pixel = 0; pixel < height * width; pixel++) {
      const [red, green, blue] = rgba.subarray(4 * pixel, 4 * pixel + 3);
      if (channels === 3) values.set([red, green, blue], 3 * pixel);
      else values[pixel] = Math.round(0.2126 * red + 0.7152 * green + 0.0722 * blue);
    }
    return values;
  }
  const deep = sizes.filter((image) => image.deep).map(({ encoded }) => encoded);
  const left = await describeDeep(deep, sizes.length, decode);
  if (left?.tooFew) throw new InputError(`${where}: ${left.note}; ${TO_BYTES}`);
  return {
    column: { name: 'pixels', type: 'pixels', shape },
    ...(left && { notes: [left.note] }),
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
