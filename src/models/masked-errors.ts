/** How well a run predicts the parts of a record from the rest of it: what it finds hard is unusual. */

import type { EncodeOptions } from '../encoders/encoder.js';
import { encoderNamed } from '../encoders/index.js';
import { type Engine, type Executable, type HostTensors, networkCompiler } from '../engine/engine.js';
import { KeptPrograms, releaseExecutable } from '../engine/kept-programs.js';
import {
  expand,
  input,
  mean,
  multiply,
  parametersOf,
  reshape,
  sharingLeaves,
  type Value,
  where,
} from '../graph/index.js';
import { type Tokens, tokenFeeds, tokenInputs } from '../layers/token-embedding.js';
import { batchShape, type ModelConfig } from '../learning/model.js';
import { parameterLayout } from '../learning/parameters.js';
import {
  decode,
  hiddenCount,
  type MaskingOptions,
  type Selection,
  selectedMask,
  selectLargest,
  tokenLosses,
} from '../objectives/masked-autoencoding.js';
import { attendedTo } from '../objectives/sma.js';
import { type Batch, blockLengths, lengthSteps, packBatch } from '../records/batch.js';
import type { TokenBlock, TokenSpec } from '../records/token-block.js';
import type { Run } from '../runs/folder.js';
import { permutation, random } from '../tensor/random.js';
import { type HostTensor, hostTensor, zeros } from '../tensor/tensor.js';

/** Records of a whole block that are so few that a batch of as many suits them, and of others. */
const BATCHES = [1, 8, 32];

interface Compiled {
  readonly executable: Executable;
  readonly results: { readonly losses: HostTensor<'float32'>; readonly weights: HostTensor<'float32'> };
}

/** What is hidden: given positions, or what the first attention map attends to, all of it or but for a mosaic. */
type Choice = 'given' | 'attended' | 'mosaic';

/** The errors of a run whose objective predicts hidden tokens from visible ones. `release` frees it. */
export class MaskedErrors {
  private readonly programs = new KeptPrograms<Compiled>(releaseExecutable);
  private readonly buckets: readonly number[];
  /** Whether the encoder has an attention map that can choose what to hide. */
  readonly attends: boolean;

  private constructor(
    private readonly engine: Engine,
    private readonly model: ModelConfig,
    private readonly options: MaskingOptions,
    private readonly tensors: HostTensors,
  ) {
    const { maxTokens, kind } = model.spec;
    this.buckets = kind === 'fields' ? [maxTokens] : lengthSteps(maxTokens);
    this.attends = encoderNamed(model.encoder.kind).attentionMap !== undefined;
  }

  /** Undefined where the run has no decoder of hidden tokens: its objective learned otherwise, or fine-tuning dropped it. */
  static of(engine: Engine, { model, tensors }: Pick<Run, 'model' | 'tensors'>): MaskedErrors | undefined {
    const { masking_ratio, decoder_heads, tied_output } = model.objective;
    if (masking_ratio === undefined || decoder_heads === undefined || tied_output === undefined)
      return undefined;
    const errors = new MaskedErrors(engine, model, { masking_ratio, decoder_heads, tied_output }, tensors);
    const { losses } = errors.graph('given', 1, Math.max(2, model.spec.maxTokens));
    const { slots } = parameterLayout(parametersOf([losses]));
    const fits = slots.every(
      ({ name, shape }) => Object.hasOwn(tensors, name) && tensors[name].shape.join() === shape.join(),
    );
    return fits ? errors : undefined;
  }

  /**
   * The error of each token when it is hidden, float32[tokens of the block]: each token is hidden once, with others of its
   * record as in training, by masks that are the same for all records of one length. Squared error in units of the training
   * variance, or nats. NaN for missing cells, and for the only token of a record.
   */
  async tokenErrors(block: TokenBlock, signal?: AbortSignal): Promise<Float32Array> {
    const errors = new Float32Array(block.offsets[block.count]).fill(Number.NaN);
    await this.eachBatch(block, signal, async (batch, records) => {
      const masks = Array.from(batch.lengths, (length) => this.masksOf(length));
      const k = this.most('given', batch.tokens).hidden;
      const passes = Math.max(...masks.map(({ length }) => length));
      for (let pass = 0; pass < passes; pass++) {
        const feeds = givenFeeds(
          batch,
          masks.map((mask) => mask[pass] ?? []),
          k,
        );
        const { losses, weights } = await this.run('given', batch, feeds);
        records.forEach((record, row) => {
          (masks[row][pass] ?? []).forEach((position, i) => {
            const at = row * k + i;
            if (weights.data[at] > 0) errors[block.offsets[record] + position] = losses.data[at];
          });
        });
      }
    });
    return errors;
  }

