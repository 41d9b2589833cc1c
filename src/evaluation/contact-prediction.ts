/**
 * Which residues of a protein touch, from pairs of the encoder's token representations. Validation chooses the step
 * whose parameters are kept; the structures of the test part are sealed, so that nothing but the final score sees them.
 */
import { readTokens } from '../encoders/read-tokens.js';
import type { Engine, HostTensors } from '../engine/engine.js';
import { InputError, LacunaError } from '../errors.js';
import {
  add,
  input,
  less,
  matmul,
  multiply,
  negate,
  parametersOf,
  reshape,
  scalar,
  scope,
  staticSize,
  subtract,
  type Value,
  where,
} from '../graph/index.js';
import { layerNorm } from '../layers/layer-norm.js';
import { linear, linearWeight } from '../layers/linear.js';
import { binaryCrossEntropy, weightedMean } from '../layers/losses.js';
import { tokenFeeds } from '../layers/token-embedding.js';
import { type BatchPlan, blockLengths, bucketLengths, epochOrder, packBatch } from '../records/batch.js';
import { NumpyArray } from '../records/pickle.js';
import { readLmdbObjects } from '../records/readers/lmdb.js';
import type { TokenBlock } from '../records/token-block.js';
import { random } from '../tensor/random.js';
import { hostTensor } from '../tensor/tensor.js';
import type { Tokenizer } from '../tokenizers/index.js';
import { KEEP_UNSEEN } from '../training/data.js';
import { encoderGraph, type ModelConfig } from '../training/model.js';
import type { TrainableGraph, Trainer } from '../training/trainer.js';
import { contactMap, precisionAtLength } from './contact-precision.js';
import { outputsInBothModes } from './finetuning-graph.js';
import { labelledTrainer, type Trained, type TrainOptions, trainToBest } from './labelled-training.js';
import type { TestScore } from './parts.js';

/** A protein whose structure is known, at least in part. */
export interface Structure {
  /** One letter for each residue. */
  readonly sequence: string;
  /** float[length, 3] of one atom for each residue, in Å; those of unresolved residues are not read. */
  readonly coordinates: ArrayLike<number>;
  /** [length]: which residues are resolved. */
  readonly mask: ArrayLike<boolean | number>;
}

/**
 * The proteins of a database in TAPE's form of ProteinNet: `primary`, the C-alpha coordinates `tertiary`
 * float[length, 3] and `valid_mask` bool[length] of each record. The coordinates are taken to be in Å, as by TAPE's code.
 * Throws InputError that names the first record without them.
 */
export async function readStructures(path: string): Promise<Structure[]> {
  const structures: Structure[] = [];
  for await (const { primary, tertiary, valid_mask: mask } of readLmdbObjects(path)) {
    const fits =
      typeof primary === 'string' &&
      tertiary instanceof NumpyArray &&
      mask instanceof NumpyArray &&
      tertiary.shape.join() === `${primary.length},3` &&
      mask.shape.join() === `${primary.length}`;
    if (!fits) {
      throw new InputError(
        `${path}: record ${structures.length}: expected a text primary, and for each of its letters a row of tertiary [length, 3] and of valid_mask [length]`,
      );
    }
    structures.push({
      sequence: primary,
      coordinates: Float32Array.from(tertiary.data, Number),
      mask: Uint8Array.from(mask.data, Number),
    });
  }
  return structures;
}

/** Residues closer along the chain than this are no pairs to learn from: they touch in every protein. */
const SEPARATION = 6;

/** Logits float32[batch, tokens, tokens] of every pair of states float32[batch, tokens, width], symmetric. */
function pairLogits(states: Value): Value {
  const [batch, tokens, width] = states.shape;
  const weight = reshape(linearWeight('product', staticSize(width), 1), [width]);
  // Σ w h_i h_j is a product of matrices, so that the products themselves are never laid out.
  const products = matmul(multiply(states, weight), states, { transposeB: true });
  const difference = subtract(
    reshape(states, [batch, tokens, 1, width]),
    reshape(states, [batch, 1, tokens, width]),
  );
  const distance = where(less(difference, scalar(0)), negate(difference), difference);
  return add(products, reshape(linear('difference', distance, 1), [batch, tokens, tokens]));
}

/**
 * A linear layer on [h_i ⊙ h_j; |h_i − h_j|] for each pair of token representations, after a layer norm, and the binary
 * cross-entropy of its logits. TAPE (Rao et al., NeurIPS 2019) has the differences without their sign taken off and
 * averages the logits of (i, j) and (j, i), in which the differences cancel; it also drops out half of the features,
 * and gives two logits a pair.
 */
