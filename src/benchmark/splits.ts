/** Data sets without an official split, prepared with one that is drawn. */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../errors.js';
import { writeFileAtomically } from '../files/atomic-file.js';
import { PARTS, type Part, partOf } from '../records/split.js';
import { openSource } from '../sources/open-source.js';
import { prepared } from './files.js';
import type { Dataset } from './suite.js';
import { readTable, type Table, writeTable } from './tables.js';

/** Which shares of the records are for validation and for test. */
export interface HeldShares {
  readonly valid: number;
  readonly test: number;
}

/** The draw of every split that is made here. */
const SEED = 0;

const partAt = (row: number, split: HeldShares): Part => partOf(String(row), SEED, split);

/** A table with a further column `split`; `change` says in words what `edit` does to the table first, if anything. */
export function drawnTable(
  name: string,
  file: string,
  split: HeldShares,
  { change, edit = (table) => table }: { change?: string; edit?: (table: Table) => Table } = {},
): Dataset {
  return {
    name,
    files: [file],
    async open(folders) {
      const options = { name, extension: '.csv', files: [file], recipe: { split, seed: SEED, change } };
      const path = await prepared(folders, options, async (target) => {
        const { columns, rows } = edit(await readTable(join(folders.data, file)));
        await writeTable(target, {
          columns: ['split', ...columns],
          rows: rows.map((row, i) => [partAt(i, split), ...row]),
        });
      });
      return { path };
    },
  };
}

interface Images {
  readonly height: number;
  readonly width: number;
  /** uint8[count, height, width] */
  readonly pixels: Uint8Array;
  /** uint8[count] */
  readonly labels: Uint8Array;
  /** Where the source says it, whether each image is a test image. */
  readonly test?: readonly boolean[];
}

/**
 * Images as a folder of IDX files, one pair of images and labels for each part. Given test images are the test part; of the
 * others `split` says how many are for validation. With `perClass`, only the first so many of each class are kept of the
 * training and of the validation images.
 */
export function drawnImages(
  name: string,
  files: readonly string[],
  split: HeldShares,
  read: (data: string) => Promise<Images>,
  perClass?: number,
): Dataset {
  return {
    name,
    files,
    async open(folders) {
      const options = { name, extension: '', files, recipe: { split, seed: SEED, perClass } };
      const path = await prepared(folders, options, async (target) => {
        const { height, width, pixels, labels, test } = await read(folders.data);
        const size = height * width;
        for (const part of PARTS) {
          const seen = new Map<number, number>();
          const members = Array.from(labels.keys()).filter((row) => {
            const own = test?.[row] ? 'test' : partAt(row, split);
            if (own !== part) return false;
            const before = seen.get(labels[row]) ?? 0;
            seen.set(labels[row], before + 1);
            return part === 'test' || before < (perClass ?? Number.POSITIVE_INFINITY);
          });
          const file = (kind: string) => join(`${target}.partial`, `${part}-${kind}-ubyte`);
          await writeFileAtomically(file('images-idx3'), [
            idxHeader([members.length, height, width]),
            ...members.map((row) => pixels.subarray(row * size, (row + 1) * size)),
          ]);
          await writeFileAtomically(file('labels-idx1'), [
            idxHeader([members.length]),
            Uint8Array.from(members, (row) => labels[row]),
          ]);
        }
        await rename(`${target}.partial`, target);
      });
      return { path };
    },
  };
}

/** Two zero bytes, unsigned bytes, the number of axes, and their sizes in big-endian order. */
function idxHeader(axes: readonly number[]): Uint8Array {
  const header = Buffer.alloc(4 + 4 * axes.length);
  header[2] = 8;
  header[3] = axes.length;
  axes.forEach((size, axis) => {
    header.writeUInt32BE(size, 4 + 4 * axis);
  });
  return header;
}

/** All images of an IDX source with their labels. */
export async function readImages(path: string): Promise<Images> {
  const pixels: Uint8Array[] = [];
  const labels: number[] = [];
  const test: boolean[] = [];
  let shape: readonly number[] = [];
  for await (const { columns } of (await openSource(path)).read()) {
    const image = columns.pixels;
    const label = columns.label;
    if (image?.type !== 'pixels' || label?.type !== 'number') {
      throw new InputError(`${path}: expected IDX images with labels beside them`);
    }
    shape = image.shape;
    pixels.push(image.values);
    labels.push(...label.values);
    const parts = columns.split;
    if (parts?.type === 'text') test.push(...parts.values.map((part) => part === 'test'));
  }
  const [height, width] = shape;
  return {
    height,
    width,
    pixels: Buffer.concat(pixels),
    labels: Uint8Array.from(labels),
    ...(test.length > 0 && { test }),
  };
}
