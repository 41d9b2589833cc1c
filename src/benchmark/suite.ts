/** What a benchmark is made of: tasks with their data and split, and the methods that are compared on them. */

import type { UserConfig } from '../config/schema.js';
import type { Engine } from '../engine/engine.js';
import type { LabelledTask, TrainingSettings } from '../finetuning/labelled-training.js';
import type { TrainOptions } from '../finetuning/train-to-best.js';
import type { FitData } from '../fit/fit-data.js';
import type { DropoutRates } from '../layers/dropout.js';
import type { ModelConfig } from '../learning/model.js';
import type { Hooks } from '../learning/progress-event.js';
import type { Part } from '../records/split.js';
import type { Run } from '../runs/folder.js';
import type { MetricName, Task } from '../scoring/metrics.js';
import type { TestScore } from '../scoring/parts.js';
import type { Tokenizer } from '../tokenizers/index.js';

/** The folder of published data, and the one that prepared files are kept in. */
export interface DataFolders {
  readonly data: string;
  readonly prepared: string;
}

/** A file that a suite reads, given or made from given ones. */
export interface Dataset {
  readonly name: string;
  /** Given files, relative to the data folder. */
  readonly files: readonly string[];
  /** The file or folder to read. */
  readonly open: (folders: DataFolders) => Promise<{ path: string; removed?: Removed }>;
}

/** Records that were taken out of pretraining data because a held-out part has them. */
export interface Removed {
  readonly records: number;
  readonly of: number;
  /** Compared with what, and how. */
  readonly reason: string;
}

/** What an encoder learns from without labels before it meets a task. */
export interface Pretraining {
  readonly dataset: Dataset;
  /** Data, tokenizer, encoder and training; the objective is the method's. */
  readonly config: UserConfig;
}

/** What a method changes of it: its objective, another encoder, and in an ablation other settings of the objective or the training. */
export type PretrainingChanges = Pick<UserConfig, 'training' | 'encoder'> & {
  readonly objective: NonNullable<UserConfig['objective']>;
};

/** Settings of one labelled training; validation chooses among a task's. */
export interface FinetuningChoice {
  readonly learningRate: number;
  readonly layerDecay: number;
}

export interface Finetuning
  extends Pick<TrainOptions, 'validations' | 'patience'>,
    Pick<TrainingSettings, 'batchSize'> {
  readonly steps: number;
  readonly dropout?: DropoutRates;
  readonly choices: readonly FinetuningChoice[];
}

export interface BenchmarkTask {
  readonly name: string;
  readonly title: string;
  readonly dataset: Dataset;
  readonly targets: readonly string[];
  readonly task: Task;
  readonly metric: MetricName;
  /** The column of the parts; or one for each seed, so that a method without chance has several seeds too. */
  readonly splitColumn?: string | readonly string[];
  /** Text of 0 and 1 for each token: which labels of a per-token task count. */
  readonly maskColumn?: string;
  /** Where the split comes from, and the data, in words. */
  readonly split: string;
  readonly source: string;
  readonly pretraining: Pretraining;
  /** What multiplies the steps of `pretraining`; those of `finetuning` have been multiplied. */
  readonly budget?: number;
  readonly finetuning: Finetuning;
  readonly seeds: number;
  /** Encoders that a method pretrains, each with a seed of its own, and shares out among the task's seeds or folds; 1 by default. */
  readonly pretrainingSeeds?: number;
  readonly methods: readonly Method[];
}

/** A task with one of its split columns. */
export interface SplitTask extends BenchmarkTask {
  readonly splitColumn?: string;
}

export interface Suite {
  readonly name: string;
  readonly title: string;
  readonly tasks: readonly BenchmarkTask[];
}

/** A trained predictor: validation has been looked at, test not yet. */
export interface Fitted {
  readonly valid: number;
  /** What validation chose inside the method. */
  readonly chosen: Readonly<Record<string, number>>;
  /** Processor time of what it shares with an earlier cell, in seconds; 0 by default. */
  readonly earlierSeconds?: number;
  score(options: { resamples: number }): Promise<TestScore>;
}

/** What a method is given: the records as tokens, test labels sealed, and the means to train. */
export interface Session {
  readonly task: SplitTask;
  readonly labelled: LabelledTask;
  /** The same records as `fit` parts them, or in so many folds. */
  readonly fitData: (folds?: number) => Promise<FitData>;
  readonly tokenizer: Tokenizer;
  /** The text column of the records, where they are texts, in the order of each part's block. */
  readonly texts: (part: Part) => Promise<readonly string[]>;
  readonly model: Pick<ModelConfig, 'spec' | 'encoder'>;
  readonly engine: Engine;
  readonly hooks: Hooks;
  /** Tells the progress of a training of so many steps, or of several one after the other. */
  readonly onStep: (steps: number, trainings?: number) => TrainOptions['onStep'];
  /** The encoder that was pretrained so for the task, pretrained now if it was not yet. */
  readonly pretrained: (changes: PretrainingChanges) => Promise<Run>;
  /** The same with another encoder than the task's. */
  readonly withEncoder: (encoder: NonNullable<UserConfig['encoder']>) => Promise<Session>;
  /** Something made once and shared by the cells of a task, such as compiled programs or embeddings. */
  readonly shared: <T>(
    key: string,
    make: () => Promise<T>,
    release?: (made: T) => Promise<void>,
  ) => Promise<T>;
}

export interface Method {
  readonly name: string;
  /** One sentence for people. */
  readonly description: string;
  /** Whether chance plays a part, so that several seeds say more than one. */
  readonly random: boolean;
  /** What of its task's settings its scores depend on: when those change, they are computed anew. */
  readonly uses: readonly ('encoder' | 'finetuning')[];
  /** What it changes of the task's pretraining, where it starts from a pretrained encoder. */
  readonly pretraining?: PretrainingChanges;
  /** Its own settings, as plain data. */
  readonly config: unknown;
  /** Settings that the first seed tries and validation chooses among; the other seeds take the choice over. */
  readonly choices: (task: BenchmarkTask) => readonly Choice[];
  readonly fit: (session: Session, seed: number, choice: Choice) => Promise<Fitted>;
}

export type Choice = Readonly<Record<string, number>>;
