/** A panel of lines with their bands, each named beside its last point. */
import type { MethodStyle } from './method-styles.js';
import { color, fill, heading, look, quantity } from './panel.js';
import { spreadLabels } from './spread-labels.js';

/** Lines of labels, from one to the next, in pixels. */
export const LABEL_GAP = 15;
const DASHES = [5, 3];

/** A line with what it is called, which is written at its end. */
export interface Line {
  readonly label: string;
  readonly style: MethodStyle;
  readonly points: readonly { x: number; mean: number; low: number; high: number }[];
}

export interface Panel {
  readonly title: string;
  readonly width: number;
  readonly height: number;
  readonly x: { readonly title: string; readonly scale: object; readonly axis: object };
  /** Written under the title: beside the axis it would be taken for longer than a low panel is high. */
  readonly y: string;
  /** A level that is drawn as a dashed line, such as a method without the setting on the x axis. */
  readonly level?: { readonly label: string; readonly value: number; readonly style: MethodStyle };
}

/** Lines with points and bands, and their names beside their last points. */
export function linePanel(lines: readonly Line[], { title, width, height, x, y, level }: Panel): object {
  const drawn = lines
    .map((line) => ({ ...line, points: line.points.filter(({ mean }) => Number.isFinite(mean)) }))
    .filter(({ points }) => points.length > 0);
  const values = [
    ...drawn.flatMap(({ points }) => points.flatMap(({ mean, low, high }) => [mean, low, high])),
    ...(level ? [level.value] : []),
  ].filter(Number.isFinite);
  const least = Math.min(...values);
  const most = Math.max(...values);
  const margin = (most - least || Math.abs(most) || 1) * 0.05;
  const domain = [least - margin, most + margin];
  const points = drawn.flatMap(({ label, style, points: own }) =>
    own.map((point) => ({ ...point, label, hollow: style.hollow, ...look(style) })),
  );
  const ends = drawn.map(({ label, style, points: own }) => ({
    label,
    color: style.color,
    mean: own.at(-1)!.mean,
  }));
  if (level) ends.push({ label: level.label, color: level.style.color, mean: level.value });
  const places = spreadLabels(
    ends.map(({ mean }) => mean),
    { gap: ((domain[1] - domain[0]) * LABEL_GAP) / height, low: domain[0], high: domain[1] },
  );
  const across = quantity('x', x.title, { scale: x.scale, axis: x.axis });
  const up = (field: string) =>
    quantity(field, null, { scale: { domain, nice: false, zero: false }, axis: { tickCount: 6 } });
  const line = (hollow: boolean) => ({
    data: { values: points.filter((point) => point.hollow === hollow) },
    mark: { type: 'line', strokeWidth: 2, ...(hollow && { strokeDash: DASHES }) },
    encoding: { x: across, y: up('mean'), color, detail: { field: 'label' } },
  });
  return {
    title: heading(title, y),
    width,
    height,
    layer: [
      {
        data: { values: points.filter(({ low }) => Number.isFinite(low)) },
        mark: { type: 'area', opacity: 0.12 },
        encoding: { x: across, y: up('low'), y2: { field: 'high' }, color, detail: { field: 'label' } },
      },
      line(false),
      line(true),
      {
        data: { values: points },
        mark: { type: 'point', size: 32, opacity: 1, strokeWidth: 1.5 },
        encoding: { x: across, y: up('mean'), stroke: color, fill },
      },
      ...(level
        ? [
            {
              data: { values: [{ mean: level.value, color: level.style.color }] },
              mark: { type: 'rule', strokeWidth: 1.5, strokeDash: DASHES },
              encoding: { x: { value: 0 }, x2: { value: width }, y: up('mean'), color },
            },
          ]
        : []),
      {
        data: { values: ends.map((end, i) => ({ ...end, place: places[i] })) },
        mark: { type: 'text', align: 'left', baseline: 'middle', dx: 8, fontSize: 12 },
        encoding: { x: { value: width }, y: up('place'), color, text: { field: 'label' } },
      },
    ],
  };
}
