/** Successive halving (Jamieson & Talwalkar, AISTATS 2016): many short trials, of which the best go on to more steps. */

/**
 * The steps at which trials are judged, ascending; the last is the whole training. There are as many as it takes until
 * `reduction` at a time leave fewer than that of `trials`, and none that rounds to nothing.
 */
export function rungSteps(
  trials: number,
  { steps, reduction }: { readonly steps: number; readonly reduction: number },
): number[] {
  const rungs = [steps];
  for (let left = trials; left >= reduction; left = Math.floor(left / reduction)) {
    const earlier = Math.round(steps / reduction ** rungs.length);
    if (earlier < 1 || earlier === rungs[0]) break;
    rungs.unshift(earlier);
  }
  return rungs;
}

/** How many of so many trials there were at first are judged at each rung. */
export const rungSizes = (trials: number, rungs: number, reduction: number): number[] =>
  Array.from({ length: rungs }, (_, rung) => Math.max(1, Math.floor(trials / reduction ** rung)));
