/** The README of an exported model: what it is, what it learned from, and how to run it. */

import type { Config } from '../config/schema.js';
import type { LabelScale } from '../finetuning/label-scale.js';
import { describeOptions, objectives } from '../objectives/index.js';
import type { Schema } from '../records/cells/schema.js';
import { MISSING_ID, PRESENT_ID, type TokenSpec } from '../records/token-block.js';
import { className, type LabelSpec, predictedNumbers } from '../scoring/labels.js';
import { type MetricName, metrics, type Task } from '../scoring/metrics.js';
import type { Interval } from '../scoring/statistics.js';
import type { Tokenizer } from '../tokenizers/index.js';
import { type CardExample, javascriptExample, type ModelExample, pythonExample } from './card-example.js';
import type { LearnedLabels } from './labels.js';
import type { Scores } from './scores.js';

export interface ModelCardFacts {
  readonly config: Config;
  readonly tokenizer: Tokenizer;
  readonly schema?: Schema;
  /** Steps behind the parameters: of pretraining, or of fine-tuning where labels were learned. */
  readonly step: number;
  /** Numbers in the encoder's parameters. */
  readonly parameters: number;
  /** Name of the data, without its path. */
  readonly data: string;
  /** A record, and what the model makes of it. */
  readonly example: CardExample & Omit<ModelExample, 'file' | 'output' | 'rank'>;
  /** Of the newest validation, where there was one. */
  readonly losses?: { readonly val_loss: number; readonly val_loss_marginal?: number };
  /** What a fine-tuned run predicts. */
  readonly learned?: LearnedLabels;
  readonly scores?: Scores;
}

/** Tokenizers clip a standardised value at so many standard deviations. */
const CLIPPED_SD = 10;

/** Vocabularies up to this size are listed. */
const LISTED_TOKENS = 100;

