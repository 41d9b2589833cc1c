/** Scores against the number of labels: a figure, the means, and paired differences. */
import { type MethodScores, pairedScores } from '../runs/scores.js';
import { summarize } from '../scoring/statistics.js';
import { INK, PALETTE, renderChart } from './charts.js';
import { svgMarkup } from './html.js';
import { type Line, linePanel } from './line-panel.js';
import { meanAndInterval } from './numbers.js';
import type { Block } from './page.js';
import { concatenated } from './panel.js';

/** The scores of one method of one run, at each of its numbers of labels. */
export interface LabelCurve {
  /** What the run is called. */
  readonly run: string;
  readonly method: string;
  readonly points: readonly MethodScores[];
}

/** What the scores are of. */
export interface CurvedTask {
  /** The metric and its targets. */
  readonly name: string;
  /** How they were taken, for a caption. */
  readonly judged: string;
  /** Whether shots are counted by class. */
  readonly classes: boolean;
}

/**
 * The blocks of a page. Curves come run by run; the first of a run is what the run is compared by, the others, such as that of
 * the untrained encoder, are drawn for the first run alone, and dashed.
 */
export async function labelCurveBlocks(curves: readonly LabelCurve[], task: CurvedTask): Promise<Block[]> {
  const first = curves.filter(({ run }, i) => curves.findIndex((other) => other.run === run) === i);
  const [reference, ...others] = first;
  const shots = [...new Set(curves.flatMap(({ points }) => points.map(shotsOf)))].sort((a, b) => a - b);
  const unit = task.classes ? 'labels of each class' : 'labels';
  const columns = (of: string) => [
    { title: of },
    ...shots.map((count) => ({ title: String(count), numeric: true })),
  ];
  const lines = curves
    .filter((curve) => first.includes(curve) || curve.run === reference.run)
    .map((curve, i): Line => {
      const leads = first.includes(curve);
      const color = PALETTE[i % PALETTE.length] ?? INK;
      return {
        label: leads && curves.length > 1 ? curve.run : `${curve.run} ${curve.method}`,
        style: { color, hollow: !leads },
        points: curve.points.map((point) => ({ ...point, x: shotsOf(point) })),
      };
    });
  const panel = linePanel(lines, {
    title: task.name,
    width: 560,
    height: 320,
    x: {
      title: `${unit} (logarithmic)`,
      scale: { type: 'log', nice: false, padding: 16 },
      axis: { grid: false, values: shots, format: ',d' },
    },
    y: '',
  });
  const figure: Block = {
    kind: 'figure',
    picture: svgMarkup(
      await renderChart(concatenated([panel], 1)),
      `${task.name} against the number of labels: ${lines.map(({ label }) => label).join(', ')}`,
    ),
    caption:
      'Means over the seeds with their 95 % intervals as bands; dashed: other methods of the first run.',
  };
  const means: Block = {
    kind: 'table',
    caption: `${task.name} by ${unit}, ${task.judged}`,
    columns: [{ title: 'run' }, ...columns('method')],
    rows: curves.map(({ run, method, points }) => [
      run,
      method,
      ...shots.map((count) => {
        const point = points.find((own) => shotsOf(own) === count);
        return point ? meanAndInterval(point) : '–';
      }),
    ]),
  };
  const rows = others.flatMap((curve) => differences(curve, reference, shots) ?? []);
  const pair = reference.points.some(({ perSplit }) => perSplit) ? 'split' : 'seed';
  if (rows.length === 0) return [figure, means];
  return [
    figure,
    means,
    {
      kind: 'table',
      caption: `Differences of ${task.name}, paired by ${pair}, with half of their 95 % intervals. The last column is of the mean over all numbers of labels, of which each ${pair} has one.`,
      columns: [...columns('difference'), { title: 'all', numeric: true }],
      rows,
    },
  ];
}

const shotsOf = ({ shots = Number.NaN }: MethodScores): number => shots;

/** The row of one curve less another, where they share numbers of labels with the same splits or seeds, at least two. */
function differences(
  curve: LabelCurve,
  reference: LabelCurve,
  shots: readonly number[],
): [string[]] | undefined {
  const paired = shots.map((count) => {
    const [own, other] = [curve, reference].map(({ points }) => points.find((p) => shotsOf(p) === count));
    return own && other && pairedScores(own, other);
  });
  const known = paired.filter((values) => values !== undefined);
  if (known.length === 0) return undefined;
  const [{ length: seeds }] = known;
  const everywhere = known.length === shots.length && known.every(({ length }) => length === seeds);
  const means = Array.from(
    { length: seeds },
    (_, seed) => known.reduce((sum, values) => sum + values[seed], 0) / known.length,
  );
  const cells = [...paired, everywhere ? means : undefined];
  return [
    [
      `${curve.run} − ${reference.run}`,
      ...cells.map((values) => (values ? meanAndInterval(summarize(values)) : '–')),
    ],
  ];
}
