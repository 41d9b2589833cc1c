import { describe, expect, it } from 'vitest';
import type { StepEvent } from '../learning/progress-event.js';
import { duration, number } from '../report/numbers.js';
import { count, createProgress } from './progress.js';

const step: StepEvent = {
  type: 'step',
  step: 1200,
  steps: 10_000,
  epoch: 1.5,
  loss: 2.13456,
  val_loss: 2.2,
  val_loss_marginal: 3.01,
  lr: 1e-3,
  samples_per_second: 1234.5,
  data_wait: 0.01,
  seconds_left: 200,
};
const line = 'step 1,200/10,000  loss 2.135  valid 2.200 (marginal 3.010)  3:20 left  1,235 records/s';

/** A stream that remembers what was written, and a clock that is set by hand. */
function record(stream: { isTTY?: boolean; columns?: number }, environment: Record<string, string> = {}) {
  const written: string[] = [];
  let time = 0;
  const progress = createProgress(
    { ...stream, write: (text) => written.push(text) },
    environment,
    () => time,
  );
  return {
    progress,
    text: () => written.splice(0).join(''),
    wait: (seconds: number) => (time += 1000 * seconds),
  };
}

describe('progress in a log file', () => {
  it('is a plain line every ten seconds, at validations and at the last step', () => {
    const { progress, text, wait } = record({});
    progress.show(step);
    wait(9);
    progress.show(step);
    expect(text()).toBe('');
    wait(1);
    progress.show(step);
    progress.show(step);
    expect(text()).toBe(`${line}\n`);
    progress.show({ ...step, type: 'valid', val_loss: 2.1 });
    expect(text()).toBe('step 1,200/10,000  valid 2.100 (marginal 3.010)\n');
    const valid = { ...step, type: 'valid', val_loss: 2.2 } as const;
    progress.show({ ...valid, effective_rank: 23.44, nearest_neighbor_accuracy: 0.8125 });
    expect(text()).toBe('step 1,200/10,000  valid 2.200 (marginal 3.010)  rank 23.4  k-NN 0.813\n');
    progress.show({ ...valid, effective_rank: 1, nearest_neighbor_r2: -0.5 });
    expect(text()).toBe('step 1,200/10,000  valid 2.200 (marginal 3.010)  rank 1.0  k-NN R² -0.500\n');
    progress.show({ ...step, step: 10_000 });
    expect(text()).toContain('step 10,000/10,000');
    progress.show({ ...step, step: 10_000, val_loss: undefined, best_valid: 0.74704, best_step: 1720 });
    expect(text()).toContain('loss 2.135  best valid 0.7470 at step 1,720  3:20 left');
    progress.finish();
    expect(text()).toBe('');
  });

  it('has no escape codes', () => {
    const { progress, text } = record({});
    progress.show({ type: 'warning', message: 'careful' });
    progress.show({ type: 'seed', method: 'SMA', seed: 0, seeds: 3, metric: 'ROC-AUC', value: 0.81234 });
    expect(text()).toBe('warning: careful\nSMA, seed 1 of 3: ROC-AUC 0.8123\n');
  });
});

describe('progress in a terminal', () => {
  it('rewrites one line, and keeps messages above it', () => {
    const { progress, text, wait } = record({ isTTY: true, columns: 120 });
    progress.show(step);
    expect(text()).toBe(`\r\x1b[2K${line}`);
    progress.show(step);
    expect(text()).toBe('');
    wait(0.1);
    progress.show(step);
    progress.show({ type: 'info', message: 'checkpoint' });
    expect(text()).toBe(`\r\x1b[2K${line}\r\x1b[2Kcheckpoint\n\r\x1b[2K${line}`);
    progress.finish();
    progress.finish();
    expect(text()).toBe('\n');
  });

  it('never wraps', () => {
    const { progress, text } = record({ isTTY: true, columns: 30 });
    progress.show(step);
    expect(text()).toBe(`\r\x1b[2K${line.slice(0, 29)}`);
  });

  it('takes a terminal that says its width is 0 for one of 80', () => {
    const { progress, text } = record({ isTTY: true, columns: 0 });
    progress.show(step);
    expect(text()).toBe(`\r\x1b[2K${line.slice(0, 79)}`);
  });

  it('colours warnings unless NO_COLOR is set or the terminal is dumb', () => {
    const warn = (environment: Record<string, string>) => {
      const { progress, text } = record({ isTTY: true }, environment);
      progress.show({ type: 'warning', message: 'careful' });
      return text();
    };
    expect(warn({})).toBe('\x1b[33mwarning:\x1b[39m careful\n');
    expect(warn({ NO_COLOR: '1' })).toBe('warning: careful\n');
    expect(warn({ TERM: 'dumb' })).toBe('warning: careful\n');
  });
});

describe('numbers for people', () => {
  it('have four digits', () => {
    expect([2.13456, 0.00012346, 12345.6, 0, 1e-9, 3e9, Number.NaN].map(number)).toEqual([
      '2.135',
      '0.0001235',
      '12346',
      '0',
      '1.00e-9',
      '3.00e+9',
      'NaN',
    ]);
    expect(count(1234567)).toBe('1,234,567');
    expect([5, 75, 3675, -1, Infinity].map(duration)).toEqual(['0:05', '1:15', '1:01:15', '0:00', '?']);
  });
});
