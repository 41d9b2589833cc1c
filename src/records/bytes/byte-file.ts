/** A file as bytes: what a page's `File` is already, and what a file on a disk is made to be. */
export interface ByteFile {
  /** What messages call it. */
  readonly name: string;
  /** Where it lies on a disk, where that is not its name. */
  readonly path?: string;
  /** Whether its bytes are no longer those that are stored, but decompressed and in UTF-8. */
  readonly recoded?: true;
  /** Bytes as stored. */
  readonly size: number;
  /** All bytes from the start, as often as it is called. */
  stream(): AsyncIterable<Uint8Array>;
  /** The bytes from `start` up to, not including, `end`. */
  slice(start: number, end: number): { arrayBuffer(): Promise<ArrayBuffer> };
  /** The content of a gzip file, where there is something faster than the platform's streams for it. */
  gunzip?(): AsyncIterable<Uint8Array>;
}
