/** The prediction that uses no context: what any model has to beat. */
import { decoderOutputs } from '../objectives/masked-autoencoding.js';
import type { TokenBlock, TokenSpec } from '../records/token-block.js';
import { type HostTensor, hostTensor } from '../tensor/tensor.js';

/** Added to every count, so that a token never seen has a finite loss. */
const SMOOTHING = 0.5;

/**
 * What the decoder would give at each position if it knew only the training marginal, float32[maxTokens, outputs]:
 * log frequencies of ids (over all positions for sequences, per column for tables), means of values per position, over the records that reach it.
 */
export function marginalPrediction(spec: TokenSpec, block: TokenBlock): HostTensor<'float32'> {
  const outputs = decoderOutputs(spec);
  const table = new Float32Array(spec.maxTokens * outputs);
  if (spec.kind === 'discrete') {
    const counts = new Float64Array(spec.vocabulary).fill(SMOOTHING);
    for (const id of block.ids!) counts[id]++;
    const total = counts.reduce((sum, count) => sum + count, 0);
    for (let position = 0; position < spec.maxTokens; position++) {
      for (let id = 0; id < outputs; id++) table[position * outputs + id] = Math.log(counts[id] / total);
    }
  } else {
    const channels = spec.kind === 'continuous' ? spec.channels : 1;
    const sums = new Float64Array(spec.maxTokens * channels);
    const records = new Float64Array(spec.maxTokens);
    for (let record = 0; record < block.count; record++) {
      const [start, end] = [block.offsets[record], block.offsets[record + 1]];
      for (let token = start; token < end; token++) records[token - start]++;
      for (let i = start * channels; i < end * channels; i++) sums[i - start * channels] += block.values![i];
    }
    for (let position = 0; position < spec.maxTokens; position++) {
      for (let channel = 0; channel < channels; channel++) {
        table[position * outputs + channel] =
          sums[position * channels + channel] / Math.max(1, records[position]);
      }
    }
    if (spec.kind === 'fields') {
      // Columns of a text share their letters, so each counts its own.
      spec.fields.forEach(({ firstId, size }, position) => {
        const start = position * outputs + 1 + firstId;
        const row = table.subarray(start, start + size).fill(SMOOTHING);
        for (
          let token = position;
          size > 0 && token < block.count * spec.maxTokens;
          token += spec.maxTokens
        ) {
          const level = block.ids![token] - firstId;
          if (level >= 0 && level < size) row[level]++;
        }
        for (let level = 0; level < size; level++)
          row[level] = Math.log(row[level] / Math.max(1, block.count));
      });
    }
  }
  return hostTensor('float32', [spec.maxTokens, outputs], table);
}
