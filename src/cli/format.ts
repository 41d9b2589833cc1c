import { describeShots } from '../datasets/shots.js';
import { listed } from '../errors.js';
import { describeBadRecord } from '../records/bad-records.js';
import { describeTime } from '../records/cells/cell-format.js';
import { describeColumnType } from '../records/cells/schema.js';
import type { ColumnProfile } from '../records/profile.js';
import { duration, number } from '../report/numbers.js';
import { formatTable } from '../report/table.js';
import type { MethodScores, ScoreDifference, Scores } from '../runs/scores.js';
import type { Interval } from '../scoring/statistics.js';
import type { Inspection } from '../verbs/inspect.js';
import type { PredictSummary } from '../verbs/predict.js';
import type { PretrainSummary } from '../verbs/pretrain.js';
import { count, score } from './progress.js';

/**
 * One line per method, and number of shots, with its mean over seeds or splits, of validation too where there is one, and the
 * 95 % interval of that mean; below, why a score is undefined.
 */
export function formatScores(methods: readonly MethodScores[]): string {
  const validated = methods.some(({ validPerSeed }) => validPerSeed !== undefined);
  const fewShots = methods.some(({ shots }) => shots !== undefined);
  const splits = methods.some(({ perSplit }) => perSplit !== undefined);
  const rows = methods.map((row) => {
    const { method, metric, shots = '', validPerSeed = [], perSplit = [], mean, low, high, n, seconds } = row;
    return [
      method,
      ...(fewShots ? [shots] : []),
      metric,
      ...(validated
        ? [score(validPerSeed.reduce((sum, value) => sum + value, 0) / validPerSeed.length)]
        : []),
      score(mean),
      Number.isFinite(low) ? `${number(low)} – ${number(high)}` : '',
      n,
      ...(splits ? [perSplit.map(score).join('  ')] : []),
      duration(seconds),
    ];
  });
  const reasons = new Set(methods.map(({ reason }) => reason).filter((reason) => reason !== undefined));
  const table = formatTable(
    [
      'method',
      ...(fewShots ? ['shots'] : []),
      'metric',
      ...(validated ? ['validation', 'test'] : ['mean']),
      '95 % interval',
      ...(splits ? ['splits', 'each split'] : ['seeds']),
      'time',
    ],
    rows,
  );
  const note = 'Choose settings by the column validation, never by test.';
  return [table, ...(validated ? [note] : []), ...[...reasons].map((reason) => `undefined: ${reason}`)].join(
    '\n',
  );
}

/** What pretraining brought, a line for each row of the table. */
function formatDifferences(differences: readonly ScoreDifference[], paired: string): string[] {
  return differences.map(({ method, minus, metric, shots, mean, low, high }) => {
    const few = shots === undefined ? '' : `, ${describeShots(shots)}`;
    return `${method} − ${minus}${few}: ${metric} ${number(mean)} (${number(low)} – ${number(high)}), paired by ${paired}`;
  });
}

/** How many test records pretraining learned from, of the split where they are most. */
function learned({ testLearned: counted, splits }: Scores['split']): string {
  if (counted === undefined) return 'the run does not tell whether it learned from them';
  if (counted.records === 0) return 'pretraining learned from none of them';
  const learnedFrom = `${counted.exact ? '' : 'about '}${count(counted.records)}`;
  return splits === undefined
    ? `pretraining learned from ${learnedFrom} of them`
    : `of a split pretraining learned from up to ${learnedFrom} of ${count(counted.of)} test records`;
}

export function formatEvaluation(scores: Scores): string {
  const { split, methods, differences = [], higherIsBetter, metric, file } = scores;
  const first = split.splits === undefined ? '' : ' in the first';
  const lines = [
    `split by ${split.by}: ${count(split.train)} train, ${count(split.valid)} valid, ${count(split.test)} test${first} (${learned(split)})`,
    `test ${metric}, ${higherIsBetter ? 'higher' : 'lower'} is better`,
    '',
    formatScores(methods),
    ...(differences.length > 0 ? [''] : []),
    ...formatDifferences(differences, split.splits === undefined ? 'seed' : 'split and seed'),
  ];
  if (file) lines.push('', `scores: ${file}`);
  return lines.join('\n');
}

export function formatPretrain(summary: PretrainSummary): string {
  const { step, rows, rejected, loss, val_loss, val_loss_marginal, checkpoint, seconds } = summary;
  const skipped = rejected > 0 ? `, ${count(rejected)} skipped` : '';
  const marginal =
    val_loss_marginal === undefined ? '' : ` (predicting the marginal: ${number(val_loss_marginal)})`;
  return [
    `${count(step)} steps on ${count(rows)} records${skipped} in ${duration(seconds)}, with at most ${count(summary.peak_memory_mib ?? 0)} MiB of memory`,
    `loss ${number(loss)}, validation loss ${number(val_loss)}${marginal}`,
    `checkpoint: ${checkpoint}`,
  ].join('\n');
}

