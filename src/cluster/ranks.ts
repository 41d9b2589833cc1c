/** Processes that work on one thing together, and what they can tell each other. */

/** Numbers that are summed. */
export type Summable = Float32Array | Float64Array;

/** Numbers in one message: MPI takes memory for each, and takes it anew, page by page, where a message is larger. */
const BLOCK = 2 ** 20;

/** Where a piece of a vector begins and ends. */
export interface Piece {
  readonly start: number;
  readonly end: number;
}

/** The blocks of a vector of so many numbers, each a message. */
export const blocksOf = (length: number): Piece[] =>
  Array.from({ length: Math.ceil(length / BLOCK) }, (_, i) => ({
    start: i * BLOCK,
    end: Math.min(length, (i + 1) * BLOCK),
  }));

/** The pieces of a vector that are a rank's own: of every block an equal part, but for one number. */
export const piecesOf = (length: number, { rank, size }: Pick<Ranks, 'rank' | 'size'>): Piece[] =>
  blocksOf(length).map(({ start, end }) => {
    const border = (i: number) => start + Math.floor(((end - start) * i) / size);
    return { start: border(rank), end: border(rank + 1) };
  });

/**
 * The processes of one launch, as one of them sees it. All of them call the same methods in the same order, one at a time;
 * each waits for the others. Methods throw LacunaError where the others do not come within the time that was given.
 */
export interface Ranks {
  /** Which one this is, from 0. */
  readonly rank: number;
  readonly size: number;
  /** Which one it is of those on its machine. */
  readonly localRank: number;
  /** Replaces the numbers by their sums over all ranks, to the last bit the same at each, in a thread of its own. */
  sum(values: Summable): Promise<void>;
  /** Puts the sums over all ranks, of this rank's own pieces alone, into `own`, one after the other; `values` stay. */
  sumPieces(values: Float32Array, own: Float32Array): Promise<void>;
  /** Replaces the numbers of each rank's own pieces by those that it has there. */
  sharePieces(values: Float32Array): Promise<void>;
  /** uint8[size · bytes] of as many bytes from each rank, in their order. */
  gatherBytes(own: Uint8Array): Promise<Uint8Array>;
  /** The texts of all ranks, in their order. */
  gather(text: string): Promise<string[]>;
  /** Replaces the numbers by those of rank 0. */
  broadcast(values: Summable | Int32Array): Promise<void>;
  /** Whether any rank says so. */
  agree(flag: boolean): Promise<boolean>;
  /** Waits until all have come here. */
  barrier(): Promise<void>;
  /** Takes leave of the others when all are done; nothing can be called after it. */
  finalize(): Promise<void>;
}

/** A process that was started by itself. */
export const alone: Ranks = {
  rank: 0,
  size: 1,
  localRank: 0,
  sum: async () => {},
  sumPieces: async (values, own) => own.set(values),
  sharePieces: async () => {},
  gatherBytes: async (own) => own,
  gather: async (text) => [text],
  broadcast: async () => {},
  agree: async (flag) => flag,
  barrier: async () => {},
  finalize: async () => {},
};
