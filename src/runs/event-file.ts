/**
 * What TensorBoard reads: event files of scalars. A file is TFRecords (tensorflow/core/lib/io/record_writer.h), each an Event
 * of event.proto: a length, its checksum, the message, its checksum.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { writeError } from '../files/atomic-file.js';
import { ProtobufWriter } from '../onnx/wire.js';
import type { Metrics } from './metrics-log.js';

const PREFIX = 'events.out.tfevents.';

const CASTAGNOLI = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  return crc;
});

/**
 * CRC-32C (Castagnoli) of bytes, an unsigned 32-bit number.
 * @internal
 */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CASTAGNOLI[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** A checksum as a record has it: turned and shifted, since bytes that hold their own checksum fool one. */
function masked(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** One record: length uint64, its checksum uint32, the bytes, their checksum uint32; all little-endian. */
function framed(message: Uint8Array): Uint8Array {
  const record = new Uint8Array(message.length + 16);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(message.length), true);
  view.setUint32(8, masked(record.subarray(0, 8)), true);
  record.set(message, 12);
  view.setUint32(12 + message.length, masked(message), true);
  return record;
}

const event = (build: (event: ProtobufWriter) => void): Uint8Array => {
  const writer = new ProtobufWriter().double(1, Date.now() / 1000);
  build(writer);
  return framed(writer.finish());
};

const VERSION = event((writer) => writer.string(3, 'brain.Event:2'));

/** SessionLog with the status START, after which TensorBoard drops what earlier files have of this step and later ones. */
const startAt = (step: number): Uint8Array =>
  event((writer) => writer.integer(2, step).message(7, (log) => log.integer(1, 1)));

/** The numbers of a line of metrics.jsonl, each a scalar under its name; what is no number is left out. */
const summary = ({ step, epoch: _, ...line }: Metrics): Uint8Array =>
  event((writer) =>
    writer.integer(2, step).message(5, (values) => {
      for (const [tag, value] of Object.entries(line))
        if (typeof value === 'number') values.message(1, (one) => one.string(1, tag).float(2, value));
    }),
  );

/** The event files of a folder, in the order in which TensorBoard reads them. */
const eventFiles = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.startsWith(PREFIX))
    .sort();

/** An event file that grows by the lines of metrics.jsonl. */
export class EventFile {
  readonly path: string;
  readonly #file: number;
  #bytes = 0;

  /**
   * Begins a file in a folder, which is made. Where a run goes on after `resumedStep`, later steps of the folder's earlier
   * files count as not taken. Throws LacunaError when the disk is full.
   */
  constructor(folder: string, resumedStep?: number) {
    mkdirSync(folder, { recursive: true });
    const last = eventFiles(folder).at(-1)?.slice(PREFIX.length).split('.', 1)[0];
    // Files are read in the order of their names, so a second one of a second is of the next.
    const seconds = Math.max(Math.floor(Date.now() / 1000), last === undefined ? 0 : Number(last) + 1);
    this.path = join(folder, `${PREFIX}${String(seconds).padStart(10, '0')}.${hostname()}.${process.pid}`);
    try {
      this.#file = openSync(this.path, 'wx');
    } catch (error) {
      throw writeError(error, this.path, 0);
    }
    this.#write(VERSION);
    if (resumedStep !== undefined) this.#write(startAt(resumedStep + 1));
  }

  /** Whether a folder has such a file. */
  static isIn(folder: string): boolean {
    return eventFiles(folder).length > 0;
  }

  append(line: Metrics): void {
    this.#write(summary(line));
  }

  flush(): void {
    fsyncSync(this.#file);
  }

  dispose(): void {
    closeSync(this.#file);
  }

  #write(bytes: Uint8Array): void {
    try {
      for (let written = 0; written < bytes.length; ) written += writeSync(this.#file, bytes, written);
    } catch (error) {
      throw writeError(error, this.path, this.#bytes);
    }
    this.#bytes += bytes.length;
  }
}
