/** The README of an exported model: what it is, what it learned from, and how to run it. */

import type { Config } from '../config/schema.js';
import { describeOptions, objectives } from '../objectives/index.js';
import { MISSING_ID, PRESENT_ID, type TokenSpec } from '../records/token-block.js';
import type { Tokenizer } from '../tokenizers/index.js';
import {
  type CardExample,
  javascriptExample,
  type ModelExample,
  pythonExample,
  SHOWN,
  tokenExample,
} from './card-example.js';

export interface ModelCardFacts {
  readonly config: Config;
  readonly tokenizer: Tokenizer;
  readonly step: number;
  /** Numbers in the encoder's parameters. */
  readonly parameters: number;
  /** Name of the data, without its path. */
  readonly data: string;
  /** A record, and what the encoder makes of it. */
  readonly example: CardExample;
  /** Of the newest validation, where there was one. */
  readonly losses?: { readonly val_loss: number; readonly val_loss_marginal?: number };
}

/** Tokenizers clip a standardised value at so many standard deviations. */
const CLIPPED_SD = 10;

/** Vocabularies up to this size are listed. */
const LISTED_TOKENS = 100;

export function modelCard(card: ModelCardFacts): string {
  const { config, tokenizer, step, parameters, data, example, losses } = card;
  const { encoder, objective, versions } = config;
  const { spec } = tokenizer;
  const facts: [string, string][] = [
    ['learned from', `${data} (columns ${tokenizer.columns.join(', ')}), checksum \`${config.data.hash}\``],
    ['objective', `${objective.kind}, ${describeOptions(objective)}, ${step} steps`],
    [
      'encoder',
      `${encoder.kind}, width ${encoder.width}, ${encoder.layers} layers, ${parameters.toLocaleString('en-US')} parameters`,
    ],
    ['tokens', `${tokenizer.kind}, at most ${spec.maxTokens}`],
  ];
  if (losses) {
    const { val_loss, val_loss_marginal } = losses;
    const marginal =
      val_loss_marginal === undefined
        ? ''
        : ` (predicting the marginal of the tokens: ${val_loss_marginal.toPrecision(4)})`;
    facts.push(['validation loss', `${val_loss.toPrecision(4)}${marginal}`]);
  }
  facts.push([
    'written by',
    Object.entries(versions)
      .map((entry) => entry.join(' '))
      .join(', '),
  ]);
  return `# Encoder of ${data}

An encoder that learned from records without labels, by ${config.objective.kind}: ${objectives[config.objective.kind].paper}.

| | |
|---|---|
${facts.map(([name, value]) => `| ${name} | ${value} |`).join('\n')}

## Inputs and outputs

\`encoder.onnx\` holds its weights and takes batches of any size. \`model.safetensors\` holds all parameters of the run by
name, \`tokenizer.json\` what turns records into tokens, \`config.json\` the whole configuration.

| input | type | meaning |
|---|---|---|
${inputsOf(spec).map(inputRow).join('\n')}

| output | type | meaning |
|---|---|---|
| \`embedding\` | float32[batch, ${encoder.width}] | the embedding of each record |
| \`states\` | float32[batch, n, ${encoder.width}] | what it is the mean of: latents, one state per token, or one per place of a feature map |

${describeTokens(tokenizer)}

## Running it

${describeExample(tokenizer, example)}

${programs({
  file: 'encoder.onnx',
  inputs: tokenExample(spec, example.block),
  output: 'embedding',
  printed: Array.from(example.embedding.subarray(0, SHOWN), (value) => value.toFixed(5)),
})}

From files rather than tokens: \`lacuna embed\`.
`;
}

/** The programs that run a model on a record. */
export const programs = (example: ModelExample): string => `Python:

\`\`\`python
${pythonExample(example)}
\`\`\`

JavaScript:

\`\`\`js
${javascriptExample(example)}
\`\`\``;

export interface InputDescription {
  readonly name: string;
  readonly type: string;
  readonly meaning: string;
}

/** A row of the table of inputs. */
export const inputRow = ({ name, type, meaning }: InputDescription): string =>
  `| \`${name}\` | ${type} | ${meaning} |`;

/** The tokens of a batch as inputs of a model. */
export function inputsOf(spec: TokenSpec): InputDescription[] {
  const { maxTokens } = spec;
  const channels = spec.kind === 'continuous' ? spec.channels : 1;
  const ids = {
    name: 'ids',
    type: `int32[batch, ${maxTokens}]`,
    meaning: 'token ids, 0 beyond the end of a record',
  };
  const values = {
    name: 'values',
    type: `float32[batch, ${maxTokens}, ${channels}]`,
    meaning: 'standardised values, 0 where a token has none',
  };
  const lengths = {
    name: 'lengths',
    type: 'int32[batch]',
    meaning: `tokens of each record, 1 to ${maxTokens}`,
  };
  return [
    ...(spec.kind === 'continuous' ? [] : [ids]),
    ...(spec.kind === 'discrete' ? [] : [values]),
    lengths,
  ];
}

