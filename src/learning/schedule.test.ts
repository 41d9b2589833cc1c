import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Config } from '../config/schema.js';
import {
  constantUntil,
  firstStepAt,
  infiniteRateAt,
  learningRateAt,
  scheduledRate,
  stageOf,
} from './schedule.js';

describe('the learning rate', () => {
  it('rises in a line to its peak, then falls along half a cosine', () => {
    expect([0, 1, 2, 3].map((step) => learningRateAt(step, 104, 4, 0.8))).toEqual([
      0.2, 0.4, 0.6000000000000001, 0.8,
    ]);
    expect(learningRateAt(4, 104, 4, 0.8)).toBe(0.8);
    expect(learningRateAt(54, 104, 4, 0.8)).toBeCloseTo(0.4, 12);
    expect(learningRateAt(103, 104, 4, 0.8)).toBeLessThan(0.0003);
    expect(learningRateAt(104, 104, 4, 0.8)).toBe(0);
  });

  it('is above 0 at every step, at most the peak, and never rises after the warm-up', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.nat(600), (steps, warmup) => {
        let previous = Infinity;
        for (let step = 0; step < steps; step++) {
          const rate = learningRateAt(step, steps, warmup, 1);
          expect(rate).toBeGreaterThan(0);
          expect(rate).toBeLessThanOrEqual(1);
          if (step >= warmup) expect(rate).toBeLessThanOrEqual(previous);
          previous = rate;
        }
      }),
      { numRuns: 30 },
    );
  });

  it('starts at the peak without warm-up', () => {
    expect(learningRateAt(0, 1, 0, 3)).toBe(3);
  });
});

describe('the infinite schedule', () => {
  const schedule = { warmupSteps: 4, cooldownSteps: 10, constantRate: 0.25, annealSteps: 8, peak: 2 };
  const at = (step: number) => infiniteRateAt(step, 40, schedule);

  it('warms up, cools down to its constant rate, holds it, and ends at 0', () => {
    expect([0, 1, 2, 3].map(at)).toEqual([0.5, 1, 1.5, 2]);
    expect(at(4)).toBe(2);
    // Half-way down: the mean of the peak and of a quarter of it.
    expect(at(9)).toBeCloseTo(1.25, 12);
    for (const step of [14, 20, 31, 32]) expect(at(step)).toBe(0.5);
    expect(at(36)).toBeCloseTo(0.25, 12);
    expect(at(39)).toBeGreaterThan(0);
    expect(at(40)).toBe(0);
  });

  it('never rises after the warm-up, and never falls by more than its steepest slope, wherever the anneal begins', () => {
    const steps = fc.integer({ min: 2, max: 60 });
    fc.assert(
      fc.property(steps, fc.nat(20), fc.nat(20), steps, (total, warmupSteps, cooldownSteps, annealSteps) => {
        const rates = Array.from({ length: total + 1 }, (_, step) =>
          infiniteRateAt(step, total, {
            warmupSteps,
            cooldownSteps,
            constantRate: 0.3,
            annealSteps,
            peak: 1,
          }),
        );
        for (const rate of rates) expect(rate >= 0 && rate <= 1, `${rate}`).toBe(true);
        const begins = Math.max(warmupSteps, total - annealSteps);
        for (let step = warmupSteps + 1; step <= total; step++) {
          const fall = rates[step - 1] - rates[step];
          expect(fall).toBeGreaterThanOrEqual(-1e-12);
          const slowest = step > begins ? total - begins : cooldownSteps;
          expect(fall).toBeLessThanOrEqual(Math.PI / 2 / Math.max(1, slowest) + 1e-12);
        }
        if (warmupSteps < total) expect(rates[total]).toBe(0);
      }),
    );
  });

  it('is held until the anneal, which waits for the warm-up', () => {
    const until = (steps: number, warmup_steps: number, anneal_steps: number) =>
      constantUntil({ schedule: 'infinite', steps, warmup_steps, anneal_steps } as Config['training']);
    expect(until(100, 5, 10)).toBe(90);
    expect(until(100, 50, 80)).toBe(50);
    const cosine = { steps: 100, warmup_steps: 5, learning_rate: 1 };
    expect(constantUntil(cosine)).toBeUndefined();
    expect(constantUntil({ ...cosine, schedule: 'cosine', anneal_steps: 10 })).toBeUndefined();
    expect(constantUntil({ ...cosine, schedule: 'infinite' })).toBe(100);
  });

  it('without warm-up and cool-down begins at the constant rate, and without an anneal stays there', () => {
    const constant = { ...schedule, warmupSteps: 0, cooldownSteps: 0 };
    expect(infiniteRateAt(0, 40, constant)).toBe(0.5);
    expect(infiniteRateAt(39, 40, { ...constant, annealSteps: 0 })).toBe(0.5);
  });
});

describe('the rate that a configuration has', () => {
  const training = { steps: 40, learning_rate: 2, warmup_steps: 4 };
  const phases = { cooldown_steps: 10, constant_rate: 0.25, anneal_steps: 8 };

  it('is the cosine, of as many steps as are asked for, where nothing or that is said', () => {
    for (const schedule of [undefined, 'cosine'] as const)
      for (const step of [0, 3, 4, 15, 29])
        expect(scheduledRate({ ...training, ...phases, schedule }, step, 30)).toBe(
          learningRateAt(step, 30, 4, 2),
        );
  });

  it('is the infinite schedule with its keys', () => {
    const keys = { warmupSteps: 4, cooldownSteps: 10, constantRate: 0.25, annealSteps: 8, peak: 2 };
    for (const step of [0, 3, 4, 9, 20, 35])
      expect(scheduledRate({ ...training, ...phases, schedule: 'infinite' }, step, 40)).toBe(
        infiniteRateAt(step, 40, keys),
      );
  });

  it('stays at the peak where the keys of the infinite schedule are left out', () => {
    for (const step of [4, 20, 39])
      expect(scheduledRate({ ...training, schedule: 'infinite' }, step, 40)).toBe(2);
  });
});

describe('a stage', () => {
  it('is the whole run, or what is before, between and behind its restarts', () => {
    expect(stageOf(0, 9)).toEqual({ begins: 0, ends: 9 });
    expect([2, 3, 4, 5, 6].map((step) => stageOf(step, 9, [4, 6]))).toEqual([
      { begins: 0, ends: 4 },
      { begins: 0, ends: 4 },
      { begins: 4, ends: 6 },
      { begins: 4, ends: 6 },
      { begins: 6, ends: 9 },
    ]);
  });
});

describe('the first step at a share of the run', () => {
  it('is the first whose progress is at least that', () => {
    expect([0, 0.25, 0.5, 1].map((share) => firstStepAt(share, 8))).toEqual([0, 2, 4, 8]);
    // 0.07 · 100 is a little more than 7 as numbers are rounded.
    expect(firstStepAt(0.07, 100)).toBe(7);
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(share, fc.integer({ min: 1, max: 100_000 }), (at, steps) => {
        const step = firstStepAt(at, steps);
        expect(step / steps).toBeGreaterThanOrEqual(at);
        if (step > 0) expect((step - 1) / steps).toBeLessThan(at);
      }),
    );
  });
});
