/** The objective, its gradients and a few optimizer steps beside numbers from another implementation of SMA. */
import { encoderNamed } from '../../src/encoders/index.js';
import type { Engine, HostTensors } from '../../src/engine/engine.js';
import { askOnce, labelledGraph } from '../../src/finetuning/labelled-graph.js';
import {
  cast,
  constant,
  expand,
  input,
  iota,
  type Program,
  reshape,
  scope,
  staticSize,
  type Value,
} from '../../src/graph/index.js';
import { linear } from '../../src/layers/linear.js';
import { tokenFeeds, tokenInputs } from '../../src/layers/token-embedding.js';
import { adamW } from '../../src/learning/adamw.js';
import {
  batchShape,
  encoderGraph,
  gradientName,
  gradientProgram,
  type ModelConfig,
  pretrainingGraph,
} from '../../src/learning/model.js';
import { parameterLayout, parameterViews } from '../../src/learning/parameters.js';
import { decode } from '../../src/objectives/masked-autoencoding.js';
import type { BatchShape } from '../../src/objectives/objective.js';
import { attendedTo, sma } from '../../src/objectives/sma.js';
import type { Batch } from '../../src/records/batch.js';
import type { TokenSpec } from '../../src/records/token-block.js';
import { random } from '../../src/tensor/random.js';
import { type HostTensor, hostTensor, zeros } from '../../src/tensor/tensor.js';
import { openReference, type Reference, type ReferenceConfig } from './reference.js';

/** The largest differences; those named `max_rel` as a share of the largest absolute value of the reference's tensor. */
export interface Parity {
  readonly masks_equal: boolean;
  readonly embedded_max_rel: number;
  readonly latents_max_rel: number;
  readonly logits_max_rel: number;
  /** Of a transformer alone: the first map with nothing hidden, what top-k sees, and the first layer's visible states. */
  readonly attention_max_rel?: number;
  readonly column_scores_max_rel?: number;
  readonly first_layer_max_rel?: number;
  readonly grad_max_rel: number;
  readonly loss_max_rel: number;
  readonly after4_max_rel: number;
}

/** The same of a fine-tuning head, which hides nothing. */
export type HeadParity = Pick<
  Parity,
  'masks_equal' | 'logits_max_rel' | 'grad_max_rel' | 'loss_max_rel' | 'after4_max_rel'
> & { readonly pooled_max_rel: number; readonly squared_error_max_rel: number };

/** What each difference may be; parameters after four steps move by at most 4 · lr. */
export const PARITY_TOLERANCES = {
  embedded_max_rel: 1e-5,
  latents_max_rel: 1e-5,
  logits_max_rel: 1e-5,
  attention_max_rel: 1e-5,
  column_scores_max_rel: 1e-5,
  first_layer_max_rel: 1e-5,
  pooled_max_rel: 1e-5,
  squared_error_max_rel: 1e-4,
  grad_max_rel: 1e-4,
  loss_max_rel: 1e-4,
  after4_max_rel: 1e-4,
} as const;

/** Whether all masks are the same and every difference is within its tolerance. */
export const isWithinTolerances = (parity: Parity | HeadParity): boolean =>
  parity.masks_equal &&
  Object.entries(PARITY_TOLERANCES).every(
    ([key, bound]) => (((parity as Readonly<Record<string, unknown>>)[key] ?? 0) as number) <= bound,
  );

/**
 * Computes what a reference file holds (see `test/fixtures/make-sma-reference.py` for its layout) and gives the largest
 * differences: of the first forward pass, of its gradients, of the losses of some optimizer steps, and of the
 * parameters after them. Throws Error when the file's parameters are not ours.
 */
export async function compareWithReference(engine: Engine, bytes: Uint8Array, path: string): Promise<Parity> {
  const reference = openReference(bytes, path);
  const ours = sameModel(reference);
  const forward = await compareForward(engine, reference, ours);
  const { masks_equal, ...steps } = await compareSteps(engine, reference, ours);
  return { masks_equal, ...forward, ...steps };
}

/**
 * The same for a fine-tuning head on a transformer: `pooled`, its logits, the losses of some steps of binary cross-entropy,
 * their gradients and parameters, and the squared error on the raw logit.
 */
