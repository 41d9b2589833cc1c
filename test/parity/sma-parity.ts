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
import { decodeSafetensors } from '../../src/tensor/safetensors.js';
import { type HostTensor, hostTensor, zeros } from '../../src/tensor/tensor.js';

interface ReferenceConfig {
  latents: number;
  width: number;
  embed: number;
  layers: number;
  heads: number;
  cross_heads: number;
  decoder_heads: number;
  widening: number;
  ratio: number;
  per_query: number;
  varying: boolean;
  input: 'discrete' | 'continuous';
  vocab?: number;
  channels?: number;
  positions: number;
  batch: number;
}

interface OptimizerConfig {
  lr: number;
  beta1: number;
  beta2: number;
  eps: number;
  weight_decay: number;
  steps: number;
}

const BLOCK: Record<string, string> = {
  'attention.attention.layernorm1': 'attention_norm',
  'attention.attention.query': 'attention.query',
  'attention.attention.key': 'attention.key',
  'attention.attention.value': 'attention.value',
  'attention.output.dense': 'attention.output',
  layernorm: 'mlp_norm',
  'mlp.dense1': 'mlp.expand',
  'mlp.dense2': 'mlp.contract',
};

/** The reference's name of a parameter of ours; its linear weights are stored `[out, in]`, ours `[in, out]`. */
function referenceNames(names: Iterable<string>): Map<string, { name: string; transposed: boolean }> {
  const result = new Map<string, { name: string; transposed: boolean }>();
  const place = (path: string): { prefix: string; module: string } | undefined => {
    const preprocessor = 'perceiver.input_preprocessor.';
    const decoder = 'teacher.reconstruction_decoder.';
    const blocks: [RegExp, (match: RegExpMatchArray) => string][] = [
      [/^perceiver\.encoder\.cross_attention\.(.+)$/, () => 'encoder.cross_attention.'],
      [/^perceiver\.encoder\.self_attends\.(\d+)\.(.+)$/, (match) => `encoder.layers.${match[1]}.`],
      [/^teacher\.reconstruction_decoder\.decoding_cross_attention\.(.+)$/, () => 'decoder.cross_attention.'],
    ];
    for (const [pattern, prefix] of blocks) {
      const match = path.match(pattern);
      const module = match && BLOCK[match[match.length - 1]];
      if (match && module) return { prefix: prefix(match), module };
    }
    const single: Record<string, string> = {
      [`${preprocessor}embeddings`]: 'embedding.tokens',
      [`${preprocessor}position_embeddings`]: 'embedding.positions',
      [`${preprocessor}input_projection`]: 'embedding.projection',
      [`${preprocessor}layernorm`]: 'embedding.norm',
      'perceiver.encoding_latents': 'encoder',
      [`${decoder}pre_layernorm`]: 'decoder.states_norm',
      [`${decoder}final_layernorm`]: 'decoder.output_norm',
      [`${decoder}final_project`]: 'decoder.output',
    };
    return single[path] === undefined ? undefined : { prefix: '', module: single[path] };
  };
  const all = new Set(names);
  for (const name of all) {
    const [, path, kind] = name.match(/^(.*)\.([^.]+)$/) ?? [];
    const found = place(path);
    if (found === undefined) throw new Error(`parameter ${name} has no counterpart here`);
    const module = found.prefix + found.module;
    if (/norm$/.test(module))
      result.set(`${module}.${kind === 'weight' ? 'scale' : 'bias'}`, { name, transposed: false });
    else if (/^embedding\.(tokens|positions)$/.test(module)) result.set(module, { name, transposed: false });
    else if (module === 'encoder') result.set('encoder.latents', { name, transposed: false });
    else if (module === 'decoder.output' && !all.has('teacher.reconstruction_decoder.final_project.weight'))
      result.set('decoder.output_bias', { name, transposed: false });
    else result.set(`${module}.${kind}`, { name, transposed: kind === 'weight' });
  }
  return result;
}

