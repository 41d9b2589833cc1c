/** What the pretrained objectives of a task hide of a few of its texts, as data for pictures. */
import { join } from 'node:path';
import { chosenMasks } from '../demo/masks.js';
import type { Cell, MaskExample } from '../report/results.js';
import { hasConfig, openRun } from '../runs/folder.js';
import type { Session } from './suite.js';

const EXAMPLES = 4;
/** Characters: long enough to show a pattern, short enough to be read in a picture. */
const LENGTHS = { least: 18, most: 80 };

/**
 * The first different texts of moderate length, none longer than `maxTokens`.
 * @internal
 */
export const moderateTexts = (texts: readonly string[], maxTokens: number): string[] => {
  const most = Math.min(LENGTHS.most, maxTokens);
  const moderate = texts.filter(({ length }) => length >= LENGTHS.least && length <= most);
  return [...new Set(moderate)].slice(0, EXAMPLES);
};

/**
 * Masks of the first validation texts of moderate length, once for each objective that pretrained an encoder of the task's
 * cells: where variants share an objective, the first; objectives that hide nothing are left out. None where records are no texts or all are longer. `folder` is
 * that of the pretrained encoders; one that is no longer there is passed over.
 */
export async function maskExamples(
  { task, tokenizer, texts }: Pick<Session, 'task' | 'tokenizer' | 'texts'>,
  folder: string,
  cells: readonly Cell[],
): Promise<MaskExample[]> {
  if (tokenizer.spec.kind !== 'discrete') return [];
  const used = new Set(cells.filter((cell) => cell.task === task.name).map((cell) => cell.pretraining));
  used.delete(undefined);
  if (used.size === 0) return [];
  const chosen = moderateTexts(await texts('valid'), tokenizer.spec.maxTokens);
  if (chosen.length === 0) return [];
  const masks = new Map<string, boolean[][]>();
  for (const name of used) {
    const path = join(folder, name as string);
    if (!(await hasConfig(path))) continue;
    const run = await openRun(path);
    const { kind } = run.config.objective;
    const hidden = masks.has(kind) ? undefined : await chosenMasks(run, tokenizer.columns[0], chosen, 0);
    if (hidden) masks.set(kind, hidden);
  }
  return chosen.flatMap((text, i) =>
    [...masks].map(([objective, hidden]) => ({ text, objective, hidden: hidden[i] })),
  );
}
