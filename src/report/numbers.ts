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

/** Four significant digits, never in exponents for values a person compares. */
export function number(value: number): string {
  if (!Number.isFinite(value) || value === 0) return String(value);
  const magnitude = Math.floor(Math.log10(Math.abs(value)));
  if (magnitude < -4 || magnitude > 6) return value.toExponential(2);
  return value.toFixed(Math.max(0, 3 - magnitude));
}

/** 75 → 1:15, 3675 → 1:01:15 */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const whole = Math.max(0, Math.round(seconds));
  const pad = (value: number) => String(value).padStart(2, '0');
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${pad(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${pad(whole % 60)}`;
}