export function contactGraph(
  model: Pick<ModelConfig, 'spec' | 'encoder'>,
  size: number,
  tokens: number,
): TrainableGraph {
  const { trained, evaluated } = outputsInBothModes((training) => {
    const encoding = encoderGraph(model, size, tokens, { training });
    return scope('head', () => pairLogits(layerNorm('norm', readTokens(encoding, model.encoder))));
  });
  const contacts = input('contacts', 'float32', [size, tokens, tokens]);
  const weights = input('contact_weights', 'float32', [size, tokens, tokens]);
  const { mean } = weightedMean(binaryCrossEntropy(trained, contacts), weights);
  const parameters = parametersOf([mean]);
  return { loss: mean, parameters, metrics: {}, evaluation: { outputs: evaluated } };
}

/** Proteins as tokens, and how well pairs of one of them were ranked; the structure itself is not to be had. */
interface ScoredPart {
  readonly block: TokenBlock;
  /** From logits float32[tokens, tokens] of a batch's row; NaN where the protein has no pair to choose. */
  readonly precision: (record: number, logits: Float32Array, tokens: number) => number;
}

function scoredPart(block: TokenBlock, structures: readonly Structure[]): ScoredPart {
  const lengths = blockLengths(block);
  return {
    block,
    precision(record, logits, tokens) {
      const { coordinates, mask } = structures[record];
      const length = mask.length;
      // Pairs with a residue that is cropped come last.
      const scores = new Float32Array(length * length).fill(Number.NEGATIVE_INFINITY);
      for (let i = 0; i < lengths[record]; i++) {
        const row = logits.subarray(i * tokens, i * tokens + lengths[record]);
        scores.set(row, i * length);
      }
      if (scores.includes(Number.NaN)) {
        throw new LacunaError('contact prediction: a score is not a number; try a lower learning rate');
      }
      return precisionAtLength(scores, contactMap(coordinates, mask), mask, length);
    },
  };
}

/** Throws InputError where the part is empty, or a protein's sequence, coordinates and mask are not of one length. */
function encodeStructures(tokenizer: Tokenizer, structures: readonly Structure[], part: string): TokenBlock {
  if (structures.length === 0) {
    throw new InputError(`contact prediction: the ${part} part has no protein; it needs some in each part`);
  }
  if (tokenizer.kind !== 'sequence') {
    throw new InputError(
      `contact prediction needs one token for each residue; this tokenizer is ${tokenizer.kind}; pretrain on the sequences alone`,
    );
  }
  structures.forEach(({ sequence, coordinates, mask }, record) => {
    const length = [...sequence].length;
    if (coordinates.length === 3 * length && mask.length === length) return;
    throw new InputError(
      `contact prediction, ${part} protein ${record} (from 0): expected ${3 * length} coordinates and a mask of ${length} for a sequence of ${length} residues, got ${coordinates.length} and ${mask.length}`,
    );
  });
  const batch = {
    rows: Int32Array.from(structures.keys()),
    columns: {
      [tokenizer.columns[0]]: { type: 'text' as const, values: structures.map(({ sequence }) => sequence) },
    },
  };
  const refuse = (record: number, _: string, message: string) => {
    throw new InputError(`contact prediction, ${part} protein ${record} (from 0): ${message}`);
  };
  return tokenizer.encode(batch, refuse, KEEP_UNSEEN);
}

export interface ContactData {
  readonly train: readonly Structure[];
  readonly valid: readonly Structure[];
  readonly test: readonly Structure[];
}

/**
 * `batchSize` is 2 by default: for each protein of a batch a step holds about a dozen arrays
 * float32[tokens, tokens, width], 0.4 GiB in all for 256 tokens of width 128.
 */
export type ContactOptions = TrainOptions & { readonly batchSize?: number; readonly layerDecay?: number };

export interface ContactScores {
  /** Mean precision of the validation proteins with the parameters that were kept. */
  readonly valid: number;
  readonly step: number;
  readonly test: TestScore;
}

/**
 * Trains an encoder, pretrained or fresh, with a head on pairs of residues, and scores it on the test proteins once:
 * the mean over proteins of {@link precisionAtLength} (L/5, medium and long range); proteins without one are left out.
 * Residues that the tokenizer crops are not predicted and their pairs rank last, while L is that of the whole chain.
 * Throws InputError for a part without proteins and for a structure that does not fit its sequence.
 */
