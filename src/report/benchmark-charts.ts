/** Figures of a benchmark as Vega-Lite specifications, made from its result file alone. */
import type { TopLevelSpec } from 'vega-lite';
import { type MethodSummary, summariesOf } from './benchmark-tables.js';
import { CONFIG, INK } from './charts.js';
import { type MethodStyle, objectiveTitle } from './method-styles.js';
import { grouped } from './numbers.js';
import type { PretrainingResult, Results } from './results.js';
import { spreadLabels } from './spread-labels.js';

type Styles = ReadonlyMap<string, MethodStyle>;
type Task = Results['tasks'][number];

/** A file that a page shows may be seen on any ground, so it brings its own. */
const PAPER = '#ffffff';
/** Lines of labels, from one to the next, in pixels. */
const LABEL_GAP = 15;
const DASHES = [5, 3];

const PAGE = {
  $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
  config: { ...CONFIG, concat: { spacing: 28 } },
  background: PAPER,
  padding: 8,
} as const;

const heading = (text: string, subtitle?: string) =>
  ({
    text,
    ...(subtitle && { subtitle, subtitleColor: INK, subtitleFontSize: 12, subtitlePadding: 4 }),
    anchor: 'start',
    fontSize: 13,
    color: INK,
  }) as const;

/** What a mark of this method is drawn with: raw colours, so that panels need no common scale. */
const look = ({ color, frozen }: MethodStyle) => ({ color, fill: frozen ? PAPER : color });
const styleOf = (styles: Styles, method: string): MethodStyle =>
  styles.get(method) ?? { color: INK, frozen: false };

const color = { field: 'color', type: 'nominal', scale: null } as const;
const stroke = color;
const fill = { field: 'fill', type: 'nominal', scale: null } as const;

const quantity = (field: string, title: string | null, settings: object = {}) =>
  ({ field, type: 'quantitative', title, ...settings }) as const;

const metricTitle = ({ metric, higherIsBetter }: Task) =>
  `${metric} (${higherIsBetter ? 'higher' : 'lower'} is better)`;

const concatenated = (panels: readonly object[], columns: number) =>
  ({ ...PAGE, columns, align: 'each', concat: panels }) as unknown as TopLevelSpec;

/**
 * One panel per task with an axis of its own, one row per method: every seed, their mean and its 95 % interval. The constant
 * is left out, since an axis that reached it would have no room for the differences of the others.
 */
export function comparisonPanelsSpec(results: Results, styles: Styles): TopLevelSpec {
  const methods = results.methods.map(({ name }) => name).filter((name) => name !== 'constant');
  const columns = 2;
  const panels = results.tasks.map((task, i) => {
    const summaries = summariesOf(results, task).filter(({ method }) => methods.includes(method));
    const data = summaries.map(({ perSeed: _, ...summary }) => ({
      ...summary,
      ...look(styleOf(styles, summary.method)),
    }));
    const seeds = summaries.flatMap(({ method, perSeed }) =>
      perSeed.length < 2
        ? []
        : perSeed
            .filter(Number.isFinite)
            .map((score) => ({ method, score, color: styleOf(styles, method).color })),
    );
    const x = (field: string) =>
      quantity(field, metricTitle(task), {
        scale: { zero: false, nice: true, padding: 10 },
        axis: { tickCount: 5 },
      });
    const y = {
      field: 'method',
      type: 'nominal',
      title: null,
      scale: { domain: methods },
      axis: {
        domain: false,
        ticks: false,
        labelPadding: 8,
        labelLimit: 240,
        grid: true,
        labels: i % columns === 0,
      },
    } as const;
    return {
      title: heading(task.title),
      width: 310,
      height: { step: 26 },
      layer: [
        {
          data: { values: seeds },
          mark: { type: 'circle', size: 22, opacity: 0.45, yOffset: 7 },
          encoding: { x: x('score'), y, color },
        },
        {
          data: { values: data.filter(({ low }) => Number.isFinite(low)) },
          mark: { type: 'rule', strokeWidth: 2 },
          encoding: { x: x('low'), x2: { field: 'high' }, y, color },
        },
        {
          data: { values: data.filter(({ mean }) => Number.isFinite(mean)) },
          mark: { type: 'point', size: 75, opacity: 1, strokeWidth: 2 },
          encoding: { x: x('mean'), y, stroke, fill },
        },
      ],
    };
  });
  return concatenated(panels, columns);
}

