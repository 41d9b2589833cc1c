import { BLOCK_ROWS, forEachBlock, multiplyTransposed } from './matrix.js';

/** x ↦ W x + b */
export interface LinearModel {
  readonly dimension: number;
  /** float64[outputs, dimension] */
  readonly weights: Float64Array;
  /** float64[outputs] */
  readonly bias: Float64Array;
}

/** Outputs float64[n, outputs] of features float32[n, dimension]. */
export function applyLinear({ dimension, weights, bias }: LinearModel, features: Float32Array): Float64Array {
  const outputs = bias.length;
  const out = new Float64Array((features.length / dimension) * outputs);
  const scratch = new Float64Array(BLOCK_ROWS * outputs);
  forEachBlock(features, dimension, (block, first, count) => {
    multiplyTransposed(scratch, block, weights, count, outputs, dimension);
    for (let i = 0; i < count * outputs; i++) out[first * outputs + i] = scratch[i] + bias[i % outputs];
  });
  return out;
}

/** Models of one output each, or of several, as one model with all their outputs in order. */
export function stackModels(models: readonly LinearModel[]): LinearModel {
  const [{ dimension }] = models;
  const bias = Float64Array.from(models.flatMap((model) => [...model.bias]));
  const weights = new Float64Array(bias.length * dimension);
  let offset = 0;
  for (const model of models) {
    weights.set(model.weights, offset);
    offset += model.weights.length;
  }
  return { dimension, weights, bias };
}

/** The map of each feature to mean 0 and variance 1 over the rows it was fitted on. */
export interface Standardization {
  readonly mean: Float64Array;
  /** 1 / standard deviation (over n); 0 for a feature that is constant, which leaves it out. */
  readonly scale: Float64Array;
}

/**
 * Fits a standardization to features float32[n, dimension], where NaN is missing and left out. Two passes, so a large mean
 * costs no precision. A feature without a value is left out as a constant is.
 */
export function fitStandardization(features: Float32Array, dimension: number): Standardization {
  const n = features.length / dimension;
  const mean = new Float64Array(dimension);
  const scale = new Float64Array(dimension);
  const known = new Float64Array(dimension);
  for (let row = 0; row < n; row++) {
    for (let j = 0; j < dimension; j++) {
      const value = features[row * dimension + j];
      if (Number.isNaN(value)) continue;
      mean[j] += value;
      known[j]++;
    }
  }
  for (let j = 0; j < dimension; j++) mean[j] /= Math.max(1, known[j]);
  for (let row = 0; row < n; row++) {
    for (let j = 0; j < dimension; j++) {
      const value = features[row * dimension + j];
      if (!Number.isNaN(value)) scale[j] += (value - mean[j]) ** 2;
    }
  }
  for (let j = 0; j < dimension; j++) {
    const deviation = Math.sqrt(scale[j] / Math.max(1, known[j]));
    // Below this a float32 feature varies by rounding alone.
    scale[j] = deviation > 1e-7 * Math.abs(mean[j]) ? 1 / deviation : 0;
  }
  return { mean, scale };
}

/** (features − mean) · scale, float32[n, dimension]; a missing value becomes 0, as the mean does. */
export function standardize({ mean, scale }: Standardization, features: Float32Array): Float32Array {
  const dimension = mean.length;
  const out = new Float32Array(features.length);
  for (let start = 0; start < features.length; start += dimension) {
    for (let j = 0; j < dimension; j++) {
      const value = features[start + j];
      out[start + j] = Number.isNaN(value) ? 0 : (value - mean[j]) * scale[j];
    }
  }
  return out;
}
