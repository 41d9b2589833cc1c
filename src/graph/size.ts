/**
 * A size is a number, or a name such as `"batch"` that is only known when the program runs. Products of the two
 * are written `"128*batch"`. Two different names never unify.
 */
export type Size = number | string;

/** The sizes of all axes; of a scalar none. */
export type Shape = readonly Size[];

interface Monomial {
  coefficient: number;
  names: string[];
}

function parse(size: Size): Monomial {
  if (typeof size === 'number') return { coefficient: size, names: [] };
  const factors = size.split('*');
  const names = factors.filter((factor) => !/^\d+$/.test(factor));
  const numbers = factors.filter((factor) => /^\d+$/.test(factor)).map(Number);
  return { coefficient: numbers.reduce((a, b) => a * b, 1), names };
}

function format({ coefficient, names }: Monomial): Size {
  if (names.length === 0 || coefficient === 0) return coefficient;
  return [...(coefficient === 1 ? [] : [String(coefficient)]), ...names.sort()].join('*');
}

/** The product of sizes; of none, 1. */
export function productOfSizes(shape: Shape): Size {
  const factors = shape.map(parse);
  return format({
    coefficient: factors.reduce((product, factor) => product * factor.coefficient, 1),
    names: factors.flatMap((factor) => factor.names),
  });
}

/** `total / part`, or undefined when it is not a whole size. */
export function divideSizes(total: Size, part: Size): Size | undefined {
  const dividend = parse(total);
  const divisor = parse(part);
  const names = [...dividend.names];
  for (const name of divisor.names) {
    const index = names.indexOf(name);
    if (index < 0) return undefined;
    names.splice(index, 1);
  }
  const coefficient = dividend.coefficient / divisor.coefficient;
  return Number.isInteger(coefficient) ? format({ coefficient, names }) : undefined;
}

/** The size as a number. Throws for a name. */
export function staticSize(size: Size): number {
  if (typeof size === 'number') return size;
  throw new Error(`expected a size that is known while the graph is built, got "${size}"`);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** NumPy's rule: shapes are aligned at the right, and a size of 1 stretches. Undefined when they do not fit. */
export function broadcastShapes(a: Shape, b: Shape): Size[] | undefined {
  const rank = Math.max(a.length, b.length);
  const result: Size[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const sizeA = a[axis - rank + a.length] ?? 1;
    const sizeB = b[axis - rank + b.length] ?? 1;
    if (sizeA !== sizeB && sizeA !== 1 && sizeB !== 1) return undefined;
    result.push(sizeA === 1 ? sizeB : sizeA);
  }
  return result;
}

/** Sums of fewer terms are taken in one go. */
const LONG_SUM = 4096;

/**
 * In how many parts of one size a sum of so many terms is taken on a device, which computes parts beside each other: a
 * power of two up to 64, or 1 for a sum that is short, does not divide, or is of a length that is only a name.
 */
export function partsOfSum(terms: Size): number {
  let parts = 1;
  if (typeof terms !== 'number' || terms < LONG_SUM) return parts;
  while (parts < 64 && terms % (2 * parts) === 0) parts *= 2;
  return parts;
}