/** How a record becomes tokens by hand. */
export function describeTokens(tokenizer: Tokenizer): string {
  const { spec } = tokenizer;
  if (spec.kind === 'continuous') return describeValues(tokenizer, spec);
  if (spec.kind === 'fields') return describeFields(tokenizer, spec);
  const letters = spec.vocabulary - 2;
  const crop = `A letter is a token; of a longer text the first ${spec.maxTokens} letters are read. Id 0 is beyond the end, id 1 a letter that is not listed.`;
  if (spec.vocabulary > LISTED_TOKENS)
    return `${crop} The ${letters} letters have the ids from 2 on, in the order of \`letters\` in \`tokenizer.json\`.`;
  const ids = Array.from(
    { length: letters },
    (_, i) => `${i + 2} ${codeSpan(tokenizer.tokenLabel(0, i + 2))}`,
  );
  return `${crop} Letters: ${ids.join(', ')}.`;
}

const STANDARDISED = `(x − mean) / sd, and at most ${CLIPPED_SD} either way`;

function describeFields(
  { decode, tokenLabel }: Tokenizer,
  { fields }: Extract<TokenSpec, { kind: 'fields' }>,
): string {
  const rows = fields.map(({ name, type, firstId, size }, position) => {
    if (type === 'numeric') {
      const mean = decode?.(position, 0, 0) ?? Number.NaN;
      const sd = (decode?.(position, 0, 1) ?? Number.NaN) - mean;
      return `| ${position} | ${codeSpan(name)} | id ${PRESENT_ID}, value with mean ${exact(mean)} and sd ${exact(sd)} |`;
    }
    const label = (id: number) => tokenLabel(position, id).slice(`${name} = `.length);
    const listed = Array.from({ length: Math.min(size, LISTED_TOKENS) }, (_, i) => firstId + i);
    const more =
      size > LISTED_TOKENS ? `, and on to ${firstId + size - 1} in the order of \`tokenizer.json\`` : '';
    return `| ${position} | ${codeSpan(name)} | value 0, id ${listed.map((id) => `${id} ${codeSpan(label(id))}`).join(', ')}${more} |`;
  });
  return `Tokens are columns, or parts of one: a date has its position in time, in seconds since 1970 in UTC, and points on circles, the sine and cosine of 2π times the part of the day, week or year; a text has a token a letter, a list one an element. A number x has the value ${STANDARDISED}. A missing cell has id ${MISSING_ID} and value 0.

| token | column | becomes |
|---|---|---|
${rows.map((row) => row.replaceAll('\n', ' ')).join('\n')}`;
}

/** Different standardisations of channels that are listed. */
const LISTED_CHANNELS = 8;

function describeValues(
  { decode }: Tokenizer,
  { channels, grid }: Extract<TokenSpec, { kind: 'continuous' }>,
): string {
  const pairs = Array.from({ length: channels }, (_, channel) => {
    const mean = decode?.(0, channel, 0) ?? Number.NaN;
    return `${exact(mean)} and ${exact((decode?.(0, channel, 1) ?? Number.NaN) - mean)}`;
  });
  const period = [...pairs.keys()].find(
    (size) => size > 0 && pairs.every((pair, i) => pair === pairs[i % size]),
  );
  const own = pairs.slice(0, period ?? pairs.length);
  const order = grid
    ? `A token is a patch of ${grid.patch} × ${grid.patch} pixels, 0 to 255, row by row, each with its colours together; patches come row by row, ${grid.columns} in a row.`
    : 'A token is a step or several, one after the other, each with its channels together; a missing value is 0.';
  const numbers =
    own.length <= LISTED_CHANNELS
      ? `mean and sd of channel ${own.map((pair, i) => `${i}: ${pair}`).join('; ')}${own.length < channels ? ', and so on again' : ''}`
      : 'mean and sd of each channel in `tokenizer.json`';
  return `${order} A value x stands as ${grid ? '(x − mean) / sd' : STANDARDISED}, with ${numbers}. Beyond the end of a record values are 0.`;
}

/** A float64 without the digits that a difference leaves. */
const exact = (value: number): string => String(Number(value.toPrecision(12)));

/** A record that the program below reads, as its tokens or, where `asTokens` is false, as features of the whole record. */
export function describeExample(
  { columns }: Tokenizer,
  { cells, block, whole }: Omit<CardExample, 'embedding'>,
  asTokens = true,
): string {
  const tokens = block.offsets[1];
  if (!cells && !asTokens) return 'The features of one record:';
  if (!cells) return `The ${whole ? '' : 'first '}${tokens} tokens of one record:`;
  const named = columns.map((column) => {
    const cell = cells[column] ?? null;
    const short = cell !== null && cell.length > 400 ? `${cell.slice(0, 400)}…` : cell;
    return `${codeSpan(column)} ${short === null ? 'missing' : codeSpan(JSON.stringify(short))}`;
  });
  if (!asTokens) return `The record with ${named.join(', ')}:`;
  return `The record with ${named.join(', ')} has ${whole ? '' : 'as its first '}${tokens} tokens:`;
}

/** Markdown code that may itself hold backticks. */
export const codeSpan = (text: string) => (text.includes('`') ? `\`\` ${text} \`\`` : `\`${text}\``);