/** A mean with its 95 % interval, where there is one. */
export const formatInterval = ({ mean, low, high }: Interval): string =>
  `${score(mean)}${Number.isFinite(low) ? ` (${score(low)} – ${score(high)})` : ''}`;

export function formatWritten({ file, rows, rejected }: PredictSummary): string {
  const skipped = rejected > 0 ? `, ${count(rejected)} skipped` : '';
  return `${file}: ${count(rows)} records${skipped}`;
}

export function formatInspection({
  source,
  rejected,
  badRecords,
  tokenizer,
  labels,
  tokens,
}: Inspection): string {
  const { path, format, bytes, rows, rowsRead, duplicates, columns, leftOut = [] } = source;
  const facts = [
    rows === undefined ? `first ${count(rowsRead)} records` : `${count(rows)} records`,
    `${count(bytes)} bytes`,
    duplicates > 0 && `${count(duplicates)} duplicates`,
    rejected > 0 && `${count(rejected)} unreadable`,
  ].filter((fact) => fact !== false);
  const shown = shownColumns(columns, tokenizer.reasons);
  const table = formatTable(
    ['column', 'type', 'missing', 'distinct', 'values', 'not a token because'],
    shown.map((column) => [
      column.name,
      describeColumnType(column),
      count(column.missing),
      column.type === 'pixels' || column.type === 'series'
        ? ''
        : `${column.distinctCapped ? '> ' : ''}${count(column.distinct)}`,
      describeValues(column),
      Object.hasOwn(tokenizer.reasons, column.name) ? tokenizer.reasons[column.name] : '',
    ]),
  );
  return [
    `${path}: ${format}, ${facts.join(', ')}`,
    ...(source.dialect ? [`read with ${source.dialect}`] : []),
    '',
    table,
    ...(shown.length < columns.length
      ? [`… and ${count(columns.length - shown.length)} more columns; --json shows all`]
      : []),
    '',
    ...leftOut.map(({ name, reason }) => `left out: ${name} is ${reason}`),
    `tokenizer: ${tokenizer.kind} on ${listed(tokenizer.columns, SHOWN.columns)}; at most ${count(tokenizer.maxTokens)} tokens`,
    `why: ${tokenizer.why}`,
    `fitted: ${Object.entries(tokenizer.fitted).map(describeFact).join(', ')}`,
    ...tokens.map((record, i) => `record ${i + 1}: ${record.join(' | ')}`),
    ...(labels.length > 0 ? [`may be a label: ${labels.join(', ')}`] : []),
    ...describeSplit(source),
    ...badRecords.map((bad) => `unreadable: ${describeBadRecord(bad).slice(bad.path.length + 2)}`),
    ...(rejected > badRecords.length ? [`unreadable: ${count(rejected - badRecords.length)} more`] : []),
    ...[...(source.notes ?? []), ...tokenizer.warnings].map((warning) => `warning: ${warning}`),
  ].join('\n');
}

/** Of a wide table so many of the first columns are shown, and so many later ones of which there is something to say. */
const SHOWN = { all: 200, columns: 50, others: 50 };

function shownColumns(
  columns: readonly ColumnProfile[],
  reasons: Inspection['tokenizer']['reasons'],
): readonly ColumnProfile[] {
  if (columns.length <= SHOWN.all) return columns;
  const first = columns.slice(0, SHOWN.columns);
  const noted = columns
    .slice(SHOWN.columns)
    .filter(({ name, missing }) => missing > 0 || Object.hasOwn(reasons, name));
  return [...first, ...noted.slice(0, SHOWN.others)];
}

function describeSplit({ split, columns }: Inspection['source']): string[] {
  const { levels = {} } = columns.find(({ name }) => name === split) ?? {};
  const counts = Object.entries(levels).map(([word, records]) => `${word} ${count(records)}`);
  return split === undefined ? [] : [`split by ${split}: ${counts.join(', ')}`];
}

function describeFact([name, value]: [string, number | string]): string {
  if (typeof value === 'string') return `${name} ${value}`;
  return `${name} ${Number.isInteger(value) ? count(value) : number(value)}`;
}

function describeValues({ type, format, range, lengths, examples }: ColumnProfile): string {
  if (range && format?.kind === 'date') {
    const [first, last] = [range.min, range.max].map((seconds) => describeTime(seconds, format.holds));
    return `${first} … ${last}`;
  }
  if (type === 'series' && range && lengths) {
    const steps =
      lengths.min === lengths.max ? count(lengths.min) : `${count(lengths.min)} … ${count(lengths.max)}`;
    return `${steps} steps, ${examples[0]}, ${number(range.min)} … ${number(range.max)}, mean ${number(range.mean)}`;
  }
  if (range) return `${number(range.min)} … ${number(range.max)}, mean ${number(range.mean)}`;
  if (!lengths) return '';
  const { min, median, max } = lengths;
  return `length ${min} … ${median} … ${max}, such as ${examples[0] ?? 'nothing'}`;
}
