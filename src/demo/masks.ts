/** What a run hides: its choice on given records, for pictures. */
import { nodeEngine } from '../engine/node.js';
import { cast } from '../graph/index.js';
import { batchShape, pretrainingGraph } from '../learning/model.js';
import { batchFeeds } from '../learning/self-supervision.js';
import { packBatch } from '../records/batch.js';
import type { RecordBatch } from '../records/record-batch.js';
import type { Run } from '../runs/folder.js';
import { zeros } from '../tensor/tensor.js';

/**
 * Per text and token, whether the run's objective hides it; undefined where it hides nothing. Texts longer than the
 * tokenizer's limit are cropped.
 */
export async function chosenMasks(
  run: Run,
  column: string,
  texts: readonly string[],
  seed: number,
): Promise<boolean[][] | undefined> {
  const { model, tokenizer, tensors } = run;
  const records: RecordBatch = {
    rows: Int32Array.from(texts, (_, row) => row),
    columns: { [column]: { type: 'text', values: texts } },
  };
  const block = tokenizer.encode(records);
  const { maxTokens } = tokenizer.spec;
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
  return texts.map((text, row) =>
    Array.from({ length: text.length }, (_, i) => i < maxTokens && result.data[row * maxTokens + i] > 0.5),
  );
}
