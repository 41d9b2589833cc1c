/**
 * Evolving subnetwork training (Li et al., "Evolving Subnetwork Training for Large Language Models", ICML 2024): each step trains a
 * random part of the network, and the parts grow until they are the whole, which saves operations early on.
 *
 * Of the paper only the abstract was known. It samples layers, and heads and hidden units within them. Ours are: three
 * equal stages, the last of which trains the whole; and the layers above the first, as the first chooses what is hidden. What a part
 * adds to the states is not multiplied by how much rarer it is, as in dropout: with it validation was far worse. Parameters without a part in a step have gradient 0, and AdamW moves them on by their moments.
 */
import type { Ranks } from '../cluster/ranks.js';
import type { EncoderPart } from '../encoders/encoder.js';
import { encoderNamed } from '../encoders/index.js';
import type { HostTensors } from '../engine/engine.js';
import { InputError } from '../errors.js';
import { productOperations } from '../graph/operations.js';
import { sharedBy } from '../objectives/whole-batch.js';
import { permutation, random } from '../tensor/random.js';
import { type HostTensor, hostTensor } from '../tensor/tensor.js';
import { batchShape, type ModelConfig, objectiveOf, pretrainingGraph } from './model.js';
import type { Substitute, TrainableGraph } from './trainer.js';

/** Share of the first stage, the stage in the middle, and the last, for a share to begin with. */
const stages = (first: number): readonly number[] => [first, (1 + first) / 2, 1];

/**
 * The share of the network that a step, counted from 0, of so many trains.
 */
export const shareAt = (step: number, steps: number, first: number): number =>
  stages(first)[Math.min(2, Math.floor((3 * step) / steps))];

/** Throws InputError for a model that has no parts, and for a device, whose parameters the host does not see. */
export function checkSubnetworks(model: ModelConfig, { device }: { device?: string } = {}): void {
  if (device !== undefined && device !== 'cpu') {
    throw new InputError(
      `training.subnetworks: parts are taken on the host, and training.device is ${device}; leave out one of them`,
    );
  }
  const { encoder } = model;
  if (encoderNamed(encoder.kind).partOf?.(encoder, 1) === undefined) {
    throw new InputError(
      `training.subnetworks: needs --encoder transformer of at least two layers, of whose layers, heads and hidden units it takes a part; this one is ${encoder.kind} of ${encoder.layers}`,
    );
  }
  if (objectiveOf(model).momentum || objectiveOf(model).restarts) {
    throw new InputError(
      `training.subnetworks: ${model.objective.kind} has a target network, which has no parts; choose another objective, such as random-masking or sma`,
    );
  }
}

/** Which of the whole a part has: layers, counted from 1 as in the names of parameters, and for each heads and hidden units, in order. */
export interface Drawn {
  readonly layers: readonly { readonly layer: number; readonly heads: number[]; readonly hidden: number[] }[];
}

/**
 * A part of given sizes, drawn evenly for a step.
 */
export function drawPart(model: ModelConfig, part: EncoderPart, seed: number, step: number): Drawn {
  const { layers, heads, widening, width } = model.encoder;
  const some = (count: number, of: number, purpose: string, ...key: number[]) =>
    Array.from(permutation(of, random(seed, `subnetwork ${purpose}`, step, ...key)).subarray(0, count)).sort(
      (a, b) => a - b,
    );
  return {
    layers: some(part.layers, layers - 1, 'layers').map((place) => ({
      layer: place + 1,
      heads: some(part.heads, heads, 'heads', place),
      hidden: some(part.hidden, widening * width, 'hidden', place),
    })),
  };
}

/** Where a parameter of a part lies in one of the whole. */
interface Slice {
  readonly name: string;
  /** Rows and columns that it has, in order; undefined where it is the same. */
  readonly lines?: { readonly rows: Int32Array; readonly columns: Int32Array };
}

/** Which axis of a layer's parameter goes by heads, or by hidden units. */
const AXES: Readonly<Record<string, { readonly axis: 0 | 1; readonly of: 'heads' | 'hidden' }>> = {
  'attention.query.weight': { axis: 1, of: 'heads' },
  'attention.key.weight': { axis: 1, of: 'heads' },
  'attention.value.weight': { axis: 1, of: 'heads' },
  'attention.output.weight': { axis: 0, of: 'heads' },
  'mlp.expand.weight': { axis: 1, of: 'hidden' },
  'mlp.contract.weight': { axis: 0, of: 'hidden' },
};

/**
 * A drawn part of the network in the place of the whole, on batches of `size` records, of several ranks for each.
 */
