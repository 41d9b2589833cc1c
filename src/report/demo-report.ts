import {
  comparisonSpec,
  type LearningCurve,
  learningCurvesSpec,
  type MethodScore,
  perTaskSpec,
  renderChart,
  type TaskScore,
} from './charts.js';
import { svgMarkup } from './html.js';
import { type MaskedMolecule, moleculeMaskPictures } from './masks-picture.js';
import { fixed, grouped, meanAndInterval } from './numbers.js';
import { type Block, reportPage, type TableColumn } from './page.js';

export interface DemoScore extends MethodScore {
  readonly metric: string;
  readonly sd: number;
  /** Pretraining excluded: fine-tuning and scoring of all seeds. */
  readonly seconds: number;
}

export interface DemoTaskScore extends TaskScore {
  readonly metric: string;
}

/** One part of the data and how many of its molecules are on each list. */
export interface DemoPart {
  readonly part: string;
  readonly molecules: number;
  readonly positives: Readonly<Record<string, number>>;
}

/** Plain results, nothing to recompute. Methods come in the same order everywhere, so that each keeps its colour. */
export interface DemoReport {
  readonly curves: readonly LearningCurve[];
  readonly scores: readonly DemoScore[];
  readonly perTask: readonly DemoTaskScore[];
  /** From the validation part, which pretraining did not learn from: the page says so. */
  readonly molecules: readonly MaskedMolecule[];
  readonly data: readonly DemoPart[];
  /** What `describeComparison` says of the scores. */
  readonly conclusion: string;
  readonly commands: readonly string[];
  readonly configuration: Readonly<Record<string, unknown>>;
  readonly versions: Readonly<Record<string, string>>;
}

const INTRO = `Pretraining hides part of each molecule's SMILES text and learns to predict it; it sees no label. SMA (self-guided masked autoencoding, Xie et al., ICLR 2024) hides what its own attention finds related; random masking hides characters at random. Everything else is the same.
Both encoders, and one that was never pretrained, are then fine-tuned on the labels in the same way and scored on molecules that none of them has learned from.`;

/** The demo's page, as one HTML document. */
export async function demoReport(report: DemoReport): Promise<string> {
  const metric = report.scores[0]?.metric ?? 'score';
  const taskMetric = report.perTask[0]?.metric ?? 'score';
  const [curves, comparison, perTask, pictures] = await Promise.all([
    renderChart(learningCurvesSpec(report.curves)),
    renderChart(comparisonSpec(report.scores, metric)),
    renderChart(perTaskSpec(report.perTask, taskMetric, 0.5)),
    moleculeMaskPictures(report.molecules),
  ]);

  return reportPage({
    title: 'Does learning from molecules without labels help to predict their risks?',
    intro: INTRO,
    sections: [
      {
        title: 'Result',
        blocks: [
          { kind: 'finding', text: report.conclusion },
          {
            kind: 'figure',
            picture: svgMarkup(
              comparison,
              `${metric} of each method: ${report.scores.map(describeScore).join('; ')}`,
            ),
            caption:
              'Test score of each method, averaged over the four lists. Large dot: mean over seeds; line: 95% interval of that mean (Student); small dots: single seeds. The intervals cover what changes from seed to seed, not the choice of test molecules.',
          },
          scoreTable(report.scores, metric),
        ],
      },
      {
        title: 'List by list',
        blocks: [
          {
            kind: 'figure',
            picture: svgMarkup(
              perTask,
              `${metric} of each method on each list; the numbers are in the next table`,
            ),
            caption:
              'The same scores for each list alone, with 95% intervals. The dashed line is what guessing scores.',
          },
          perTaskTable(report.perTask, taskMetric),
        ],
      },
      {
        title: 'Learning without labels',
        blocks: [
          {
            kind: 'figure',
            picture: svgMarkup(
              curves,
              `Pretraining loss against step: ${report.curves.map((curve) => curve.name).join(', ')}`,
            ),
            caption:
              'Cross-entropy of the hidden characters, in nats. Thin lines: training, smoothed; thick lines: validation. The dashed line is what predicting each character by its frequency costs. SMA hides other characters than random masking does, so the two losses are not a ranking.',
          },
        ],
      },
      {
        title: 'What was hidden',
        blocks: [
          {
            kind: 'text',
            text: 'Molecules from the validation part, which pretraining did not learn from.',
          },
          {
            kind: 'figure',
            picture: pictures,
            caption:
              'Hidden characters are inverted in the SMILES text, and their atoms are shaded in the drawing. Bonds, branches and ring digits have no atom and show in the text only.',
          },
        ],
      },
      { title: 'The data', blocks: dataBlocks(report.data) },
      {
        title: 'How this was made',
        blocks: [
          {
            kind: 'details',
            summary: 'Commands, versions and configuration',
            blocks: [
              { kind: 'code', text: report.commands.join('\n') },
              {
                kind: 'table',
                caption: 'Versions.',
                columns: [{ title: 'package' }, { title: 'version', numeric: true }],
                rows: Object.entries(report.versions),
              },
              { kind: 'code', text: JSON.stringify(report.configuration, null, 2) },
            ],
          },
        ],
      },
    ],
  });
}

function scoreTable(scores: readonly DemoScore[], metric: string): Block {
  return {
    kind: 'table',
    caption: `${metric} on the test part: mean ± half of the 95% interval, standard deviation over seeds, and the cost of fine-tuning.`,
    columns: [
      { title: 'method' },
      { title: metric, numeric: true },
      { title: 'sd', numeric: true },
      { title: 'seeds', numeric: true },
      { title: 'seconds', numeric: true },
    ],
    rows: scores.map((score) => [
      score.method,
      meanAndInterval(score),
      fixed(score.sd),
      String(score.perSeed.length),
      score.seconds.toFixed(1),
    ]),
  };
}

function perTaskTable(scores: readonly TaskScore[], metric: string): Block {
  const methods = [...new Set(scores.map((score) => score.method))];
  const tasks = [...new Set(scores.map((score) => score.task))];
  const columns: TableColumn[] = [{ title: 'list' }, ...methods.map((title) => ({ title, numeric: true }))];
  return {
    kind: 'table',
    caption: `${metric} for each list on the test part: mean ± half of the 95% interval over seeds.`,
    columns,
    rows: tasks.map((task) => [
      task,
      ...methods.map((method) => {
        const score = scores.find((one) => one.task === task && one.method === method);
        return score === undefined ? '–' : meanAndInterval(score);
      }),
    ]),
  };
}

function dataBlocks(parts: readonly DemoPart[]): Block[] {
  const tasks = Object.keys(parts[0]?.positives ?? {});
  return [
    {
      kind: 'text',
      text: 'Real molecules that ship inside the npm package openchemlib, on lists of compounds known to be mutagenic, tumorigenic, irritant or harmful to reproduction (von Korff and Sander, J. Chem. Inf. Model. 2006, 46, 536). A label says that a molecule is on a list. Absence from a list is no proof of safety, so these scores say how well the lists can be told apart, not how toxic a compound is.',
    },
    {
      kind: 'table',
      caption: 'Molecules in each part, and how many of them are on each list.',
      columns: [{ title: 'part' }, ...['molecules', ...tasks].map((title) => ({ title, numeric: true }))],
      rows: parts.map(({ part, molecules, positives }) => [
        part,
        grouped(molecules),
        ...tasks.map((task) => grouped(positives[task] ?? 0)),
      ]),
    },
  ];
}

function describeScore(score: DemoScore): string {
  return `${score.method} ${meanAndInterval(score)}`;
}
