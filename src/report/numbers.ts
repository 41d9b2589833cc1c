/** Numbers as the reports print them. */
import type { Interval as Summary } from '../scoring/statistics.js';

type Interval = Pick<Summary, 'mean' | 'low' | 'high'>;

/** "0.742 ± 0.012", or "0.982 (0.871 – 0.998)" where a bound makes one side shorter; the mean alone where one seed gives no interval. */
export function meanAndInterval({ mean, low, high }: Interval): string {
  const half = (high - low) / 2;
  if (Math.abs(low + half - mean) > 1e-9 * Math.max(1, Math.abs(mean)))
    return `${fixed(mean)} (${fixed(low)} – ${fixed(high)})`;
  return Number.isFinite(half) ? `${fixed(mean)} ± ${fixed(half)}` : fixed(mean);
}

/** Three digits with a true minus; "–" for what is not a number. */
export function fixed(value: number): string {
  return Number.isFinite(value) ? value.toFixed(3).replace('-', '−') : '–';
}

/** 4234 as "4,234". */
export function grouped(count: number): string {
  return count.toLocaleString('en-US');
}
