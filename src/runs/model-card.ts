/** The README of an exported model: what it is, what it learned from, and how to run it. */

import type { Config } from '../config/schema.js';
import { describeOptions, objectives } from '../objectives/index.js';
import type { TokenSpec } from '../records/token-block.js';
import type { Tokenizer } from '../tokenizers/index.js';

export interface ModelCardFacts {
  readonly config: Config;
  readonly tokenizer: Tokenizer;
  readonly step: number;
  /** Numbers in the encoder's parameters. */
  readonly parameters: number;
  /** Name of the data, without its path. */
  readonly data: string;
  /** Of the newest validation, where there was one. */
  readonly losses?: { readonly val_loss: number; readonly val_loss_marginal?: number };
}

/** Vocabularies up to this size are listed. */
const LISTED_TOKENS = 100;

export function modelCard({ config, tokenizer, step, parameters, data, losses }: ModelCardFacts): string {
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
  const inputs = inputsOf(spec);
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
${inputs.map(({ name, type, meaning }) => `| \`${name}\` | ${type} | ${meaning} |`).join('\n')}

| output | type | meaning |
|---|---|---|
| \`embedding\` | float32[batch, ${encoder.width}] | the embedding of each record |
| \`states\` | float32[batch, n, ${encoder.width}] | what it is the mean of: latents, one state per token, or one per place of a feature map |

${describeTokens(tokenizer)}

## Running it

Python:

\`\`\`python
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("encoder.onnx")
batch = 2
feeds = {
${inputs.map(({ name, python }) => `    "${name}": ${python},`).join('\n')}
}
(embedding,) = session.run(["embedding"], feeds)
\`\`\`

JavaScript:

\`\`\`js
import * as ort from 'onnxruntime-node';

const session = await ort.InferenceSession.create('encoder.onnx');
const batch = 2;
const { embedding } = await session.run({
${inputs.map(({ name, javascript }) => `  ${name}: ${javascript},`).join('\n')}
});
\`\`\`

From files rather than tokens: \`lacuna embed\`.
`;
}

interface InputDescription {
  readonly name: string;
  readonly type: string;
  readonly meaning: string;
  readonly python: string;
  readonly javascript: string;
}

function inputsOf(spec: TokenSpec): InputDescription[] {
  const { maxTokens } = spec;
  const channels = spec.kind === 'continuous' ? spec.channels : 1;
  const ids: InputDescription = {
    name: 'ids',
    type: `int32[batch, ${maxTokens}]`,
    meaning: 'token ids, 0 beyond the end of a record',
    python: `np.zeros((batch, ${maxTokens}), np.int32)`,
    javascript: `new ort.Tensor('int32', new Int32Array(batch * ${maxTokens}), [batch, ${maxTokens}])`,
  };
  const values: InputDescription = {
    name: 'values',
    type: `float32[batch, ${maxTokens}, ${channels}]`,
    meaning: 'standardised values, 0 where a token has none',
    python: `np.zeros((batch, ${maxTokens}, ${channels}), np.float32)`,
    javascript: `new ort.Tensor('float32', new Float32Array(batch * ${maxTokens * channels}), [batch, ${maxTokens}, ${channels}])`,
  };
  const lengths: InputDescription = {
    name: 'lengths',
    type: 'int32[batch]',
    meaning: `tokens of each record, 1 to ${maxTokens}`,
    python: `np.full(batch, ${maxTokens}, np.int32)`,
    javascript: `new ort.Tensor('int32', new Int32Array(batch).fill(${maxTokens}), [batch])`,
  };
  return [
    ...(spec.kind === 'continuous' ? [] : [ids]),
    ...(spec.kind === 'discrete' ? [] : [values]),
    lengths,
  ];
}

function describeTokens({ spec, tokenLabel }: Tokenizer): string {
  if (spec.kind === 'continuous')
    return 'Values are standardised as `tokenizer.json` says, and 0 beyond the end of a record.';
  if (spec.kind === 'fields') {
    return 'Tokens are in the order of `fields` in `tokenizer.json`: one of a number or category, several of a date, text or list. A number has id 0 and its standardised value, a missing cell id 1 and value 0, a category or letter its own id and value 0.';
  }
  if (spec.vocabulary > LISTED_TOKENS) return 'The ids of tokens follow from `tokenizer.json`.';
  const ids = Array.from({ length: spec.vocabulary }, (_, id) => `${id} ${codeSpan(tokenLabel(0, id))}`);
  return `Ids: ${ids.slice(1).join(', ')}.`;
}

/** Markdown code that may itself hold backticks. */
const codeSpan = (text: string) => (text.includes('`') ? `\`\` ${text} \`\`` : `\`${text}\``);
