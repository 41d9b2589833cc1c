/** The README of an exported fit: what it predicts and how well, from what, and how to run it. */
import type { CardExample, ModelExample } from '../runs/card-example.js';
import {
  codeSpan,
  describeExample,
  describeTokens,
  type InputDescription,
  inputRow,
  inputsOf,
  programs,
} from '../runs/model-card.js';
import { className, type LabelSpec, predictionNames } from '../scoring/labels.js';
import { metrics, type Task } from '../scoring/metrics.js';
import type { DescribedInput } from './exported-fit.js';
import type { FitGraph } from './fit-graph.js';
import type { SavedFit } from './saved-fit.js';

/** What a card tells. */
export interface FitCardFacts {
  readonly fit: SavedFit;
  /** Name of the data, without its path. */
  readonly data: string;
  readonly graph: FitGraph;
  readonly features: readonly DescribedInput[];
  /** A record, and what the file makes of it. */
  readonly example: Omit<CardExample, 'embedding'> & Pick<ModelExample, 'inputs' | 'printed'>;
}

/** Inputs up to this size have their columns in the card. */
const LISTED_COLUMNS = 1024;

/** Cuts of trees are values of the training records, so the last bit of a value may count. */
const SINGLE =
  ' Trees compare values in single precision: compute them in double precision with the mean and sd of `tokenizer.json`, and round once.';

/** The text of the card. */
export function fitCard({ fit, data, graph, features, example }: FitCardFacts): string {
  const { spec, tokenizer, parts, run, chosen, version } = fit;
  const total = parts.reduce((sum, { weight }) => sum + weight, 0);
  const folds = Math.max(...parts.map((part) => ('models' in part ? part.models : part.encoders).length));
  const shares = parts.map(
    ({ name, weight }) => `${name}${parts.length > 1 ? ` (${((100 * weight) / total).toFixed(1)} %)` : ''}`,
  );
  const fed = new Set(graph.inputs);
  const inputs: InputDescription[] = [
    ...inputsOf(tokenizer.spec).filter(({ name }) => fed.has(name)),
    ...features.map(({ name, set, names }) => ({
      name,
      type: `float32[batch, ${names.length}]`,
      meaning: `${set}, [below](#features)`,
    })),
  ];
  const tokens = inputs.length > features.length;
  const ofValues = features.some(({ of }) => of === 'values');
  const facts: [string, string][] = [
    ['task', `${spec.task}: ${tell(spec)}`],
    ['learned from', `${data} (columns ${tokenizer.columns.join(', ')})`],
    ['model', chosen === shares[0] ? chosen : `${chosen}: ${shares.join(', ')}`],
    ...(folds > 1 ? [['of each', `the mean of ${folds} models, one for each fold`] as [string, string]] : []),
    ...(tokens
      ? [['tokens', `${tokenizer.kind}, at most ${tokenizer.spec.maxTokens}`] as [string, string]]
      : []),
    ['written by', `lacuna ${version}`],
  ];
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  const trees = parts.some((part) => 'models' in part && part.models.some(({ kind }) => kind === 'trees'));
  const names = predictionNames(spec).map(codeSpan);
  const { embedding } = graph.program.outputs;
  return `# Predictor of ${spec.columns.join(', ')}

A model of ${data} that \`lacuna fit\` chose by validation.

| | |
|---|---|
${facts.map(([name, value]) => `| ${name} | ${cell(value)} |`).join('\n')}

## Scores

${scores(fit)}

## Inputs and outputs

\`model.onnx\` is the whole model and takes batches of any size. \`labels.json\` names what it predicts, ${
    features.length > 0 ? '`features.json` the columns of its features, ' : ''
  }\`tokenizer.json\` ${tokens ? 'is what turns' : 'would turn'} records into tokens${
    run ? ', `model.safetensors` has the parameters of its encoders, `config.json` their configuration' : ''
  }.

| input | type | meaning |
|---|---|---|
${inputs.map(inputRow).join('\n')}

| output | type | meaning |
|---|---|---|
| \`predictions\` | float32[batch, ${spec.outputs}] | ${cell(`${meanings[spec.task]}: ${names.join(', ')}`)} |
${embedding ? `| \`embedding\` | float32[batch, ${embedding.shape[1]}] | what the pretrained encoder makes of each record |\n` : ''}
${tokens || ofValues ? `${describeTokens(tokenizer)}${fed.has('values') && trees ? SINGLE : ''}\n\n` : ''}${features.length > 0 ? `## Features\n\nThey are computed of ${ofValues ? 'these values' : 'the text'} of the column ${tokenizer.columns.map(codeSpan).join(', ')}.\n\n${features.map(describeInput).join('\n\n')}\n\n` : ''}## Running it

${describeExample(tokenizer, example, tokens)}

${programs({ file: 'model.onnx', inputs: example.inputs, output: 'predictions', printed: example.printed })}

From files rather than numbers: \`lacuna predict\` with the folder of the fit.
`;
}

const meanings: Record<Task, string> = {
  regression: 'the value of each target in the units of its column',
  binary: 'the probability of the second class',
  multilabel: 'for each target the probability of its second class',
  multiclass: 'the probability of each class; the likeliest is what is predicted',
  'per-token': 'the probability of each class',
};

function tell(spec: LabelSpec): string {
  if (spec.task === 'regression') return spec.columns.join(', ');
  return spec.columns
    .map((column, target) => {
      const classes = spec.classes[target].map((_, i) => className(spec, target, i));
      return `${column}, classes ${classes.join(', ')}`;
    })
    .join('; ');
}

/** As a table in Markdown; what was chosen is marked. */
function scores({ rows, metric, chosen }: SavedFit): string {
  const { title, higherIsBetter } = metrics[metric];
  const number = (value: number | null) => (value === null ? 'undefined' : value.toPrecision(5));
  const lines = rows.map(({ name, valid, test: { value, low, high } }) => {
    const interval = low === null || high === null ? '' : `${number(low)} – ${number(high)}`;
    return `| ${name === chosen ? `**${name}**` : name} | ${number(valid)} | ${number(value)} | ${interval} |`;
  });
  return `${title}, ${higherIsBetter ? 'higher' : 'lower'} is better, on records that were not learned from. Validation chose the model in bold; intervals are of a
bootstrap of the test records.

| model | validation | test | 95 % interval |
|---|---|---|---|
${lines.join('\n')}`;
}

function describeInput({ name, computation, names, weights }: DescribedInput): string {
  const weighted = weights ? ', with their weights' : '';
  const columns =
    names.length <= LISTED_COLUMNS && !weights
      ? `Columns, from 0 on: ${names.map(codeSpan).join(', ')}.`
      : `Its ${names.length} columns are listed in order in \`features.json\`${weighted}.`;
  return `\`${name}\`: ${computation}\n\n${columns}`;
}
