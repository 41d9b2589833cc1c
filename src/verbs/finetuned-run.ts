/** The folder that a fine-tuning leaves: a run like any other, with a head in its checkpoint. */

import type { FinetuningSettings } from '../config/defaults.js';
import type { Config, FinetuneOptions } from '../config/schema.js';
import type { LabelledData } from '../datasets/labelled-data.js';
import { type Engine, versionsOn } from '../engine/engine.js';
import type { LabelledTrainer } from '../finetuning/labelled-training.js';
import type { Trained } from '../finetuning/train-to-best.js';
import { AUXILIARY } from '../finetuning/tunings/index.js';
import { saveCheckpoint } from '../runs/checkpoints.js';
import { type Run, writeRunJson } from '../runs/folder.js';
import { LearnedRecordsWriter, readLearnedRecords } from '../runs/learned-records.js';
import { runHash } from '../runs/recorded-pretraining.js';
import type { LabelSpec } from '../scoring/labels.js';
import { version } from '../version.js';
import { readingOf, schemaRead } from './labelled-file.js';

/** The parameters of the run that is written, and how they came about. */
export interface Kept {
  readonly trained: Trained;
  readonly trainer: LabelledTrainer;
  readonly settings: FinetuningSettings;
  readonly members: LabelledData['members'];
}

/** A run like any other, with a head in its checkpoint and labels.json beside it. */
export async function writeFinetunedRun(
  out: string,
  run: Run,
  spec: LabelSpec,
  {
    targets,
    config,
    kept,
    engine,
  }: { targets: readonly string[]; config: FinetuneOptions; kept: Kept; engine: Engine },
): Promise<void> {
  const { trained, trainer, settings } = kept;
  const { kind: tuning, ...tuningOptions } = settings.tuning;
  const { kind: regularizer, ...regularizerOptions } = settings.regularizer ?? {};
  const resolved: Config = {
    ...run.config,
    finetune: {
      ...config,
      target: [...targets],
      seeds: settings.seeds,
      steps: settings.steps,
      batch_size: settings.batchSize,
      learning_rate: settings.learningRate,
      weight_decay: settings.weightDecay,
      clip_norm: settings.clipNorm,
      head: settings.head,
      tuning,
      ...tuningOptions,
      ...(regularizer && { regularizer, ...regularizerOptions }),
      validations: settings.validations,
      ...(settings.patience !== undefined && { patience: settings.patience }),
      ...settings.dropout,
      device: engine.device && 'webgpu',
    },
    versions: versionsOn(engine, run.config.versions),
  };
  await trainer.trainer.setParameters(trained.parameters);
  const parameters = Object.fromEntries(
    Object.entries(trainer.trainer.parameters).filter(([name]) => !name.startsWith(AUXILIARY)),
  );
  await writeRunJson(out, 'tokenizer', run.tokenizer.toJSON());
  const schema = schemaRead(readingOf([run]), config);
  if (schema) await writeRunJson(out, 'schema', schema);
  await writeRunJson(out, 'labels', { spec, scale: trainer.scale });
  await saveCheckpoint(out, {
    step: trained.step,
    tensors: parameters,
    metadata: { epoch: 0, position: trained.step, config_hash: runHash(resolved), version },
  });
  await writeRunJson(out, 'config', resolved);
}

/** What the new run learned from: what the pretrained one did, and the training records. Not written where the first does not tell. */
export async function writeLearned(
  out: string,
  pretrained: Run | undefined,
  hashes: LabelledData['hashes'],
  train: Int32Array,
): Promise<void> {
  const before = pretrained && (await readLearnedRecords(pretrained.folder));
  if (pretrained && !before) return;
  const learned = new LearnedRecordsWriter(before);
  learned.add(hashes, train);
  await learned.write(out);
}
