/** NumPy's arrays: `.npy`, one array, and `.npz`, a zip archive of several. The first axis counts the records. */
import { InputError } from '../../errors.js';
import {
  NPY_HEADER_BYTES,
  type NpyElement,
  type NpyHeader,
  npyElement,
  parseNpyHeader,
} from '../../tensor/npy-header.js';
import type { ByteFile } from '../bytes/byte-file.js';
import { wholeContent } from '../bytes/bytes.js';
import { compressionOf } from '../bytes/compression.js';
import { memberChunks, memberContent, memberFile, type ZipMember, zipMembers } from '../bytes/zip.js';
import type { Reader } from '../reader.js';
import type { ColumnInfo, ColumnValues, LeftOutColumn, PixelShape } from '../record-batch.js';
import { type ColumnGroup, slicedReader } from '../sliced-reader.js';

/** An array with more columns is one series a record. */
const MOST_COLUMNS = 1024;
/** Of a compressed array, which is held in memory. */
const MAX_HELD_BYTES = 1 << 30;
const MAX_RECORD_BYTES = 1 << 28;

/** A piece of memory as a file. */
const memoryFile = (name: string, bytes: Uint8Array): ByteFile => ({
  name,
  size: bytes.length,
  async *stream() {
    yield bytes;
  },
  slice: (start, end) => ({ arrayBuffer: async () => bytes.slice(start, end).buffer as ArrayBuffer }),
});

/** A file in which any piece can be read: a compressed one in memory. */
const plainFile = async (file: ByteFile): Promise<ByteFile> =>
  (await compressionOf(file))
    ? memoryFile(file.name, await wholeContent(file, MAX_HELD_BYTES, 'decompress it first'))
    : file;

/**
 * An array of numbers gives columns `column0`, `column1`, …, or `series` where it has more than 1024; one of three axes
 * `pixels` where it holds unsigned bytes, else `series` of steps and channels; one of four axes `pixels`. Of a plain file
 * only the records that are read are in memory. Throws InputError for pickled objects and other dtypes.
 */
export async function npyReader(file: ByteFile): Promise<Reader> {
  const array = await openArray(await plainFile(file));
  if (typeof array === 'string') throw new InputError(`${file.name}: ${array}`);
  const [records] = array.header.shape;
  const group = groupOf(array, { flat: 'column', pixels: 'pixels', series: 'series', single: 'column0' });
  if (typeof group === 'string') throw new InputError(`${file.name}: ${group}`);
  return slicedReader(records, [group]);
}

/**
 * The arrays whose first axis is as long as that of most of them, side by side; the others are left out. An array `x` of
 * one axis is a column `x`, one of two axes `x0`, `x1`, …, any other `x`.
 */
export async function npzReader(file: ByteFile): Promise<Reader> {
  const leftOut: LeftOutColumn[] = [];
  const arrays: { name: string; array: NpyArray }[] = [];
  const archive = await plainFile(file);
  for (const member of await zipMembers(archive)) {
    const name = member.name.replace(/\.npy$/, '');
    const array = await openArray(await openMember(archive, member));
    if (typeof array === 'string') leftOut.push({ name, reason: array });
    else arrays.push({ name, array });
  }
  const lengths = arrays.map(({ array }) => array.header.shape[0]);
  const votes = (length: number) => lengths.filter((other) => other === length).length;
  const records = [...lengths].sort((a, b) => votes(b) - votes(a) || b - a)[0];
  const groups: ColumnGroup[] = [];
  for (const { name, array } of arrays) {
    const length = array.header.shape[0];
    const group =
      length === records
        ? groupOf(array, { flat: name, pixels: name, series: name, single: name })
        : `an array of ${length} records beside others of ${records}`;
    if (typeof group === 'string') leftOut.push({ name, reason: group });
    else groups.push(group);
  }
  if (groups.length === 0) {
    const [first] = leftOut;
    throw new InputError(
      `${file.name}: ${first ? `no array that can be read; ${first.name}: ${first.reason}` : 'no arrays'}`,
    );
  }
  const names = groups.flatMap(({ columns }) => columns.map(({ name }) => name));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new InputError(`${file.name}: two arrays give a column "${twice}"; rename one of them`);
  return slicedReader(records, groups, leftOut.length > 0 ? leftOut : undefined);
}