function transposed(data: Float32Array, [rows, columns]: readonly number[]): Float32Array {
  const result = new Float32Array(data.length);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) result[j * rows + i] = data[i * columns + j];
  return result;
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

const largestOf = (values: Float32Array) =>
  values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);

export interface Parity {
  readonly masks_equal: boolean;
  readonly embedded_max_abs: number;
  readonly latents_max_abs: number;
  readonly logits_max_abs: number;
  readonly grad_max_rel: number;
  readonly loss_max_rel: number;
  readonly after4_max_abs: number;
}

/**
 * Computes what a reference file holds (see `test/fixtures/make-sma-reference.py` for its layout) and gives the largest
 * differences: of the first forward pass, of its gradients as a share of the largest in their tensor, of the losses of
 * some optimizer steps, and of the parameters after them. Throws Error when the file's parameters are not ours.
 */
export async function compareWithReference(engine: Engine, bytes: Uint8Array, path: string): Promise<Parity> {
  const { tensors, metadata } = decodeSafetensors(bytes, path);
  const sizes = JSON.parse(metadata.config) as ReferenceConfig;
  const optimizer = JSON.parse(metadata.optimizer) as OptimizerConfig;
  const numbers = (name: string): Float32Array => {
    const tensor = tensors[name];
    if (tensor === undefined) throw new Error(`${path}: tensor ${name} is missing`);
    return tensor.data instanceof Float32Array ? tensor.data : Float32Array.from(tensor.data, Number);
  };

  const { batch: size, positions: count } = sizes;
  const spec: TokenSpec =
    sizes.input === 'discrete'
      ? { kind: 'discrete', vocabulary: sizes.vocab!, maxTokens: count }
      : { kind: 'continuous', channels: sizes.channels!, maxTokens: count };
  const untied = 'param.teacher.reconstruction_decoder.final_project.weight' in tensors;
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
      embedWidth: sizes.embed,
      layers: sizes.layers,
      heads: sizes.heads,
      crossHeads: sizes.cross_heads,
      widening: sizes.widening,
    },
    objective: { kind: 'sma', ...options },
  };
  const shape = batchShape(model, size, count);

  const graph = pretrainingGraph(model, shape);
  const [encoding] = graph.encodings;
  const layout = parameterLayout(graph.parameters);
  const flat = () => new Float32Array(layout.length);
  const state = { parameters: flat(), gradient: flat(), firstMoment: flat(), secondMoment: flat() };
  const parameters = parameterViews(layout, state.parameters);
  const gradients = parameterViews(layout, state.gradient);

  const ours = referenceNames(
    Object.keys(tensors).flatMap((name) => (name.startsWith('param.') ? [name.slice('param.'.length)] : [])),
  );
  const reference = (prefix: string, name: string): Float32Array => {
    const counterpart = ours.get(name);
    if (counterpart === undefined)
      throw new Error(`${path}: nothing there corresponds to our parameter ${name}`);
    const key = `${prefix}.${counterpart.name}`;
    return counterpart.transposed ? transposed(numbers(key), tensors[key].shape) : numbers(key);
  };
  for (const { name } of layout.slots) parameters[name].data.set(reference('param', name));

  const lengths = Int32Array.from({ length: size }, (_, row) =>
    numbers('attention_mask')
      .subarray(row * count, (row + 1) * count)
      .reduce((sum, real) => sum + real, 0),
  );
  const counts = [...lengths].map((length) => {
    const tokens = sizes.varying ? Math.fround(Math.fround(sizes.ratio) * length) : sizes.ratio * count;
    return roundHalfToEven(tokens);
  });
  const used = zeros('float32', [size, mostHidden(options, spec, shape)]);
  counts.forEach((hidden, row) => {
    used.data.fill(1, row * used.shape[1], row * used.shape[1] + hidden);
  });
  const values =
    spec.kind === 'continuous' && hostTensor('float32', [size, count, spec.channels], numbers('input'));
  const feeds: Record<string, HostTensor> = {
    ...parameters,
    ...(values ? { values } : { ids: hostTensor('int32', [size, count], Int32Array.from(numbers('input'))) }),
    lengths: hostTensor('int32', [size], lengths),
    used,
  };
  const chosenQueries = (step: number): HostTensor => {
    const chosen = zeros('float32', [size, sizes.latents]);
    const drawn = numbers(`step${step}.chosen_queries`);
    drawn.forEach((query, i) => {
      chosen.data[Math.floor(i / (drawn.length / size)) * sizes.latents + query] = 1;
    });
    return chosen;
  };

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
  const hidden = zeros('float32', [size, count]);
  const loss = zeros('float32', []);
  const step = gradientProgram('step', graph.loss, graph.parameters, {
    hidden: cast(graph.hidden!, 'float32'),
  });

  const forwardExecutable = await engine.compile(forward);
  const results = Object.fromEntries(
    Object.entries(forward.outputs).map(([name, value]) => [
      name,
      zeros('float32', value.shape.map(staticSize)),
    ]),
  );
  await forwardExecutable.run({ ...feeds, chosen_queries: chosenQueries(0) }, results);
  await forwardExecutable.release();

  const executable = await engine.compile(step);
  const update = await adamW(engine, { ...layout, decayed: layout.length }, state, {
    beta1: optimizer.beta1,
    beta2: optimizer.beta2,
    epsilon: optimizer.eps,
    weightDecay: optimizer.weight_decay,
  });
  const gradientResults = Object.fromEntries(
    layout.slots.map(({ name }) => [gradientName(name), gradients[name]]),
  );
  let masksEqual = true;
  let gradientError = 0;
  let lossError = 0;
  for (let i = 0; i < optimizer.steps; i++) {
    await executable.run(
      { ...feeds, chosen_queries: chosenQueries(i) },
      { ...gradientResults, loss, hidden },
    );
    masksEqual &&= largestDifference(hidden.data, numbers(`step${i}.loss_mask`)) === 0;
    const expected = numbers('losses')[i];
    lossError = Math.max(lossError, Math.abs(loss.data[0] - expected) / Math.abs(expected));
    if (i === 0) {
      for (const { name } of layout.slots) {
        const gradient = reference('grad', name);
        const scale = Math.max(largestOf(gradient), Number.MIN_VALUE);
        gradientError = Math.max(gradientError, largestDifference(gradients[name].data, gradient) / scale);
      }
    }
    await update.update(i + 1, optimizer.lr, 1);
  }
  await executable.release();
  await update.release();

  const after = Math.max(
    ...layout.slots.map(({ name }) =>
      largestDifference(parameters[name].data, reference(`after${optimizer.steps}`, name)),
    ),
  );
  return {
    masks_equal: masksEqual,
    embedded_max_abs: largestDifference(results.embedded.data, numbers('step0.embedded')),
    latents_max_abs: largestDifference(results.latents.data, numbers('step0.latents_out')),
    logits_max_abs: largestDifference(results.logits.data, numbers('step0.decoder_logits')),
    grad_max_rel: gradientError,
    loss_max_rel: lossError,
    after4_max_abs: after,
  };
}

/** The tolerances stated beside the reference files; parameters after four steps move by at most 4 · lr. */
export const PARITY_TOLERANCES = {
  embedded_max_abs: 1e-5,
  latents_max_abs: 1e-5,
  logits_max_abs: 1e-5,
  grad_max_rel: 1e-4,
  loss_max_rel: 1e-4,
  after4_max_abs: 1e-4,
} as const;

/** Whether all masks are the same and every difference is within its tolerance. */
export const isWithinTolerances = (parity: Parity): boolean =>
  parity.masks_equal &&
  Object.entries(PARITY_TOLERANCES).every(
    ([key, bound]) => parity[key as keyof typeof PARITY_TOLERANCES] <= bound,
  );
