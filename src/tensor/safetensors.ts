/**
 * The safetensors format (huggingface/safetensors): eight bytes with the length of a JSON header, the header, then the
 * tensors' bytes back to back. Nothing in it is code. Numbers are little-endian, as on every machine Node runs on.
 */

import { InputError } from '../errors.js';
import { type DType, elementCount, type HostTensor, hostTensor } from './tensor.js';

/** How a dtype is written, how many bytes an element has, and how to view bytes as its typed array. */
const storage = {
  int64: { code: 'I64', bytes: 8, view: (buffer, offset, n) => new BigInt64Array(buffer, offset, n) },
  float32: { code: 'F32', bytes: 4, view: (buffer, offset, n) => new Float32Array(buffer, offset, n) },
  int32: { code: 'I32', bytes: 4, view: (buffer, offset, n) => new Int32Array(buffer, offset, n) },
  bool: { code: 'BOOL', bytes: 1, view: (buffer, offset, n) => new Uint8Array(buffer, offset, n) },
} satisfies Record<DType, Storage>;

interface Storage {
  readonly code: string;
  readonly bytes: number;
  readonly view: (buffer: ArrayBufferLike, offset: number, n: number) => HostTensor['data'];
}

/** U8 is read as `bool`: both are one unsigned byte per element. */
const dtypeOfCode = new Map<string, DType>([
  ['I64', 'int64'],
  ['F32', 'float32'],
  ['I32', 'int32'],
  ['BOOL', 'bool'],
  ['U8', 'bool'],
]);

/** The reference implementation refuses longer headers too. */
const MAX_HEADER_BYTES = 100_000_000;

/**
 * The file as chunks to write one after the other: the header, then each tensor as a view of its own memory, so a model
 * is never copied. Wide elements come first, so that every tensor is aligned in a file that is loaded as one buffer.
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, HostTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  const entries = Object.entries(tensors).sort(
    ([, a], [, b]) => storage[b.dtype].bytes - storage[a.dtype].bytes,
  );
  const header: [string, unknown][] = [['__metadata__', metadata]];
  const chunks: Uint8Array[] = [];
  let offset = 0;
  for (const [name, { dtype, shape, data }] of entries) {
    if (name === '__metadata__') throw new Error('safetensors: a tensor cannot be named __metadata__');
    header.push([
      name,
      { dtype: storage[dtype].code, shape, data_offsets: [offset, offset + data.byteLength] },
    ]);
    chunks.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    offset += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const padded = Math.ceil(json.length / 8) * 8;
  const head = new Uint8Array(8 + padded).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true);
  head.set(json, 8);
  return [head, ...chunks];
}

/**
 * Reads a whole file. Tensors are views of `bytes` where their alignment allows, else copies.
 * Throws InputError, starting with `origin`, unless the header is sound, every tensor's size equals its shape times its
 * dtype, and the tensors fill the rest of the file without gap or overlap.
 */
export function decodeSafetensors(
  bytes: Uint8Array,
  origin = 'safetensors',
): { tensors: Record<string, HostTensor>; metadata: Record<string, string> } {
  const fail = (message: string) => new InputError(`${origin}: ${message}`);
  if (bytes.length < 8)
    throw fail(`expected a safetensors file of at least 8 bytes, got ${bytes.length} bytes`);
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES))
    throw fail(`not a safetensors file: its header would be ${length} bytes long`);
  const dataStart = 8 + Number(length);
  if (dataStart > bytes.length)
    throw fail(`truncated: the header ends at byte ${dataStart}, the file at byte ${bytes.length}`);

  const entries = Object.entries(parseHeader(bytes.subarray(8, dataStart), fail));
  const metadata: Record<string, string> = {};
  const placed: Placement[] = [];
  for (const [name, value] of entries) {
    if (name === '__metadata__') Object.assign(metadata, checkMetadata(value, fail));
    else placed.push(checkEntry(name, value, fail));
  }

  placed.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let end = 0;
  let before = 'the header';
  for (const { name, begin, end: next } of placed) {
    if (begin !== end) {
      const what = begin < end ? 'overlaps' : 'leaves a gap after';
      throw fail(`tensor "${name}" starts at data byte ${begin} and ${what} ${before}, which ends at ${end}`);
    }
    end = next;
    before = `tensor "${name}"`;
  }
  const available = bytes.length - dataStart;
  if (end > available)
    throw fail(`truncated: the tensors need ${end} bytes after the header, the file has ${available}`);
  if (end < available)
    throw fail(
      `${available - end} bytes follow the last tensor; the file does not end where its header says`,
    );

  return {
    metadata,
    tensors: Object.fromEntries(
      placed.map(({ name, dtype, shape, begin, end }) => {
        const view = viewBytes(dtype, bytes.subarray(dataStart + begin, dataStart + end));
        return [name, hostTensor(dtype, shape, view)];
      }),
    ),
  };
}

type Fail = (message: string) => InputError;

interface Placement {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

function parseHeader(bytes: Uint8Array, fail: Fail): object {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw fail(`the header is not valid JSON (${reason.replaceAll(/\s+/g, ' ')})`);
  }
  if (!isObject(header)) throw fail('the header is not a JSON object');
  return header;
}

function checkMetadata(value: unknown, fail: Fail): object {
  if (!isObject(value) || !Object.values(value).every((text) => typeof text === 'string'))
    throw fail('__metadata__ must map names to strings');
  return value;
}

function checkEntry(name: string, value: unknown, fail: Fail): Placement {
  if (!isObject(value) || !('dtype' in value) || !('shape' in value) || !('data_offsets' in value))
    throw fail(`tensor "${name}" needs dtype, shape and data_offsets`);
  const { dtype: code, shape, data_offsets: offsets } = value;
  const dtype = typeof code === 'string' ? dtypeOfCode.get(code) : undefined;
  if (!dtype)
    throw fail(
      `tensor "${name}" has dtype ${JSON.stringify(code)}; known are ${[...dtypeOfCode.keys()].join(', ')}`,
    );
  if (!isSizes(shape))
    throw fail(`tensor "${name}" has shape ${JSON.stringify(shape)}, expected a list of sizes`);
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0] > offsets[1])
    throw fail(`tensor "${name}" has data_offsets ${JSON.stringify(offsets)}, expected [begin, end]`);
  const [begin, end] = offsets;
  const expected = elementCount(shape) * storage[dtype].bytes;
  if (end - begin !== expected)
    throw fail(
      `tensor "${name}", ${code}[${shape.join(', ')}], needs ${expected} bytes, data_offsets give ${end - begin}`,
    );
  return { name, dtype, shape, begin, end };
}

function viewBytes(dtype: DType, bytes: Uint8Array): HostTensor['data'] {
  const { bytes: size, view } = storage[dtype];
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return view(aligned.buffer, aligned.byteOffset, aligned.length / size);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}
