/** The page of all benchmark results: Markdown and figures, made from result files; the words between are a person's. */
import type { TopLevelSpec } from 'vega-lite';
import { InputError } from '../errors.js';
import { comparisonPanelsSpec, labelEfficiencySpec, operationsFor, scalingSpec } from './benchmark-charts.js';
import { differenceTable, hasDifference, scoreTable, summariesOf } from './benchmark-tables.js';
import { renderChart } from './charts.js';
import { beginMarker, endMarker, fillBlocks } from './marked-blocks.js';
import { masksSvg } from './masks-svg.js';
import { type MethodStyle, methodStyles, objectiveTitle, whereHollow } from './method-styles.js';
import { ablationCurvesSpec, hasMarginal, pretrainingCurvesSpec } from './pretraining-charts.js';
import type { Results } from './results.js';
import { chosenTable, pretrainingTable, summaryTable, tasksTable } from './results-tables.js';

export interface ResultsPage {
  readonly text: string;
  /** SVG documents by their paths relative to the page. */
  readonly figures: ReadonlyMap<string, string>;
  /** Blocks that the results have something for and the page has no place for. */
  readonly unused: readonly string[];
}

export interface ResultsPageOptions {
  /** The page as it is; without one a page with all blocks is made. */
  readonly text?: string;
  /** What the page is called in errors. */
  readonly path: string;
  /** Folder of the figures, relative to the page. */
  readonly figures: string;
}

type Styles = ReadonlyMap<string, MethodStyle>;

/** A figure, with what it shows for those who cannot see it and how it is read. */
interface Figure {
  /** Drawn only where the page has a place for it. */
  readonly draw: () => Promise<string>;
  readonly shows: string;
  readonly caption: string;
}

/** A part of the page; `make` gives undefined where the results have nothing for it. */
interface Block {
  readonly name: string;
  readonly title: string;
  /** The suite under which a new page has it. */
  readonly suite?: Results;
  readonly make: () => string | Figure | undefined;
}

const NOTHING = '*No results yet.*';

/**
 * The page with its blocks made anew, the same bytes for the same results. Throws InputError for a block that the results
 * do not have, for markers that do not match, and for two results of one suite.
 */
export async function resultsPage(
  all: readonly Results[],
  { text, path, figures: folder }: ResultsPageOptions,
): Promise<ResultsPage> {
  const blocks = blocksOf(all).map((block) => ({ ...block, content: block.make() }));
  const filled = blocks.filter(({ content }) => content !== undefined);
  const drawn = new Map<string, Figure>();
  const used = new Set<string>();
  const known = new Map(blocks.map(({ name, content }) => [name, content]));
  const page = fillBlocks(text ?? newPage(filled), path, [...known.keys()], (name) => {
    used.add(name);
    const content = known.get(name) ?? NOTHING;
    if (typeof content === 'string') return content;
    const file = `${folder}/${name.replaceAll(/[^a-z0-9]+/gi, '-')}.svg`;
    drawn.set(file, content);
    return `![${content.shows}](${file})\n\n${content.caption}`;
  });
  const figures = new Map<string, string>();
  for (const [file, { draw }] of drawn) figures.set(file, `${await draw()}\n`);
  const unused = filled.map(({ name }) => name).filter((name) => !used.has(name));
  return { text: page, figures, unused };
}

/** Everything that a page may show, in the order of a new page. */
function blocksOf(all: readonly Results[]): Block[] {
  const names = all.map(({ suite }) => suite);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new InputError(`two result files are of suite ${twice}: keep one of them in the folder`);
  const styles = methodStyles(all);
  return [
    {
      name: 'summary',
      title: 'Summary',
      // Ablations repeat a task of another suite under names of their own.
      make: () => summaryTable(all.filter(({ suite }) => suite !== ABLATIONS)),
    },
    ...all.flatMap((results) => suiteBlocks(results, styles)),
    ...SPECIAL.filter(({ of }) => !names.includes(of)).map(({ name, title }) => ({
      name,
      title,
      make: () => undefined,
    })),
  ];
}

const ABLATIONS = 'ablations';

/** Blocks of one suite alone, which a page may have before the suite has results. */
const SPECIAL = [
  { name: 'label efficiency', title: 'Label efficiency', of: 'higgs', make: labelEfficiency },
  { name: 'ablation curves', title: 'Curves', of: ABLATIONS, make: ablationCurves },
  { name: 'scaling', title: 'Scaling', of: 'sizes', make: scaling },
];

function suiteBlocks(suite: Results, styles: Styles): Block[] {
  const block = (part: string, title: string, make: () => string | Figure | undefined): Block => ({
    name: `${suite.suite} ${part}`,
    title,
    suite,
    make,
  });
  return [
    block('tasks', 'Tasks', () => (suite.tasks.length > 0 ? tasksTable(suite) : undefined)),
    block('scores', 'Scores', () => scores(suite)),
    block('comparison', 'Comparison', () => comparison(suite, styles)),
    ...SPECIAL.filter(({ of }) => of === suite.suite).map(({ name, title, make }) => ({
      name,
      title,
      suite,
      make: () => make(suite, styles),
    })),
    block('differences', 'Differences', () => differences(suite)),
    block('pretraining', 'Pretraining', () =>
      suite.pretraining.length > 0 ? pretrainingTable(suite) : undefined,
    ),
    block('pretraining curves', 'Pretraining curves', () => pretrainingCurves(suite, styles)),
    block('masks', 'What was hidden', () => masks(suite)),
    block('chosen', 'Settings chosen by validation', () => chosenTable(suite)),
  ];
}

