/** What a run hides of texts, for pictures. */
import type { RecordBatch } from '../records/record-batch.js';
import type { Run } from '../runs/folder.js';
import { hiddenLetters, hiddenTokens } from '../runs/hidden-tokens.js';

/**
 * Per text and letter, whether the run's objective hides it; undefined where it hides nothing. Texts longer than the
 * tokenizer's limit are cropped.
 */
export async function chosenMasks(
  run: Run,
  column: string,
  texts: readonly string[],
  seed: number,
): Promise<boolean[][] | undefined> {
  const records: RecordBatch = {
    rows: Int32Array.from(texts, (_, row) => row),
    columns: { [column]: { type: 'text', values: texts } },
  };
  const block = run.tokenizer.encode(records);
  const marks = await hiddenTokens(run, block, seed);
  const hidden = marks && run.tokenizer.text ? hiddenLetters(run.tokenizer.text, block, marks) : marks;
  return (
    hidden && texts.map((text, row) => Array.from({ length: text.length }, (_, i) => hidden[row][i] ?? false))
  );
}
