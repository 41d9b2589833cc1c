/** A sweep as one page: which settings were best, which keys mattered, and every trial. */
import type { TopLevelSpec } from 'vega-lite';
import type { Dimension, SettingValue } from '../config/search.js';
import { INK, PALETTE, renderChart } from '../report/charts.js';
import { svgMarkup } from '../report/html.js';
import type { Block, Page, Section } from '../report/page.js';
import { heading, concatenated as onPaper } from '../report/panel.js';
import { type keyImportance, TOGETHER } from './importance.js';
import type { JudgedTrial, Trial } from './record.js';
import type { SweepSummary } from './sweep.js';

const [BLUE, VERMILION] = PALETTE;

/** Panels on the ground of the page, which may be dark. */
const concatenated = (panels: readonly object[], columns: number): TopLevelSpec => ({
  ...onPaper(panels, columns),
  background: 'transparent',
});

export interface SweepFigures extends SweepSummary {
  readonly best: Trial;
  readonly space: readonly Dimension[];
  readonly importance: ReturnType<typeof keyImportance>;
}

/** The page of a sweep with at least one trial that was judged. */
export async function sweepPage(sweep: SweepFigures): Promise<Page> {
  const { trials, best, metric, higherIsBetter, judge, targets, interrupted, next = [] } = sweep;
  const what =
    judge === 'validation-loss' ? metric : `${metric} of ${targets.join(', ')} by ${judges[judge]}`;
  const failed = trials.filter(({ failure }) => failure !== undefined);
  const { score, steps } = best.judged.at(-1)!;
  const sections: Section[] = [
    {
      title: 'The best',
      blocks: [
        {
          kind: 'finding',
          text: `Trial ${best.number} of ${trials.length}: ${metric} ${shown(score)} after ${steps} steps.\nThe best of many validation scores is too good by itself: only a test that no setting was chosen by tells how good it is.`,
        },
        {
          kind: 'table',
          caption: 'Its settings.',
          columns: [{ title: 'key' }, { title: 'value', numeric: true }],
          rows: Object.entries(best.settings).map(([key, value]) => [key, String(value)]),
        },
        { kind: 'text', text: 'Go on with:' },
        { kind: 'code', text: `lacuna ${next.join(' ')}` },
      ],
    },
    { title: 'What mattered', blocks: await importanceBlocks(sweep) },
    { title: 'Halving', blocks: await halvingBlocks(sweep) },
    { title: 'All trials', blocks: [trialsTable(sweep)] },
    {
      title: 'Trials that failed',
      blocks:
        failed.length === 0
          ? []
          : [
              {
                kind: 'table',
                caption: 'Why each ended. They are in no figure.',
                columns: [{ title: 'message' }, { title: 'trials', numeric: true }],
                rows: [...new Set(failed.map(({ failure = '' }) => failure))].map((message) => [
                  message,
                  failed
                    .filter(({ failure }) => failure === message)
                    .map(({ number }) => number)
                    .join(', '),
                ]),
              },
            ],
    },
  ];
  return {
    title: `A sweep of ${trials.length} trials`,
    intro: `Judged by ${what} on validation records; ${higherIsBetter ? 'higher' : 'lower'} is better. No test label was read.${interrupted ? '\nThe sweep was interrupted: this is what was done until then.' : ''}`,
    sections: sections.filter(({ blocks }) => blocks.length > 0),
  };
}

const judges = { probe: 'a linear probe', finetune: 'fine-tuning' } as const;

/** A forest that explains no more than this of what it has not seen tells nothing of keys. */
const SURE = 0.1;

/** The trials with the score that all of them have: that of the fewest steps. */
const firstScores = (trials: readonly Trial[]) =>
  trials.flatMap((trial) => (trial.judged.length > 0 ? [{ trial, ...trial.judged[0] }] : []));

