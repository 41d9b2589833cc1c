/** Records into embeddings with a frozen encoder: the encoder's forward pass alone, its weights fixed in the program. */
import { type Engine, type Executable, type HostTensors, networkCompiler } from '../engine/engine.js';
import { KeptPrograms, releaseExecutable } from '../engine/kept-programs.js';
import type { Program } from '../graph/index.js';
import { tokenFeeds } from '../layers/token-embedding.js';
import { encoderGraph, encoderLayout, type ModelConfig } from '../learning/model.js';
import { initializeParameters, matchParameters, parameterViews } from '../learning/parameters.js';
import { blockLengths, bucketLengths, lengthSteps, packBatch } from '../records/batch.js';
import type { TokenBlock } from '../records/token-block.js';
import { type HostTensor, zeros } from '../tensor/tensor.js';

type EncoderModel = Pick<ModelConfig, 'spec' | 'encoder'>;

/** The encoder as it was before any training: the baseline of every evaluation. */
export function untrainedParameters(model: EncoderModel, seed: number): HostTensors {
  const layout = encoderLayout(model);
  return parameterViews(layout, initializeParameters(layout, seed));
}

/** The encoder's parameters among all that a checkpoint holds. Throws InputError, starting with `origin`, listing what does not fit. */
export function encoderParameters(model: EncoderModel, tensors: HostTensors, origin: string): HostTensors {
  const { slots } = encoderLayout(model);
  const found = Object.fromEntries(
    slots.filter(({ name }) => Object.hasOwn(tensors, name)).map(({ name }) => [name, tensors[name]]),
  );
  matchParameters(slots, found, origin);
  return found;
}

/** Batch lengths beside the longest: each is one more program to compile, and saves padding. */
const BUCKETS = 8;

/** Tokens per run, which keep a run's memory in tens of megabytes and its overhead small; a device has more of both. */
const TOKENS_PER_BATCH = { cpu: 2048, device: 16_384 };
const MAX_BATCH = { cpu: 64, device: 512 };

/** Records of a whole block that are so few that a batch of as many suits them. */
const FEW = [1, 8];

interface Compiled {
  readonly executable: Executable;
  /** float32[batch, width], written by each run. */
  readonly results: { readonly embedding: HostTensor<'float32'> };
  readonly batch: number;
}

/** Embeds blocks of one tokenizer. Programs are compiled when their length first comes; `release` frees them. */
export class Embedder {
  /** Numbers in one embedding. */
  readonly width: number;
  private readonly programs = new KeptPrograms<Compiled>(releaseExecutable);
  private buckets: readonly number[] = [];

  /** `parameters` are those of `encoderParameters` or `untrainedParameters`. */
  constructor(
    private readonly engine: Engine,
    private readonly model: EncoderModel,
    private readonly parameters: HostTensors,
  ) {
    this.width = model.encoder.width;
  }

  /** float32[block.count, width], in the block's order. Stops between two batches by throwing when the signal aborts. */
  async embed(block: TokenBlock, signal?: AbortSignal): Promise<Float32Array> {
    const { width } = this;
    const embeddings = new Float32Array(block.count * width);
    const lengths = blockLengths(block);
    const buckets = this.bucketsFor(lengths);
    const order = longestFirst(lengths);
    for (let start = 0; start < order.length; ) {
      signal?.throwIfAborted();
      const tokens = buckets.find((bucket) => lengths[order[start]] <= bucket)!;
      const { executable, results, batch: size } = await this.compiled(tokens, block.count);
      const records = order.subarray(start, start + size);
      await executable.run(tokenFeeds(packBatch(block, records, size, tokens)), results);
      for (let row = 0; row < records.length; row++) {
        embeddings.set(results.embedding.data.subarray(row * width, (row + 1) * width), records[row] * width);
      }
      start += records.length;
    }
    return embeddings;
  }

  release(): Promise<void> {
    return this.programs.release();
  }

  /**
   * A few records, as a service is asked for, have the steps that any length can use. Those that suit the first large block
   * serve the others too: a file's blocks are much alike.
   */
  private bucketsFor(lengths: Int32Array): readonly number[] {
    const { maxTokens } = this.model.spec;
    if (lengths.length <= FEW[FEW.length - 1]) return lengthSteps(maxTokens);
    if (this.buckets.length === 0) this.buckets = this.chooseBuckets(lengths);
    return this.buckets;
  }

  private chooseBuckets(lengths: Int32Array): readonly number[] {
    const { maxTokens } = this.model.spec;
    const buckets = bucketLengths(lengths, maxTokens, BUCKETS);
    return buckets.at(-1) === maxTokens ? buckets : [...buckets, maxTokens];
  }

  private compiled(tokens: number, records: number): Promise<Compiled> {
    const where = this.engine.device ? 'device' : 'cpu';
    const full = Math.min(MAX_BATCH[where], Math.max(1, Math.floor(TOKENS_PER_BATCH[where] / tokens)));
    const batch = FEW.find((size) => records <= size && size <= full) ?? full;
    const key = `${batch} ${tokens}`;
    return this.programs.of(key, () => this.compile(batch, tokens));
  }

  private async compile(batch: number, tokens: number): Promise<Compiled> {
    const { pooled } = encoderGraph(this.model, batch, tokens);
    const program: Program = { name: 'embedding', outputs: { embedding: pooled } };
    const executable = await networkCompiler(this.engine).compile(program, { parameters: this.parameters });
    return { executable, results: { embedding: zeros('float32', [batch, this.width]) }, batch };
  }
}

/** Indices of the longest record to the shortest, so that records of a batch are of about one length. */
function longestFirst(lengths: Int32Array): Int32Array {
  const count = lengths.length;
  const keys = Float64Array.from(lengths, (length, index) => length * count + (count - 1 - index)).sort();
  return Int32Array.from(keys, (_, index) => count - 1 - (keys[count - 1 - index] % count));
}
