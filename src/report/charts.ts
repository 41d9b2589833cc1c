import type { TopLevelSpec } from 'vega-lite';

/** Loss against step of one pretraining run. `marginal` is the loss of predicting the training marginal at every position. */
export interface LearningCurve {
  readonly name: string;
  readonly points: readonly CurvePoint[];
  readonly marginal: number;
}

/** One logged step; null where that loss was not measured. */
export interface CurvePoint {
  readonly step: number;
  readonly loss: number | null;
  readonly val_loss: number | null;
}

/** One method's scores over seeds, and the 95% interval of their mean (NaN when there is one seed only). */
export interface MethodScore {
  readonly method: string;
  readonly perSeed: readonly number[];
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

export interface TaskScore extends MethodScore {
  readonly task: string;
}

/** Okabe and Ito's palette (2008), told apart with every common colour blindness and, by its lightness, in grey print. */
export const PALETTE = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00'];
export const INK = '#333333';
const FAINT = '#dddddd';
/** Of the plotting area, in pixels: with its axis a chart is about as wide as the page's text. */
const WIDTH = 670;

/** Of a smoothed curve: more would not be seen. */
const MOST_POINTS = 700;

export const CONFIG = {
  font: 'system-ui, sans-serif',
  background: 'transparent',
  view: { stroke: null },
  axis: {
    labelColor: INK,
    titleColor: INK,
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    domainColor: INK,
    tickColor: INK,
    gridColor: FAINT,
  },
  legend: {
    labelColor: INK,
    labelFontSize: 12,
    orient: 'top',
    title: null,
    symbolOpacity: 1,
    gridAlign: 'none',
    labelLimit: 400,
  },
  header: { labelColor: INK, labelFontSize: 12, labelFontWeight: 'bold' },
} as const;

/** Colours follow the order of `methods`, so that a method keeps its colour in every figure that lists them alike. */
function methodColor(methods: readonly string[]) {
  return { domain: [...methods], range: methods.map((_, i) => PALETTE[i % PALETTE.length] as string) };
}

/** A Vega-Lite specification drawn as an SVG document, without a browser and without external fonts. */
export async function renderChart(spec: TopLevelSpec): Promise<string> {
  const [vega, vegaLite] = await Promise.all([import('vega'), import('vega-lite')]);
  const view = new vega.View(vega.parse(vegaLite.compile(spec).spec), { renderer: 'none' });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

/**
 * Exponential moving average of the losses in order, corrected for its start as Adam's moments are, so that the first value
 * is the first loss. `halfLife` is in points: a loss that old weighs half.
 * @internal
 */
export function smoothLosses(losses: readonly number[], halfLife: number): number[] {
  const keep = 0.5 ** (1 / halfLife);
  let sum = 0;
  let weight = 0;
  return losses.map((loss) => {
    sum = keep * sum + (1 - keep) * loss;
    weight = keep * weight + (1 - keep);
    return sum / weight;
  });
}

/**
 * Smoothed training loss (thin) and validation loss (thick, dotted) of each run, with the marginal's loss as a dashed line.
 * @param names those that have a colour, of which some may have no curve
 */
export function learningCurvesSpec(
  curves: readonly LearningCurve[],
  names: readonly string[] = curves.map(({ name }) => name),
): TopLevelSpec {
  const train: object[] = [];
  const valid: object[] = [];
  for (const { name, points } of curves) {
    const trained = points.filter((point) => point.loss !== null && Number.isFinite(point.loss));
    const smooth = smoothLosses(
      trained.map((point) => point.loss as number),
      Math.max(1, trained.length / 40),
    );
    const stride = Math.ceil(trained.length / MOST_POINTS);
    for (let i = 0; i < trained.length; i += stride) {
      train.push({ run: name, step: trained[i]!.step, loss: smooth[i] });
    }
    for (const point of points) {
      if (point.val_loss !== null && Number.isFinite(point.val_loss)) {
        valid.push({ run: name, step: point.step, loss: point.val_loss });
      }
    }
  }
  const marginals = curves
    .map((curve) => curve.marginal)
    .filter(Number.isFinite)
    .sort((a, b) => b - a);
  const color = {
    field: 'run',
    type: 'nominal',
    scale: methodColor(names),
    legend: { values: curves.map(({ name }) => name) },
  } as const;
  const x = {
    field: 'step',
    type: 'quantitative',
    title: 'step',
    axis: { grid: false, tickCount: 8 },
  } as const;
  const y = {
    field: 'loss',
    type: 'quantitative',
    title: 'loss',
    scale: { zero: false, nice: true },
  } as const;
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    config: CONFIG,
    width: WIDTH,
    height: 280,
    encoding: { x, y, color },
    layer: [
      { data: { values: train }, mark: { type: 'line', strokeWidth: 1, opacity: 0.65 } },
      {
        data: { values: valid },
        mark: { type: 'line', strokeWidth: 2.2, point: { size: 28, filled: true } },
      },
      {
        data: { values: marginals.map((marginal) => ({ loss: marginal })) },
        mark: { type: 'rule', strokeDash: [5, 4] },
        encoding: { x: { value: 0 }, x2: { value: WIDTH }, y, color: { value: INK } },
      },
      {
        data: {
          values: marginals.slice(0, 1).map((marginal) => ({ loss: marginal, label: marginalLabel(curves) })),
        },
        mark: { type: 'text', align: 'right', baseline: 'bottom', dy: -3, fontSize: 11 },
        encoding: { x: { value: WIDTH }, y, color: { value: INK }, text: { field: 'label' } },
      },
    ],
  };
}

/** One value where all runs share it to the third digit, as runs on the same data mostly do; otherwise each run's. */
function marginalLabel(curves: readonly LearningCurve[]): string {
  const values = new Set(curves.map(({ marginal }) => marginal.toPrecision(3)));
  const each = curves.map(({ name, marginal }) => `${name} ${marginal.toPrecision(3)}`);
  if (values.size > 2) return 'predicting the training marginal';
  return `predicting the training marginal: ${values.size === 1 ? [...values][0] : each.join(', ')}`;
}

/** One row per method: mean and 95% interval, each seed as a faint dot. The axis need not start at zero: no length is read. */
export function comparisonSpec(scores: readonly MethodScore[], metric: string): TopLevelSpec {
  const methods = scores.map((score) => score.method);
  const means = scores
    .map(({ method, mean, low, high }) => ({ method, mean, low, high }))
    .filter((s) => Number.isFinite(s.mean));
  const intervals = means.filter((score) => Number.isFinite(score.low) && Number.isFinite(score.high));
  const seeds = scores.flatMap(({ method, perSeed }) =>
    perSeed.filter(Number.isFinite).map((score) => ({ method, score })),
  );
  const x = {
    type: 'quantitative',
    title: metric,
    scale: { zero: false, nice: true, padding: 12 },
    axis: { tickCount: 8 },
  } as const;
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    config: CONFIG,
    width: WIDTH - 140,
    height: { step: 44 },
    encoding: {
      y: {
        field: 'method',
        type: 'nominal',
        sort: methods,
        title: null,
        axis: { domain: false, ticks: false, labelPadding: 8 },
      },
      color: { field: 'method', type: 'nominal', scale: methodColor(methods), legend: null },
    },
    layer: [
      {
        data: { values: seeds },
        mark: { type: 'circle', size: 36, opacity: 0.35, yOffset: 11 },
        encoding: { x: { field: 'score', ...x } },
      },
      {
        data: { values: intervals },
        mark: { type: 'rule', strokeWidth: 2 },
        encoding: { x: { field: 'low', ...x }, x2: { field: 'high' } },
      },
      {
        data: { values: means },
        mark: { type: 'circle', size: 110, opacity: 1 },
        encoding: { x: { field: 'mean', ...x } },
      },
    ],
  };
}

