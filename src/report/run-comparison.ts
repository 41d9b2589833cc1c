/** Runs beside each other as one page: curves, settings that differ, what watches for collapse, scores and cost. */
import type { Config } from '../config/schema.js';
import type { Monitors } from '../learning/monitors.js';
import type { Metrics } from '../runs/metrics-log.js';
import { type MethodScores, pairedScores, type Scores } from '../runs/scores.js';
import { differenceBounds, metrics as scoreMetrics } from '../scoring/metrics.js';
import { summarize } from '../scoring/statistics.js';
import { INK, learningCurvesSpec, PALETTE, renderChart } from './charts.js';
import { svgMarkup } from './html.js';
import { type LabelCurve, labelCurveBlocks } from './label-curves.js';
import { type Line, linePanel } from './line-panel.js';
import { grouped, meanAndInterval } from './numbers.js';
import type { Block, Page, Section } from './page.js';
import { concatenated } from './panel.js';

/** A run as its folder has it at this moment. */
export interface ComparedRun {
  /** What it is called on the page, each differently. */
  readonly name: string;
  readonly config: Config;
  /** The lines of metrics.jsonl. */
  readonly metrics: readonly Metrics[];
  readonly scores?: Scores;
  readonly done: boolean;
  /** What was warned of while it was watched. */
  readonly warnings?: readonly string[];
}

/** What the monitors say, in the order of the page. */
const monitorMeanings: Readonly<Record<keyof Monitors, string>> = {
  effective_rank: 'effective rank: how many directions the embeddings use; towards 1 all records look alike',
  embedding_std_mean:
    'mean deviation of an embedding’s numbers over records; towards 0 all records look alike',
  embedding_std_min: 'least deviation of a number; at 0 that number says nothing',
  alignment: 'alignment: distance of two views of one record; small means robust to hidden tokens',
  uniformity: 'uniformity: more negative means spread evenly over the sphere',
  nearest_neighbor_accuracy: 'accuracy of the nearest neighbour on the watched labels',
  nearest_neighbor_r2: 'R² of the nearest neighbour on the watched labels',
  target_distance: 'how far the averaged network lags behind the trained one',
};

/** What a run is called in figures and tables: a letter, or a number where there are too many. */
function letterOf(runs: readonly ComparedRun[], run: ComparedRun): string {
  const place = runs.indexOf(run);
  return runs.length <= 26 ? String.fromCharCode(65 + place) : String(place + 1);
}

const number = (line: Metrics, name: string): number | null =>
  typeof line[name] === 'number' ? (line[name] as number) : null;

/** The newest value of a line's key, or undefined. */
function newest(run: ComparedRun, name: string): number | undefined {
  for (let i = run.metrics.length - 1; i >= 0; i--) {
    const value = number(run.metrics[i], name);
    if (value !== null) return value;
  }
  return undefined;
}

const shown = (value: number | undefined, digits = 4): string =>
  value === undefined || Number.isNaN(value) ? '–' : String(Number(value.toPrecision(digits)));

/** The page. A run without a step yet is in its tables alone. */
export async function comparisonPage(runs: readonly ComparedRun[]): Promise<Page> {
  const sections: Section[] = [
    { title: 'How far they are', blocks: [...progressTables(runs), ...warningBlocks(runs)] },
    { title: 'Learning without labels', blocks: await curveBlocks(runs) },
    { title: 'What the embeddings look like', blocks: await monitorBlocks(runs) },
    { title: 'Scores', blocks: await scoreBlocks(runs) },
    { title: 'Settings that differ', blocks: [settingsTable(runs)] },
  ];
  return {
    title: runs.length === 1 ? `The run ${runs[0].name}` : `${runs.length} runs side by side`,
    intro: 'Choose by what validation says. Losses of objectives that hide other tokens are no ranking.',
    sections: sections.filter(({ blocks }) => blocks.length > 0),
  };
}

/** The runs by letters, which figures and tables call them by. */
function progressTables(runs: readonly ComparedRun[]): Block[] {
  const begun = runs.filter(({ metrics }) => metrics.length > 0);
  const marked = (run: ComparedRun, cells: readonly string[]) => [
    `${letterOf(runs, run)}  ${run.name}`,
    ...cells,
  ];
  return [
    {
      kind: 'table',
      caption: 'The newest of each run. The marginal is the loss of predicting every token by its frequency.',
      columns: [
        { title: 'run' },
        { title: 'step', numeric: true },
        { title: 'loss', numeric: true },
        { title: 'validation', numeric: true },
        { title: 'marginal', numeric: true },
        { title: 'gradient norm', numeric: true },
        { title: '' },
      ],
      rows: runs.map((run) =>
        marked(run, [
          run.metrics.length === 0
            ? '–'
            : `${grouped(run.metrics.at(-1)!.step)}/${grouped(run.config.training.steps)}`,
          shown(newest(run, 'loss')),
          shown(newest(run, 'val_loss')),
          shown(newest(run, 'val_loss_marginal')),
          shown(newest(run, 'gradient_norm'), 3),
          run.done ? 'done' : '',
        ]),
      ),
    },
    ...(begun.length === 0
      ? []
      : [
          {
            kind: 'table' as const,
            caption: 'What it costs.',
            columns: [
              { title: 'run' },
              { title: 'learning rate', numeric: true },
              { title: 'records/s', numeric: true },
              { title: 'peak MiB', numeric: true },
              { title: 'minutes', numeric: true },
            ],
            rows: begun.map((run) => {
              const seconds = newest(run, 'seconds');
              return marked(run, [
                shown(newest(run, 'lr'), 3),
                shown(newest(run, 'samples_per_second'), 3),
                shown(newest(run, 'peak_memory_mib')),
                seconds === undefined ? '–' : (seconds / 60).toFixed(1),
              ]);
            }),
          },
        ]),
  ];
}

