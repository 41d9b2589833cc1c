const LONGEST_VARINT = 10;

/** Writes a number as a varint from `at` on and gives the place behind it. */
function putVarint(bytes: Uint8Array, at: number, value: number | bigint): number {
  let end = at;
  if (value >= 0 && value <= 0x7fffffff) {
    let rest = Number(value);
    for (; rest > 0x7f; rest >>>= 7) bytes[end++] = (rest & 0x7f) | 0x80;
    bytes[end++] = rest;
    return end;
  }
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 0x7fn; rest >>= 7n) bytes[end++] = Number(rest & 0x7fn) | 0x80;
  bytes[end++] = Number(rest);
  return end;
}

/** The protobuf wire format, as far as ONNX and event files need it: varints, length-delimited fields, floats. */
export class ProtobufWriter {
  private readonly chunks: Uint8Array[] = [];
  private readonly text = new TextEncoder();
  private length = 0;

  private push(bytes: Uint8Array): void {
    this.chunks.push(bytes);
    this.length += bytes.length;
  }

  private varint(value: bigint): void {
    const bytes = new Uint8Array(LONGEST_VARINT);
    this.push(bytes.slice(0, putVarint(bytes, 0, value)));
  }

  /** An int32, int64 or enum field. */
  integer(field: number, value: number | bigint): this {
    this.varint(BigInt(field << 3));
    this.varint(BigInt(value));
    return this;
  }

  float(field: number, value: number): this {
    this.varint(BigInt((field << 3) | 5));
    this.push(new Uint8Array(Float32Array.of(value).buffer));
    return this;
  }

  double(field: number, value: number): this {
    this.varint(BigInt((field << 3) | 1));
    this.push(new Uint8Array(Float64Array.of(value).buffer));
    return this;
  }

  /** A repeated int64 field, packed: trees have millions of numbers. */
  integers(field: number, values: ArrayLike<number>): this {
    const bytes = new Uint8Array(values.length * LONGEST_VARINT);
    let end = 0;
    for (let i = 0; i < values.length; i++) end = putVarint(bytes, end, values[i]);
    return this.bytes(field, bytes.slice(0, end));
  }

  /** A repeated float field, packed. */
  floats(field: number, values: ArrayLike<number>): this {
    return this.bytes(field, new Uint8Array(Float32Array.from(values).buffer));
  }

  /** A repeated string field. */
  strings(field: number, values: readonly string[]): this {
    const known = new Map<string, Uint8Array>();
    const encoded = values.map((value) => {
      const bytes = known.get(value) ?? new ProtobufWriter().string(field, value).finish();
      known.set(value, bytes);
      return bytes;
    });
    const all = new Uint8Array(encoded.reduce((sum, { length }) => sum + length, 0));
    let end = 0;
    for (const bytes of encoded) {
      all.set(bytes, end);
      end += bytes.length;
    }
    this.push(all);
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.varint(BigInt((field << 3) | 2));
    this.varint(BigInt(value.length));
    this.push(value);
    return this;
  }

  string(field: number, value: string): this {
    return this.bytes(field, this.text.encode(value));
  }

  message(field: number, build: (message: ProtobufWriter) => void): this {
    const message = new ProtobufWriter();
    build(message);
    this.varint(BigInt((field << 3) | 2));
    this.varint(BigInt(message.length));
    for (const chunk of message.chunks) this.push(chunk);
    return this;
  }

  finish(): Uint8Array {
    const result = new Uint8Array(this.length);
    let offset = 0;
    for (const chunk of this.chunks) {
      result.set(chunk, offset);
      offset += chunk.length;
    }
    return result;
  }
}
