/** Further ways to tell what is unusual, beside those that make the score of `anomalies`. */
import type { TokenBlock } from '../../records/token-block.js';
import type { OpenModel } from '../open-model.js';

/** What was learned of normal records. `release` frees it. */
export interface FittedMeasure {
  /** float64[block.count]; the larger, the more unusual, and NaN where a record has none. */
  measure(block: TokenBlock, signal?: AbortSignal): Promise<Float64Array>;
  release(): Promise<void>;
}

/** One way, that is computed where it is asked for. Each is one file. */
export interface AnomalyMeasure {
  /** For people, in a sentence. */
  readonly description: string;
  /** Throws InputError where the model has no such measure. */
  fit(model: OpenModel, normal: TokenBlock, signal?: AbortSignal): Promise<FittedMeasure>;
}
