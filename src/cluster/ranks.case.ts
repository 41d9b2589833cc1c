/** Ranks that are no processes, for tests of what ranks do. */
import { alone, piecesOf, type Ranks } from './ranks.js';

/** So many that meet in this process. */
export function ranksHere(size: number): Ranks[] {
  let waiting: { given: unknown; go: (all: unknown[]) => void; rank: number }[] = [];
  /** What each gives, in the order of ranks, once all have given something. */
  const meet = <T>(rank: number, given: T): Promise<T[]> =>
    new Promise((go) => {
      waiting.push({ rank, given, go: go as (all: unknown[]) => void });
      if (waiting.length < size) return;
      const all = waiting.sort((a, b) => a.rank - b.rank);
      waiting = [];
      for (const one of all) one.go(all.map(({ given }) => given));
    });
  return Array.from({ length: size }, (_, rank) => ({
    ...alone,
    rank,
    size,
    localRank: rank,
    async sum(values) {
      const all = await meet(rank, values.slice());
      for (let i = 0; i < values.length; i++) values[i] = all.reduce((sum, one) => sum + one[i], 0);
    },
    async sumPieces(values, own) {
      const all = await meet(rank, values.slice());
      let next = 0;
      for (const { start, end } of piecesOf(values.length, { rank, size }))
        for (let i = start; i < end; i++) own[next++] = all.reduce((sum, one) => sum + one[i], 0);
    },
    async sharePieces(values) {
      for (const [other, one] of (await meet(rank, values.slice())).entries())
        for (const { start, end } of piecesOf(values.length, { rank: other, size }))
          values.set(one.subarray(start, end), start);
    },
    async gatherBytes(own) {
      const all = new Uint8Array(size * own.length);
      for (const [other, one] of (await meet(rank, own.slice())).entries()) all.set(one, other * own.length);
      return all;
    },
    gather: (text) => meet(rank, text),
    async broadcast(values) {
      values.set((await meet(rank, values.slice()))[0]);
    },
    agree: async (flag) => (await meet(rank, flag)).includes(true),
    async barrier() {
      await meet(rank, undefined);
    },
  }));
}
