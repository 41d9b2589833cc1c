/** How many of so many cells may disagree with the others: one in a hundred, and one at least once there are ten. */
export const strays = (present: number): number => (present < 10 ? 0 : Math.max(1, present / 100));
