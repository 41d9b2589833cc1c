/** What a fine-tuned run predicts, as its labels.json keeps it. */
import { z } from 'zod';
import { InputError } from '../errors.js';
import { type LabelScale, labelScaleSchema } from '../finetuning/label-scale.js';
import { type LabelSpec, labelSpecSchema } from '../scoring/labels.js';
import { hasFile, readRunJson, runFile } from './folder.js';

/** Labels, and the way back to them from what a network learned of them. */
export interface LearnedLabels {
  readonly spec: LabelSpec;
  readonly scale: LabelScale;
}

const labelsSchema = z.object({ spec: labelSpecSchema, scale: labelScaleSchema });

/** What labels.json of a fine-tuned run or its export holds, or undefined for a run without it. Throws InputError when it is not whole. */
export async function readLabels(folder: string): Promise<LearnedLabels | undefined> {
  if (!(await hasFile(folder, 'labels'))) return undefined;
  const result = labelsSchema.safeParse(await readRunJson(folder, 'labels'));
  if (result.success) return result.data;
  throw new InputError(
    `${runFile(folder, 'labels')}: is not what finetune writes: ${result.error.issues[0].message}; of an export of what fit left, name the folder that fit left`,
  );
}
