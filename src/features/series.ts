import type { TokenBlock, TokenSpec } from '../records/token-block.js';
import { valueRows } from './values.js';

/** Series as steps. */
export interface SeriesRows {
  /** Steps of the longest; what another lacks of them is 0, its channel's mean. */
  readonly steps: number;
  readonly channels: number;
  /** float32[count, steps, channels], standardised by channel */
  readonly values: Float32Array;
}

/** Steps and channels of what tokens hold; none where they are no patches of series. */
export function seriesShape(spec: TokenSpec): { readonly steps: number; readonly channels: number } {
  if (spec.kind !== 'continuous' || spec.patch === undefined) return { steps: 0, channels: 0 };
  return { steps: spec.maxTokens * spec.patch, channels: spec.channels / spec.patch };
}

/** The tokens of series put together again. */
export const seriesRows = (spec: TokenSpec, block: TokenBlock): SeriesRows => ({
  ...seriesShape(spec),
  values: valueRows(spec, block),
});
