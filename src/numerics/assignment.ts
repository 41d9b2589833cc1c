/**
 * The assignment of each row to a column of its own whose sum is largest (Kuhn 1955, in the form of Jonker and Volgenant with
 * potentials), O(rows² · columns).
 * @param values float64[rows, columns], rows ≤ columns
 * @returns the column of each row
 */
export function bestAssignment(values: ArrayLike<number>, rows: number, columns: number): number[] {
  // Shortest augmenting paths over costs −values; places are counted from 1, and 0 is none.
  const rowPotential = new Float64Array(rows + 1);
  const columnPotential = new Float64Array(columns + 1);
  const rowOf = new Int32Array(columns + 1);
  for (let row = 1; row <= rows; row++) {
    rowOf[0] = row;
    const least = new Float64Array(columns + 1).fill(Number.POSITIVE_INFINITY);
    const before = new Int32Array(columns + 1);
    const used = new Uint8Array(columns + 1);
    let column = 0;
    do {
      used[column] = 1;
      const own = rowOf[column];
      let [next, step] = [0, Number.POSITIVE_INFINITY];
      for (let j = 1; j <= columns; j++) {
        if (used[j]) continue;
        const cost = -values[(own - 1) * columns + j - 1] - rowPotential[own] - columnPotential[j];
        if (cost < least[j]) [least[j], before[j]] = [cost, column];
        if (least[j] < step) [next, step] = [j, least[j]];
      }
      for (let j = 0; j <= columns; j++) {
        if (used[j]) {
          rowPotential[rowOf[j]] += step;
          columnPotential[j] -= step;
        } else least[j] -= step;
      }
      column = next;
    } while (rowOf[column] !== 0);
    for (; column !== 0; column = before[column]) rowOf[column] = rowOf[before[column]];
  }
  const assigned = new Array<number>(rows);
  for (let j = 1; j <= columns; j++) if (rowOf[j] > 0) assigned[rowOf[j] - 1] = j - 1;
  return assigned;
}
