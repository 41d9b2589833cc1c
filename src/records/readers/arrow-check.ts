/**
 * What flechette takes on trust is checked before it is called: every size in the metadata of an Arrow file lies within
 * the file, so that damage is an error and not a loop that fills the memory. Places are those of the format's own schemas
 * (https://github.com/apache/arrow/tree/main/format), tables of FlatBuffers.
 */
import type { Column } from '@uwdata/flechette';

const SCHEMA = 1;
const DICTIONARY_BATCH = 2;
const RECORD_BATCH = 3;
const UNION = 14;
/** A byte of zstd, which compresses most, stands for at most about so many. */
export const MOST_EXPANSION = 1 << 15;
const MOST_DEPTH = 64;
const MOST_FIELDS = 1 << 17;
/** Of the word ARROW1 and the footer's length at the end of a file. */
const FILE_END = 10;

const damaged = (what: string) => new Error(`damaged metadata: ${what}`);

/** Throws Error where a file or stream announces more than it has. */
export function checkArrow(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (String.fromCharCode(...bytes.subarray(0, 6)) !== 'ARROW1') {
    for (let at = 0; at < bytes.length; ) {
      const next = checkMessage(view, at);
      if (next === undefined) break;
      at = next;
    }
    return;
  }
  const end = bytes.length - FILE_END;
  const footerAt = end - (end > 0 ? view.getInt32(end, true) : 0);
  if (end < 8 || footerAt < 8 || footerAt >= end) throw damaged('no footer; it may be truncated');
  const footer = new Flat(view, footerAt).table(0);
  const schema = footer.field(6);
  if (schema === undefined) throw damaged('no schema');
  checkSchema(footer.at(schema));
  footer.skipVector(12, 4);
  for (const vector of [8, 10]) {
    const place = footer.field(vector);
    if (place === undefined) continue;
    for (const block of footer.vector(place, 24)) {
      const at = Number(view.getBigInt64(block, true));
      if (!(at >= 0 && at < end)) throw damaged('a block beyond its end');
      checkMessage(view, at);
    }
  }
}

/** Where the next message begins; undefined where this one is the end. */
function checkMessage(view: DataView, start: number): number | undefined {
  let at = start + 4;
  let length = at <= view.byteLength ? view.getInt32(start, true) : 0;
  if (length === -1) {
    length = at + 4 <= view.byteLength ? view.getInt32(at, true) : 0;
    at += 4;
  }
  if (length === 0) return undefined;
  if (length < 0 || at + length > view.byteLength) throw damaged('a message beyond its end');
  const head = new DataView(view.buffer, view.byteOffset + at, length);
  const message = new Flat(head, 0).table(0);
  const kind = message.field(6);
  const header = message.field(8);
  const bodyAt = message.field(10);
  const body = bodyAt === undefined ? 0 : message.int64(bodyAt);
  if (!(body >= 0 && at + length + body <= view.byteLength)) throw damaged('a message beyond its end');
  if (header !== undefined && kind !== undefined) {
    const content = message.at(header);
    switch (message.uint8(kind)) {
      case SCHEMA:
        checkSchema(content);
        break;
      case DICTIONARY_BATCH: {
        const data = content.field(6);
        if (data !== undefined) checkBatch(content.at(data), bodyOf(view, at + length, body));
        break;
      }
      case RECORD_BATCH:
        checkBatch(content, bodyOf(view, at + length, body));
        break;
    }
  }
  return at + length + body;
}

function checkSchema(schema: Flat): void {
  let fields = 0;
  const checkFields = (table: Flat, vector: number, depth: number): void => {
    const place = table.field(vector);
    if (place === undefined) return;
    for (const at of table.vector(place, 4)) {
      if (depth > MOST_DEPTH || ++fields > MOST_FIELDS) throw damaged('fields without end');
      const field = table.at(at);
      checkFields(field, 14, depth + 1);
      field.skipVector(16, 4);
      const [type, kind] = [field.field(10), field.field(8)];
      if (type !== undefined && kind !== undefined && field.uint8(kind) === UNION)
        field.at(type).skipVector(6, 4);
    }
  };
  checkFields(schema, 6, 0);
  schema.skipVector(8, 4);
}

const bodyOf = (view: DataView, start: number, length: number): DataView =>
  new DataView(view.buffer, view.byteOffset + start, length);

