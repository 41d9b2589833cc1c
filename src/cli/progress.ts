import { styleText } from 'node:util';
import type { ProgressEvent, StepEvent, ValidEvent } from '../learning/progress-event.js';
import { duration, number } from '../report/numbers.js';
import { printable } from './printable.js';

/** Where progress is written: the part of process.stderr that is needed. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface Progress {
  show(event: ProgressEvent): void;
  /** A line that stays. */
  print(text: string): void;
  /** Leaves the cursor on an empty line. */
  finish(): void;
}

const ERASE_LINE = '\r\x1b[2K';

/** Seconds between two lines in a log file. */
const LOG_SECONDS = 10;

/** Seconds between two drawings in a terminal. */
const DRAW_SECONDS = 0.1;

/**
 * Progress that is readable in a terminal (one line that is rewritten) and in a file (a plain line every ten seconds, at
 * each validation and at the last step). `now` gives milliseconds.
 */
export function createProgress(
  stream: ProgressStream,
  environment: Readonly<Record<string, string | undefined>> = process.env,
  now: () => number = () => performance.now(),
): Progress {
  const terminal = stream.isTTY === true && environment.TERM !== 'dumb';
  const colour = terminal && !environment.NO_COLOR;
  const paint = (style: Parameters<typeof styleText>[0], text: string) =>
    colour ? styleText(style, text, { validateStream: false }) : text;
  let line = '';
  let shown = terminal ? -Infinity : now();

  // A terminal that does not know its width says 0.
  const draw = (text: string) => {
    line = printable(text).slice(0, Math.max(20, (stream.columns || 80) - 1));
    stream.write(ERASE_LINE + line);
  };
  /** `before` may hold colours. */
  const print = (text: string, before = '') => {
    stream.write(`${line === '' ? '' : ERASE_LINE}${before}${printable(text)}\n`);
    if (line !== '') draw(line);
  };

  return {
    print: (text) => print(text),
    show(event) {
      switch (event.type) {
        case 'info':
          return print(event.message);
        case 'warning':
          return print(event.message, `${paint('yellow', 'warning:')} `);
        case 'seed':
          return print(
            `${event.method}, ${event.context ? `${event.context}, ` : ''}seed ${event.seed + 1} of ${event.seeds}: ${event.metric} ${score(event.value)}`,
          );
        case 'valid':
          if (!terminal) print(`step ${count(event.step)}/${count(event.steps)}  ${describeValid(event)}`);
          return;
        case 'step':
          if (now() - shown < 1000 * (terminal ? DRAW_SECONDS : LOG_SECONDS) && event.step < event.steps)
            return;
          shown = now();
          return terminal ? draw(describeStep(event)) : print(describeStep(event));
      }
    },
    finish() {
      if (line !== '') stream.write('\n');
      line = '';
    },
  };
}

function describeStep(event: StepEvent): string {
  const parts = [
    ...(event.context === undefined ? [] : [event.context]),
    `step ${count(event.step)}/${count(event.steps)}`,
    `loss ${number(event.loss)}`,
  ];
  if (event.val_loss !== undefined) parts.push(describeValid({ ...event, val_loss: event.val_loss }));
  if (event.best_valid !== undefined)
    parts.push(`best valid ${score(event.best_valid)} at step ${count(event.best_step ?? event.step)}`);
  parts.push(
    `${duration(event.seconds_left)} left`,
    `${count(Math.round(event.samples_per_second))} records/s`,
  );
  // Waiting for data is worth a word only when it costs something.
  if (event.data_wait >= 0.05) parts.push(`${Math.round(100 * event.data_wait)} % waiting for data`);
  return parts.join('  ');
}

function describeValid(event: Omit<ValidEvent, 'type'>): string {
  const { val_loss, val_loss_marginal, effective_rank, nearest_neighbor_accuracy, nearest_neighbor_r2 } =
    event;
  const marginal = val_loss_marginal === undefined ? '' : ` (marginal ${number(val_loss_marginal)})`;
  const parts = [`valid ${number(val_loss)}${marginal}`];
  if (effective_rank !== undefined) parts.push(`rank ${effective_rank.toFixed(1)}`);
  if (nearest_neighbor_accuracy !== undefined) parts.push(`k-NN ${nearest_neighbor_accuracy.toFixed(3)}`);
  if (nearest_neighbor_r2 !== undefined) parts.push(`k-NN R² ${nearest_neighbor_r2.toFixed(3)}`);
  return parts.join('  ');
}

/** 12345 → 12,345 */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** A score, which may be undefined, to four digits. */
export const score = (value: number): string => (Number.isNaN(value) ? 'undefined' : number(value));