/** Bars of each method's mean per task, from zero, with 95% intervals; `chance`, where given, is a dashed line. */
export function perTaskSpec(scores: readonly TaskScore[], metric: string, chance?: number): TopLevelSpec {
  const methods = [...new Set(scores.map((score) => score.method))];
  const tasks = [...new Set(scores.map((score) => score.task))];
  const bars = scores
    .map(({ task, method, mean, low, high }) => ({ task, method, mean, low, high }))
    .filter((score) => Number.isFinite(score.mean));
  const intervals = bars.filter((score) => Number.isFinite(score.low) && Number.isFinite(score.high));
  const y = { type: 'quantitative', title: metric, axis: { tickCount: 6 } } as const;
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    config: CONFIG,
    width: WIDTH,
    height: 220,
    encoding: {
      x: {
        field: 'task',
        type: 'nominal',
        sort: tasks,
        title: null,
        axis: { labelAngle: 0, ticks: false, labelPadding: 6 },
      },
      xOffset: { field: 'method', sort: methods },
    },
    layer: [
      {
        data: { values: bars },
        mark: { type: 'bar' },
        encoding: {
          y: { field: 'mean', ...y },
          color: { field: 'method', type: 'nominal', scale: methodColor(methods) },
        },
      },
      {
        data: { values: intervals },
        mark: { type: 'rule', color: INK },
        encoding: { y: { field: 'low', ...y }, y2: { field: 'high' } },
      },
      ...(chance === undefined
        ? []
        : [
            {
              data: { values: [{ chance }] },
              mark: { type: 'rule' as const, strokeDash: [5, 4], color: INK },
              encoding: {
                x: { value: 0 },
                x2: { value: WIDTH },
                xOffset: { value: 0 },
                y: { field: 'chance', ...y },
              },
            },
          ]),
    ],
  };
}
