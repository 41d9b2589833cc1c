/** The example of a model card: one record as the model is given it, in the words of Python and JavaScript. */
import { takeRecords } from '../records/batch.js';
import type { TokenBlock, TokenSpec } from '../records/token-block.js';

/** A record and what the encoder makes of it. */
export interface CardExample {
  /** The cells that became its tokens, by column; none where there was no record, or its columns hold no cells. */
  readonly cells?: Readonly<Record<string, string | null>>;
  /** The tokens of this record alone. */
  readonly block: TokenBlock;
  /** Whether they are all of its tokens. */
  readonly whole: boolean;
  /** float32[width] */
  readonly embedding: Float32Array;
}

/** Numbers of an example, so that a card stays readable. */
const MOST_NUMBERS = 256;

/** Records with fewer tokens are no example where there are others. */
const FEWEST_TOKENS = 4;

/**
 * A short record of a block, as a block of its own, and its place there: of those with four tokens and more the shortest.
 * Of a long one the first tokens, where the encoder takes any number.
 */
export function shortRecord(
  block: TokenBlock,
  spec: TokenSpec,
): Pick<CardExample, 'block' | 'whole'> & { readonly record: number } {
  const lengths = Array.from({ length: block.count }, (_, i) => block.offsets[i + 1] - block.offsets[i]);
  const rank = (length: number) => (length < FEWEST_TOKENS ? Number.MAX_SAFE_INTEGER - length : length);
  const record = lengths.reduce((best, length, i) => (rank(length) < rank(lengths[best]) ? i : best), 0);
  const one = takeRecords(block, [record]);
  const channels = spec.kind === 'continuous' ? spec.channels : 1;
  const most = spec.kind === 'fields' ? spec.maxTokens : Math.max(1, Math.floor(MOST_NUMBERS / channels));
  const tokens = one.offsets[1] - one.offsets[0];
  if (tokens <= most) return { record, block: one, whole: true };
  const first: TokenBlock = {
    ...one,
    offsets: Int32Array.of(0, most),
    ...(one.ids && { ids: one.ids.slice(0, most) }),
    ...(one.values && { values: one.values.slice(0, most * channels) }),
  };
  return { record, block: first, whole: false };
}

/** As many digits as tell one float32 from the next. */
const digits = (value: number): string => String(Number(value.toPrecision(9)));

/** Numbers in lines of sixteen, after a first line that stays open. */
function list(numbers: ArrayLike<number>, indent: string): string {
  const texts = Array.from(numbers, digits);
  if (texts.length <= 16) return `[${texts.join(', ')}]`;
  const lines: string[] = [];
  for (let i = 0; i < texts.length; i += 16) lines.push(`${indent}  ${texts.slice(i, i + 16).join(', ')},`);
  return `[\n${lines.join('\n')}\n${indent}]`;
}

/** An input of an example, for a batch of one record: its first numbers, 0 beyond them. */
export interface ExampleInput {
  readonly name: string;
  readonly dtype: 'int32' | 'float32';
  readonly shape: readonly number[];
  readonly numbers: ArrayLike<number>;
}

/** The tokens of one record as inputs. */
export function tokenExample(spec: TokenSpec, { offsets, ids, values }: TokenBlock): ExampleInput[] {
  const { maxTokens } = spec;
  const channels = spec.kind === 'continuous' ? spec.channels : 1;
  const tokens = offsets[1];
  return [
    ...(ids ? [{ name: 'ids', dtype: 'int32', shape: [1, maxTokens], numbers: ids } as const] : []),
    ...(values
      ? [
          {
            name: 'values',
            dtype: 'float32',
            shape: [1, maxTokens, channels],
            numbers: values.subarray(0, tokens * channels),
          } as const,
        ]
      : []),
    { name: 'lengths', dtype: 'int32', shape: [1], numbers: [tokens] },
  ];
}

/** A model, what it is given, and what it gives. */
export interface ModelExample {
  readonly file: string;
  readonly inputs: readonly ExampleInput[];
  readonly output: string;
  /** The output's numbers, as they are printed. */
  readonly printed: readonly string[];
}

/** The first numbers of an output are shown. */
export const SHOWN = 4;

/** Rows of features of which most are 0: the places of the others, and their values. */
function sparse({ shape, numbers }: ExampleInput): [place: number, value: number][] | undefined {
  const filled = Array.from(numbers).flatMap((value, place): [number, number][] =>
    value === 0 ? [] : [[place, value]],
  );
  return shape.length === 2 && numbers.length > 16 && 2 * filled.length < numbers.length ? filled : undefined;
}

/** A Python program that runs the model on the record, with what it prints. */
export function pythonExample({ file, inputs, output, printed }: ModelExample): string {
  const lines = inputs.flatMap((own) => {
    const { name, dtype, shape, numbers } = own;
    if (shape.length === 1) return [`${name} = np.array(${list(numbers, '')}, np.${dtype})`];
    const few = sparse(own);
    const [, , channels] = shape;
    const given =
      channels === undefined
        ? list(numbers, '')
        : `np.reshape(${list(numbers, '')}, (${numbers.length / channels}, ${channels}))`;
    return [
      `${name} = np.zeros((${shape.join(', ')}), np.${dtype})`,
      few
        ? `${name}[0, ${list(
            few.map(([place]) => place),
            '',
          )}] = ${list(
            few.map(([, value]) => value),
            '',
          )}`
        : `${name}[0, :${numbers.length / (channels ?? 1)}] = ${given}`,
    ];
  });
  return `import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("${file}")
${lines.join('\n')}
feeds = {${inputs.map(({ name }) => `"${name}": ${name}`).join(', ')}}
(${output},) = session.run(["${output}"], feeds)
print(${output}[0, :${SHOWN}])  # ${printed.join(', ')}`;
}

const arrays = { int32: 'Int32Array', float32: 'Float32Array' } as const;

/** The same in JavaScript. */
export function javascriptExample({ file, inputs, output, printed }: ModelExample): string {
  const lines = inputs.flatMap((own) => {
    const { name, dtype, shape, numbers } = own;
    if (shape.length === 1) return [];
    const few = sparse(own);
    return [
      `const ${name} = new ${arrays[dtype]}(${shape.reduce((product, size) => product * size, 1)});`,
      ...(few
        ? [
            `const ${name}Places = ${list(
              few.map(([place]) => place),
              '',
            )};`,
            `const ${name}Numbers = ${list(
              few.map(([, value]) => value),
              '',
            )};`,
            `${name}Places.forEach((place, i) => { ${name}[place] = ${name}Numbers[i]; });`,
          ]
        : [`${name}.set(${list(numbers, '')});`]),
    ];
  });
  const feeds = inputs.map(({ name, dtype, shape, numbers }) => {
    const data = shape.length === 1 ? `${arrays[dtype]}.of(${Array.from(numbers, digits).join(', ')})` : name;
    return `  ${name}: new ort.Tensor('${dtype}', ${data}, [${shape.join(', ')}]),`;
  });
  return `import * as ort from 'onnxruntime-node';

const session = await ort.InferenceSession.create('${file}');
${lines.join('\n')}
const { ${output} } = await session.run({
${feeds.join('\n')}
});
console.log(${output}.data.slice(0, ${SHOWN})); // ${printed.join(', ')}`;
}
