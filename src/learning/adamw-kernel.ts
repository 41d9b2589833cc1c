/**
 * One pass of AdamW over memory, in WebAssembly with vectors of four numbers: the runtime has no operator for it, and as
 * elementwise operators it is thirteen passes. Numbers and their order are those of `adamWMoments`, in single precision.
 */

// Declared here: the types of a browser are not those of this project.
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

/** What one update multiplies and adds; see `adamWMoments`. */
export interface AdamWNumbers {
  readonly firstShare: number;
  readonly secondShareRoot: number;
  readonly epsilon: number;
  readonly rate: number;
  /** What the parameters are multiplied by: decoupled weight decay. */
  readonly keep: number;
  readonly beta1: number;
  readonly beta2: number;
}

/** Vectors in the kernel's own memory, float32[KERNEL_ELEMENTS] each, and the update of their first elements. */
export interface AdamWKernel {
  readonly gradient: Float32Array;
  readonly parameters: Float32Array;
  readonly first: Float32Array;
  readonly second: Float32Array;
  /** Updates at least the first `count` elements of parameters and moments in place. */
  run(count: number, numbers: AdamWNumbers): void;
}

/** Elements of each vector: few enough that all four stay in the inner cache. */
export const KERNEL_ELEMENTS = 1 << 14;

const BYTES = 4 * KERNEL_ELEMENTS;
const PAGE = 65536;
/** Bytes of a vector of four numbers. */
const STRIDE = 16;
/** Smaller numbers lose precision, are slow on some processors, and say nothing. */
const SMALLEST_NORMAL = 2 ** -126;

const NUMBERS = ['firstShare', 'secondShareRoot', 'epsilon', 'rate', 'keep', 'beta1', 'beta2'] as const;
const [GRADIENT, PARAMETERS, FIRST, SECOND] = [0, BYTES, 2 * BYTES, 3 * BYTES];

type Code = readonly number[];

/** An unsigned number of the binary format (LEB128). */
function unsigned(value: number): number[] {
  const low = value & 0x7f;
  return value < 0x80 ? [low] : [low | 0x80, ...unsigned(value >>> 7)];
}

const withLength = (bytes: Code): Code => [...unsigned(bytes.length), ...bytes];
const section = (id: number, ...items: readonly Code[]): Code => [
  id,
  ...withLength([...unsigned(items.length), ...items.flat()]),
];
const named = (name: string, kind: number): Code => [
  ...withLength([...new TextEncoder().encode(name)]),
  kind,
  0,
];

const I32 = 0x7f;
const F32 = 0x7d;
const V128 = 0x7b;

const get = (local: number): Code => [0x20, local];
const set = (local: number, value: Code): Code => [...value, 0x21, local];
const tee = (local: number, value: Code): Code => [...value, 0x22, local];
const vector =
  (operator: number) =>
  (...operands: readonly Code[]): Code => [...operands.flat(), 0xfd, ...unsigned(operator)];
const [splat, atLeast, and] = [vector(0x13), vector(0x46), vector(0x4e)];
const [absolute, squareRoot, add, subtract, multiply, divide] = [0xe0, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7].map(
  vector,
);
const load = (place: Code, offset: number): Code => [...place, 0xfd, 0x00, 4, ...unsigned(offset)];
const store = (place: Code, offset: number, value: Code): Code => [
  ...place,
  ...value,
  0xfd,
  0x0b,
  4,
  ...unsigned(offset),
];

/** The function (bytes of a vector, the numbers) → (): a loop over vectors of four. */
function updateFunction(): Code {
  const end = get(0);
  const place = 1 + NUMBERS.length;
  const [smallest, gradient, first, second] = [0, 1, 2, 3].map((i) => place + 1 + NUMBERS.length + i);
  const [firstShare, secondShareRoot, epsilon, rate, keep, beta1, beta2] = NUMBERS.map((_, i) =>
    get(place + 1 + i),
  );
  const at = get(place);
  const flushed = (local: number, value: Code): Code =>
    and(tee(local, value), atLeast(absolute(get(local)), get(smallest)));
  const newFirst = add(multiply(load(at, FIRST), beta1), multiply(get(gradient), firstShare));
  const newSecond = add(multiply(load(at, SECOND), beta2), multiply(get(gradient), get(gradient)));
  const change = multiply(divide(get(first), add(squareRoot(get(second)), epsilon)), rate);
  const float = (value: number): Code => [0x43, ...new Uint8Array(Float32Array.of(value).buffer)];
  const next: Code = [...at, 0x41, STRIDE, 0x6a];
  const body: Code = [
    ...NUMBERS.flatMap((_, i) => set(place + 1 + i, splat(get(1 + i)))),
    ...set(smallest, splat(float(SMALLEST_NORMAL))),
    ...[0x03, 0x40],
    ...set(gradient, load(at, GRADIENT)),
    ...set(first, flushed(first, newFirst)),
    ...set(gradient, multiply(get(gradient), secondShareRoot)),
    ...set(second, flushed(second, newSecond)),
    ...store(at, FIRST, get(first)),
    ...store(at, SECOND, get(second)),
    ...store(at, PARAMETERS, subtract(multiply(load(at, PARAMETERS), keep), change)),
    // Once more while the next place, unsigned, is below the end; then the ends of the loop and of the function.
    ...[...tee(place, next), ...end, 0x49, 0x0d, 0],
    ...[0x0b, 0x0b],
  ];
  return withLength([2, 1, I32, NUMBERS.length + 4, V128, ...body]);
}

/** The kernel with memory of its own, in the binary format of WebAssembly 2.0. */
export function adamWKernel(): AdamWKernel {
  const binary = Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [0x60, ...withLength([I32, ...NUMBERS.map(() => F32)]), 0]),
    ...section(3, [0]),
    ...section(5, [0, ...unsigned((4 * BYTES) / PAGE)]),
    ...section(7, named('memory', 2), named('update', 0)),
    ...section(10, updateFunction()),
  ]);
  const { memory, update } = new WebAssembly.Instance(new WebAssembly.Module(binary)).exports as {
    memory: { readonly buffer: ArrayBuffer };
    update: (end: number, ...numbers: readonly number[]) => void;
  };
  const view = (offset: number) => new Float32Array(memory.buffer, offset, KERNEL_ELEMENTS);
  return {
    gradient: view(GRADIENT),
    parameters: view(PARAMETERS),
    first: view(FIRST),
    second: view(SECOND),
    run(count, numbers) {
      update(STRIDE * Math.ceil(count / 4), ...NUMBERS.map((name) => numbers[name]));
    },
  };
}