/** A member read in pieces where it is stored, in memory where it is deflated; checked once from beginning to end. */
async function openMember(file: ByteFile, member: ZipMember): Promise<ByteFile> {
  const stored = await memberFile(file, member);
  if (stored) {
    for await (const _ of memberChunks(file, member));
    return stored;
  }
  if (member.size > MAX_HELD_BYTES) {
    throw new InputError(
      `${file.name}: ${member.name}: ${member.size} bytes, at most ${MAX_HELD_BYTES >> 20} MiB of a compressed array are read; save it with numpy.savez, which does not compress`,
    );
  }
  return memoryFile(`${file.name}: ${member.name}`, await memberContent(file, member));
}

interface NpyArray {
  readonly file: ByteFile;
  readonly header: NpyHeader;
  readonly element: NpyElement;
  /** Elements of a record. */
  readonly inner: number;
}

/** An array whose header and size agree, or in words why it is not read. */
async function openArray(file: ByteFile): Promise<NpyArray | string> {
  const head = new Uint8Array(await file.slice(0, Math.min(file.size, NPY_HEADER_BYTES)).arrayBuffer());
  const header = parseNpyHeader(head);
  if (typeof header === 'string') return `not a readable NumPy array: ${header}`;
  const { descr, shape, dataAt } = header;
  if (/^\|?O/.test(descr))
    return 'an array of pickled Python objects, which are not read; save numbers or text, as by a.astype(float) or a.astype(str)';
  if (descr.startsWith('['))
    return 'a structured array, which is not read; save its fields by name with numpy.savez';
  const element = npyElement(descr);
  if (!element)
    return `an array of dtype ${JSON.stringify(descr.slice(0, 20))}, which is not read; save it as numbers or text, as by a.astype(float) or a.astype(str)`;
  if (shape.length === 0) return 'a single value, no array of records';
  if (shape[0] === 0) return 'no records';
  const inner = shape.slice(1).reduce((product, size) => product * size, 1);
  const announced = dataAt + shape[0] * inner * element.bytes;
  if (announced !== file.size) {
    const shaped = `${descr}[${shape.join(', ')}]`;
    return `its header announces ${shaped}, ${announced} bytes, but it has ${file.size}; it is ${announced > file.size ? 'truncated' : 'damaged'}, copy or write it again`;
  }
  if (inner === 0) return `an array of the shape [${shape.join(', ')}], without values`;
  if (inner * element.bytes > MAX_RECORD_BYTES)
    return `a record of ${inner} values; at most ${MAX_RECORD_BYTES >> 20} MiB are read`;
  return { file, header, element, inner };
}

/** What the columns of an array are called. */
interface ColumnNames {
  /** Followed by a number where there are several. */
  readonly flat: string;
  readonly single: string;
  readonly pixels: string;
  readonly series: string;
}

/** The columns of an array, or in words why there are none. */
function groupOf(array: NpyArray, names: ColumnNames): ColumnGroup | string {
  const { element, inner } = array;
  const [, ...sizes] = array.header.shape;
  const recordBytes = inner * 8;
  const group = (column: ColumnInfo, values: (block: DataView, records: number) => ColumnValues) => ({
    columns: [column],
    recordBytes,
    read: async (start: number, end: number) => ({
      [column.name]: values(await recordBlock(array, start, end), end - start),
    }),
  });
  if (element.kind === 'text' && sizes.length > 1) return 'text of more than two axes';
  if (sizes.length <= 1 && (inner <= MOST_COLUMNS || element.kind === 'text'))
    return flatGroup(array, sizes.length === 0 ? [names.single] : numbered(names.flat, inner), recordBytes);
  const byte = element.kind === 'number' && element.byte;
  if (sizes.length === 3 || (sizes.length === 2 && byte)) {
    const [height, width, channels = 1] = sizes;
    if (!byte)
      return `four axes of ${array.header.descr}; images are unsigned bytes, as by (255 * a).astype("uint8") where values are 0 to 1`;
    if (channels > 4)
      return `images of ${channels} channels; expected [records, height, width, channels], as by numpy.moveaxis(a, 1, -1)`;
    const shape: PixelShape = [height, width, channels];
    return group({ name: names.pixels, type: 'pixels' }, (block) => ({
      type: 'pixels',
      values: new Uint8Array(block.buffer, block.byteOffset, block.byteLength),
      shape,
    }));
  }
  if (sizes.length > 3) return `an array of ${sizes.length + 1} axes; at most four are read`;
  const [steps, channels = 1] = sizes;
  return group({ name: names.series, type: 'series' }, (block, records) => ({
    type: 'series',
    values: Float32Array.from(numbersOf(array, block)),
    offsets: Int32Array.from({ length: records + 1 }, (_, i) => i * steps),
    channels,
  }));
}

