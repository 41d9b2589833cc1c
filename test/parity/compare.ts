/** The objective, its gradients and a few optimizer steps beside numbers from another implementation of SMA. */
import type { Engine } from '../../src/engine/engine.js';
import { cast, expand, iota, type Program, reshape, staticSize } from '../../src/graph/index.js';
import { adamW } from '../../src/learning/adamw.js';
import {
  batchShape,
  gradientName,
  gradientProgram,
  type ModelConfig,
  pretrainingGraph,
} from '../../src/learning/model.js';
import { parameterLayout, parameterViews } from '../../src/learning/parameters.js';
import { decode, mostHidden, roundHalfToEven } from '../../src/objectives/masked-autoencoding.js';
import type { TokenSpec } from '../../src/records/token-block.js';
import { type HostTensor, hostTensor, zeros } from '../../src/tensor/tensor.js';
import { openReference, type Reference } from './reference.js';

/** The largest differences; those named `max_rel` as a share of the largest absolute value of the reference's tensor. */
export interface Parity {
  readonly masks_equal: boolean;
  readonly embedded_max_rel: number;
  readonly latents_max_rel: number;
  readonly logits_max_rel: number;
  readonly grad_max_rel: number;
  readonly loss_max_rel: number;
  readonly after4_max_rel: number;
}

/** What each difference may be; parameters after four steps move by at most 4 · lr. */
export const PARITY_TOLERANCES = {
  embedded_max_rel: 1e-5,
  latents_max_rel: 1e-5,
  logits_max_rel: 1e-5,
  grad_max_rel: 1e-4,
  loss_max_rel: 1e-4,
  after4_max_rel: 1e-4,
} as const;

/** Whether all masks are the same and every difference is within its tolerance. */
export const isWithinTolerances = (parity: Parity): boolean =>
  parity.masks_equal &&
  Object.entries(PARITY_TOLERANCES).every(
    ([key, bound]) => parity[key as keyof typeof PARITY_TOLERANCES] <= bound,
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
    schedule_fraction: 1,
    decoder_heads: sizes.decoder_heads,
    tied_output: !untied,
  };
  const model: ModelConfig = {
    spec,
    encoder: {
      kind: 'perceiver',
      latents: sizes.latents,
      width: sizes.width,
      embed_width: sizes.embed,
      layers: sizes.layers,
      heads: sizes.heads,
      cross_heads: sizes.cross_heads,
      widening: sizes.widening,
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
  const feeds = { ...parameters, ...inputs(reference, spec, mostHidden(options, spec, shape)) };
  return { spec, graph, layout, state, parameters, feeds };
}

/** The one batch that all steps use, but for the queries drawn in each. */
function inputs({ sizes, numbers }: Reference, spec: TokenSpec, most: number): Record<string, HostTensor> {
  const { batch: size, positions: count } = sizes;
  const lengths = Int32Array.from({ length: size }, (_, row) =>
    numbers('attention_mask')
      .subarray(row * count, (row + 1) * count)
      .reduce((sum, real) => sum + real, 0),
  );
  const used = zeros('float32', [size, most]);
  lengths.forEach((length, row) => {
    const tokens = sizes.varying ? Math.fround(Math.fround(sizes.ratio) * length) : sizes.ratio * count;
    used.data.fill(1, row * most, row * most + roundHalfToEven(tokens));
  });
  const content: Record<string, HostTensor> =
    spec.kind === 'continuous'
      ? { values: hostTensor('float32', [size, count, spec.channels], numbers('input')) }
      : { ids: hostTensor('int32', [size, count], Int32Array.from(numbers('input'))) };
  return { ...content, lengths: hostTensor('int32', [size], lengths), used };
}

/** The rows of the attention map that the reference drew in a step: float32[batch, latents], 1 where drawn. */
function chosenQueries({ sizes, numbers }: Reference, step: number): HostTensor {
  const chosen = zeros('float32', [sizes.batch, sizes.latents]);
  const drawn = numbers(`step${step}.chosen_queries`);
  drawn.forEach((query, i) => {
    chosen.data[Math.floor(i / (drawn.length / sizes.batch)) * sizes.latents + query] = 1;
  });
  return chosen;
}

async function compareForward(engine: Engine, reference: Reference, { spec, graph, feeds }: Ours) {
  const { sizes, untied, numbers } = reference;
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
  const results = Object.fromEntries(
    Object.entries(forward.outputs).map(([name, value]) => [
      name,
      zeros('float32', value.shape.map(staticSize)),
    ]),
  );
  const executable = await engine.compile(forward);
  await executable.run({ ...feeds, chosen_queries: chosenQueries(reference, 0) }, results);
  await executable.release();
  return {
    embedded_max_rel: relativeDifference(results.embedded.data, numbers('step0.embedded')),
    latents_max_rel: relativeDifference(results.latents.data, numbers('step0.latents_out')),
    logits_max_rel: relativeDifference(results.logits.data, numbers('step0.decoder_logits')),
  };
}

async function compareSteps(engine: Engine, reference: Reference, ours: Ours) {
  const { optimizer, numbers, counterpart } = reference;
  const { graph, layout, state, parameters, feeds } = ours;
  const gradients = parameterViews(layout, state.gradient);
  const hidden = zeros('float32', [reference.sizes.batch, reference.sizes.positions]);
  const loss = zeros('float32', []);
  const results = {
    ...Object.fromEntries(layout.slots.map(({ name }) => [gradientName(name), gradients[name]])),
    loss,
    hidden,
  };
  const step = await engine.compile(
    gradientProgram('step', graph.loss, graph.parameters, { hidden: cast(graph.hidden!, 'float32') }),
  );
  const update = await adamW(engine, { ...layout, decayed: layout.length }, state, {
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
    await step.run({ ...feeds, chosen_queries: chosenQueries(reference, i) }, results);
    masksEqual &&= largestDifference(hidden.data, numbers(`step${i}.loss_mask`)) === 0;
    losses[i] = loss.data[0];
    if (i === 0) gradientError = largestOverParameters(gradients, 'grad');
    await update.update(i + 1, optimizer.lr, 1);
  }
  await step.release();
  await update.release();
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
