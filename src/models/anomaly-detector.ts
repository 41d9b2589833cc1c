/** How unusual records are to a model, without labels: what it predicts badly, and what lies far from normal records. */
import { InputError } from '../errors.js';
import { type OpenProduct, openProduct } from '../numerics/matrix-product.js';
import { takeRecords } from '../records/batch.js';
import type { TokenBlock } from '../records/token-block.js';
import { type EuclideanSearch, euclideanSearch } from '../search/euclidean.js';
import { place, rowLengths, type VectorSpace, whitenedSpace } from '../search/vector-space.js';
import { permutation, random } from '../tensor/random.js';
import type { Tokenizer } from '../tokenizers/index.js';
import { MaskedErrors } from './masked-errors.js';
import { encoderOf, type ModelEncoder, type OpenModel } from './open-model.js';

/** How unusual a record is; the larger, the more. */
export interface Anomaly {
  /**
   * The mean of the logarithms of masked error, neighbour distance and Mahalanobis distance, as far as there are such, each
   * in deviations from the mean of normal records that were held out.
   */
  readonly score: number;
  /** The share of normal records with a score as large: to flag those of at most 0.01 is to raise a false alarm in a hundred. */
  readonly pValue: number;
  /** The mean error of its tokens when they are hidden, in multiples of what is usual for normal records. */
  readonly maskedError?: number;
  /** The mean error of the tokens that attention goes to most: see `MaskedErrors.attendedErrors`. */
  readonly attendedError?: number;
  /** The mean distance to the five nearest normal records, where these are uncorrelated and of unit variance. */
  readonly neighborDistance: number;
  /** The distance to the mean of normal records, there. */
  readonly mahalanobisDistance: number;
  /** Where masked errors are known: the tokens with the largest, the largest first. */
  readonly blame: readonly BlamedToken[];
}

/** A token that was predicted badly. */
export interface BlamedToken {
  /** Its place in the record. */
  readonly position: number;
  /** What it is, such as a column, a letter, a patch or a step. */
  readonly label: string;
  /** Its error in multiples of the usual. */
  readonly error: number;
}

/** Normal records: those that others are compared with, and those that say how far normal ones may lie. */
export interface NormalRecords {
  readonly reference: TokenBlock;
  /** None of which the model has learned from. */
  readonly heldOut: TokenBlock;
}

/** Normal records that are looked at: embedded, held against their masks, and held out. Of more, as many are drawn. */
const MOST = { reference: 50_000, typical: 5000, heldOut: 10_000 };

const NEIGHBORS = 5;
const BLAMED = 3;

/** What of the usual error of all tokens is added to that of a position where normal records hardly differ. */
const FLOOR = 0.1;

type Measures = Pick<Anomaly, 'maskedError' | 'attendedError' | 'neighborDistance' | 'mahalanobisDistance'>;

/** The measures whose logarithms make the score. */
const SCORED = [
  'maskedError',
  'neighborDistance',
  'mahalanobisDistance',
] as const satisfies (keyof Measures)[];

/** What was learned of normal records. `release` frees it. */
export class AnomalyDetector {
  private readonly scales = new Map<keyof Measures, { mean: number; deviation: number }>();
  /** Scores of the normal records that were held out, ascending. */
  private scores = new Float64Array(0);

  private constructor(
    private readonly encoder: ModelEncoder,
    private readonly tokenizer: Tokenizer,
    private readonly space: VectorSpace,
    private readonly nearest: EuclideanSearch,
    private readonly product: OpenProduct,
    private readonly errors: MaskedErrors | undefined,
    private readonly usual: Float64Array,
  ) {}

  /** Whether the model predicts hidden tokens, so that there are masked errors, and whether attention can choose them. */
  get measures(): { readonly masked: boolean; readonly attended: boolean } {
    return { masked: this.errors !== undefined, attended: this.errors?.attends ?? false };
  }

  /** Normal records that were held out. */
  get heldOut(): number {
    return this.scores.length;
  }

  /** Throws InputError where the model has no encoder. */
  static async fit(
    model: OpenModel,
    { reference, heldOut }: NormalRecords,
    signal?: AbortSignal,
  ): Promise<AnomalyDetector> {
    const encoder = encoderOf(model);
    const { width } = encoder;
    const errors = model.run && MaskedErrors.of(model.engine, model.run);
    const product = await openProduct(model.engine);
    try {
      const compared = drawn(reference, MOST.reference);
      const embeddings = await encoder.embed(compared, signal);
      const space = whitenedSpace(embeddings, width);
      const typical = drawn(reference, MOST.typical);
      const usual = errors
        ? usualErrors(model.tokenizer, typical, await errors.tokenErrors(typical, signal))
        : new Float64Array(0);
      const nearest = euclideanSearch(place(space, embeddings), width, product.multiply);
      const detector = new AnomalyDetector(encoder, model.tokenizer, space, nearest, product, errors, usual);
      await detector.calibrate(drawn(heldOut, MOST.heldOut), signal);
      return detector;
    } catch (error) {
      await errors?.release();
      await product.release();
      throw error;
    }
  }

  /**
   * Throws InputError where too few normal records were held out to tell so rare an alarm from none: n of them have
   * no smaller share than 1/(n + 1).
   */
  checkFalseAlarms(rate: number): void {
    if (typeof rate !== 'number' || !(rate > 0 && rate < 1))
      throw new InputError(`false alarms: expected a rate between 0 and 1, got ${JSON.stringify(rate)}`);
    if (1 / (this.heldOut + 1) <= rate) return;
    throw new InputError(
      `false alarms: a rate of ${rate} takes at least ${Math.ceil(1 / rate) - 1} normal records that were held out, and there are ${this.heldOut}; give more with --normal, or ask for a rate of ${Math.ceil(1000 / (this.heldOut + 1)) / 1000} or more`,
    );
  }