async function importanceBlocks(sweep: SweepFigures): Promise<Block[]> {
  const { space, importance, metric, trials, best } = sweep;
  const scored = firstScores(trials);
  const blocks: Block[] = [];
  if (importance) {
    const { shares, explained } = importance;
    const told = shares.map(({ key, share }) => `${key} ${percent(share)}`).join(', ');
    blocks.push({
      kind: 'figure',
      picture: svgMarkup(
        await renderChart(sharesSpec(shares)),
        `Share of the variance of scores by key: ${told}`,
      ),
      caption: `How much of the variance of ${metric} over the searched space goes with each key alone${space.length > 1 ? `, and ${TOGETHER} with several at once` : ''}: a functional analysis of variance of a forest. On trials that it was not fitted on, the forest explains ${percent(Math.max(0, explained))} of the variance${explained <= SURE ? ', so these shares say little; more trials may tell' : ''}.`,
    });
  }
  const domain = scoreDomain(
    scored.map(({ score }) => score),
    sweep.higherIsBetter,
  );
  const unsure = importance === undefined || importance.explained <= SURE;
  const panels = space.map((dimension) => {
    const share = importance?.shares.find(({ key }) => key === dimension.key)?.share;
    const values = scored.map(({ trial, score }) => ({
      x: trial.settings[dimension.key],
      score,
      color: trial === best || trial.number === best.number ? VERMILION : BLUE,
      front: trial.number === best.number ? 1 : 0,
      name: `trial ${trial.number}`,
    }));
    return {
      title: heading(dimension.key, share === undefined || unsure ? undefined : percent(share)),
      width: 300,
      height: 170,
      data: { values: values.toSorted((a, b) => a.front - b.front) },
      mark: { type: 'point', filled: true, size: 55, opacity: 0.75, clip: false },
      encoding: {
        x: axisOf(
          dimension,
          values.map(({ x }) => x),
        ),
        y: {
          field: 'score',
          type: 'quantitative',
          title: metric,
          scale: { domain, zero: false, clamp: true, nice: false },
          axis: { tickCount: 5 },
        },
        color: { field: 'color', type: 'nominal', scale: null },
      },
    };
  });
  const steps = scored[0].steps;
  const same = scored.every((one) => one.steps === steps);
  blocks.push({
    kind: 'figure',
    picture: svgMarkup(
      await renderChart(concatenated(panels, 2)),
      `${metric} against ${space.map(({ key }) => key).join(', ')}: a point for each of ${scored.length} trials`,
    ),
    caption: `Each point is a trial${same ? ` after ${steps} steps` : ''}; the best in orange. Scores that are much worse than most are drawn at the edge.`,
  });
  return blocks;
}

/** The axis of a key: by logarithm where it was drawn so or its values span much, in places where they are no numbers. */
function axisOf(dimension: Dimension, values: readonly SettingValue[]): object {
  const numbers = values.filter((value) => typeof value === 'number');
  if (numbers.length < values.length || numbers.length === 0) {
    const sort = 'values' in dimension ? dimension.values.map(String) : undefined;
    return { field: 'x', type: 'nominal', title: null, sort, axis: { labelAngle: 0, ticks: false } };
  }
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  const log = least > 0 && ('log' in dimension ? dimension.log : most / least >= 20);
  return {
    field: 'x',
    type: 'quantitative',
    title: null,
    scale: log ? { type: 'log', nice: false, padding: 8 } : { zero: false, padding: 8, nice: false },
    axis: {
      tickCount: 5,
      labelOverlap: true,
      ...(numbers.every(Number.isInteger) && { tickMinStep: 1, format: 'd' }),
      // Ten lines for each power of ten would hide the points.
      ...(log && { format: '~g', grid: false }),
    },
  };
}

/** From the best score to the worst, or to where Tukey's fence (1.5 times the distance of the quartiles) parts it from the rest. */
function scoreDomain(scores: readonly number[], higherIsBetter: boolean): [number, number] {
  const sorted = scores.toSorted((a, b) => a - b);
  const at = (place: number) => sorted[Math.round(place * (sorted.length - 1))];
  const fence = 1.5 * (at(0.75) - at(0.25));
  const low = higherIsBetter ? Math.max(at(0), at(0.25) - fence) : at(0);
  const high = higherIsBetter ? at(1) : Math.min(at(1), at(0.75) + fence);
  const margin = (high - low || Math.abs(high) || 1) * 0.05;
  return [low - margin, high + margin];
}

function sharesSpec(shares: readonly { readonly key: string; readonly share: number }[]): TopLevelSpec {
  const values = shares.map(({ key, share }) => ({
    key,
    share,
    text: percent(share),
    color: key === TOGETHER ? '#777777' : BLUE,
  }));
  const y = {
    field: 'key',
    type: 'nominal',
    sort: null,
    title: null,
    axis: { labelLimit: 260, ticks: false, domain: false, labelPadding: 6 },
  };
  const x = { field: 'share', type: 'quantitative', title: null, scale: { domain: [0, 1] }, axis: null };
  const panel = {
    width: 400,
    height: { step: 26 },
    data: { values },
    layer: [
      {
        mark: { type: 'bar', height: 16 },
        encoding: { y, x, color: { field: 'color', type: 'nominal', scale: null } },
      },
      {
        mark: { type: 'text', align: 'left', dx: 5, fontSize: 12, color: INK },
        encoding: { y, x, text: { field: 'text' } },
      },
    ],
  };
  return concatenated([panel], 1);
}