const warningBlocks = (runs: readonly ComparedRun[]): Block[] =>
  runs.flatMap(({ name, warnings = [] }) =>
    warnings.map((text): Block => ({ kind: 'finding', text: `${name}: ${text}` })),
  );

async function curveBlocks(runs: readonly ComparedRun[]): Promise<Block[]> {
  const curves = runs
    .map((run) => ({
      name: letterOf(runs, run),
      marginal: newest(run, 'val_loss_marginal') ?? Number.NaN,
      points: run.metrics.map((line) => ({
        step: line.step,
        loss: number(line, 'loss'),
        val_loss: number(line, 'val_loss'),
      })),
    }))
    .filter(({ points }) => points.some(({ loss }) => loss !== null));
  if (curves.length === 0) return [];
  const told = curves.map(({ name }) => name).join(', ');
  // A run without losses has its colour in other figures.
  const letters = runs.map((run) => letterOf(runs, run));
  return [
    {
      kind: 'figure',
      picture: svgMarkup(
        await renderChart(learningCurvesSpec(curves, letters)),
        `Loss against step: ${told}`,
      ),
      caption:
        'Thin lines: training, smoothed; thick lines with points: validation; dashed: predicting the marginal of the tokens.',
    },
  ];
}

async function monitorBlocks(runs: readonly ComparedRun[]): Promise<Block[]> {
  const panels = Object.keys(monitorMeanings).flatMap((name) => {
    const lines = runs.flatMap((run, i): Line[] => {
      const points = run.metrics.flatMap((line) => {
        const mean = number(line, name);
        return mean === null ? [] : [{ x: line.step, mean, low: Number.NaN, high: Number.NaN }];
      });
      const style = { color: PALETTE[i % PALETTE.length] ?? INK, hollow: false };
      return points.length > 0 ? [{ label: letterOf(runs, run), style, points }] : [];
    });
    if (lines.length === 0) return [];
    return [
      linePanel(lines, {
        title: name,
        width: 300,
        height: 150,
        x: { title: 'step', scale: { zero: false }, axis: { tickCount: 4 } },
        y: '',
      }),
    ];
  });
  if (panels.length === 0) return [];
  const told = Object.entries(monitorMeanings)
    .filter(([name]) => runs.some((run) => newest(run, name) !== undefined))
    .map(([name, meaning]) => `${name}: ${meaning}.`);
  return [
    {
      kind: 'figure',
      picture: svgMarkup(
        await renderChart(concatenated(panels, 2)),
        `Monitors against step: ${told.join(' ')}`,
      ),
      caption: 'Of validation records, at each validation.',
    },
    {
      kind: 'details',
      summary: 'What each monitor means',
      blocks: [{ kind: 'text', text: told.join('\n') }],
    },
  ];
}

/** A row of a table of scores. */
interface ScoredMethod {
  readonly run: ComparedRun;
  readonly scores: Scores;
  readonly method: MethodScores;
}

/** What must be the same of two evaluations that are compared. */
function taskOf({ scores: { task, targets, hash, split }, method }: ScoredMethod): string {
  const { testLearned: _, ...parts } = split;
  return JSON.stringify([task, targets, hash, parts, method.metric, method.shots === undefined]);
}

