/** Records with some of their tokens hidden, as a frozen encoder embeds them. */
import { type Engine, type HostTensors, networkCompiler } from '../engine/engine.js';
import { tokenFeeds } from '../layers/token-embedding.js';
import type { ModelConfig } from '../learning/model.js';
import { hiddenInView, monitoringGraph } from '../learning/monitors.js';
import { blockLengths, packBatch } from '../records/batch.js';
import type { TokenBlock } from '../records/token-block.js';
import { zeros } from '../tensor/tensor.js';

const BATCH = 32;

/**
 * float32[block.count, width] for each of `count` views, in each of which other tokens are hidden, a fifth of a record's.
 * Stops between two batches by throwing when the signal aborts.
 */
export async function embedViews(
  engine: Engine,
  model: ModelConfig,
  { parameters, block, count }: { parameters: HostTensors; block: TokenBlock; count: number },
  signal?: AbortSignal,
): Promise<Float32Array[]> {
  const { width } = model.encoder;
  const tokens = blockLengths(block).reduce((longest, length) => Math.max(longest, length), 1);
  const program = { name: 'views', outputs: { embedding: monitoringGraph(model, BATCH, tokens) } };
  const executable = await networkCompiler(engine).compile(program, { parameters });
  try {
    const views = Array.from({ length: count }, () => new Float32Array(block.count * width));
    const results = { embedding: zeros('float32', [BATCH, width]) };
    for (let first = 0; first < block.count; first += BATCH) {
      const length = Math.min(BATCH, block.count - first);
      const batch = packBatch(
        block,
        Int32Array.from({ length }, (_, i) => first + i),
        BATCH,
        tokens,
      );
      for (const [i, view] of views.entries()) {
        signal?.throwIfAborted();
        const hidden = hiddenInView(model.spec, batch, 0, i + 1);
        await executable.run({ ...tokenFeeds(batch), hidden }, results);
        view.set(results.embedding.data.subarray(0, length * width), first * width);
      }
    }
    return views;
  } finally {
    await executable.release();
  }
}