  /** How unusual each record of a block is, in its order. */
  async score(block: TokenBlock, signal?: AbortSignal): Promise<Anomaly[]> {
    const { measures, blame } = await this.measure(block, signal);
    return measures.map((own, record) => {
      const score = this.combined(own);
      return { score, pValue: this.pValueOf(score), ...own, blame: blame[record] };
    });
  }

  async release(): Promise<void> {
    await this.errors?.release();
    await this.product.release();
  }

  private async calibrate(heldOut: TokenBlock, signal?: AbortSignal): Promise<void> {
    const { measures } = await this.measure(heldOut, signal);
    for (const name of SCORED) {
      const values = measures.map((own) => logarithm(own[name])).filter((value) => !Number.isNaN(value));
      if (values.length === 0) continue;
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
      this.scales.set(name, { mean, deviation: Math.sqrt(variance) || 1 });
    }
    this.scores = Float64Array.from(measures, (own) => this.combined(own)).sort();
  }

  private combined(own: Measures): number {
    let [sum, count] = [0, 0];
    for (const [name, { mean, deviation }] of this.scales) {
      const value = (logarithm(own[name]) - mean) / deviation;
      if (Number.isNaN(value)) continue;
      sum += value;
      count++;
    }
    return sum / count;
  }

  /** Of the held-out normal records and this one, the share whose score is as large. */
  private pValueOf(score: number): number {
    const { scores } = this;
    let [low, high] = [0, scores.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (scores[middle] < score) low = middle + 1;
      else high = middle;
    }
    return (scores.length - low + 1) / (scores.length + 1);
  }

  private async measure(block: TokenBlock, signal?: AbortSignal) {
    const { width } = this.encoder;
    const placed = place(this.space, await this.encoder.embed(block, signal));
    const lengths = rowLengths(placed, width);
    const { distances, k } = await this.nearest(placed, NEIGHBORS);
    const errors = await this.errors?.tokenErrors(block, signal);
    const attended = await this.errors?.attendedErrors(block, signal);
    const blame: BlamedToken[][] = [];
    const measures = Array.from({ length: block.count }, (_, record): Measures => {
      let distance = 0;
      for (let i = 0; i < k; i++) distance += distances[record * k + i] / k;
      const tokens = errors ? this.relative(block, errors, record) : [];
      blame.push(tokens.slice(0, BLAMED).map((token) => this.blamed(block, record, token)));
      const masked = tokens.reduce((sum, { error }) => sum + error, 0) / tokens.length;
      return {
        ...(tokens.length > 0 && { maskedError: masked }),
        ...(attended && !Number.isNaN(attended[record]) && { attendedError: attended[record] }),
        neighborDistance: distance,
        mahalanobisDistance: lengths[record],
      };
    });
    return { measures, blame };
  }

  /** The tokens of a record whose error is known, in multiples of the usual, the largest first. */
  private relative({ offsets }: TokenBlock, errors: Float32Array, record: number) {
    const start = offsets[record];
    const tokens: { position: number; error: number }[] = [];
    for (let token = start; token < offsets[record + 1]; token++) {
      if (Number.isNaN(errors[token])) continue;
      const position = token - start;
      tokens.push({ position, error: errors[token] / this.usual[position] });
    }
    return tokens.sort((a, b) => b.error - a.error || a.position - b.position);
  }

  private blamed(
    { ids, offsets }: TokenBlock,
    record: number,
    { position, error }: { position: number; error: number },
  ): BlamedToken {
    const { spec, tokenLabel } = this.tokenizer;
    const id = ids?.[offsets[record] + position];
    const label =
      spec.kind === 'discrete'
        ? `${tokenLabel(position)} = ${tokenLabel(position, id)}`
        : tokenLabel(
            position,
            spec.kind === 'fields' && spec.fields[position].type === 'categorical' ? id : undefined,
          );
    return { position, label, error };
  }
}

/** NaN where there is no such measure. */
const logarithm = (value: number | undefined): number => Math.log(Math.max(value ?? Number.NaN, 1e-12));

/** So many records of a block, drawn without looking at them, or all. */
function drawn(block: TokenBlock, most: number): TokenBlock {
  if (block.count <= most) return block;
  const order = permutation(block.count, random(0, 'normal records', 0, 0));
  return takeRecords(block, order.slice(0, most).sort());
}

/**
 * The mean error of normal records at each position, float64[maxTokens]: of that position where it is the same part of every
 * record, a column or a patch, and else of all positions alike.
 */
function usualErrors({ spec }: Tokenizer, block: TokenBlock, errors: Float32Array): Float64Array {
  const apart = spec.kind === 'fields' || (spec.kind === 'continuous' && spec.grid !== undefined);
  const sums = new Float64Array(spec.maxTokens);
  const counts = new Float64Array(spec.maxTokens);
  let [sum, count] = [0, 0];
  for (let record = 0; record < block.count; record++) {
    for (let token = block.offsets[record]; token < block.offsets[record + 1]; token++) {
      if (Number.isNaN(errors[token])) continue;
      sums[token - block.offsets[record]] += errors[token];
      counts[token - block.offsets[record]]++;
      sum += errors[token];
      count++;
    }
  }
  const mean = count > 0 && sum > 0 ? sum / count : 1;
  return sums.map((sum, i) => (apart && counts[i] > 0 ? sum / counts[i] : mean) + FLOOR * mean);
}