/** How the scores of trials that were judged several times went. */
async function halvingBlocks({ trials, best, metric, higherIsBetter }: SweepFigures): Promise<Block[]> {
  const several = trials.filter(({ judged }) => judged.length > 1);
  if (several.length === 0) return [];
  const scored = trials.filter(({ judged }) => judged.length > 0);
  const values = scored.flatMap(({ number, judged }) =>
    judged.map(({ steps, score }) => ({
      number,
      steps,
      score,
      color: number === best.number ? VERMILION : BLUE,
    })),
  );
  const domain = scoreDomain(
    values.map(({ score }) => score),
    higherIsBetter,
  );
  const rungs = [...new Set(values.map(({ steps }) => steps))].sort((a, b) => a - b);
  const encoding = {
    x: {
      field: 'steps',
      type: 'quantitative',
      title: 'steps',
      scale: { type: 'log', nice: false, padding: 12 },
      axis: { values: rungs, format: '~s' },
    },
    y: {
      field: 'score',
      type: 'quantitative',
      title: metric,
      scale: { domain, zero: false, clamp: true, nice: false },
      axis: { tickCount: 6 },
    },
    color: { field: 'color', type: 'nominal', scale: null },
    detail: { field: 'number' },
  };
  const panel = {
    width: 640,
    height: 220,
    data: { values },
    layer: [
      { mark: { type: 'line', strokeWidth: 1.5, opacity: 0.7 }, encoding },
      { mark: { type: 'point', filled: true, size: 40, opacity: 0.8 }, encoding },
    ],
  };
  const counts = rungs.map(
    (rung) => `${values.filter(({ steps }) => steps === rung).length} after ${rung} steps`,
  );
  return [
    {
      kind: 'figure',
      picture: svgMarkup(
        await renderChart(concatenated([panel], 1)),
        `${metric} against steps: ${counts.join(', ')}`,
      ),
      caption: `A line for each trial, the best in orange: ${counts.join(', ')}. The learning rate is that of the whole training, so a trial is judged in the middle of its schedule.`,
    },
  ];
}

/** Every trial, the best first, those that failed last. */
function trialsTable({ trials, space, metric, higherIsBetter }: SweepFigures): Block {
  const last = ({ judged }: Trial): JudgedTrial | undefined => judged.at(-1);
  const sign = higherIsBetter ? -1 : 1;
  const ordered = trials.toSorted(
    (a, b) =>
      Number(a.failure !== undefined) - Number(b.failure !== undefined) ||
      b.judged.length - a.judged.length ||
      sign * ((last(a)?.score ?? 0) - (last(b)?.score ?? 0)) ||
      a.number - b.number,
  );
  return {
    kind: 'table',
    caption: 'The best first. Each is a run, in trials/ under its number.',
    columns: [
      { title: 'trial' },
      ...space.map(({ key }) => ({ title: key.split('.')[1], numeric: true })),
      { title: 'steps', numeric: true },
      { title: metric, numeric: true },
      ...(metric === 'validation loss' ? [] : [{ title: 'validation loss', numeric: true }]),
      { title: 'minutes', numeric: true },
      { title: '' },
    ],
    rows: ordered.map((trial) => {
      const judged = last(trial);
      const seconds = trial.judged.reduce((sum, one) => sum + one.seconds, 0);
      return [
        String(trial.number),
        ...space.map(({ key }) => String(trial.settings[key])),
        judged ? String(judged.steps) : '–',
        judged ? shown(judged.score) : '–',
        ...(metric === 'validation loss' ? [] : [judged ? shown(judged.val_loss) : '–']),
        judged ? (seconds / 60).toFixed(1) : '–',
        trial.failure !== undefined ? 'failed' : judged ? '' : 'not done',
      ];
    }),
  };
}

const percent = (share: number): string => `${Math.round(100 * share)} %`;

const shown = (value: number): string =>
  typeof value === 'number' ? String(Number(value.toPrecision(4))).replace('-', '−') : '–';
