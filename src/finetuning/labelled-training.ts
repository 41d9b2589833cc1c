/**
 * Training an encoder and a head on labels. Validation chooses the step whose parameters are kept; the labels of the
 * test part are sealed, so that nothing here can look at them but the final score.
 */
import { alone, type Ranks } from '../cluster/ranks.js';
import type { Engine, HostTensors } from '../engine/engine.js';
import type { DropoutRates } from '../layers/dropout.js';
import { tokenFeeds } from '../layers/token-embedding.js';
import { partOfRecords, partSize } from '../learning/batch-parts.js';
import { dropoutFeeds } from '../learning/model.js';
import { parameterViews } from '../learning/parameters.js';
import type { TrainableGraph, Trainer } from '../learning/trainer.js';
import { trainerOn } from '../learning/trainer-on.js';
import {
  type Batch,
  type BatchPlan,
  blockLengths,
  bucketLengths,
  concatenateBlocks,
  epochOrder,
  packBatch,
  takeRecords,
} from '../records/batch.js';
import type { TokenBlock } from '../records/token-block.js';
import { labelOffsets } from '../scoring/label-rows.js';
import type { LabelSpec } from '../scoring/labels.js';
import { isBetter, type MetricName, scoreMetric } from '../scoring/metrics.js';
import type { LabelledPart, SealedPart, TestScore } from '../scoring/parts.js';
import { type Random, random } from '../tensor/random.js';
import { elementCount, type HostTensor, hostTensor } from '../tensor/tensor.js';
import { type LabelScale, labelScale, scaleLabel, type TargetTransform } from './label-scale.js';
import { type FinetunedModel, finetuningGraph, HEAD, ofEncoder } from './labelled-graph.js';
import { predictBlock } from './predict-block.js';
import { regularizerNamed } from './regularizers/index.js';
import { labelledByTeacher, type TeacherConfig } from './self-training.js';
import { type Start, type Trained, type TrainOptions, trainToBest } from './train-to-best.js';
import { AUXILIARY, tuningNamed } from './tunings/index.js';

export interface LabelledTask {
  readonly spec: LabelSpec;
  readonly metric: MetricName;
  readonly train: LabelledPart;
  readonly valid: LabelledPart;
  readonly test: SealedPart;
  /** The training records as they are in an epoch, in the same order; they are the same in all epochs by default. */
  readonly trainingRecords?: (seed: number, epoch: number) => TokenBlock;
  /** Records without a label, for self-training. */
  readonly unlabelled?: TokenBlock;
}

export interface TrainingSettings {
  readonly batchSize: number;
  /** Learning rate of each layer as a part of that of the layer above it; 1 is one rate for all. */
  readonly layerDecay: number;
  /** Decoupled weight decay of AdamW. */
  readonly weightDecay: number;
  /** Largest global norm of a gradient. */
  readonly clipNorm: number;
  /**
   * Decay per step of a running average of the parameters (Polyak & Juditsky, 1992), which is validated too and kept where it
   * is better. In the first steps it follows faster, with (1 + step) / (10 + step). None by default.
   */
  readonly weightAverage?: number;
  /** What is learned instead of regression labels; `standardize` by default. */
  readonly targetTransform?: TargetTransform;
  /** A teacher that labels as many records without a label in each step, beside the batch; none by default. */
  readonly teacher?: TeacherConfig;
}

/** What is trained: outputs for records, as a graph for batches of any size and length. */
export interface Network {
  readonly maxTokens: number;
  /** Layers of its stack. */
  readonly layers: number;
  /** What it drops in training, if anything. */
  readonly dropout?: DropoutRates;
  readonly build: (labels: LabelSpec, batch: number, tokens: number) => TrainableGraph;
  /** What its loss wants from the host for a batch of `size` rows, the first of which are records. */
  readonly draw?: (
    batch: { readonly size: number; readonly rows: number },
    source: (purpose: string) => Random,
  ) => HostTensors;
  /** Whether a parameter moves; all do by default. */
  readonly moves?: (name: string) => boolean;
  /** Writes what was trained beside parameters into them, in place: the outputs stay the same. */
  readonly merge?: (parameters: Readonly<Record<string, HostTensor<'float32'>>>) => void;
}

/** An encoder with a fresh head. */
export function encoderNetwork(model: FinetunedModel): Network {
  const { tuning = { kind: 'full' }, regularizer } = model;
  const { moves, merge } = tuningNamed(tuning.kind);
  const draw = regularizer && regularizerNamed(regularizer.kind).draw;
  return {
    dropout: model.dropout,
    maxTokens: model.spec.maxTokens,
    layers: model.encoder.layers,
    build: (labels, batch, tokens) => finetuningGraph(model, labels, batch, tokens),
    ...(draw && { draw: (batch, source) => draw(regularizer, batch, source) }),
    moves: (name) => !ofEncoder(name) || moves(name),
    ...(merge && { merge: (parameters) => merge(parameters, tuning) }),
  };
}

