/** The states of a frozen encoder, one for each token. */
import { encoderNamed } from '../encoders/index.js';
import { type Engine, type Executable, type HostTensors, networkCompiler } from '../engine/engine.js';
import { KeptPrograms, releaseExecutable } from '../engine/kept-programs.js';
import { InputError } from '../errors.js';
import { input, logicalNot, staticSize, type Value } from '../graph/index.js';
import { tokenFeeds, tokenInputs } from '../layers/token-embedding.js';
import type { ModelConfig } from '../learning/model.js';
import { hiddenInView } from '../learning/monitors.js';
import { blockLengths, lengthSteps, packBatch } from '../records/batch.js';
import type { TokenBlock } from '../records/token-block.js';
import { type HostTensor, zeros } from '../tensor/tensor.js';

const BATCH = 32;

interface Compiled {
  readonly executable: Executable;
  readonly results: { readonly states: HostTensor<'float32'> };
}

/** Programs that give token states, each compiled when its length first comes. `release` frees them. */
export class TokenStates {
  readonly width: number;
  private readonly programs = new KeptPrograms<Compiled>(releaseExecutable);

  /** Throws InputError where the encoder has no state for each token. */
  constructor(
    private readonly engine: Engine,
    private readonly model: ModelConfig,
    private readonly parameters: HostTensors,
  ) {
    this.width = staticSize(this.graph(1, 2, 0).shape[2]);
  }

  /**
   * float32[tokens of the block, width], in the block's order. In view 0 every token reads all others; in any other a fifth of a
   * record's, drawn by the view, is read by none. Throws InputError for such a view of an encoder that does not attend.
   */
  async of(block: TokenBlock, view = 0, signal?: AbortSignal): Promise<Float32Array> {
    const { width } = this;
    const { spec } = this.model;
    const states = new Float32Array(block.offsets[block.count] * width);
    const lengths = blockLengths(block);
    const buckets = spec.kind === 'fields' ? [spec.maxTokens] : lengthSteps(spec.maxTokens);
    const order = Array.from(lengths.keys()).sort((a, b) => lengths[b] - lengths[a] || a - b);
    for (let start = 0; start < order.length; start += BATCH) {
      signal?.throwIfAborted();
      const records = order.slice(start, start + BATCH);
      const tokens = buckets.find((bucket) => lengths[records[0]] <= bucket)!;
      const batch = packBatch(block, records, BATCH, tokens);
      const { executable, results } = await this.compiled(tokens, view);
      const hidden = view > 0 && { hidden: hiddenInView(spec, batch, 0, view) };
      await executable.run({ ...tokenFeeds(batch), ...hidden }, results);
      records.forEach((record, row) => {
        const first = row * tokens * width;
        states.set(
          results.states.data.subarray(first, first + lengths[record] * width),
          block.offsets[record] * width,
        );
      });
    }
    return states;
  }

  release(): Promise<void> {
    return this.programs.release();
  }

  private graph(size: number, count: number, view: number): Value {
    const { spec, encoder } = this.model;
    const tokens = tokenInputs(spec, size, count);
    const readable = view > 0 && { readable: logicalNot(input('hidden', 'bool', [size, count])) };
    const { tokenStates } = encoderNamed(encoder.kind).encode(spec, tokens, encoder, { ...readable });
    if (tokenStates) return tokenStates;
    throw new InputError(
      `the encoder ${encoder.kind} has no state for each token, and parts are compared by such; use a run of --encoder transformer`,
    );
  }

  private compiled(tokens: number, view: number): Promise<Compiled> {
    const key = `${tokens} ${view > 0}`;
    return this.programs.of(key, async () => {
      const program = { name: 'token states', outputs: { states: this.graph(BATCH, tokens, view) } };
      const executable = await networkCompiler(this.engine).compile(program, { parameters: this.parameters });
      return { executable, results: { states: zeros('float32', [BATCH, tokens, this.width]) } };
    });
  }
}