export async function compareHead(engine: Engine, bytes: Uint8Array, path: string): Promise<HeadParity> {
  const reference = openReference(bytes, path);
  const { sizes, numbers } = reference;
  const { batch: size, positions: count } = sizes;
  const spec: TokenSpec = { kind: 'discrete', vocabulary: sizes.vocab!, maxTokens: count };
  const encoder = {
    kind: 'transformer' as const,
    width: sizes.width,
    embed_width: sizes.width,
    layers: sizes.layers + 1,
    heads: sizes.heads,
    widening: sizes.widening,
  };
  const encoding = encoderGraph({ spec, encoder }, size, count);
  const { pooled, logits } = scope('head', () => {
    const asked = askOnce(encoding, sizes.decoder_heads);
    return { pooled: asked, logits: linear('output', asked, 1) };
  });
  const labels = { columns: ['label'], targets: 1, outputs: 1, classes: [['0', '1']], reason: '' };
  const graph = labelledGraph(logits, { task: 'binary', ...labels });
  const layout = parameterLayout(graph.parameters);
  const flat = () => new Float32Array(layout.length);
  const state = { parameters: flat(), gradient: flat(), firstMoment: flat(), secondMoment: flat() };
  const parameters = parameterViews(layout, state.parameters);
  for (const { name } of layout.slots) parameters[name].data.set(reference.counterpart('param', name));
  const feeds: HostTensors = {
    ...parameters,
    ...tokenFeeds(batchOf(reference)),
    labels: hostTensor('float32', [size, 1], numbers('labels')),
    label_weights: hostTensor('float32', [size, 1], new Float32Array(size).fill(1)),
  };
  const forward = await run(engine, { name: 'forward', outputs: { pooled, logits } }, feeds);
  const squared = labelledGraph(logits, { task: 'regression', ...labels }).loss;
  const mse = await run(engine, { name: 'squared error', outputs: { loss: squared } }, feeds);
  const steps = await compareSteps(engine, reference, {
    graph,
    layout,
    state,
    parameters,
    feedsAt: () => feeds,
  });
  return {
    pooled_max_rel: relativeDifference(forward.pooled.data, numbers('step0.pooled')),
    logits_max_rel: relativeDifference(forward.logits.data, numbers('step0.logits')),
    squared_error_max_rel: relativeDifference(mse.loss.data, numbers('mse_loss')),
    ...steps,
  };
}

/** Our model of the reference's sizes, with its starting parameters, and what both are fed. */
type Ours = ReturnType<typeof sameModel>;

function sameModel(reference: Reference) {
  const { sizes, untied } = reference;
  const { batch: size, positions: count } = sizes;
  const spec: TokenSpec =
    sizes.input === 'discrete'
      ? { kind: 'discrete', vocabulary: sizes.vocab!, maxTokens: count }
      : { kind: 'continuous', channels: sizes.channels!, maxTokens: count };
  const options = {
    masking_ratio: sizes.ratio,
    per_query: sizes.per_query,
    ...(sizes.head_aggregation === 'random_mix' && { attention_heads: 'random-mix' as const }),
    ...(sizes.mask_self && { mask_self: true }),
    ...(sizes.schedule && { select_initial_ratio: sizes.select_initial_ratio }),
    schedule_fraction: sizes.schedule ? sizes.schedule.length / sizes.schedule.max_steps : 1,
    decoder_heads: sizes.decoder_heads,
    tied_output: !untied,
  };
  const model: ModelConfig = {
    spec,
    encoder: {
      width: sizes.width,
      heads: sizes.heads,
      widening: sizes.widening,
      ...(sizes.encoder === 'self_attention'
        ? { kind: 'transformer', embed_width: sizes.width, layers: sizes.layers + 1 }
        : {
            kind: 'perceiver',
            latents: sizes.latents,
            embed_width: sizes.embed,
            layers: sizes.layers,
            cross_heads: sizes.cross_heads,
          }),
    },
    objective: { kind: 'sma', ...options },
  };
  const shape = batchShape(model, size, count);
  const graph = pretrainingGraph(model, shape);
  const layout = parameterLayout(graph.parameters);
  const flat = () => new Float32Array(layout.length);
  const state = { parameters: flat(), gradient: flat(), firstMoment: flat(), secondMoment: flat() };
  const parameters = parameterViews(layout, state.parameters);
  for (const { name } of layout.slots) parameters[name].data.set(reference.counterpart('param', name));
  const batch = batchOf(reference);
  /** What a step is fed: the one batch of all steps, our counts, and in place of our draws those of the reference. */
  const feedsAt = (step: number): HostTensors => ({
    ...parameters,
    ...tokenFeeds(batch),
    ...sma.draw(options, spec, shape, batch, progressOf(sizes, step), unseeded),
    ...draws(reference, shape, step),
  });
  return { model, graph, layout, state, parameters, feedsAt };
}