function checkBatch(batch: Flat, body: DataView): void {
  const compressed = batch.field(10) !== undefined;
  const regionsAt = batch.field(8);
  const regions = regionsAt === undefined ? [] : batch.vector(regionsAt, 16);
  let content = 0;
  for (const at of regions) {
    const [offset, length] = [batch.int64(at), batch.int64(at + 8)];
    if (!(offset >= 0 && length >= 0 && offset + length <= body.byteLength))
      throw damaged('a buffer beyond its end');
    if (compressed && length > 0 && length < 8) throw damaged('a compressed buffer without its size');
    const size = compressed && length > 0 ? Number(body.getBigInt64(offset, true)) : -1;
    if (size > length * MOST_EXPANSION) throw damaged('an impossible size');
    content += size < 0 ? length : size;
  }
  const nodes = batch.field(6);
  for (const at of nodes === undefined ? [] : batch.vector(nodes, 16)) {
    const count = batch.int64(at);
    // A cell takes a bit at least.
    if (!(count >= 0 && count <= 8 * content)) throw damaged('more cells than bits');
  }
  const variadic = batch.field(12);
  if (variadic === undefined) return;
  for (const at of batch.vector(variadic, 8)) {
    const count = batch.int64(at);
    if (!(count >= 0 && count <= regions.length)) throw damaged('more buffers than there are');
  }
}

/** A table of FlatBuffers. Every place that is read lies within the buffer, as a DataView throws where it does not. */
class Flat {
  constructor(
    private readonly view: DataView,
    private readonly position: number,
  ) {}

  /** The table that an offset points to. */
  at(place: number): Flat {
    return new Flat(this.view, place + this.view.getInt32(place, true));
  }

  /** The table that begins the buffer. */
  table(start: number): Flat {
    return this.at(this.position + start);
  }

  /** Where a field lies, by its place among the fields; undefined where it is not there. */
  field(index: number): number | undefined {
    const fields = this.position - this.view.getInt32(this.position, true);
    if (index >= this.view.getInt16(fields, true)) return undefined;
    const offset = this.view.getInt16(fields + index, true);
    return offset === 0 ? undefined : this.position + offset;
  }

  uint8 = (place: number): number => this.view.getUint8(place);
  int64 = (place: number): number => Number(this.view.getBigInt64(place, true));

  /** The places of a vector's elements. */
  vector(place: number, stride: number): number[] {
    const base = place + this.view.getInt32(place, true);
    const length = this.view.getInt32(base, true);
    if (length < 0 || base + 4 + length * stride > this.view.byteLength)
      throw damaged('a list beyond its end');
    return Array.from({ length }, (_, i) => base + 4 + i * stride);
  }

  /** A vector that is there fits. */
  skipVector(index: number, stride: number): void {
    const place = this.field(index);
    if (place !== undefined) this.vector(place, stride);
  }
}

interface Held {
  readonly length: number;
  readonly type: { readonly typeId: number; readonly stride?: number };
  readonly values?: ArrayLike<unknown>;
  readonly offsets?: ArrayLike<number | bigint>;
  readonly children?: readonly Held[];
}

/** Types whose values are bytes that hold more or less than one cell, and how many. */
const CELLS_PER_BYTE = new Map([
  [6, 8],
  [24, 1 / 16],
]);

/** Whether a column has as many cells as it says, and its lists lie within the values they are of. */
export function isWhole(column: Column<unknown>, records: number): boolean {
  return column.length === records && (column.data as unknown as readonly Held[]).every(isWholeBatch);
}

function isWholeBatch({ length, type, values, offsets, children }: Held): boolean {
  if (!(length >= 0)) return false;
  if (length === 0) return true;
  const [child] = children ?? [];
  if (offsets && offsets.length > 0) {
    if (offsets.length < length + 1) return false;
    const limit = child ? child.length : (values?.length ?? 0);
    for (let i = 0; i <= length; i++) {
      const offset = Number(offsets[i]);
      if (offset < (i === 0 ? 0 : Number(offsets[i - 1])) || offset > limit) return false;
    }
    return child === undefined || isWholeBatch(child);
  }
  if (child) return type.stride !== undefined && child.length >= type.stride * length && isWholeBatch(child);
  return values !== undefined && values.length * (CELLS_PER_BYTE.get(type.typeId) ?? 1) >= length;
}
