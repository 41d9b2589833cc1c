/**
 * IDX, the format of MNIST: a big-endian header (two zero bytes, a type, the number of axes, their sizes), then the
 * elements in row-major order. Images are axes [count, height, width] or [count, height, width, channels] of unsigned bytes.
 */
import { InputError } from '../../errors.js';
import type { ByteFile } from '../bytes/byte-file.js';
import { byteChunks, contentHead, contentSize } from '../bytes/bytes.js';
import { isIdx } from '../magic.js';
import { BATCH_RECORDS, BATCH_SIZE, type Reader } from '../reader.js';
import type { ColumnInfo, ColumnValues, PixelShape } from '../record-batch.js';

const MAX_RECORD_BYTES = 1 << 28;

export interface IdxFiles {
  readonly images: ByteFile;
  readonly labels?: ByteFile;
}

/** Columns `pixels` and, where there is a label file, `label`. */
export async function idxReader({ images, labels }: IdxFiles): Promise<Reader> {
  const header = await readHeader(images, [3, 4]);
  const [count, height, width, channels = 1] = header.sizes;
  if (count === 0) throw new InputError(`${images.name}: no images`);
  const shape: PixelShape = [height, width, channels];
  const columns: ColumnInfo[] = [{ name: 'pixels', type: 'pixels' }];
  if (labels !== undefined) {
    const labelHeader = await readHeader(labels, [1]);
    if (labelHeader.sizes[0] !== count) {
      throw new InputError(
        `${labels.name}: expected a label for each of the ${count} images, got ${labelHeader.sizes[0]}`,
      );
    }
    columns.push({ name: 'label', type: 'number' });
  }
  const perBatch = Math.max(1, Math.min(BATCH_RECORDS, Math.floor(BATCH_SIZE / (height * width * channels))));
  return {
    columns,
    async *read(selected) {
      const wanted = new Set(selected.map(({ name }) => name));
      const pixels = wanted.has('pixels') ? elementBlocks(images, header, perBatch) : undefined;
      const classes = wanted.has('label')
        ? elementBlocks(labels!, { axes: 1, sizes: [count] }, perBatch)
        : undefined;
      try {
        for (let first = 0; first < count; first += perBatch) {
          const records = Math.min(perBatch, count - first);
          const batch: Record<string, ColumnValues> = {};
          if (pixels) batch.pixels = { type: 'pixels', values: (await pixels.next()).value!, shape };
          if (classes) {
            batch.label = { type: 'number', values: Float64Array.from((await classes.next()).value!) };
          }
          yield { rows: Int32Array.from({ length: records }, (_, i) => first + i), columns: batch };
        }
        await pixels?.next();
        await classes?.next();
      } finally {
        await pixels?.return(undefined);
        await classes?.return(undefined);
      }
    },
  };
}

interface IdxHeader {
  readonly axes: number;
  readonly sizes: readonly number[];
}

async function readHeader(file: ByteFile, axes: readonly number[]): Promise<IdxHeader> {
  const head = await contentHead(file, 20);
  const found = head[3];
  if (!isIdx(head) || !axes.includes(found)) {
    throw new InputError(`${file.name}: expected IDX unsigned bytes with ${axes.join(' or ')} axes`);
  }
  if (head.length < 4 + 4 * found) throw new InputError(`${file.name}: the IDX header is truncated`);
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const sizes = Array.from({ length: found }, (_, i) => view.getUint32(4 + 4 * i));
  await checkSize(file, sizes);
  return { axes: found, sizes };
}

/** Throws InputError where the file is not as long as its header says, before memory is taken for what it says. */
async function checkSize(file: ByteFile, sizes: readonly number[]): Promise<void> {
  const announced = sizes.reduce((product, size) => product * size, 1);
  const header = 4 + 4 * sizes.length;
  const record = announced / Math.max(1, sizes[0]);
  if (record > MAX_RECORD_BYTES) {
    throw new InputError(
      `${file.name}: its header announces images of ${sizes.slice(1).join(' x ')}; at most ${MAX_RECORD_BYTES >> 20} MiB are read`,
    );
  }
  const size = (await contentSize(file, announced + header)) - header;
  if (sizes.slice(1).includes(0)) {
    throw new InputError(
      `${file.name}: its header announces images of ${sizes.slice(1).join(' x ')}, without pixels; copy or download it again`,
    );
  }
  if (size > announced)
    throw new InputError(`${file.name}: longer than its header announces (${sizes[0]} records)`);
  if (size < announced) {
    throw new InputError(
      `${file.name}: truncated; its header announces ${sizes[0]} records, ${announced - size} bytes are missing`,
    );
  }
}

/** The elements of an IDX file, `perBlock` records at a time. Throws InputError when there are fewer or more than announced. */
async function* elementBlocks(
  file: ByteFile,
  header: IdxHeader,
  perBlock: number,
): AsyncGenerator<Uint8Array> {
  const [count, ...inner] = header.sizes;
  const recordBytes = inner.reduce((product, size) => product * size, 1);
  let left = count * recordBytes;
  let skip = 4 + 4 * header.axes;
  let block = new Uint8Array(Math.min(left, perBlock * recordBytes));
  let filled = 0;
  for await (const chunk of byteChunks(file)) {
    let at = Math.min(skip, chunk.length);
    skip -= at;
    while (at < chunk.length) {
      if (left === 0)
        throw new InputError(`${file.name}: longer than its header announces (${count} records)`);
      const taken = Math.min(block.length - filled, chunk.length - at);
      block.set(chunk.subarray(at, at + taken), filled);
      at += taken;
      filled += taken;
      left -= taken;
      if (filled < block.length) continue;
      yield block;
      block = new Uint8Array(Math.min(left, perBlock * recordBytes));
      filled = 0;
    }
  }
  if (left > 0) {
    throw new InputError(
      `${file.name}: truncated; its header announces ${count} records, ${left} bytes are missing`,
    );
  }
}
