/** The model that a fit leaves as one graph, from tokens and features to predictions. */
import { InputError } from '../errors.js';
import { encoderParameters } from '../finetuning/frozen-encoder.js';
import { finetunedOutputs, finetuningGraph } from '../finetuning/labelled-graph.js';
import { inLabelUnits, predicted } from '../finetuning/predicted-graph.js';
import * as g from '../graph/index.js';
import { type Tokens, tokenInputs } from '../layers/token-embedding.js';
import { encoderGraph } from '../learning/model.js';
import { parameterLayout, parameterViews } from '../learning/parameters.js';
import { fittedGraph } from '../probes/fitted-graph.js';
import type { FittedModel } from '../probes/fitted-model.js';
import type { Run } from '../runs/folder.js';
import type { LabelSpec } from '../scoring/labels.js';
import type { HostTensor } from '../tensor/tensor.js';
import type { TrainedEncoder } from './attempts.js';
import { EMBEDDING } from './models.js';
import type { SavedFit, SavedPart } from './saved-fit.js';

/** A graph input of features that tokens alone do not tell: float32[batch, dimension]. */
export interface FeatureInput {
  readonly name: string;
  /** The name of the set of features. */
  readonly set: string;
  readonly dimension: number;
}

/** The graph of a fit and all that it needs. */
export interface FitGraph {
  /** `predictions` float32[batch, outputs], and `embedding` float32[batch, width] where a part reads embeddings. */
  readonly program: g.Program;
  /** Of its encoders, by name. */
  readonly parameters: Readonly<Record<string, HostTensor>>;
  /** Those of its inputs that are no tokens. */
  readonly features: readonly FeatureInput[];
  /** The names of all inputs. */
  readonly inputs: readonly string[];
}

/** Nodes of trees, of which each takes about 30 bytes; a file of 2 GB cannot be opened. */
const MOST_NODES = 2 ** 25;

/**
 * The kept model for batches of any size: the weighted mean of its parts, of each the mean over the folds, as `predict` has
 * it, in single precision. Features that follow from tokens are computed in the graph; the others are inputs, named as their
 * sets. Throws InputError for trees with too many nodes.
 */
export function fitGraph(fit: SavedFit): FitGraph {
  const { spec, tokenizer, parts, run, sets } = fit;
  checkSize(fit);
  // Both build graphs of one record to know names and shapes, whose leaves are not this graph's.
  const pretrained = run && encoderParameters(run.model, run.tensors, run.folder);
  const layout = parts.some((part) => 'encoders' in part)
    ? parameterLayout(finetuningGraph(run!.model, spec, 1, tokenizer.spec.maxTokens).parameters)
    : undefined;
  return g.sharingLeaves(() => {
    const parameters: Record<string, HostTensor> = {};
    const features: FeatureInput[] = [];
    const known = new Map<string, g.Value>();
    const { maxTokens } = tokenizer.spec;
    let tokens: Tokens | undefined;
    let trained = 0;
    const makeFeatures = (name: string): g.Value => {
      if (name === EMBEDDING) {
        Object.assign(parameters, pretrained);
        return encoderGraph(run!.model, 'batch', maxTokens).pooled;
      }
      const { set, state } = sets.get(name)!;
      if ('graph' in set.made) {
        tokens ??= tokenInputs(tokenizer.spec, 'batch', maxTokens);
        return set.made.graph(tokenizer.spec, tokens);
      }
      const { dimension } = state;
      const own = { name: name.replaceAll(' ', '_'), set: name, dimension };
      features.push(own);
      return g.input(own.name, 'float32', ['batch', dimension]);
    };
    const featuresOf = (name: string) => {
      const value = known.get(name) ?? makeFeatures(name);
      known.set(name, value);
      return value;
    };
    const outputsOf = (part: SavedPart): g.Value[] => {
      if ('models' in part) {
        const joined = part.features.map(featuresOf);
        const rows = joined.length === 1 ? joined[0] : g.concatenate(joined, 1);
        return part.models.map((model) => fittedGraph(model, rows));
      }
      return part.encoders.map((encoder) => {
        const prefix = `trained_${++trained}`;
        for (const [name, tensor] of Object.entries(parameterViews(layout!, encoder.parameters))) {
          parameters[`${prefix}.${name}`] = tensor;
        }
        return trainedGraph(run!, spec, encoder, prefix);
      });
    };
    const total = parts.reduce((sum, { weight }) => sum + weight, 0);
    const terms = parts.flatMap((part) => {
      const outputs = outputsOf(part);
      const weight = g.scalar(part.weight / total / outputs.length);
      return outputs.map((own) => g.multiply(predicted[spec.task](own), weight));
    });
    const predictions = terms.reduce((sum, term) => g.add(sum, term));
    const embedding = known.get(EMBEDDING);
    const program = { name: 'fit', outputs: { predictions, ...(embedding && { embedding }) } };
    const inputs = g
      .reachableNodes(Object.values(program.outputs))
      .flatMap((node) => (node.kind === 'input' ? [node.name] : []));
    return { program, parameters, features, inputs };
  });
}

/** The outputs of an encoder that was trained on the labels, in their units, its parameters under a prefix. */
function trainedGraph({ model }: Run, spec: LabelSpec, { scale }: TrainedEncoder, prefix: string): g.Value {
  const outputs = g.outerScope(prefix, () => finetunedOutputs(model, spec, 'batch', model.spec.maxTokens));
  return inLabelUnits(outputs, spec, scale);
}

function checkSize({ folder, parts }: SavedFit): void {
  const models = parts.flatMap((part): readonly FittedModel[] => ('models' in part ? part.models : []));
  const nodes = models
    .flatMap((model) => (model.kind === 'trees' ? model.parts : []))
    .reduce((sum, { ensemble }) => sum + Math.max(ensemble.left.length, ensemble.value.length), 0);
  if (nodes <= MOST_NODES) return;
  throw new InputError(
    `${folder}: its trees have ${nodes.toLocaleString('en-US')} nodes, and an ONNX file holds at most ${MOST_NODES.toLocaleString('en-US')}; predict with the folder itself, or fit again with --folds 1`,
  );
}