/** A line with what it is called, which is written at its end. */
interface Line {
  readonly label: string;
  readonly style: MethodStyle;
  readonly points: readonly { x: number; mean: number; low: number; high: number }[];
}

interface Panel {
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
function linePanel(lines: readonly Line[], { title, width, height, x, y, level }: Panel): object {
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
    own.map((point) => ({ ...point, label, frozen: style.frozen, ...look(style) })),
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
  const line = (frozen: boolean) => ({
    data: { values: points.filter((point) => point.frozen === frozen) },
    mark: { type: 'line', strokeWidth: 2, ...(frozen && { strokeDash: DASHES }) },
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
        encoding: { x: across, y: up('mean'), stroke, fill },
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

/** Test score against the number of training records, on a logarithmic axis, a line per method over a suite's tasks. */
export function labelEfficiencySpec(results: Results, styles: Styles): TopLevelSpec {
  const tasks = [...results.tasks].sort((a, b) => a.records.train - b.records.train);
  const lines = results.methods.map(({ name }) => ({
    label: name,
    style: styleOf(styles, name),
    points: tasks.flatMap((task) =>
      summariesOf(results, task)
        .filter(({ method }) => method === name)
        .map(({ mean, low, high }) => ({ x: task.records.train, mean, low, high })),
    ),
  }));
  return concatenated(
    [
      linePanel(lines, {
        title: results.title,
        width: 620,
        height: 360,
        x: {
          title: 'training labels (logarithmic)',
          scale: { type: 'log', nice: false, padding: 16 },
          axis: { grid: false, values: tasks.map(({ records }) => records.train), format: ',d' },
        },
        y: `test ${metricTitle(tasks[0])}`,
      }),
    ],
    1,
  );
}

/** What tells an encoder from the others of its objective: its settings that differ among them. */
function describeSettings(run: PretrainingResult, among: readonly PretrainingResult[]): string {
  const words = SETTINGS.flatMap((setting) => {
    const value = settingOf(run, setting);
    const differs = among.some((other) => settingOf(other, setting) !== value);
    return differs && value !== undefined ? [settingWords[setting](value)] : [];
  });
  return [objectiveTitle(run.objective), ...words].join(', ');
}

const SETTINGS = ['masking_ratio', 'per_query', 'steps'] as const;
type Setting = (typeof SETTINGS)[number];

/** A setting of a run; undefined where its objective has no such thing, whatever old result files say. */
const settingOf = (run: PretrainingResult, setting: Setting): number | undefined =>
  setting === 'per_query' && run.objective !== 'sma' ? undefined : run[setting];

const settingWords: Readonly<Record<Setting, (value: number) => string>> = {
  masking_ratio: (value) => `${value} hidden`,
  per_query: (value) => `${value} per query`,
  steps: (value) => `${grouped(value)} steps`,
};

/** The data set in the name of a pretraining run, which goes on with its objective and a hash. */
const datasetOf = ({ name, objective }: PretrainingResult) => {
  const end = name.lastIndexOf(`-${objective}-`);
  return end > 0 ? name.slice(0, end) : name;
};

/** Whether the objective has a loss of the training marginal to be compared with. */
export const hasMarginal = <R extends PretrainingResult>(
  run: R,
): run is R & { readonly val_loss_marginal: number } => run.val_loss_marginal !== undefined;

/**
 * Validation loss as a part of the loss of predicting the training marginal, a line per encoder whose objective has that
 * reference, a panel per data set. Runs that differ in their seeds alone are one line, their mean, and a band from the least
 * to the greatest.
 */
export function pretrainingCurvesSpec({ pretraining }: Results, styles: Styles): TopLevelSpec {
  const relative = pretraining.filter(hasMarginal);
  const datasets = [...new Set(relative.map(datasetOf))];
  const panels = datasets.map((dataset) => {
    const runs = relative.filter((run) => datasetOf(run) === dataset);
    const labelOf = (run: PretrainingResult) =>
      describeSettings(
        run,
        runs.filter(({ objective }) => objective === run.objective),
      );
    const lines = [...new Set(runs.map(labelOf))].map((label) => {
      const seeds = runs.filter((run) => labelOf(run) === label);
      const [{ objective, curve }] = seeds;
      return {
        label,
        style: styleOf(styles, objectiveTitle(objective)),
        points: curve.map(({ step }) => {
          const losses = seeds.flatMap((run) =>
            run.curve
              .filter((point) => point.step === step)
              .map(({ val_loss }) => val_loss / run.val_loss_marginal),
          );
          const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
          if (seeds.length === 1) return { x: step, mean, low: Number.NaN, high: Number.NaN };
          return { x: step, mean, low: Math.min(...losses), high: Math.max(...losses) };
        }),
      };
    });
    return linePanel(lines, {
      title: dataset,
      width: 560,
      height: Math.max(200, LABEL_GAP * (lines.length + 2)),
      x: { title: 'step', scale: { zero: true, nice: false }, axis: { grid: false, tickCount: 7 } },
      y: 'validation loss / marginal',
      level: { label: 'training marginal', value: 1, style: { color: INK, frozen: false } },
    });
  });
  return concatenated(panels, 1);
}

const axisTitle: Readonly<Record<Setting, string>> = {
  masking_ratio: 'masking ratio',
  per_query: 'tokens hidden per query (logarithmic)',
  steps: 'pretraining steps (logarithmic)',
};

/**
 * Test score against each setting of pretraining that was varied while the others stayed: a panel per task and setting, a
 * line per objective and set of other settings; a dashed line for the encoder from scratch. undefined where no setting was
 * varied.
 */
export function ablationCurvesSpec(results: Results, styles: Styles): TopLevelSpec | undefined {
  const varied = SETTINGS.filter((setting) =>
    results.tasks.some((task) => ablationLines(results, task, setting, styles).length > 0),
  );
  if (varied.length === 0) return undefined;
  const panels = results.tasks.flatMap((task) =>
    varied.map((setting) => {
      const lines = ablationLines(results, task, setting, styles);
      const scratch = summariesOf(results, task).find(({ method }) => method === 'from scratch');
      const values = [...new Set(lines.flatMap(({ points }) => points.map(({ x }) => x)))].sort(
        (a, b) => a - b,
      );
      const linear = setting === 'masking_ratio';
      return linePanel(lines, {
        title: task.title,
        width: varied.length === 1 ? 500 : 280,
        height: 210,
        x: {
          title: axisTitle[setting],
          scale: { ...(linear ? { zero: false } : { type: 'log' }), nice: false, padding: 12 },
          axis: { grid: false, values, format: linear ? '.3~g' : ',d' },
        },
        y: metricTitle(task),
        ...(scratch &&
          Number.isFinite(scratch.mean) && {
            level: { label: 'from scratch', value: scratch.mean, style: styleOf(styles, 'from scratch') },
          }),
      });
    }),
  );
  return concatenated(panels, Math.min(2, varied.length));
}

/** The variants that differ in `setting` alone, by objective; one alone shows nothing and is left out. */
function ablationLines(results: Results, task: Task, setting: Setting, styles: Styles): Line[] {
  const groups = new Map<string, { name: string; points: { x: number; summary: MethodSummary }[] }>();
  for (const summary of summariesOf(results, task)) {
    const run = results.pretraining.find(({ name }) => name === summary.pretraining);
    if (!run) continue;
    const name = `${objectiveTitle(run.objective)}${summary.method.endsWith(', frozen') ? ', frozen' : ''}`;
    const value = settingOf(run, setting);
    if (value === undefined) continue;
    const others = SETTINGS.filter((other) => other !== setting).map((other) => settingOf(run, other));
    const key = JSON.stringify([name, datasetOf(run), others]);
    const group = groups.get(key) ?? { name, points: [] };
    // The variants of several settings may share the one that all of them start from.
    if (group.points.every(({ x }) => x !== value)) group.points.push({ x: value, summary });
    groups.set(key, group);
  }
  return [...groups.values()]
    .filter(({ points }) => points.length > 1)
    .map(({ name, points }) => ({
      label: name,
      style: styleOf(styles, name),
      points: points
        .sort((a, b) => a.x - b.x)
        .map(({ x, summary: { mean, low, high } }) => ({ x, mean, low, high })),
    }));
}