function scores(results: Results): string | undefined {
  const tables = results.tasks
    .filter((task) => summariesOf(results, task).length > 0)
    .map(
      (task) =>
        `**${task.title}** (${task.higherIsBetter ? 'higher' : 'lower'} is better)\n\n${scoreTable(results, task, 'markdown')}`,
    );
  return tables.length === 0 ? undefined : tables.join('\n\n');
}

const PAIRS = [
  ['SMA', 'random masking'],
  ['SMA', 'from scratch'],
  ['SMA', 'from scratch, equal total'],
  ['fit', 'best simple model'],
  ['fit with SMA', 'best simple model'],
  ['fit with SMA', 'fit'],
  ['SMA, mean of folds', 'from scratch, mean of folds'],
  ['SMA, mean of folds', 'fit'],
  ['SMA, frozen', 'random masking, frozen'],
  ['random masking', 'from scratch'],
  ['random masking, convolution encoder', 'from scratch, convolution encoder'],
  ['from scratch, convolution encoder', 'from scratch'],
  ['from scratch, convolution encoder, mean of folds', 'from scratch, convolution encoder'],
  ['SMA, attentive convolutions', 'from scratch, attentive convolutions'],
  ['from scratch, attentive convolutions', 'from scratch'],
  ['T-JEPA', 'from scratch'],
  ['MP3', 'from scratch'],
  ['group masking', 'from scratch'],
  ['BYOL', 'untrained, frozen'],
  ['MYOW', 'untrained, frozen'],
  ['MSBReg', 'untrained, frozen'],
  ['SimCLR', 'untrained, frozen'],
] as const;

function differences(results: Results): string | undefined {
  const tables = PAIRS.filter(([a, b]) => hasDifference(results, a, b)).map(([a, b]) =>
    differenceTable(results, a, b, 'markdown'),
  );
  return tables.length === 0 ? undefined : tables.join('\n\n');
}

const chart = (spec: TopLevelSpec, shows: string, caption: string): Figure => ({
  draw: () => renderChart(spec),
  shows,
  caption,
});

function comparison(results: Results, styles: Styles): Figure | undefined {
  const { tasks, title } = results;
  if (!tasks.some((task) => summariesOf(results, task).some(({ mean }) => Number.isFinite(mean))))
    return undefined;
  return chart(
    comparisonPanelsSpec(results, styles),
    `${title}: the test score of each method on each task, as in the tables of scores`,
    `Large mark: mean over the seeds, hollow ${whereHollow}. Line: 95 % interval of that mean. Small dots: single seeds. Each panel has an axis of its own, which does not start at zero; the constant is in the tables alone.`,
  );
}

function labelEfficiency(results: Results, styles: Styles): Figure | undefined {
  if (!results.cells.some(({ test }) => test !== null)) return undefined;
  return chart(
    labelEfficiencySpec(results, styles),
    `${results.title}: test score of each method against the number of training labels`,
    `Means over the seeds with their 95 % intervals as bands; dashed and hollow ${whereHollow}; the constant is in the tables alone.`,
  );
}

function scaling(results: Results, styles: Styles): Figure | undefined {
  if (!results.tasks.some((task) => operationsFor(results, task))) return undefined;
  return chart(
    scalingSpec(results, styles),
    `${results.title}: test score of each method against the operations of pretraining`,
    `Means over the seeds with their 95 % intervals as bands; dashed and hollow ${whereHollow}. Operations: six for each parameter and token. The encoder from scratch is drawn where the pretrained ones of its size are.`,
  );
}

function pretrainingCurves(results: Results, styles: Styles): Figure | undefined {
  const { title } = results;
  const pretraining = results.pretraining.filter(hasMarginal);
  if (!pretraining.some(({ curve }) => curve.length > 0)) return undefined;
  const objectives = [...new Set(pretraining.map(({ objective }) => objectiveTitle(objective)))];
  return chart(
    pretrainingCurvesSpec(results, styles),
    `${title}: validation loss of pretraining against step, ${objectives.join(' and ')}`,
    'Validation loss as a part of what predicting each position by its frequency in training costs. Objectives hide different tokens, so their losses are no ranking. Where several seeds were pretrained: their mean, and a band over all of them.',
  );
}

function ablationCurves(results: Results, styles: Styles): Figure | undefined {
  const spec = ablationCurvesSpec(results, styles);
  return (
    spec &&
    chart(
      spec,
      `${results.title}: test score against masking ratio, tokens per query and pretraining steps, as far as they were varied`,
      'Means over the seeds with their 95 % intervals as bands. In each panel one setting differs and the others stay. Dashed: the encoder from scratch.',
    )
  );
}

function masks({ masks: examples = [], title }: Results): Figure | undefined {
  if (examples.length === 0) return undefined;
  const texts = new Set(examples.map(({ text }) => text)).size;
  return {
    draw: () => masksSvg(examples),
    shows: `${title}: what each objective hid of ${texts} texts`,
    caption:
      'Hidden characters are light on dark; in drawings of molecules their atoms are shaded. The texts are of the validation part.',
  };
}

/** All blocks under headings, for a person to write between. */
function newPage(blocks: readonly Block[]): string {
  const lines = ['# Results'];
  let last: Results | undefined;
  for (const { name, title, suite } of blocks) {
    if (suite !== last && suite) lines.push('', `## ${suite.title}`);
    last = suite;
    lines.push('', `${suite ? '###' : '##'} ${title}`, '', beginMarker(name), endMarker(name));
  }
  return [...lines, ''].join('\n');
}