  /**
   * The mean error of the tokens that attention goes to most when all of these are hidden together, float32[block.count]; NaN
   * for a record without any. Undefined for an encoder without an attention map.
   *
   * After EAR, excision and recovery (Park et al., 2023), which knows its one mask from a pretrained model's attention and so
   * scores a record in one pass. Departures: the map is the encoder's own first one, summed over its heads and rows; what is
   * hidden is the training's share of the tokens; nothing hints at what was hidden, where EAR leaves a mosaic: for that see
   * {@link recoveredErrors}.
   */
  async attendedErrors(block: TokenBlock, signal?: AbortSignal): Promise<Float32Array | undefined> {
    if (!this.attends) return undefined;
    return this.meanErrors('attended', block, signal);
  }

  /** Whether there is {@link recoveredErrors}: of images, by an encoder with an attention map. */
  get recovers(): boolean {
    const { spec } = this.model;
    return this.attends && spec.kind === 'continuous' && spec.grid !== undefined;
  }

  /**
   * As {@link attendedErrors}, but the encoder is shown a mosaic of what is hidden, each patch in its mean colour, and so also
   * where and how bright it is: EAR with its hint. Departures beside those: a network that learned to fill in without a hint, for one that is
   * trained to recover normal images from mosaics; a tile of the mosaic is a patch.
   */
  async recoveredErrors(block: TokenBlock, signal?: AbortSignal): Promise<Float64Array> {
    if (!this.recovers) throw new Error('no images, or no attention map');
    return Float64Array.from(await this.meanErrors('mosaic', block, signal));
  }

  private async meanErrors(
    choice: 'attended' | 'mosaic',
    block: TokenBlock,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    const errors = new Float32Array(block.count).fill(Number.NaN);
    await this.eachBatch(block, signal, async (batch, records) => {
      const { losses, weights } = await this.run(choice, batch, this.attendedFeeds(batch));
      const k = losses.shape[1];
      records.forEach((record, row) => {
        let [sum, total] = [0, 0];
        for (let i = row * k; i < (row + 1) * k; i++) {
          sum += weights.data[i] * losses.data[i];
          total += weights.data[i];
        }
        if (total > 0) errors[record] = sum / total;
      });
    });
    return errors;
  }

  release(): Promise<void> {
    return this.programs.release();
  }

  private async eachBatch(
    block: TokenBlock,
    signal: AbortSignal | undefined,
    visit: (batch: Batch, records: readonly number[]) => Promise<void>,
  ): Promise<void> {
    const size = BATCHES.find((size) => size >= block.count) ?? BATCHES[BATCHES.length - 1];
    const lengths = blockLengths(block);
    const order = Array.from(lengths.keys()).sort((a, b) => lengths[b] - lengths[a] || a - b);
    for (let start = 0; start < order.length; start += size) {
      signal?.throwIfAborted();
      const records = order.slice(start, start + size);
      const tokens = this.buckets.find((bucket) => lengths[records[0]] <= bucket)!;
      await visit(packBatch(block, records, size, tokens), records);
    }
  }

  /** How often a record of some length is encoded for each of its tokens to be hidden once: never where it has but one. */
  private passesOf(length: number): number {
    const hidden = hiddenCount(this.model.spec, length, this.options.masking_ratio);
    return hidden === 0 ? 0 : Math.max(2, Math.round(length / hidden));
  }

  /** The positions that each pass hides of a record of some length, which together are all of them. */
  private masksOf(length: number): Int32Array[] {
    const passes = this.passesOf(length);
    const order = permutation(length, random(0, 'masks of all tokens', length, 0));
    const from = (pass: number) => Math.ceil((pass * length) / passes);
    return Array.from({ length: passes }, (_, pass) => order.slice(from(pass), from(pass + 1)));
  }

  /** The most tokens of a record that one pass hides, and that it leaves visible. */
  private most(choice: Choice, tokens: number): { hidden: number; visible: number } {
    let [most, visible] = [1, 1];
    for (let length = 2; length <= tokens; length++) {
      const share = length / this.passesOf(length);
      const chosen = hiddenCount(this.model.spec, length, this.options.masking_ratio);
      most = Math.max(most, choice === 'given' ? Math.ceil(share) : chosen);
      visible = Math.max(visible, length - (choice === 'given' ? Math.floor(share) : chosen));
    }
    return { hidden: most, visible };
  }

