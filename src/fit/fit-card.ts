/** The README of an exported fit: what it predicts and how well, from what, and how to run it. */
import type { CardExample, ModelExample } from '../runs/card-example.js';
import {
  codeSpan,
  describeExample,
  describeLimits,
  describeTargets,
  describeTokens,
  type InputDescription,
  inputRow,
  inputsOf,
  predictionsRow,
  programs,
  tableRow,
} from '../runs/model-card.js';
import { choosingMetric, metrics } from '../scoring/metrics.js';
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
  readonly example: CardExample & Omit<ModelExample, 'file' | 'output' | 'rank'>;
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
    ['task', `${spec.task}: ${describeTargets(spec)}`],
    ['learned from', `${codeSpan(data)} (columns ${tokenizer.columns.map(codeSpan).join(', ')})`],
    ['model', chosen === shares[0] ? chosen : `${chosen}: ${shares.join(', ')}`],
    ...(folds > 1 ? [['of each', `the mean of ${folds} models, one for each fold`] as [string, string]] : []),
    ...(tokens
      ? [['tokens', `${tokenizer.kind}, at most ${tokenizer.spec.maxTokens}`] as [string, string]]
      : []),
    ['written by', `lacuna ${version}`],
  ];
  const trees = parts.some((part) => 'models' in part && part.models.some(({ kind }) => kind === 'trees'));
  const { embedding } = graph.program.outputs;
  return `# Predictor of ${spec.columns.map(codeSpan).join(', ')}

A model of ${codeSpan(data)} that \`lacuna fit\` chose by validation.

| | |
|---|---|
${facts.map((cells) => tableRow(cells)).join('\n')}

## Scores

${scores(fit)}

## Inputs and outputs

\`model.onnx\` is the whole model and takes batches of any size. \`labels.json\` names what it predicts, ${
    features.length > 0 ? '`features.json` the columns of its features, ' : ''
  }\`tokenizer.json\` ${tokens ? 'is what turns' : 'would turn'} records into tokens${
    run ? ', `model.safetensors` has the parameters of its encoders, `config.json` their configuration' : ''
  }${example.tokenized ? '. `tokenize.js` makes the tokens of records, in Node and in browsers, and needs no package' : ''}.

| input | type | meaning |
|---|---|---|
${inputs.map(inputRow).join('\n')}

| output | type | meaning |
|---|---|---|
${tableRow(predictionsRow(spec, tokenizer.spec))}
${embedding ? `| \`embedding\` | float32[batch, ${embedding.shape[1]}] | what the pretrained encoder makes of each record |\n` : ''}
${tokens || ofValues ? `${describeTokens(tokenizer, fit.schema)}${fed.has('values') && trees ? SINGLE : ''}\n\n` : ''}${features.length > 0 ? `## Features\n\nThey are computed of ${ofValues ? 'these values' : 'the text'} of the column ${tokenizer.columns.map(codeSpan).join(', ')}.\n\n${features.map(describeInput).join('\n\n')}\n\n` : ''}## Limits

${describeLimits(tokenizer, { data: [data], spec })}

## Running it

${describeExample(tokenizer, example, tokens)}

${programs({ ...example, file: 'model.onnx', output: 'predictions', rank: 2 })}

From files rather than numbers: \`lacuna predict\` with the folder of the fit.
`;
}

/** As a table in Markdown; what was chosen is marked. */
function scores({ rows, metric, chosen }: SavedFit): string {
  const { title, higherIsBetter } = metrics[metric];
  const by = choosingMetric(metric);
  const number = (value: number | null) => (value === null ? 'undefined' : value.toPrecision(5));
  const lines = rows.map(({ name, valid, test: { value, low, high } }) => {
    const interval = low === null || high === null ? '' : `${number(low)} – ${number(high)}`;
    return `| ${name === chosen ? `**${name}**` : name} | ${number(valid)} | ${number(value)} | ${interval} |`;
  });
  return `${title}, ${higherIsBetter ? 'higher' : 'lower'} is better, on records that were not learned from. Validation chose the model in bold${by === metric ? '' : `, by its ${metrics[by].title}`}; intervals are of a
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
