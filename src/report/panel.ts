/** What the panels of all figures of a benchmark have in common: their ground, their titles and how a method is marked. */
import type { TopLevelSpec } from 'vega-lite';
import { CONFIG, INK } from './charts.js';
import type { MethodStyle } from './method-styles.js';
import type { Results } from './results.js';

export type Styles = ReadonlyMap<string, MethodStyle>;
export type Task = Results['tasks'][number];

/** A file that a page shows may be seen on any ground, so it brings its own. */
const PAPER = '#ffffff';

const PAGE = {
  $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
  config: { ...CONFIG, concat: { spacing: 28 } },
  background: PAPER,
  padding: 8,
} as const;

export const heading = (text: string, subtitle?: string) =>
  ({
    text,
    ...(subtitle && { subtitle, subtitleColor: INK, subtitleFontSize: 12, subtitlePadding: 4 }),
    anchor: 'start',
    fontSize: 13,
    color: INK,
  }) as const;

/** What a mark of this method is drawn with: raw colours, so that panels need no common scale. */
export const look = ({ color, hollow }: MethodStyle) => ({ color, fill: hollow ? PAPER : color });
export const styleOf = (styles: Styles, method: string): MethodStyle =>
  styles.get(method) ?? { color: INK, hollow: false };

export const color = { field: 'color', type: 'nominal', scale: null } as const;
export const fill = { field: 'fill', type: 'nominal', scale: null } as const;

export const quantity = (field: string, title: string | null, settings: object = {}) =>
  ({ field, type: 'quantitative', title, ...settings }) as const;

export const metricTitle = ({ metric, higherIsBetter }: Task) =>
  `${metric} (${higherIsBetter ? 'higher' : 'lower'} is better)`;

export const concatenated = (panels: readonly object[], columns: number) =>
  ({ ...PAGE, columns, align: 'each', concat: panels }) as unknown as TopLevelSpec;
