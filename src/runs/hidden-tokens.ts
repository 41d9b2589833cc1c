/** What a run hides of given records at this moment. */
import { nodeEngine } from '../engine/node.js';
import { cast } from '../graph/index.js';
import { batchShape, pretrainingGraph } from '../learning/model.js';
import { batchFeeds } from '../learning/self-supervision.js';
import { packBatch } from '../records/batch.js';
import type { TokenBlock } from '../records/token-block.js';
import { zeros } from '../tensor/tensor.js';
import type { TokenizedText } from '../tokenizers/index.js';
import type { Run } from './folder.js';

/** Records of which the masks are computed at a time. */
const BATCH = 64;

/** Per record and token, whether the run's objective hides it; undefined where it hides nothing. */
export async function hiddenTokens(
  { model, tensors }: Pick<Run, 'model' | 'tensors'>,
  block: TokenBlock,
  seed: number,
  signal?: AbortSignal,
): Promise<boolean[][] | undefined> {
  const { maxTokens } = model.spec;
  const size = Math.min(BATCH, block.count);
  const { hidden } = pretrainingGraph(model, batchShape(model, size, maxTokens));
  if (hidden === undefined) return undefined;
  const engine = await nodeEngine({ threads: 1 });
  const executable = await engine.compile({ name: 'masks', outputs: { hidden: cast(hidden, 'float32') } });
  const result = zeros('float32', [size, maxTokens]);
  const marks: boolean[][] = [];
  try {
    while (marks.length < block.count) {
      signal?.throwIfAborted();
      const own = Math.min(size, block.count - marks.length);
      const records = Array.from({ length: own }, (_, i) => marks.length + i);
      const batch = packBatch(block, records, size, maxTokens);
      const feeds = batchFeeds(model, batch, { seed, purpose: 'picture', step: 0, progress: 1 });
      await executable.run({ ...tensors, ...feeds }, { hidden: result });
      for (let row = 0; row < own; row++)
        marks.push(
          Array.from({ length: batch.lengths[row] }, (_, i) => result.data[row * maxTokens + i] > 0.5),
        );
    }
  } finally {
    await executable.release();
  }
  return marks;
}

/** Per record of a block and letter of its text, whether the token in which the letter begins is hidden. */
export const hiddenLetters = (
  text: TokenizedText,
  { ids, offsets }: TokenBlock,
  hidden: readonly (readonly boolean[])[],
): boolean[][] =>
  hidden.map((marks, record) =>
    marks.flatMap((mark, i) => Array(text.letters(ids![offsets[record] + i])).fill(mark)),
  );