  private attendedFeeds(batch: Batch): HostTensors {
    const { spec } = this.model;
    const { size, tokens, lengths } = batch;
    const { heads, queries, tokensAsk } = batchShape(this.model, size, tokens).attentionMap!;
    const asking = new Float32Array(size * heads * queries);
    const k = this.most('attended', tokens).hidden;
    const used = new Float32Array(size * k);
    for (let row = 0; row < size; row++) {
      const own = tokensAsk ? lengths[row] : queries;
      for (let head = 0; head < heads; head++) {
        const start = (row * heads + head) * queries;
        asking.fill(1, start, start + own);
      }
      used.fill(1, row * k, row * k + hiddenCount(spec, lengths[row], this.options.masking_ratio));
    }
    return {
      asking: hostTensor('float32', [size, heads, queries], asking),
      used: hostTensor('float32', [size, k], used),
    };
  }

  private async run(choice: Choice, batch: Batch, feeds: HostTensors): Promise<Compiled['results']> {
    const { executable, results } = await this.compiled(choice, batch.size, batch.tokens);
    await executable.run({ ...tokenFeeds(batch), ...feeds }, results);
    return results;
  }

  private graph(choice: Choice, size: number, tokens: number): { losses: Value; weights: Value } {
    const { spec, encoder } = this.model;
    return sharingLeaves(() => {
      const read = tokenInputs(spec, size, tokens);
      const { hidden: k, visible } = this.most(choice, tokens);
      const used = input('used', 'float32', [size, k]);
      let selection: Selection | undefined;
      const choose = (attention: Value | undefined) => {
        selection =
          choice === 'given' || attention === undefined
            ? { positions: input('positions', 'int32', [size, k]), used }
            : selectLargest(
                attendedTo(
                  {},
                  attention,
                  input('asking', 'float32', attention.shape.slice(0, 3).map(Number)),
                ),
                read,
                used,
              );
        return selectedMask(selection, read);
      };
      const encode = (tokens: Tokens, how: EncodeOptions) =>
        encoderNamed(encoder.kind).encode(spec, tokens, encoder, how);
      const blind = encode(read, { hiding: { choose, visible } });
      const { positions } = selection!;
      const encoding =
        choice === 'mosaic'
          ? encode({ ...read, values: mosaic(spec, read, selectedMask(selection!, read)) }, {})
          : blind;
      const { decoder_heads: heads, tied_output: tied } = this.options;
      const predicted = decode(spec, encoding, positions, { heads, tied });
      const { loss, scored } = tokenLosses(spec, read, positions, predicted);
      return { losses: loss, weights: scored ? multiply(used, scored) : used };
    });
  }

  private compiled(choice: Choice, size: number, tokens: number): Promise<Compiled> {
    const key = `${choice} ${size} ${tokens}`;
    return this.programs.of(key, async () => {
      const outputs = this.graph(choice, size, tokens);
      const names = parametersOf([outputs.losses]).map(({ name }) => name);
      const parameters = Object.fromEntries(names.map((name) => [name, this.tensors[name]]));
      const shape = outputs.losses.shape.map(Number);
      const program = { name: `${choice} errors`, outputs };
      const executable = await networkCompiler(this.engine).compile(program, { parameters });
      return { executable, results: { losses: zeros('float32', shape), weights: zeros('float32', shape) } };
    });
  }
}

/**
 * float32[batch, tokens, channels]: the patches of images, those that are `hidden` bool[batch, tokens] in their mean colour.
 * @internal
 */
export function mosaic(spec: TokenSpec, { values }: Tokens, hidden: Value): Value {
  if (spec.kind !== 'continuous' || !spec.grid || !values) throw new Error('a mosaic is of images');
  const [batch, tokens, channels] = values.shape.map(Number);
  const pixels = spec.grid.patch ** 2;
  const shape = [batch, tokens, pixels, channels / pixels];
  const tiles = expand(mean(reshape(values, shape), [2], { keepSizes: true }), shape);
  return where(reshape(hidden, [batch, tokens, 1]), reshape(tiles, values.shape), values);
}

/** The given positions of each row, in places of which the rest is filled up with others that are not used. */
function givenFeeds({ size, tokens }: Batch, masks: readonly ArrayLike<number>[], k: number): HostTensors {
  const positions = new Int32Array(size * k);
  const used = new Float32Array(size * k);
  masks.forEach((mask, row) => {
    const taken = new Set(Array.from(mask));
    positions.set(mask, row * k);
    used.fill(1, row * k, row * k + mask.length);
    for (let i = mask.length, other = tokens - 1; i < k; other--) {
      if (!taken.has(other)) positions[row * k + i++] = other;
    }
  });
  return {
    positions: hostTensor('int32', [size, k], positions),
    used: hostTensor('float32', [size, k], used),
  };
}