const numbered = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${name}${i}`);

/** A column for each value of a record. */
function flatGroup(array: NpyArray, names: readonly string[], recordBytes: number): ColumnGroup {
  const { element, inner } = array;
  const type = element.kind;
  return {
    columns: names.map((name) => ({ name, type })),
    recordBytes,
    async read(start, end, wanted) {
      const block = await recordBlock(array, start, end);
      const records = end - start;
      const columns: Record<string, ColumnValues> = {};
      const all = element.kind === 'number' ? numbersOf(array, block) : undefined;
      for (let j = 0; j < inner; j++) {
        if (!wanted.has(names[j])) continue;
        if (all) {
          const values = new Float64Array(records);
          for (let i = 0; i < records; i++) values[i] = all[i * inner + j];
          columns[names[j]] = { type: 'number', values };
        } else {
          const values = Array.from({ length: records }, (_, i) =>
            String(element.read(block, (i * inner + j) * element.bytes)),
          );
          columns[names[j]] = { type: 'text', values: values.map((cell) => (cell === '' ? null : cell)) };
        }
      }
      return columns;
    },
  };
}

/** The numbers of a block; infinite ones are missing. Throws InputError for an integer that a number does not hold exactly. */
function numbersOf({ element, file }: NpyArray, block: DataView): Float64Array {
  if (element.kind !== 'number') throw new Error('numbers of an array of text');
  const values = new Float64Array(block.byteLength / element.bytes);
  for (let i = 0, at = 0; i < values.length; i++, at += element.bytes) {
    const value = element.read(block, at);
    if (element.large && !Number.isSafeInteger(value)) {
      throw new InputError(
        `${file.name}: an integer near ${value}, beyond 2^53, which a column of numbers does not hold exactly; save it as text, as by a.astype(str)`,
      );
    }
    values[i] = Number.isFinite(value) ? value : Number.NaN;
  }
  return values;
}

/** The bytes of some records, in row-major order whatever the order in the file. */
async function recordBlock(
  { file, header, element, inner }: NpyArray,
  start: number,
  end: number,
): Promise<DataView> {
  const { dataAt, shape, columnMajor } = header;
  const { bytes } = element;
  const records = end - start;
  const slice = async (from: number, count: number) => {
    const at = dataAt + from * bytes;
    const read = await file.slice(at, at + count * bytes).arrayBuffer();
    if (read.byteLength === count * bytes) return new Uint8Array(read);
    throw new InputError(`${file.name}: became shorter while it was read`);
  };
  if (!columnMajor || inner === 1) {
    const block = await slice(start * inner, records * inner);
    return new DataView(block.buffer, block.byteOffset, block.byteLength);
  }
  const block = new Uint8Array(records * inner * bytes);
  const axes = shape.slice(1);
  for (let place = 0; place < inner; place++) {
    // In row-major order the last index runs fastest; in the file the first one does.
    let rest = place;
    let stored = 0;
    for (let axis = axes.length - 1; axis >= 0; axis--) {
      const before = axes.slice(0, axis).reduce((product, size) => product * size, 1);
      stored += (rest % axes[axis]) * before;
      rest = Math.floor(rest / axes[axis]);
    }
    const column = await slice(stored * shape[0] + start, records);
    for (let i = 0; i < records; i++) {
      const to = (i * inner + place) * bytes;
      for (let byte = 0; byte < bytes; byte++) block[to + byte] = column[i * bytes + byte];
    }
  }
  return new DataView(block.buffer);
}