export function modelCard(card: ModelCardFacts): string {
  const { config, tokenizer, step, parameters, data, example, losses, learned, scores } = card;
  const { encoder, objective, versions, finetune } = config;
  const { spec } = tokenizer;
  const columns = tokenizer.columns.map(codeSpan).join(', ');
  const fromScratch = learned !== undefined && finetune?.from_scratch === true;
  // Those of a probe may stand in their place.
  const tuning = learned && scores?.methods.some(({ validPerSeed }) => validPerSeed) ? scores : undefined;
  const labelled = tuning?.data;
  const origins = [
    ...(fromScratch && labelled ? [] : [data]),
    ...(labelled && labelled !== data ? [labelled] : []),
  ];
  const facts: [string, string][] = [
    ...(learned
      ? [['task', `${learned.spec.task}: ${describeTargets(learned.spec)}`] as [string, string]]
      : []),
    [
      fromScratch ? 'tokens fitted on' : learned ? 'pretrained on' : 'learned from',
      `${codeSpan(data)} (columns ${columns}), checksum \`${config.data.hash}\``,
    ],
    ...(fromScratch
      ? []
      : [
          [
            'objective',
            `${objective.kind}, ${describeOptions(objective)}, ${learned ? config.training.steps : step} steps`,
          ] as [string, string],
        ]),
    ...(learned ? labelFacts(card, learned, tuning) : []),
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
  const { paper } = objectives[objective.kind];
  const file = learned ? 'model.onnx' : 'encoder.onnx';
  const output = learned ? 'predictions' : 'embedding';
  const outputs = learned
    ? [
        predictionsRow(learned.spec, spec),
        ['embedding', `float32[batch, ${encoder.width}]`, 'the embedding of each record'],
      ]
    : [
        ['embedding', `float32[batch, ${encoder.width}]`, 'the embedding of each record'],
        [
          'states',
          `float32[batch, n, ${encoder.width}]`,
          'what it is the mean of: latents, one state per token, or one per place of a feature map',
        ],
      ];
  return `# ${learned ? `Predictor of ${learned.spec.columns.map(codeSpan).join(', ')}` : `Encoder of ${codeSpan(data)}`}

${
  fromScratch
    ? 'An encoder that was trained on labels alone, without pretraining.'
    : learned
      ? `An encoder that learned from records without labels, by ${objective.kind} (${paper}), and then was fine-tuned on labels.`
      : `An encoder that learned from records without labels, by ${objective.kind}: ${paper}.`
}

| | |
|---|---|
${facts.map((cells) => tableRow(cells)).join('\n')}

${scores ? `## Scores\n\n${describeScores(scores)}\n\n` : ''}## Inputs and outputs

\`${file}\` holds its weights and takes batches of any size. \`model.safetensors\` holds all parameters of the run by
name, \`tokenizer.json\` what turns records into tokens, \`config.json\` the whole configuration${
    learned ? ', `labels.json` the names of what is predicted' : ''
  }${example.tokenized ? '. `tokenize.js` makes the inputs of records, in Node and in browsers, and needs no package' : ''}.

| input | type | meaning |
|---|---|---|
${inputsOf(spec).map(inputRow).join('\n')}

| output | type | meaning |
|---|---|---|
${outputs.map(([name, type, meaning]) => tableRow([codeSpan(name), type, meaning])).join('\n')}

${describeTokens(tokenizer, card.schema)}

## Limits

${describeLimits(tokenizer, { data: origins, ...learned, split: tuning?.split })}

## Running it

${describeExample(tokenizer, example)}

${programs({ ...example, file, output, rank: learned?.spec.task === 'per-token' ? 3 : 2 })}

From files rather than tokens: \`lacuna ${learned ? 'predict' : 'embed'}\` with this folder.
`;
}

/** A row of a table in Markdown. */
export const tableRow = (cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;

/** How the labels were learned. */
function labelFacts(
  { config, step }: ModelCardFacts,
  { scale }: LearnedLabels,
  scores: Scores | undefined,
): [string, string][] {
  const { finetune = {} } = config;
  const parts = scores?.split;
  const counts = parts ? `${parts.train} records, ${parts.valid} of validation, parts by ${parts.by}` : '';
  const transform = scale.quantiles ? 'quantiles' : scale.log ? 'logarithms' : undefined;
  const settings = [
    `at most ${finetune.steps} steps of ${finetune.batch_size}`,
    `learning rate ${finetune.learning_rate}`,
    `weight decay ${finetune.weight_decay}`,
    `head ${finetune.head ?? 'mean'}`,
    ...(['dropout', 'attention_dropout', 'drop_path', 'layer_decay', 'weight_average'] as const).flatMap(
      (name) => (finetune[name] === undefined ? [] : [`${name.replaceAll('_', ' ')} ${finetune[name]}`]),
    ),
    ...(transform ? [`learned as ${transform}`] : []),
  ];
  const data = [scores?.data === undefined ? '' : codeSpan(scores.data), counts].filter(Boolean).join(', ');
  return [
    ...(data ? [['fine-tuned on', data] as [string, string]] : []),
    ['fine-tuning', `${settings.join(', ')}; validation kept step ${step}`],
  ];
}

/** What each target may be. */
export function describeTargets(spec: LabelSpec): string {
  if (spec.task === 'regression') return spec.columns.map(codeSpan).join(', ');
  return spec.columns
    .map((column, target) => {
      const classes = spec.classes[target].map((_, i) => codeSpan(className(spec, target, i)));
      return `${codeSpan(column)}, classes ${classes.join(', ')}`;
    })
    .join('; ');
}

const meanings: Record<Task, string> = {
  regression: 'the value of each target in the units of its column',
  binary: 'the probability of the second class',
  multilabel: 'for each target the probability of its second class',
  multiclass: 'the probability of each class; the likeliest is what is predicted',
  'per-token': 'the probability of each class for each token, of no meaning beyond the end of a record',
};

/** What `predictions` are, as a row of the table of outputs. */
export function predictionsRow(
  spec: LabelSpec,
  { maxTokens }: TokenSpec,
): readonly [name: string, type: string, meaning: string] {
  const tokens = spec.task === 'per-token' ? `${maxTokens}, ` : '';
  const names = predictedNumbers(spec).map(codeSpan).join(', ');
  return ['predictions', `float32[batch, ${tokens}${spec.outputs}]`, `${meanings[spec.task]}: ${names}`];
}

/** Test scores as a table, with what they are of. */
function describeScores({
  metric,
  higherIsBetter,
  split,
  methods,
  differences = [],
  targets,
}: Scores): string {
  const several = new Set(methods.map((row) => row.metric)).size > 1;
  const title = (name: string) => (Object.hasOwn(metrics, name) ? metrics[name as MetricName].title : name);
  // What is undefined is null in a file.
  const number = (value: number | null) => (value === null ? 'undefined' : value.toPrecision(4));
  const interval = ({ n, low, high }: Interval) =>
    n > 1 && low !== null && high !== null ? `${number(low)} – ${number(high)}` : '';
  const nameOf = (method: string, shots?: number) =>
    `${codeSpan(method)}${shots === undefined ? '' : `, ${shots} labels`}`;
  const rows = methods.map((row) =>
    tableRow([
      `${nameOf(row.method, row.shots)}${several ? `, ${title(row.metric)}` : ''}`,
      number(row.mean),
      interval(row),
      String(row.n),
    ]),
  );
  const paired = differences.map((row) =>
    tableRow([
      `${nameOf(row.method, row.shots)} minus ${codeSpan(row.minus)}${several ? `, ${title(row.metric)}` : ''}`,
      number(row.mean),
      interval(row),
      String(row.n),
    ]),
  );
  return `${title(metric)} of ${targets.map(codeSpan).join(', ')}, ${higherIsBetter ? 'higher' : 'lower'} is better, on ${split.test} test records (parts by ${split.by}) that no label was learned from. \`untrained\` is the same
encoder without pretraining. Means over n seeds or splits with 95 % Student-t intervals, which do not say how the score would vary with other
test records.

| | mean | 95 % interval | n |
|---|---|---|---|
${[...rows, ...paired].join('\n')}`;
}

/** What limits follow from. */
export interface LimitFacts {
  /** Names of the files that it learned from. */
  readonly data: readonly string[];
  /** What it predicts, and the way back to the labels where it is not linear. */
  readonly spec?: LabelSpec;
  readonly scale?: LabelScale;
  /** Of the records that its scores are of. */
  readonly split?: Scores['split'];
}

/** What a model must not be trusted with, as a list in Markdown. */
export function describeLimits(
  { kind, spec: { maxTokens }, columns }: Tokenizer,
  { data, spec, scale, split }: LimitFacts,
): string {
  const cropped: Record<string, string> = {
    sequence: `Letters beyond the first ${maxTokens} of a text are not read, and letters that no training record had are all alike.`,
    'byte-pairs': `Only the first ${maxTokens} tokens of a text are read; bytes that no training record had are read, and mean nothing to it.`,
    fields: `A category that no training record had is missing or unknown to it, and a number more than ${CLIPPED_SD} standard deviations from the mean stands at that bound. Columns other than ${columns.map(codeSpan).join(', ')} are not read.`,
    grid: 'Only images of the shape of the training images are read.',
    series: `Steps beyond the first ${maxTokens} tokens are not read, and a value more than ${CLIPPED_SD} standard deviations from the mean stands at that bound.`,
  };
  const limits = [
    `It answers any record, also one unlike all of ${data.map(codeSpan).join(' and ')}, and nothing in the answer tells: do not trust it with records of another origin unless you have scored it on some.`,
    cropped[kind] ?? `Tokens beyond the first ${maxTokens} of a record are not read.`,
  ];
  if (spec)
    limits.push(
      `Its scores are of ${split ? `${split.test} ` : ''}records of the same file. Where near copies lie in both parts, or the world changes, it does worse.`,
    );
  const seen = split?.testLearned;
  if (spec && seen && seen.records > 0)
    limits.push(
      `Pretraining saw ${seen.exact ? '' : 'about '}${seen.records} of ${seen.of} test records, without their labels.`,
    );
  const bounds = scale?.quantiles?.map(
    ({ labels }, target) => `${codeSpan(spec!.columns[target])} from ${labels[0]} to ${labels.at(-1)}`,
  );
  if (bounds) limits.push(`It never predicts outside the training labels: ${bounds.join(', ')}.`);
  if (spec && spec.task !== 'regression')
    limits.push(
      'Its probabilities were not calibrated: measure how often it is right before a threshold is put on them.',
    );
  return limits.map((text) => `- ${text}`).join('\n');
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
  tableRow([codeSpan(name), type, meaning]);

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
export function describeTokens(tokenizer: Tokenizer, schema?: Schema): string {
  const spelled = schema?.canonicalSmiles;
  const first =
    spelled === undefined ? '' : `${codeSpan(spelled)} is first written as RDKit's canonical SMILES. `;
  return `${first}${describeCells(tokenizer)}`;
}

function describeCells(tokenizer: Tokenizer): string {
  const { spec } = tokenizer;
  if (spec.kind === 'continuous') return describeValues(tokenizer, spec);
  if (spec.kind === 'fields') return describeFields(tokenizer, spec);
  if (tokenizer.kind === 'byte-pairs') return describeBytePairs(spec);
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

const describeBytePairs = ({
  vocabulary,
  maxTokens,
}: {
  readonly vocabulary: number;
  readonly maxTokens: number;
}) =>
  `A text is bytes in UTF-8, and a token one or more of them; of a longer text the first ${maxTokens} tokens are read. Where \`pieces\` in \`tokenizer.json\` is \`words\`, the text is first cut by / ?[\\p{L}\\p{M}]+| ?\\p{N}+| ?[^\\s\\p{L}\\p{M}\\p{N}]+|\\s+(?!\\S)|\\s+/gu, and each piece is a text of its own. A byte b is token b. Then the pairs of \`merges\` are taken in their order, and wherever the two stand side by side, from the left on, merge k makes token 256 + k of them. The id is the token + 2, below ${vocabulary}; id 0 is beyond the end, id 1 stands for nothing.`;

const STANDARDISED = `(x − mean) / sd, and at most ${CLIPPED_SD} either way`;

function describeFields(
  { decode, tokenLabel }: Tokenizer,
  { fields }: Extract<TokenSpec, { kind: 'fields' }>,
): string {
  const rows = fields.map(({ name, type, firstId, size }, position) => {
    if (type === 'numeric') {
      const mean = decode?.(position, 0, 0) ?? Number.NaN;
      const sd = (decode?.(position, 0, 1) ?? Number.NaN) - mean;
      return tableRow([
        String(position),
        codeSpan(name),
        `id ${PRESENT_ID}, value with mean ${exact(mean)} and sd ${exact(sd)}`,
      ]);
    }
    const label = (id: number) => tokenLabel(position, id).slice(`${name} = `.length);
    const listed = Array.from({ length: Math.min(size, LISTED_TOKENS) }, (_, i) => firstId + i);
    const more =
      size > LISTED_TOKENS ? `, and on to ${firstId + size - 1} in the order of \`tokenizer.json\`` : '';
    return tableRow([
      String(position),
      codeSpan(name),
      `value 0, id ${listed.map((id) => `${id} ${codeSpan(label(id))}`).join(', ')}${more}`,
    ]);
  });
  return `Tokens are columns, or parts of one: a date has its position in time, in seconds since 1970 in UTC, and points on circles, the sine and cosine of 2π times the part of the day, week or year; a text has a token a letter, a list one an element. A number x has the value ${STANDARDISED}. A missing cell has id ${MISSING_ID} and value 0.

| token | column | becomes |
|---|---|---|
${rows.join('\n')}`;
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
  { record, block, whole }: CardExample,
  asTokens = true,
): string {
  const tokens = block.offsets[1];
  if (!record && !asTokens) return 'The features of one record:';
  if (!record) return `The ${whole ? '' : 'first '}${tokens} tokens of one record:`;
  const named = columns.map((column) => {
    const cell = record[column] ?? null;
    if (typeof cell === 'object' && cell !== null) return `${codeSpan(column)} a list of ${cell.length}`;
    const short = typeof cell === 'string' && cell.length > 400 ? `${cell.slice(0, 400)}…` : cell;
    return `${codeSpan(column)} ${short === null ? 'missing' : codeSpan(JSON.stringify(short))}`;
  });
  if (!asTokens) return `The record with ${named.join(', ')}:`;
  return `The record with ${named.join(', ')} has ${whole ? '' : 'as its first '}${tokens} tokens:`;
}

/** Text of a file as code in Markdown, so that nothing in it is markup: in more backticks than it has in a row, on one line. */
export function codeSpan(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu, ' ');
  const longest = Math.max(0, ...Array.from(line.matchAll(/`+/g), ([run]) => run.length));
  if (longest === 0) return `\`${line}\``;
  const fence = '`'.repeat(longest + 1);
  return `${fence} ${line} ${fence}`;
}
