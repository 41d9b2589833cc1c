import { alone, type Ranks } from '../cluster/ranks.js';
import { tokenFeeds } from '../layers/token-embedding.js';
import type { Trainer } from '../learning/trainer.js';
import { epochOrder, packBatch } from '../records/batch.js';
import type { TokenBlock } from '../records/token-block.js';
import { labelOffsets } from '../scoring/label-rows.js';
import type { LabelSpec } from '../scoring/labels.js';
import { type LabelScale, unscaleLabel } from './label-scale.js';

/** float64[rows, outputs] in record order, a row for each record or token (see `labelOffsets`), regression in the label's own units. */
export async function predictBlock(
  trainer: Pick<Trainer, 'evaluate'>,
  block: TokenBlock,
  options: {
    spec: LabelSpec;
    scale: LabelScale;
    batchSize: number;
    buckets: readonly number[];
    /** Processes that do it together, and all have the result. */
    ranks?: Ranks;
  },
): Promise<Float64Array> {
  const { spec, scale, batchSize, buckets, ranks = alone } = options;
  const { outputs: width } = spec;
  const offsets = labelOffsets(spec, block);
  const predicted = new Float64Array(offsets[block.count] * width);
  const plans = epochOrder(block, { seed: 0, epoch: 0, blockIndex: 0, batchSize, buckets, dropLast: false });
  for (const [index, { records, tokens }] of plans.entries()) {
    if (index % ranks.size !== ranks.rank) continue;
    const { outputs } = await trainer.evaluate(
      tokens,
      tokenFeeds(packBatch(block, records, batchSize, tokens)),
    );
    const perRecord = outputs.data.length / batchSize;
    records.forEach((record, row) => {
      const start = offsets[record] * width;
      const numbers = offsets[record + 1] * width - start;
      for (let i = 0; i < numbers; i++) {
        const value = Number(outputs.data[row * perRecord + i]);
        predicted[start + i] = spec.task === 'regression' ? unscaleLabel(scale, i, value) : value;
      }
    });
  }
  await ranks.sum(predicted);
  return predicted;
}