export async function contactPrediction(
  engine: Engine,
  model: Pick<ModelConfig, 'spec' | 'encoder'>,
  tokenizer: Tokenizer,
  { train, valid, test }: ContactData,
  { batchSize = 2, layerDecay, resamples, ...options }: ContactOptions & { readonly resamples?: number },
): Promise<ContactScores> {
  const trainBlock = encodeStructures(tokenizer, train, 'train');
  const validPart = scoredPart(encodeStructures(tokenizer, valid, 'valid'), valid);
  const testPart = scoredPart(encodeStructures(tokenizer, test, 'test'), test);
  const lengths = [trainBlock, validPart.block, testPart.block].flatMap((block) =>
    Array.from(blockLengths(block)),
  );
  const buckets = bucketLengths(lengths, model.spec.maxTokens);
  const trainer = labelledTrainer(engine, (tokens) => contactGraph(model, batchSize, tokens), {
    layers: model.encoder.layers,
    layerDecay,
    length: buckets[0],
  });
  const precisions = (part: ScoredPart) => precisionsOf(trainer, part, batchSize, buckets);
  try {
    const trained: Trained = await trainToBest(trainer, options, {
      plans: (epoch) =>
        epochOrder(trainBlock, {
          seed: options.seed,
          epoch,
          blockIndex: 0,
          batchSize,
          buckets,
          dropLast: trainBlock.count >= batchSize,
        }),
      feeds: (plan) => ({
        ...tokenFeeds(packBatch(trainBlock, plan.records, batchSize, plan.tokens)),
        ...contactFeeds(train, plan, batchSize),
      }),
      validate: async () => meanOfDefined(await precisions(validPart)),
      isBetter: (value, best) => !Number.isNaN(value) && (Number.isNaN(best) || value > best),
    });
    trainer.state.parameters.set(trained.parameters);
    return {
      valid: trained.valid,
      step: trained.step,
      test: summarizeProteins(await precisions(testPart), resamples),
    };
  } finally {
    await trainer.release();
  }
}

/**
 * For a batch: 1 where two residues touch, and weight 1 for the pairs i < j that are learned from: both resolved, both
 * among the tokens, and `SEPARATION` or more apart.
 */
function contactFeeds(
  structures: readonly Structure[],
  { records, tokens }: BatchPlan,
  size: number,
): HostTensors {
  const contacts = new Float32Array(size * tokens * tokens);
  const weights = new Float32Array(contacts.length);
  records.forEach((record, row) => {
    const { coordinates, mask } = structures[record];
    const touching = contactMap(coordinates, mask);
    const read = Math.min(mask.length, tokens);
    for (let i = 0; i < read; i++) {
      if (!mask[i]) continue;
      for (let j = i + SEPARATION; j < read; j++) {
        if (!mask[j]) continue;
        const at = (row * tokens + i) * tokens + j;
        contacts[at] = touching[i * mask.length + j];
        weights[at] = 1;
      }
    }
  });
  const shape = [size, tokens, tokens];
  return {
    contacts: hostTensor('float32', shape, contacts),
    contact_weights: hostTensor('float32', shape, weights),
  };
}

/** The precision of each protein, in the part's order. */
async function precisionsOf(
  trainer: Trainer,
  { block, precision }: ScoredPart,
  batchSize: number,
  buckets: readonly number[],
): Promise<Float64Array> {
  const found = new Float64Array(block.count);
  const plans = epochOrder(block, { seed: 0, epoch: 0, blockIndex: 0, batchSize, buckets, dropLast: false });
  for (const { records, tokens } of plans) {
    const { outputs } = await trainer.evaluate(
      tokens,
      tokenFeeds(packBatch(block, records, batchSize, tokens)),
    );
    const logits = outputs.data as Float32Array;
    records.forEach((record, row) => {
      const own = logits.subarray(row * tokens * tokens, (row + 1) * tokens * tokens);
      found[record] = precision(record, own, tokens);
    });
  }
  return found;
}

/** NaN where none is defined. */
function meanOfDefined(values: Float64Array): number {
  const defined = values.filter((value) => !Number.isNaN(value));
  return defined.reduce((sum, value) => sum + value, 0) / defined.length;
}

function summarizeProteins(precisions: Float64Array, resamples = 0): TestScore {
  const value = meanOfDefined(precisions);
  if (resamples === 0) return { value, perTarget: [value] };
  const source = random(0, 'bootstrap test records');
  const replicates = Array.from({ length: resamples }, () =>
    meanOfDefined(precisions.map(() => precisions[source.integer(precisions.length)])),
  );
  return { value, perTarget: [value], replicates };
}