/** The one batch that all steps use. */
function batchOf({ sizes, numbers }: Reference): Batch {
  const { batch: size, positions: tokens } = sizes;
  const mask = numbers('attention_mask');
  const lengths = Int32Array.from({ length: size }, (_, row) =>
    mask.subarray(row * tokens, (row + 1) * tokens).reduce((sum, real) => sum + real, 0),
  );
  const content =
    sizes.input === 'continuous' ? { values: numbers('input') } : { ids: Int32Array.from(numbers('input')) };
  return { size, rows: size, tokens, lengths, fileRows: new Int32Array(size), ...content };
}

/** The share of the schedule's run that is done. */
const progressOf = ({ schedule }: ReferenceConfig, step: number): number =>
  schedule ? (schedule.start + step) / schedule.max_steps : 1;

/** What is drawn is replaced by what the reference drew; only the counts are ours. */
const unseeded = (purpose: string, row: number) => random(0, purpose, 0, row);

/** Index tensors of the reference: int64[batch, n] as lists, without the −1 that fills them up. */
function indices({ sizes, numbers }: Reference, name: string): number[][] {
  const all = numbers(name);
  const n = all.length / sizes.batch;
  return Array.from({ length: sizes.batch }, (_, row) =>
    Array.from(all.subarray(row * n, (row + 1) * n)).filter((index) => index >= 0),
  );
}

/** The rows of the attention map, their heads and the positions that the reference drew in a step, as our inputs. */
function draws(reference: Reference, { size, tokens, attentionMap }: BatchShape, step: number): HostTensors {
  const { heads, queries } = attentionMap!;
  const chosen = zeros('float32', [size, heads, queries]);
  const mixed = reference.sizes.head_aggregation === 'random_mix' && indices(reference, `step${step}.heads`);
  indices(reference, `step${step}.chosen_queries`).forEach((drawn, row) => {
    for (const query of drawn)
      for (let head = 0; head < heads; head++) {
        const weight = mixed ? Number(mixed[row][query] === head) : 1 / heads;
        chosen.data[(row * heads + head) * queries + query] = weight;
      }
  });
  if (!reference.sizes.schedule) return { chosen_queries: chosen };
  const scores = zeros('float32', [size, tokens]);
  indices(reference, `step${step}.random_positions`).forEach((drawn, row) => {
    for (const position of drawn) scores.data[row * tokens + position] = 0.5;
  });
  return { chosen_queries: chosen, scores };
}

async function compareForward(engine: Engine, reference: Reference, { model, graph, feedsAt }: Ours) {
  const { sizes, untied, numbers } = reference;
  const { spec } = model;
  const { batch: size, positions: count } = sizes;
  const [encoding] = graph.encodings;
  // The reference decodes every position; here that is only done to compare with its logits.
  const every = expand(reshape(cast(iota(count), 'int64'), [1, count]), [size, count]);
  const forward: Program = {
    name: 'forward',
    outputs: {
      embedded: encoding.embedded,
      latents: encoding.states,
      logits: decode(spec, encoding, every, { heads: sizes.decoder_heads, tied: !untied }),
    },
  };
  const results = await run(engine, forward, feedsAt(0));
  if (sizes.encoder) Object.assign(results, await run(engine, firstLayer(reference, model), feedsAt(0)));
  // A transformer's states are those of visible tokens, in order; the places beyond them hold nothing that counts.
  const visible = sizes.encoder && indices(reference, 'step0.visible');
  const states = (name: string) => visibleRows(results[name], visible, (_, place) => place);
  const expected = (name: string, at: (position: number, place: number) => number) =>
    visibleRows(
      { shape: [size, numbers(name).length / size / sizes.width, sizes.width], data: numbers(name) },
      visible,
      at,
    );
  return {
    ...(sizes.encoder && {
      attention_max_rel: relativeDifference(results.attention.data, numbers('step0.attention')),
      column_scores_max_rel: relativeDifference(results.column_scores.data, numbers('step0.column_scores')),
      first_layer_max_rel: relativeDifference(
        states('first_layer'),
        expected('step0.first_layer_out', (position) => position),
      ),
    }),
    embedded_max_rel: relativeDifference(results.embedded.data, numbers('step0.embedded')),
    latents_max_rel: relativeDifference(
      states('latents'),
      expected('step0.latents_out', (_, place) => place),
    ),
    logits_max_rel: relativeDifference(results.logits.data, numbers('step0.decoder_logits')),
  };
}

/** The outputs of a program, run once. */
async function run(engine: Engine, program: Program, feeds: HostTensors) {
  const results = Object.fromEntries(
    Object.entries(program.outputs).map(([name, value]) => [
      name,
      zeros('float32', value.shape.map(staticSize)),
    ]),
  );
  const executable = await engine.compile(program);
  await executable.run(feeds, results);
  await executable.release();
  return results;
}