export function substituteOf(
  model: ModelConfig,
  part: EncoderPart,
  drawn: Drawn,
  size: number,
  ranks?: Ranks,
): Substitute {
  const { heads, widening, width } = model.encoder;
  const sizes = { heads, hidden: widening * width };
  const sliceOf = (name: string, whole: HostTensors): Slice => {
    const [, place, own] = /^encoder\.layers\.(\d+)\.(.+)$/.exec(name) ?? [];
    if (place === undefined) return { name };
    const { layer, ...kept } = drawn.layers[Number(place) - 1];
    const from = `encoder.layers.${layer}.${own}`;
    const rule = AXES[own];
    if (!rule) return { name: from };
    const { axis, of } = rule;
    const { shape } = whole[from];
    // A head has several rows or columns that lie together, a hidden unit one.
    const each = shape[axis] / sizes[of];
    const some = Int32Array.from(kept[of].flatMap((one) => range(each).map((i) => one * each + i)));
    const all = Int32Array.from(range(shape[1 - axis]));
    const lines = axis === 0 ? { rows: some, columns: all } : { rows: all, columns: some };
    return { name: from, lines };
  };
  return {
    key: `part ${part.layers} ${part.heads} ${part.hidden}`,
    build: (tokens) => partGraph(model, part, size, tokens, ranks),
    take: (whole) =>
      Object.fromEntries(
        partNames(whole, part).map((name) => {
          const slice = sliceOf(name, whole);
          return [name, taken(whole[slice.name], slice)];
        }),
      ),
    give: (gradients, whole) => {
      for (const [name, gradient] of Object.entries(gradients)) {
        const slice = sliceOf(name, whole);
        put(gradient, whole[slice.name], slice);
      }
    },
  };
}

/** The graph of a part, which is never evaluated. */
function partGraph(
  model: ModelConfig,
  part: EncoderPart,
  size: number,
  tokens: number,
  ranks?: Ranks,
): TrainableGraph {
  const shape = batchShape(model, size, tokens);
  const { shared, ...outputs } = pretrainingGraph(model, shape, { part, ranks });
  const { loss, weight, metrics = {}, parameters } = outputs;
  return {
    loss,
    weight,
    metrics,
    parameters,
    shared: sharedBy([loss, weight, ...Object.values(metrics)], shared),
    evaluation: {},
  };
}

/** The rows and columns of a slice. */
function taken(whole: HostTensor, { lines }: Slice): HostTensor {
  if (!lines) return whole;
  const { rows, columns } = lines;
  const data = whole.data as Float32Array;
  const width = whole.shape[1];
  const own = new Float32Array(rows.length * columns.length);
  for (let i = 0, at = 0; i < rows.length; i++) {
    const begin = rows[i] * width;
    for (let j = 0; j < columns.length; j++) own[at++] = data[begin + columns[j]];
  }
  return hostTensor('float32', [rows.length, columns.length], own);
}

/** Writes the gradient of a slice into that of the whole. */
function put(gradient: HostTensor, whole: HostTensor, { lines }: Slice): void {
  const [own, data] = [gradient.data as Float32Array, whole.data as Float32Array];
  if (!lines) {
    data.set(own);
    return;
  }
  const { rows, columns } = lines;
  const width = whole.shape[1];
  for (let i = 0, at = 0; i < rows.length; i++) {
    const begin = rows[i] * width;
    for (let j = 0; j < columns.length; j++) data[begin + columns[j]] = own[at++];
  }
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** The names of the whole that a part has, its layers being the first ones. */
const partNames = (whole: HostTensors, { layers }: EncoderPart): string[] =>
  Object.keys(whole).filter((name) => {
    const place = /^encoder\.layers\.(\d+)\./.exec(name)?.[1];
    return place === undefined || Number(place) <= layers;
  });

/** What a pretraining needs to know of its parts. */
export interface SubnetworkSettings {
  /** The share of the first stage. */
  readonly subnetworks: number;
  readonly steps: number;
  readonly seed: number;
}

/** The share of the operations of a run's steps, on batches of one shape, that parts save. */
export function savedOperations(
  model: ModelConfig,
  { subnetworks }: Pick<SubnetworkSettings, 'subnetworks'>,
  size: number,
  tokens: number,
): number {
  const operations = (share: number) => {
    const part = encoderNamed(model.encoder.kind).partOf!(model.encoder, share);
    const { loss } = pretrainingGraph(model, batchShape(model, size, tokens), share === 1 ? {} : { part });
    return productOperations([loss]);
  };
  const whole = operations(1);
  return stages(subnetworks).reduce((sum, share) => sum + (1 - operations(share) / whole) / 3, 0);
}

/** What each step of a run, counted from 1, trains instead of the whole network, if anything: of several ranks the same at each. */
export function subnetworksOf(
  model: ModelConfig,
  { subnetworks, steps, seed }: SubnetworkSettings,
  size: number,
  ranks?: Ranks,
): (step: number) => Substitute | undefined {
  const { encoder } = model;
  return (step) => {
    const share = shareAt(step - 1, steps, subnetworks);
    if (share === 1) return undefined;
    const part = encoderNamed(encoder.kind).partOf!(encoder, share)!;
    return substituteOf(model, part, drawPart(model, part, seed, step), size, ranks);
  };
}
