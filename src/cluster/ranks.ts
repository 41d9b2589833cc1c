/** Processes that work on one thing together, and what they can tell each other. */

/** Numbers that are summed. */
export type Summable = Float32Array | Float64Array;

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
  gather: async (text) => [text],
  broadcast: async () => {},
  agree: async (flag) => flag,
  barrier: async () => {},
  finalize: async () => {},
};
