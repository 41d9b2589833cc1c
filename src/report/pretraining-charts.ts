/** Figures of what pretraining ran and of what its settings change, as Vega-Lite specifications. */
import type { TopLevelSpec } from 'vega-lite';
import { type MethodSummary, summariesOf } from './benchmark-tables.js';
import { INK } from './charts.js';
import { LABEL_GAP, type Line, linePanel } from './line-panel.js';
import { objectiveTitle } from './method-styles.js';
import { grouped } from './numbers.js';
import { concatenated, metricTitle, type Styles, styleOf, type Task } from './panel.js';
import type { PretrainingResult, Results } from './results.js';

/** What tells an encoder from the others of its objective: its settings and its size, where they differ among them. */
function describeSettings(run: PretrainingResult, among: readonly PretrainingResult[]): string {
  const words = SETTINGS.flatMap((setting) => {
    const value = settingOf(run, setting);
    const differs = among.some((other) => settingOf(other, setting) !== value);
    return differs && value !== undefined ? [settingWords[setting](value)] : [];
  });
  if (run.feature_targets) words.push(run.feature_targets);
  const sizes = among.some(({ parameters }) => parameters !== run.parameters);
  if (sizes) words.push(`${grouped(run.parameters)} parameters`);
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
      level: { label: 'training marginal', value: 1, style: { color: INK, hollow: false } },
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
