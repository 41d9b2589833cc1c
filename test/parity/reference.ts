/** A file of numbers from another implementation of SMA; `test/fixtures/make-sma-reference.py` says what is in it. */
import { decodeSafetensors } from '../../src/tensor/safetensors.js';

/** The sizes of the reference's model, under its own names. */
export interface ReferenceConfig {
  /** `self_attention` where the tokens take the place of the latents, which have these sizes of their own. */
  encoder?: 'self_attention';
  latents: number;
  embed: number;
  cross_heads: number;
  width: number;
  /** Those after the first. */
  layers: number;
  heads: number;
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
  head_aggregation?: 'mean' | 'random_mix';
  mask_self?: boolean;
  select_initial_ratio?: number;
  schedule?: { max_steps: number; length: number; start: number };
}

export interface OptimizerConfig {
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
function referenceNames(
  names: Iterable<string>,
  { encoder }: ReferenceConfig,
): Map<string, { name: string; transposed: boolean }> {
  const result = new Map<string, { name: string; transposed: boolean }>();
  const place = (path: string): { prefix: string; module: string } | undefined => {
    const preprocessor = 'perceiver.input_preprocessor.';
    const decoder = 'teacher.reconstruction_decoder.';
    const blocks: [RegExp, (match: RegExpMatchArray) => string][] = [
      [
        /^perceiver\.encoder\.cross_attention\.(.+)$/,
        () => (encoder ? 'encoder.first_layer.' : 'encoder.cross_attention.'),
      ],
      [
        /^perceiver\.encoder\.self_attends\.(\d+)\.(.+)$/,
        // A transformer counts its first layer.
        (match) => `encoder.layers.${Number(match[1]) + (encoder ? 1 : 0)}.`,
      ],
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

/** A reference file, opened. */
export interface Reference {
  readonly path: string;
  readonly sizes: ReferenceConfig;
  readonly optimizer: OptimizerConfig;
  /** Whether the decoder has an output layer of its own. */
  readonly untied: boolean;
  /** A tensor under the reference's own name. Throws Error where there is none. */
  numbers(name: string): Float32Array;
  /** What the reference has for a parameter of ours under a prefix, such as `grad`, laid out as ours is. */
  counterpart(prefix: string, name: string): Float32Array;
}

/** Throws Error when the file's parameters are not ours. */
export function openReference(bytes: Uint8Array, path: string): Reference {
  const { tensors, metadata } = decodeSafetensors(bytes, path);
  const sizes = JSON.parse(metadata.config) as ReferenceConfig;
  const ours = referenceNames(
    Object.keys(tensors).flatMap((name) => (name.startsWith('param.') ? [name.slice('param.'.length)] : [])),
    sizes,
  );
  const numbers = (name: string): Float32Array => {
    const tensor = tensors[name];
    if (tensor === undefined) throw new Error(`${path}: tensor ${name} is missing`);
    return tensor.data instanceof Float32Array ? tensor.data : Float32Array.from(tensor.data, Number);
  };
  return {
    path,
    sizes,
    optimizer: JSON.parse(metadata.optimizer) as OptimizerConfig,
    untied: 'param.teacher.reconstruction_decoder.final_project.weight' in tensors,
    numbers,
    counterpart(prefix, name) {
      const found = ours.get(name);
      if (found === undefined) throw new Error(`${path}: nothing there corresponds to our parameter ${name}`);
      const key = `${prefix}.${found.name}`;
      return found.transposed ? transposed(numbers(key), tensors[key].shape) : numbers(key);
    },
  };
}
