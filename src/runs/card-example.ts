/** The example of a model card: one record as the model is given it, in the words of Python and JavaScript. */
import { float32Digits } from '../files/float32-digits.js';
import { takeRecords } from '../records/batch.js';
import type { TokenBlock, TokenSpec } from '../records/token-block.js';

/** A record as JSON has it: cells, and lists of numbers, by column. */
export type PlainRecord = Readonly<
  Record<
    string,
    string | number | null | readonly (number | null)[] | readonly (readonly (number | null)[])[]
  >
>;

/** A record as the model is given it. */
export interface CardExample {
  /** What became its tokens; none where no record could be read. */
  readonly record?: PlainRecord;
  /** The tokens of this record alone. */
  readonly block: TokenBlock;
  /** Whether they are all of its tokens. */
  readonly whole: boolean;
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
): Pick<CardExample, 'block' | 'whole'> & { readonly place: number } {
  const lengths = Array.from({ length: block.count }, (_, i) => block.offsets[i + 1] - block.offsets[i]);
  const rank = (length: number) => (length < FEWEST_TOKENS ? Number.MAX_SAFE_INTEGER - length : length);
  const place = lengths.reduce((best, length, i) => (rank(length) < rank(lengths[best]) ? i : best), 0);
  const one = takeRecords(block, [place]);
  const channels = spec.kind === 'continuous' ? spec.channels : 1;
  const most = spec.kind === 'fields' ? spec.maxTokens : Math.max(1, Math.floor(MOST_NUMBERS / channels));
  const tokens = one.offsets[1] - one.offsets[0];
  if (tokens <= most) return { place, block: one, whole: true };
  const first: TokenBlock = {
    ...one,
    offsets: Int32Array.of(0, most),
    ...(one.ids && { ids: one.ids.slice(0, most) }),
    ...(one.values && { values: one.values.slice(0, most * channels) }),
  };
  return { place, block: first, whole: false };
}

/** Numbers in lines of sixteen, after a first line that stays open. */
function list(numbers: ArrayLike<number>, indent: string): string {
  const texts = Array.from(numbers, float32Digits);
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
  /** The axes of the output. */
  readonly rank: number;
  /** The output's first numbers, as they are printed. */
  readonly printed: readonly string[];
  /** The record from which tokenize.js makes the same inputs, or more of them. */
  readonly tokenized?: {
    readonly record: PlainRecord;
    readonly printed: readonly string[];
  };
}

/** The first numbers of an output are shown. */
const SHOWN = 4;

/** The first numbers of an output in six digits. */
export const shownNumbers = (numbers: Float32Array): string[] =>
  Array.from(numbers.subarray(0, SHOWN), (value) => String(Number(value.toPrecision(6))));

/** A longer record stands in a file of its own. */
const LONGEST_RECORD = 4000;

/** The file of a record that is too long for a card. */
export const RECORD_FILE = 'record.json';

/** Whether a record is too long for a card. */
export const isLongRecord = (record: PlainRecord): boolean => JSON.stringify(record).length > LONGEST_RECORD;

/** Rows of features of which most are 0: the places of the others, and their values. */
function sparse({ shape, numbers }: ExampleInput): [place: number, value: number][] | undefined {
  const filled = Array.from(numbers).flatMap((value, place): [number, number][] =>
    value === 0 ? [] : [[place, value]],
  );
  return shape.length === 2 && numbers.length > 16 && 2 * filled.length < numbers.length ? filled : undefined;
}

/** A Python program that runs the model on the record, with what it prints. */
export function pythonExample({ file, inputs, output, rank, printed }: ModelExample): string {
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
print(${output}[${'0, '.repeat(rank - 1)}:${SHOWN}])  # ${printed.join(', ')}`;
}

const arrays = { int32: 'Int32Array', float32: 'Float32Array' } as const;

/** The same in JavaScript. */
export function javascriptExample({ file, inputs: all, output, printed, tokenized }: ModelExample): string {
  const inputs = tokenized ? all.filter(({ name }) => !TOKENS.has(name)) : all;
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
    const data =
      shape.length === 1 ? `${arrays[dtype]}.of(${Array.from(numbers, float32Digits).join(', ')})` : name;
    return `  ${name}: new ort.Tensor('${dtype}', ${data}, [${shape.join(', ')}]),`;
  });
  const numbers = tokenized?.printed ?? printed;
  const shown = `console.log(${output}.data.slice(0, ${numbers.length})); // ${numbers.join(', ')}`;
  if (!tokenized) {
    return `import * as ort from 'onnxruntime-node';

const session = await ort.InferenceSession.create('${file}');
${lines.join('\n')}
const { ${output} } = await session.run({
${feeds.join('\n')}
});
${shown}`;
  }
  const { record } = tokenized;
  const given = isLongRecord(record) ? `await json('${RECORD_FILE}')` : JSON.stringify(record);
  return `import { readFile } from 'node:fs/promises';
import * as ort from 'onnxruntime-node';
import { openTokenizer } from './tokenize.js';

const json = async (name) => JSON.parse(await readFile(name, 'utf8'));
const tokenize = openTokenizer(await json('tokenizer.json'), await json('schema.json'));
const session = await ort.InferenceSession.create('${file}');
${lines.map((line) => `${line}\n`).join('')}const records = [${given}];
const feeds = {${feeds.length > 0 ? `\n${feeds.join('\n')}\n` : ''}};
for (const [name, { type, data, dims }] of Object.entries(await tokenize(records))) {
  feeds[name] = new ort.Tensor(type, data, dims);
}
const { ${output} } = await session.run(feeds);
${shown}`;
}

/** The inputs that tokenize.js makes. */
const TOKENS: ReadonlySet<string> = new Set(['ids', 'values', 'lengths']);