/**
 * How many layers lie above a parameter's own: 0 for the head and what follows the stack, 1 for the stack's last layer,
 * most for the embedding and the latents.
 */
function layersAbove(name: string, layers: number): number {
  if (name.startsWith(HEAD) || name.startsWith(AUXILIARY)) return 0;
  if (name.startsWith('encoder.first_layer.')) return layers;
  const [, layer] = /^encoder\.layers\.(\d+)\./.exec(name) ?? [];
  return layer === undefined ? layers + 1 : layers - Number(layer);
}

/**
 * What a parameter's learning rate is multiplied by: `layerDecay` once for each layer above its own.
 * @internal
 */
export const layerRate = (name: string, layers: number, layerDecay: number): number =>
  layerDecay ** layersAbove(name, layers);

/**
 * One architecture on one task: its programs serve any number of starts and seeds, and by `on` other parts of the records.
 * `release` frees them.
 */
export class LabelledTrainer {
  readonly trainer: Trainer;
  readonly scale: LabelScale;
  private readonly buckets: readonly number[];
  /** Label rows of the training records. */
  private readonly offsets: Int32Array;
  /** The training records of the epoch that is trained. */
  private current?: { readonly seed: number; readonly epoch: number; readonly records: TokenBlock };

  constructor(
    private readonly engine: Engine,
    private readonly network: Network,
    private readonly task: LabelledTask,
    private readonly settings: TrainingSettings,
    /** The processes of which each has a part of every batch, where there are several. */
    private readonly ranks: Ranks = alone,
    programs?: LabelledTrainer,
  ) {
    const { spec, train, valid, test, unlabelled } = task;
    const { layerDecay, weightDecay, clipNorm, targetTransform } = settings;
    this.scale = labelScale(spec, train.labels, targetTransform);
    this.offsets = labelOffsets(spec, train.records);
    if (programs) {
      this.buckets = programs.buckets;
      this.trainer = programs.trainer;
      return;
    }
    const blocks = [train, valid, test].map(({ records }) => records);
    if (unlabelled) blocks.push(unlabelled);
    const lengths = blocks.flatMap((block) => Array.from(blockLengths(block)));
    // Records that change in each epoch may become as long as any.
    if (task.trainingRecords) lengths.push(network.maxTokens);
    this.buckets = bucketLengths(lengths, network.maxTokens);
    this.trainer = trainerOn(
      engine,
      {
        build: (tokens) => network.build(spec, this.ownRows, tokens),
        weightDecay,
        clipNorm,
        rateOf: (name) => (network.moves?.(name) === false ? 0 : layerRate(name, network.layers, layerDecay)),
        averaged: settings.weightAverage !== undefined,
        ranks,
      },
      this.buckets[0],
    );
  }

  /**
   * The same architecture, by the same programs, on other parts of the records that this one was made with. One of them
   * trains at a time.
   */
  on(
    parts: Pick<LabelledTask, 'train' | 'valid' | 'test' | 'trainingRecords' | 'unlabelled'>,
  ): LabelledTrainer {
    return new LabelledTrainer(
      this.engine,
      this.network,
      { ...this.task, ...parts },
      this.settings,
      this.ranks,
      this,
    );
  }

  /** Rows of a batch: records with labels, and as many without where a teacher labels them. */
  private get rows(): number {
    const { batchSize, teacher } = this.settings;
    return teacher ? 2 * batchSize : batchSize;
  }

  /** Of these, the rows that fall to this process. */
  private get ownRows(): number {
    return partSize(this.rows, this.ranks);
  }

  /** Throws LacunaError when the loss is not finite. */
  async train(options: TrainOptions): Promise<Trained> {
    const { metric, spec } = this.task;
    const { weightAverage, teacher } = this.settings;
    const { ranks } = this;
    const firstRow = ranks.rank * this.ownRows;
    // Apart from the parameters that a training begins with, all that is drawn is drawn for this ingredient.
    const seed = options.seed + (options.ingredient ?? 0) * 2 ** 32;
    const trained = await trainToBest(
      this.trainer,
      {
        ...options,
        weightAverage,
      },
      {
        plans: (epoch) => this.trainingPlans(seed, epoch),
        feeds: (plan, step, epoch) => ({
          ...this.feeds(plan, this.recordsOf(seed, epoch), { seed, step }),
          ...this.network.draw?.({ size: this.rows, rows: teacher ? this.rows : plan.rows }, (purpose) =>
            random(seed, `fine-tuning ${purpose}`, step),
          ),
          ...dropoutFeeds(this.network, this.ownRows, (purpose, row) =>
            random(seed, `fine-tuning ${purpose}`, step, firstRow + row),
          ),
        }),
        ...(teacher && {
          prepare: (batch, settings) =>
            labelledByTeacher(this.trainer, batch, settings, {
              spec,
              config: teacher,
              from: this.settings.batchSize,
            }),
        }),
        validate: async () => this.validScore(),
        isBetter: (value, best) => isBetter(metric, value, best),
      },
    );
    const { merge } = this.network;
    if (!merge) return trained;
    const parameters = trained.parameters.slice();
    merge(parameterViews(this.trainer.layout, parameters));
    return { ...trained, parameters };
  }

