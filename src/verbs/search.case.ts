/** Handwritten digits (LeCun et al., from the package mnist) as files, and a run that knows them a little. */
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { pretrain } from './pretrain.js';

const SIDE = 28;
const PIXELS = SIDE * SIDE;

export type Image = Uint8Array;

/** The first images of a digit, grey values 0 … 255. */
export function digitImages(digit: number, count: number): Image[] {
  const { data }: { data: number[] } = createRequire(import.meta.url)(`mnist/src/digits/${digit}.json`);
  return Array.from({ length: count }, (_, i) =>
    Uint8Array.from(data.slice(i * PIXELS, (i + 1) * PIXELS), (value) => Math.round(255 * value)),
  );
}

/** Images as an IDX file. */
export async function writeImages(path: string, images: readonly Image[]): Promise<void> {
  const header = Buffer.alloc(16);
  [0x803, images.length, SIDE, SIDE].forEach((value, i) => {
    header.writeUInt32BE(value, 4 * i);
  });
  await writeFile(path, Buffer.concat([header, ...images]));
}

/** An image with a square of 7 × 7 pixels, the patch of a row and column of patches, made white. */
export const whitened = (image: Image, row: number, column: number): Image =>
  image.map((value, i) =>
    Math.floor(Math.floor(i / SIDE) / 7) === row && Math.floor((i % SIDE) / 7) === column ? 255 : value,
  );

/** Pretrains on a file of images, 7 × 7 pixels in a token. */
export const pretrainOn = (data: string, out: string, steps: number, tokenizer: object = { patch: 7 }) =>
  pretrain({
    data,
    out,
    config: {
      data: { valid_fraction: 0.25, test_fraction: 0 },
      tokenizer,
      encoder: { kind: 'transformer', width: 32, embed_width: 32, layers: 1, heads: 2 },
      objective: { kind: 'random-masking' },
      training: { steps, batch_size: 32, threads: 1, learning_rate: 0.003 },
    },
  });

/** The cells of a CSV file of plain cells, by column. */
export function cellsOf(text: string): Record<string, string>[] {
  const [header, ...lines] = text.trim().split('\n');
  const names = header.split(',');
  return lines.map((line) => Object.fromEntries(line.split(',').map((cell, i) => [names[i], cell])));
}
