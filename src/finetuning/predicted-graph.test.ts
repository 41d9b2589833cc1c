import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluate, floats } from '../engine/evaluate.case.js';
import { nodeEngine } from '../engine/node.js';
import { input } from '../graph/index.js';
import type { LabelSpec } from '../scoring/labels.js';
import { type LabelScale, labelScale, unscaleLabel } from './label-scale.js';
import { inLabelUnits } from './predicted-graph.js';

const engine = await nodeEngine({ threads: 1 });

const spec = (targets: number): LabelSpec => ({
  task: 'regression',
  columns: Array.from({ length: targets }, (_, target) => `y${target}`),
  targets,
  outputs: targets,
  classes: [],
  reason: '',
});

async function inGraph(outputs: readonly number[], targets: number, scale: LabelScale): Promise<number[]> {
  const shape = [outputs.length / targets, targets];
  const given = input('outputs', 'float32', shape);
  const { labels } = await evaluate(
    engine,
    { labels: inLabelUnits(given, spec(targets), scale) },
    { outputs: floats(shape, outputs) },
  );
  return labels;
}

/** Outputs in the middle of the learned labels, at their ends and far beyond them. */
const outputs = Array.from({ length: 60 }, (_, i) => Math.fround((i - 29.5) / 5));

describe('the labels that outputs stand for, in the graph', () => {
  it.each(['standardize', 'quantile', 'log'] as const)('%s: are those of unscaleLabel', async (transform) => {
    const labels = fc.array(fc.integer({ min: 1, max: 4000 }), { minLength: 2, maxLength: 80 });
    await fc.assert(
      fc.asyncProperty(labels, async (drawn) => {
        const pairs = Float64Array.from(drawn.flatMap((label) => [label / 16, 5000 - label]));
        const scale = labelScale(spec(2), pairs, transform);
        const got = await inGraph(outputs, 2, scale);
        for (const [i, value] of got.entries()) {
          const expected = unscaleLabel(scale, i % 2, outputs[i]);
          // A step of a quantile may be steep: of single precision, in parts of all labels.
          expect(Math.abs(value - expected)).toBeLessThan(1e-5 * Math.max(5000, Math.abs(expected)));
        }
      }),
      { numRuns: 20 },
    );
  });

  it('are exact to single precision with as many quantiles as are kept', async () => {
    const labels = Float64Array.from({ length: 5000 }, (_, i) => (i * 7919) % 5000);
    const scale = labelScale(spec(1), labels, 'quantile');
    const got = await inGraph(outputs, 1, scale);
    for (const [i, value] of got.entries())
      expect(Math.abs(value - unscaleLabel(scale, 0, outputs[i]))).toBeLessThan(5e-3);
  });

  it('are one label where only one was learned', async () => {
    const scale: LabelScale = { mean: [0], deviation: [1], quantiles: [{ labels: [7], scores: [0] }] };
    expect(await inGraph([-3, 0, 3], 1, scale)).toEqual([7, 7, 7]);
  });
});