async function scoreBlocks(runs: readonly ComparedRun[]): Promise<Block[]> {
  const rows = runs.flatMap((run) =>
    (run.scores?.methods ?? []).map((method): ScoredMethod => ({ run, scores: run.scores!, method })),
  );
  const blocks = [...new Set(rows.map(taskOf))].map(async (task): Promise<Block[]> => {
    const own = rows.filter((row) => taskOf(row) === task);
    const [{ scores, method }] = own;
    const better = scoreMetrics[method.metric as keyof typeof scoreMetrics]?.higherIsBetter;
    const name = `${method.metric} of ${scores.targets.join(', ')}`;
    const file = scores.data === undefined ? '' : ` of ${scores.data}`;
    const judged = `on ${scores.split.test} test records${file}${better === undefined ? '' : `; ${better ? 'higher' : 'lower'} is better`}. Mean over seeds and half of its 95 % interval.`;
    if (method.shots !== undefined) {
      const classes = scores.task === 'binary' || scores.task === 'multiclass';
      return labelCurveBlocks(labelCurves(runs, own), { name, judged, classes });
    }
    const learnedFrom = ({ scores: { split } }: ScoredMethod) => split.testLearned?.records ?? 0;
    const someLearned = own.some((row) => learnedFrom(row) > 0);
    const table: Block = {
      kind: 'table',
      caption: `${name} ${judged}${someLearned ? ' Learned from: test records that the run was pretrained on, without their labels.' : ''}`,
      columns: [
        { title: 'run' },
        { title: 'method' },
        { title: 'validation', numeric: true },
        { title: 'test', numeric: true },
        { title: 'seeds', numeric: true },
        { title: 'seconds', numeric: true },
        ...(someLearned ? [{ title: 'learned from', numeric: true }] : []),
      ],
      rows: own.map((row) => {
        const { validPerSeed, ...scored } = row.method;
        return [
          letterOf(runs, row.run),
          scored.method,
          validPerSeed ? shown(summarize(validPerSeed).mean) : '–',
          scored.perSeed.length > 1 ? meanAndInterval(scored) : shown(scored.mean),
          String(scored.perSeed.length),
          scored.seconds.toFixed(1),
          ...(someLearned ? [grouped(learnedFrom(row))] : []),
        ];
      }),
    };
    const differences = pairedDifferences(runs, own);
    return differences.length === 0
      ? [table]
      : [
          table,
          {
            kind: 'table',
            caption: `Differences of ${name}, paired by ${scores.split.splits ? 'split' : 'seed'}, with their 95 % intervals.`,
            columns: [
              { title: 'difference' },
              { title: 'mean', numeric: true },
              { title: 'from', numeric: true },
              { title: 'to', numeric: true },
            ],
            rows: differences,
          },
        ];
  });
  return (await Promise.all(blocks)).flat();
}

/** The rows of one task as curves, run by run, each with the methods in their order. */
function labelCurves(runs: readonly ComparedRun[], rows: readonly ScoredMethod[]): LabelCurve[] {
  const curves = new Map<string, LabelCurve & { points: MethodScores[] }>();
  for (const { run, method } of rows) {
    const key = JSON.stringify([runs.indexOf(run), method.method]);
    const curve = curves.get(key) ?? { run: letterOf(runs, run), method: method.method, points: [] };
    curves.set(key, curve);
    curve.points.push(method);
  }
  return [...curves.values()];
}

/**
 * The other runs less the first one, where both have the same splits or seeds, at least two: its first method and theirs of that
 * name, or their first ones, which are then named.
 */
function pairedDifferences(runs: readonly ComparedRun[], rows: readonly ScoredMethod[]): string[][] {
  const [reference] = rows;
  return [...new Set(rows.map(({ run }) => run))].slice(1).flatMap((run) => {
    const own = rows.filter((row) => row.run === run);
    const same = own.find(({ method }) => method.method === reference.method.method);
    const other = same ?? own[0];
    const paired = pairedScores(other.method, reference.method);
    if (paired === undefined || paired.some(Number.isNaN)) return [];
    const { mean, low, high } = summarize(paired, differenceBounds(other.method.metric));
    const named = ({ run: of, method }: ScoredMethod) =>
      `${letterOf(runs, of)}${same ? '' : ` (${method.method})`}`;
    return [[`${named(other)} − ${named(reference)}`, shown(mean, 3), shown(low, 3), shown(high, 3)]];
  });
}

/** All keys whose values are not the same in every run; of one run its configuration. */
function settingsTable(runs: readonly ComparedRun[]): Block {
  const flat = runs.map(({ config }) => flattened(config));
  const keys = [...new Set(flat.flatMap((values) => Object.keys(values)))];
  const differing =
    runs.length === 1 ? keys : keys.filter((key) => new Set(flat.map((own) => own[key])).size > 1);
  return {
    kind: 'table',
    caption: runs.length === 1 ? 'The configuration.' : 'Keys that are the same in all runs are left out.',
    columns: [{ title: 'key' }, ...runs.map((run) => ({ title: letterOf(runs, run) }))],
    rows: differing.map((key) => [key, ...flat.map((own) => shortened(own[key] ?? '–'))]),
  };
}

/** Longer values would push the others off the page. */
const shortened = (text: string): string => (text.length > 28 ? `${text.slice(0, 27)}…` : text);

/** `{ a: { b: 1 } }` as `a.b`. */
function flattened(value: object, prefix = ''): Record<string, string> {
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => {
      const name = prefix + key;
      if (inner === undefined) return [];
      if (typeof inner === 'object' && inner !== null && !Array.isArray(inner))
        return Object.entries(flattened(inner, `${name}.`));
      return [[name, Array.isArray(inner) ? inner.join(', ') : String(inner)]];
    }),
  );
}
