/** Which of the records with known labels a model learns from and which judge it. */
import { permutation, random } from '../tensor/random.js';

/** Positions among the development records, ascending. */
export interface Fold {
  readonly train: Int32Array;
  /** Not learned from: these choose settings and weights. */
  readonly held: Int32Array;
}

/**
 * Parts the records into folds of about equal size, each held once. Records of one group stay together, such as equal
 * records, or molecules of one scaffold: the largest groups first, each into the fold that has fewest records so far.
 * The order among groups of one size is drawn by `seed`.
 * @param groups what each record belongs to, of at least two; of fewer than `folds` there are as many folds as groups
 */
export function groupFolds(groups: ArrayLike<number | string>, folds: number, seed: number): Fold[] {
  const members = new Map<number | string, number[]>();
  for (let record = 0; record < groups.length; record++) {
    const own = members.get(groups[record]);
    if (own) own.push(record);
    else members.set(groups[record], [record]);
  }
  const sets = [...members.values()];
  if (sets.length < 2 || folds < 2)
    throw new RangeError(
      `expected at least 2 groups and folds, got ${sets.length} groups and ${folds} folds`,
    );
  const order = permutation(sets.length, random(seed, 'folds'));
  const drawn = Array.from(order, (at) => sets[at]).sort((a, b) => b.length - a.length);
  const held: number[][] = Array.from({ length: Math.min(folds, sets.length) }, () => []);
  for (const set of drawn) {
    const smallest = held.reduce((least, own) => (own.length < least.length ? own : least));
    for (const record of set) smallest.push(record);
  }
  return held.map((own) => {
    const out = new Set(own);
    const train = Int32Array.from({ length: groups.length }, (_, record) => record).filter(
      (record) => !out.has(record),
    );
    return { train, held: Int32Array.from(own).sort() };
  });
}
