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

/** Per record and token, whether the run's objective hides it; undefined where it hides nothing. Few records are meant. */
export async function hiddenTokens(
  { model, tensors }: Pick<Run, 'model' | 'tensors'>,
  block: TokenBlock,
  seed: number,
): Promise<boolean[][] | undefined> {
  const { maxTokens } = model.spec;
  const batch = packBatch(
    block,
    Array.from({ length: block.count }, (_, record) => record),
    block.count,
    maxTokens,
  );
  const { hidden } = pretrainingGraph(model, batchShape(model, batch.size, maxTokens));
  if (hidden === undefined) return undefined;
  const engine = await nodeEngine({ threads: 1 });
  const executable = await engine.compile({ name: 'masks', outputs: { hidden: cast(hidden, 'float32') } });
  const result = zeros('float32', [batch.size, maxTokens]);
  const feeds = batchFeeds(model, batch, { seed, purpose: 'picture', step: 0, progress: 1 });
  await executable.run({ ...tensors, ...feeds }, { hidden: result });
  await executable.release();
  return Array.from(batch.lengths, (length, row) =>
    Array.from({ length }, (_, i) => result.data[row * maxTokens + i] > 0.5),
  );
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
