/** The example of a model card: one record as the encoder is given it, in the words of Python and JavaScript. */
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

/** The first numbers of its embedding, as the programs print them. */
const SHOWN = 4;

const shown = ({ embedding }: CardExample) =>
  Array.from(embedding.subarray(0, SHOWN), (value) => value.toFixed(5)).join(', ');

/** A Python program that embeds the record, with what it prints. */
export function pythonExample(spec: TokenSpec, example: CardExample): string {
  const { block } = example;
  const tokens = block.offsets[1];
  const { maxTokens } = spec;
  const channels = spec.kind === 'continuous' ? spec.channels : 1;
  const lines: string[] = [];
  if (block.ids) {
    lines.push(`ids = np.zeros((1, ${maxTokens}), np.int32)`);
    lines.push(`ids[0, :${tokens}] = ${list(block.ids, '')}`);
  }
  if (block.values) {
    lines.push(`values = np.zeros((1, ${maxTokens}, ${channels}), np.float32)`);
    lines.push(
      `values[0, :${tokens}] = np.reshape(${list(block.values.subarray(0, tokens * channels), '')}, (${tokens}, ${channels}))`,
    );
  }
  lines.push(`lengths = np.array([${tokens}], np.int32)`);
  const feeds = [block.ids && 'ids', block.values && 'values', 'lengths'].filter((name) => name);
  return `import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("encoder.onnx")
${lines.join('\n')}
feeds = {${feeds.map((name) => `"${name}": ${name}`).join(', ')}}
(embedding,) = session.run(["embedding"], feeds)
print(embedding[0, :${SHOWN}])  # ${shown(example)}`;
}

/** The same in JavaScript. */
export function javascriptExample(spec: TokenSpec, example: CardExample): string {
  const { block } = example;
  const tokens = block.offsets[1];
  const { maxTokens } = spec;
  const channels = spec.kind === 'continuous' ? spec.channels : 1;
  const lines: string[] = [];
  const feeds: string[] = [];
  if (block.ids) {
    lines.push(`const ids = new Int32Array(${maxTokens});`, `ids.set(${list(block.ids, '')});`);
    feeds.push(`  ids: new ort.Tensor('int32', ids, [1, ${maxTokens}]),`);
  }
  if (block.values) {
    lines.push(`const values = new Float32Array(${maxTokens * channels});`);
    lines.push(`values.set(${list(block.values.subarray(0, tokens * channels), '')});`);
    feeds.push(`  values: new ort.Tensor('float32', values, [1, ${maxTokens}, ${channels}]),`);
  }
  feeds.push(`  lengths: new ort.Tensor('int32', Int32Array.of(${tokens}), [1]),`);
  return `import * as ort from 'onnxruntime-node';

const session = await ort.InferenceSession.create('encoder.onnx');
${lines.join('\n')}
const { embedding } = await session.run({
${feeds.join('\n')}
});
console.log(embedding.data.slice(0, ${SHOWN})); // ${shown(example)}`;
}
