/** Tables of the results page beside those of benchmark-tables.ts, as Markdown. */
import { type MethodSummary, summariesOf } from './benchmark-tables.js';
import { isEncoderMethod } from './method-styles.js';
import { fixed, grouped, meanAndInterval } from './numbers.js';
import { type Cell, pretrainingOperations, type Results } from './results.js';
import { formatTable, type Cell as TableCell } from './table.js';

const markdown = (header: readonly string[], rows: readonly (readonly TableCell[])[]) =>
  formatTable(header, rows, 'markdown');

const better = ({ higherIsBetter }: { higherIsBetter: boolean }) => (higherIsBetter ? 'higher' : 'lower');

/** What is predicted, how it is scored, and from how many records. */
export function tasksTable({ tasks }: Results): string {
  const rows = tasks.map((task) => {
    const { train, valid, test } = task.records;
    return [
      task.title,
      `${task.metric}, ${better(task)} is better`,
      task.split,
      task.source,
      [train, valid, test].map(grouped).join(' / '),
    ];
  });
  return markdown(['task', 'metric', 'split', 'source', 'records: train / valid / test'], rows);
}

/** How each encoder was pretrained, and the loss that it reached. */
export function pretrainingTable({ pretraining }: Results): string {
  const rows = pretraining.map((run) => [
    [run.objective, run.feature_targets].filter(Boolean).join(' and '),
    run.masking_ratio ?? '',
    // The only objective that draws rows of an attention map.
    (run.objective === 'sma' && run.per_query) || '',
    grouped(run.steps),
    grouped(run.records),
    run.removed ? `${grouped(run.removed.records)} of ${grouped(run.removed.of)}: ${run.removed.reason}` : '',
    grouped(run.parameters),
    fixed(run.val_loss),
    ...(run.val_loss_marginal === undefined
      ? ['', '']
      : [fixed(run.val_loss_marginal), fixed(run.val_loss / run.val_loss_marginal)]),
    pretrainingOperations(run)?.toExponential(1) ?? '',
    grouped(Math.round(run.seconds)),
  ]);
  const header = [
    'objective',
    'masking ratio',
    'per query',
    'steps',
    'records',
    'records removed before',
    'parameters',
    'validation loss',
    'marginal',
    'loss / marginal',
    'operations',
    'processor seconds',
  ];
  return markdown(header, rows);
}

/** The settings that validation chose, over the seeds of each method; a method without a choice has no row. */
export function chosenTable(results: Results): string | undefined {
  const rows = results.tasks.flatMap((task) =>
    results.methods.flatMap(({ name }) => {
      const cells = results.cells.filter((cell) => cell.task === task.name && cell.method === name);
      const settings = [...new Set(cells.flatMap(({ chosen }) => Object.keys(chosen)))];
      return settings.length === 0
        ? []
        : [[task.title, name, settings.map((setting) => chosenRange(setting, cells)).join(', ')]];
    }),
  );
  return rows.length === 0 ? undefined : markdown(['task', 'method', 'chosen by validation'], rows);
}

/** "step 200 – 950" where the seeds differ. */
function chosenRange(setting: string, cells: readonly Cell[]): string {
  const values = cells.flatMap(({ chosen }) => (setting in chosen ? [chosen[setting]] : []));
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return `${setting} ${least === most ? least : `${least} – ${most}`}`;
}

/** What `fit` has, which is no single model. */
const FITS = ['fit', 'fit with SMA'];
const COLUMNS = [...FITS, 'from scratch', 'random masking', 'SMA', 'SMA, mean of folds', 'SMA, frozen'];

/**
 * Every task of every suite in one row: the simple baseline with the best test score, and the encoder in five conditions,
 * each as mean ± half of the 95 % interval over seeds. The best mean, as printed, is bold. undefined without tasks.
 */
export function summaryTable(all: readonly Results[]): string | undefined {
  const rows = all.flatMap((results) =>
    results.tasks.map((task) => {
      const summaries = summariesOf(results, task);
      const sign = task.higherIsBetter ? 1 : -1;
      const baseline = summaries
        .filter(
          ({ method, pretraining, mean }) =>
            !FITS.includes(method) && !isEncoderMethod(method, pretraining) && Number.isFinite(mean),
        )
        .sort((a, b) => sign * (b.mean - a.mean))
        .at(0);
      const shown = [baseline, ...COLUMNS.map((column) => summaries.find(({ method }) => method === column))];
      const means = shown.flatMap((summary) =>
        summary && Number.isFinite(summary.mean) ? [sign * summary.mean] : [],
      );
      const best = fixed(sign * Math.max(...means));
      const print = (summary: MethodSummary | undefined) => {
        if (summary === undefined) return '';
        const mean = fixed(summary.mean);
        const text = meanAndInterval(summary);
        return mean === best && means.length > 1 ? text.replace(mean, `**${mean}**`) : text;
      };
      const [simple, ...encoders] = shown;
      return [
        task.title,
        `${task.metric}, ${better(task)} is better`,
        simple ? `${print(simple)} (${simple.method})` : '',
        ...encoders.map(print),
      ];
    }),
  );
  if (rows.length === 0) return undefined;
  return markdown(['task', 'metric', 'best simple baseline', ...COLUMNS], rows);
}