  /** The score of parameters on the validation part. */
  async scoreValid(parameters: Float32Array): Promise<number> {
    await this.trainer.setParameters(parameters);
    return this.validScore();
  }

  /** Where a training of others begins that goes on with this one's encoder. */
  startOf({ parameters }: Trained, folder: string): Start {
    return { tensors: parameterViews(this.trainer.layout, parameters), folder };
  }

  /** The one place where test labels are read. */
  async scoreTest({ parameters }: Trained, options?: { resamples?: number }): Promise<TestScore> {
    await this.trainer.setParameters(parameters);
    const { metric, test } = this.task;
    return test.score(metric, await this.predict(test.records), options);
  }

  /** Outputs float64[rows, outputs] for a block of the same tokenizer, by the parameters that were kept. */
  async predictWith({ parameters }: Pick<Trained, 'parameters'>, block: TokenBlock): Promise<Float64Array> {
    await this.trainer.setParameters(parameters);
    return this.predict(block);
  }

  release(): Promise<void> {
    return this.trainer.release();
  }

  private async validScore(): Promise<number> {
    const { metric, valid, spec } = this.task;
    return scoreMetric(metric, await this.predict(valid.records), valid.labels, spec);
  }

  private predict(block: TokenBlock): Promise<Float64Array> {
    const { scale, buckets, ranks, ownRows: batchSize } = this;
    return predictBlock(this.trainer, block, { spec: this.task.spec, scale, batchSize, buckets, ranks });
  }

  private trainingPlans(seed: number, epoch: number): BatchPlan[] {
    const { batchSize, teacher } = this.settings;
    const block = this.recordsOf(seed, epoch);
    const dropLast = block.count >= batchSize;
    // What a teacher labels beside a batch may be of any length.
    const buckets = teacher ? this.buckets.slice(-1) : this.buckets;
    return epochOrder(block, { seed, epoch, blockIndex: 0, batchSize, buckets, dropLast });
  }

  private recordsOf(seed: number, epoch: number): TokenBlock {
    const { train, trainingRecords } = this.task;
    if (!trainingRecords) return train.records;
    if (this.current?.seed !== seed || this.current.epoch !== epoch)
      this.current = { seed, epoch, records: trainingRecords(seed, epoch) };
    return this.current.records;
  }

  /** A batch and its labels; where a teacher labels records, as many of those without a label follow the labelled ones. */
  private feeds(plan: BatchPlan, records: TokenBlock, at: { seed: number; step: number }): HostTensors {
    const { batchSize, teacher } = this.settings;
    const { unlabelled } = this.task;
    if (!teacher || !unlabelled) {
      const { own } = partOfRecords(plan.records, batchSize, this.ranks);
      // Where a process has no record of a batch, one without labels stands for it.
      const packed = own.length > 0 ? own : plan.records.subarray(0, 1);
      const batch = packBatch(records, packed, this.ownRows, plan.tokens);
      return { ...tokenFeeds(batch), ...this.labelFeeds(batch, own) };
    }
    const source = random(at.seed, 'unlabelled records', at.step);
    const drawn = Int32Array.from({ length: batchSize }, () => source.integer(unlabelled.count));
    const own = takeRecords(
      records,
      Int32Array.from({ length: batchSize }, (_, row) => plan.records[row % plan.rows]),
    );
    const both = concatenateBlocks([own, takeRecords(unlabelled, drawn)]);
    const all = Int32Array.from({ length: both.count }, (_, row) => row);
    const batch = packBatch(both, all, this.rows, plan.tokens);
    return { ...tokenFeeds(batch), ...this.labelFeeds(batch, plan.records) };
  }

  /**
   * Labels and their weights for a batch whose first rows are these training records; a missing label has weight 0, and so
   * have rows and tokens that only fill it up.
   */
  private labelFeeds(batch: Batch, records: Int32Array): HostTensors {
    const { train, spec } = this.task;
    const { targets } = spec;
    const shape = spec.task === 'per-token' ? [batch.size, batch.tokens, targets] : [batch.size, targets];
    const labels = new Float32Array(elementCount(shape));
    const weights = new Float32Array(labels.length);
    const perRecord = labels.length / batch.size;
    records.forEach((record, row) => {
      const own = train.labels.subarray(this.offsets[record] * targets, this.offsets[record + 1] * targets);
      for (let i = 0; i < own.length; i++) {
        if (Number.isNaN(own[i])) continue;
        labels[row * perRecord + i] = scaleLabel(this.scale, i % targets, own[i]);
        weights[row * perRecord + i] = 1;
      }
    });
    return {
      labels: hostTensor('float32', shape, labels),
      label_weights: hostTensor('float32', shape, weights),
    };
  }
}