/** Of float32[batch, n, width] the rows that belong to visible tokens, or all. */
function visibleRows(
  { shape, data }: { shape: readonly number[]; data: ArrayLike<number> },
  visible: readonly number[][] | undefined,
  at: (position: number, place: number) => number,
): ArrayLike<number> {
  if (!visible) return data;
  const [, n, width] = shape;
  return visible.flatMap((positions, row) =>
    positions.flatMap((position, place) => {
      const start = (row * n + at(position, place)) * width;
      return Array.from({ length: width }, (_, channel) => data[start + channel]);
    }),
  );
}

/** A transformer's first attention map with nothing hidden, the scores of its columns and the first layer's states. */
function firstLayer(reference: Reference, { spec, encoder, objective }: ModelConfig): Program {
  const { batch: size, positions: count } = reference.sizes;
  const masked = hostTensor('float32', [size, count], reference.numbers('step0.loss_mask'));
  let attention: Value | undefined;
  const one = { ...encoder, layers: 1 };
  const { states } = encoderNamed(encoder.kind).encode(spec, tokenInputs(spec, size, count), one, {
    hiding: {
      choose(map) {
        attention = map;
        return cast(constant(masked), 'bool');
      },
      visible: count,
    },
  });
  const { heads, queries } = encoderNamed(encoder.kind).attentionMap!(one, count);
  const chosen = input('chosen_queries', 'float32', [size, heads, queries]);
  return {
    name: 'first layer',
    outputs: {
      attention: attention!,
      column_scores: attendedTo(objective, attention!, chosen),
      first_layer: states,
    },
  };
}

async function compareSteps(
  engine: Engine,
  reference: Reference,
  ours: Pick<Ours, 'layout' | 'state' | 'parameters' | 'feedsAt'> & {
    readonly graph: Pick<Ours['graph'], 'loss' | 'parameters' | 'hidden'>;
  },
) {
  const { optimizer, numbers, counterpart } = reference;
  const { graph, layout, state, parameters, feedsAt } = ours;
  const gradients = parameterViews(layout, state.gradient);
  const hidden = zeros('float32', [reference.sizes.batch, reference.sizes.positions]);
  const loss = zeros('float32', []);
  const results = {
    ...Object.fromEntries(layout.slots.map(({ name }) => [gradientName(name), gradients[name]])),
    loss,
    ...(graph.hidden && { hidden }),
  };
  const step = await engine.compile(
    gradientProgram(
      'step',
      graph.loss,
      graph.parameters,
      graph.hidden ? { hidden: cast(graph.hidden, 'float32') } : {},
    ),
  );
  const update = adamW({ ...layout, decayed: layout.length }, state, {
    beta1: optimizer.beta1,
    beta2: optimizer.beta2,
    epsilon: optimizer.eps,
    weightDecay: optimizer.weight_decay,
  });
  const largestOverParameters = (of: Readonly<Record<string, HostTensor<'float32'>>>, prefix: string) =>
    Math.max(...layout.slots.map(({ name }) => relativeDifference(of[name].data, counterpart(prefix, name))));

  let masksEqual = true;
  let gradientError = 0;
  const losses = new Float32Array(optimizer.steps);
  for (let i = 0; i < optimizer.steps; i++) {
    await step.run(feedsAt(i), results);
    masksEqual &&= !graph.hidden || largestDifference(hidden.data, numbers(`step${i}.loss_mask`)) === 0;
    losses[i] = loss.data[0];
    if (i === 0) gradientError = largestOverParameters(gradients, 'grad');
    update.update(i + 1, optimizer.lr, 1);
  }
  await step.release();
  const expected = numbers('losses');
  return {
    masks_equal: masksEqual,
    grad_max_rel: gradientError,
    // Each loss by itself.
    loss_max_rel: Math.max(...losses.map((value, i) => relativeDifference([value], [expected[i]]))),
    after4_max_rel: largestOverParameters(parameters, `after${optimizer.steps}`),
  };
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`expected ${b.length} numbers, computed ${a.length}`);
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i] - b[i]);
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  return largest;
}

/** The largest difference as a share of the largest absolute value that is expected. */
function relativeDifference(computed: ArrayLike<number>, expected: ArrayLike<number>): number {
  let largest = Number.MIN_VALUE;
  for (let i = 0; i < expected.length; i++) largest = Math.max(largest, Math.abs(expected[i]));
  return largestDifference(computed, expected) / largest;
}
