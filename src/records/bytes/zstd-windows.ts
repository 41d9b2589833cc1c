/** How much memory the frames of a zstd stream ask for, told before a decoder takes it (RFC 8878, section 3.1). */

const MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a5;
const RUN_LENGTH = 1;

/** What is collected next; the bytes of blocks are passed over. */
type Piece = 'magic' | 'skippable size' | 'descriptor' | 'header' | 'block';

/** Goes through a stream that arrives in chunks. Of one that is no zstd nothing more is told; its decoder refuses it. */
export class ZstdWindows {
  private piece: Piece | undefined = 'magic';
  private wanted = 4;
  private held: number[] = [];
  private skip = 0;
  private descriptor = 0;
  /** The windows of all frames so far: a decoder takes memory for each. */
  together = 0;
  /** The most bytes that a block is said to have, or to stand for. */
  longestBlock = 0;

  /** The largest window of a frame whose header ends in this chunk; 0 where none does. */
  largest(chunk: Uint8Array): number {
    let largest = 0;
    for (let at = 0; at < chunk.length && this.piece; ) {
      if (this.skip > 0) {
        const passed = Math.min(this.skip, chunk.length - at);
        this.skip -= passed;
        at += passed;
        continue;
      }
      if (this.wanted > 0) this.held.push(chunk[at++]);
      if (this.held.length < this.wanted) continue;
      const window = this.take(this.held);
      largest = Math.max(largest, window);
      this.together += window;
      this.held = [];
    }
    return largest;
  }

  private next(piece: Piece, wanted: number): void {
    this.piece = piece;
    this.wanted = wanted;
  }

  /** The window, where the piece is a header. */
  private take(bytes: readonly number[]): number {
    const value = (from: number, to: number) =>
      bytes.slice(from, to).reduceRight((sum, byte) => sum * 256 + byte, 0);
    switch (this.piece) {
      case 'magic':
        if (value(0, 4) === MAGIC) this.next('descriptor', 1);
        else if (Math.floor(value(0, 4) / 16) === SKIPPABLE) this.next('skippable size', 4);
        else this.piece = undefined;
        return 0;
      case 'skippable size':
        this.skip = value(0, 4);
        this.next('magic', 4);
        return 0;
      case 'descriptor':
        this.descriptor = bytes[0];
        this.next('header', this.windowBytes + this.dictionaryBytes + this.sizeBytes);
        return 0;
      case 'header': {
        const sizeAt = this.windowBytes + this.dictionaryBytes;
        const size = value(sizeAt, sizeAt + this.sizeBytes) + (this.sizeBytes === 2 ? 256 : 0);
        this.next('block', 3);
        if (this.windowBytes === 0) return size;
        const window = 2 ** (10 + (bytes[0] >> 3));
        return window + (window / 8) * (bytes[0] & 7);
      }
      case 'block': {
        const header = value(0, 3);
        const last = header % 2 === 1;
        this.longestBlock = Math.max(this.longestBlock, header >> 3);
        this.skip = ((header >> 1) & 3) === RUN_LENGTH ? 1 : header >> 3;
        if (last) {
          this.skip += this.descriptor & 4 ? 4 : 0;
          this.next('magic', 4);
        }
        return 0;
      }
      default:
        return 0;
    }
  }

  /** A frame of one segment has no window but its content. */
  private get windowBytes(): number {
    return this.descriptor & 0x20 ? 0 : 1;
  }

  private get dictionaryBytes(): number {
    return [0, 1, 2, 4][this.descriptor & 3];
  }

  private get sizeBytes(): number {
    return [this.windowBytes === 0 ? 1 : 0, 2, 4, 8][this.descriptor >> 6];
  }
}
