/** Figures of a benchmark's test scores as Vega-Lite specifications, made from its result file alone. */
import type { TopLevelSpec } from 'vega-lite';
import { summariesOf } from './benchmark-tables.js';
import { linePanel } from './line-panel.js';
import {
  color,
  concatenated,
  fill,
  heading,
  look,
  metricTitle,
  quantity,
  type Styles,
  styleOf,
} from './panel.js';
import { pretrainingOperations, type Results } from './results.js';

/** Methods that are drawn: an axis that reached the constant would have no room for the differences of the others. */
const drawnMethods = ({ methods }: Results): string[] =>
  methods.map(({ name }) => name).filter((name) => name !== 'constant');

/** One panel per task with an axis of its own, one row per method that has a score: every seed, their mean and its 95 % interval. */
export function comparisonPanelsSpec(results: Results, styles: Styles): TopLevelSpec {
  const methods = drawnMethods(results);
  const panels = results.tasks.map((task) => {
    const summaries = summariesOf(results, task).filter(
      ({ method, mean }) => methods.includes(method) && Number.isFinite(mean),
    );
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
      scale: { domain: methods.filter((name) => summaries.some(({ method }) => method === name)) },
      axis: { domain: false, ticks: false, labelPadding: 8, labelLimit: 600, grid: true },
    } as const;
    return {
      title: heading(task.title),
      width: 420,
      height: { step: 24 },
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
          data: { values: data },
          mark: { type: 'point', size: 75, opacity: 1, strokeWidth: 2 },
          encoding: { x: x('mean'), y, stroke: color, fill },
        },
      ],
    };
  });
  return concatenated(panels, 1);
}

/** Test score against the number of training records, on a logarithmic axis, a line per method over a suite's tasks. */
export const labelEfficiencySpec = (results: Results, styles: Styles): TopLevelSpec =>
  linesSpec(results, styles, {
    title: 'training labels (logarithmic)',
    of: ({ records }) => records.train,
    format: ',d',
  });

/** Of the pretraining of a task's first encoder; undefined where there is none. */
export function operationsFor(results: Results, { name }: Results['tasks'][number]): number | undefined {
  const used = new Set(
    results.cells.filter(({ task }) => task === name).map(({ pretraining }) => pretraining),
  );
  const run = results.pretraining.find((known) => used.has(known.name));
  return run && pretrainingOperations(run);
}

/** Test score against the operations of pretraining, both encoders and steps being what differs between the tasks. */
export const scalingSpec = (results: Results, styles: Styles): TopLevelSpec =>
  linesSpec(results, styles, {
    title: 'floating-point operations of pretraining (logarithmic)',
    of: (task) => operationsFor(results, task),
    format: '.1e',
  });

/** A line per method but `constant` over the tasks for which `of` gives a number. */
function linesSpec(
  results: Results,
  styles: Styles,
  x: {
    readonly title: string;
    readonly of: (task: Results['tasks'][number]) => number | undefined;
    readonly format: string;
  },
): TopLevelSpec {
  const placed = results.tasks
    .flatMap((task) => {
      const at = x.of(task);
      return at === undefined ? [] : [{ task, at }];
    })
    .sort((a, b) => a.at - b.at);
  const lines = drawnMethods(results).map((name) => ({
    label: name,
    style: styleOf(styles, name),
    points: placed.flatMap(({ task, at }) =>
      summariesOf(results, task)
        .filter(({ method }) => method === name)
        .map(({ mean, low, high }) => ({ x: at, mean, low, high })),
    ),
  }));
  return concatenated(
    [
      linePanel(lines, {
        title: results.title,
        width: 620,
        height: 360,
        x: {
          title: x.title,
          scale: { type: 'log', nice: false, padding: 16 },
          axis: { grid: false, values: placed.map(({ at }) => at), format: x.format },
        },
        y: `test ${metricTitle(results.tasks[0])}`,
      }),
    ],
    1,
  );
}
