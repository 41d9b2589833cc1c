import { createRequire } from 'node:module';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { nodeEngine } from '../engine/node.js';
import { InputError, LacunaError } from '../errors.js';
import { describeLabels, encodeLabels } from '../scoring/labels.js';
import { random } from '../tensor/random.js';
import { type ProbeName, probes } from './index.js';
import { type Candidate, type Part, type ProbeData, runProbe, TEST, TRAIN, VALID } from './protocol.js';

const names = Object.keys(probes) as ProbeName[];
const digitSpec = describeLabels([
  { name: 'digit', values: Float64Array.from({ length: 800 }, (_, i) => i % 10) },
]);

/** 800 digits that were written by hand, shrunk to 7 × 7 pixels: 480 training, 160 validation, 160 test. */
function handwrittenDigits(): ProbeData {
  const require = createRequire(import.meta.url);
  const count = 800;
  const features = new Float32Array(count * 49);
  const values = Float64Array.from({ length: count }, (_, i) => i % 10);
  for (let digit = 0; digit < 10; digit++) {
    const { data }: { data: number[] } = require(`mnist/src/digits/${digit}.json`);
    for (let image = 0; image < 80; image++) {
      const row = image * 10 + digit;
      for (let y = 0; y < 28; y++) {
        for (let x = 0; x < 28; x++) {
          features[row * 49 + (y >> 2) * 7 + (x >> 2)] += data[image * 784 + y * 28 + x] / 16;
        }
      }
    }
  }
  const labels = encodeLabels(digitSpec, [{ name: 'digit', values }]);
  const part = Uint8Array.from({ length: count }, (_, row) => (row < 480 ? TRAIN : row < 640 ? VALID : TEST));
  return { features, dimension: 49, labels, part };
}

describe('every probe', () => {
  let digits: ProbeData;
  beforeAll(() => {
    digits = handwrittenDigits();
  });

  // Chance is 0.1.
  it.each(names)('%s reads handwritten digits', async (name) => {
    const { metric, valid, test } = await probes[name](digits, digitSpec, 'accuracy');
    expect(metric).toBe('accuracy');
    expect(valid).toBeGreaterThan(0.6);
    expect(test).toBeGreaterThan(0.6);
  });

  it.each(names)('%s does not let the test part touch anything but the test score', async (name) => {
    const before = await probes[name](digits, digitSpec, 'accuracy');
    const features = digits.features.map((value, i) => (i < 640 * 49 ? value : 1 - value));
    const labels = digits.labels.map((label, row) => (row < 640 ? label : (label + 1) % 10));
    const after = await probes[name]({ ...digits, features, labels }, digitSpec, 'accuracy');
    expect({ ...after, test: 0 }).toEqual({ ...before, test: 0 });
    expect(after.test).toBeLessThan(before.test);
  });

  it.each(names)('%s gives the same result twice', async (name) => {
    const results = [
      probes[name](digits, digitSpec, 'accuracy'),
      probes[name](digits, digitSpec, 'accuracy'),
    ];
    const [first, second] = await Promise.all(results);
    expect(second).toEqual(first);
  });

  it.each(names)('%s leaves rows without a label and rows of no part out', async (name) => {
    const extra = 5;
    const padded: ProbeData = {
      dimension: 49,
      features: new Float32Array(digits.features.length + extra * 49).fill(9),
      labels: new Float64Array(800 + extra).fill(3),
      part: new Uint8Array(800 + extra).fill(TRAIN),
    };
    padded.features.set(digits.features);
    padded.labels.set(digits.labels);
    padded.part.set(digits.part);
    padded.labels.fill(Number.NaN, 800, 803);
    padded.part.fill(7, 803);
    expect(await probes[name](padded, digitSpec, 'accuracy')).toEqual(
      await probes[name](digits, digitSpec, 'accuracy'),
    );
  });

  it('nearest neighbours search each part once, large ones on the engine', async () => {
    const engine = await nodeEngine({ threads: 1 });
    const compile = vi.spyOn(engine, 'compile');
    await probes['nearest-neighbors'](digits, digitSpec, 'accuracy', engine);
    expect(compile).not.toHaveBeenCalled();

    // Each pixel three times, each time with a little noise.
    const { normal } = random(3, 'noise');
    const dimension = 3 * 49;
    const features = Float32Array.from({ length: 800 * dimension }, (_, i) => {
      const row = Math.floor(i / dimension);
      return digits.features[row * 49 + (i % 49)] + 0.1 * normal();
    });
    const large = { ...digits, features, dimension };
    const result = await probes['nearest-neighbors'](large, digitSpec, 'accuracy', engine);
    expect(result).toEqual(await probes['nearest-neighbors'](large, digitSpec, 'accuracy'));
    // Once for the validation part and once for the test part, whatever the number of settings tried.
    expect(compile).toHaveBeenCalledTimes(2);
  });
});

describe('runProbe', () => {
  const spec = describeLabels([{ name: 'y', values: Float64Array.of(1, 2.5, 4) }]);
  const data: ProbeData = {
    features: Float32Array.of(1, 2, 3),
    dimension: 1,
    labels: Float64Array.of(1, 2, 3),
    part: Uint8Array.of(TRAIN, VALID, TEST),
  };
  /** Predicts the features times `slope` and counts how often it was asked. */
  const scaling = (slope: number) => ({
    chosen: { slope },
    predict: vi.fn((features: Float32Array) => Float64Array.from(features, (value) => slope * value)),
  });

  it('keeps the first of the candidates that are best on validation, and asks only that one about test', async () => {
    const candidates = [scaling(0), scaling(Number.NaN), scaling(1), scaling(1), scaling(2)];
    const result = await runProbe(() => candidates, data, spec, 'rmse');
    expect(result).toEqual({ metric: 'rmse', valid: 0, test: 0, chosen: { slope: 1 } });
    expect(candidates.map(({ predict }) => predict.mock.calls.length)).toEqual([1, 1, 2, 1, 1]);
  });

  it('shows a probe the training part only', async () => {
    let seen: Part | undefined;
    const probe = function* (train: Part): Iterable<Candidate> {
      seen = train;
      yield scaling(1);
    };
    await runProbe(probe, data, spec, 'rmse');
    expect(seen).toEqual({
      count: 1,
      dimension: 1,
      features: Float32Array.of(1),
      labels: Float64Array.of(1),
    });
  });

  it('refuses a part without labels and an embedding that is not finite', async () => {
    const run = (changed: Partial<ProbeData>) => probes.linear({ ...data, ...changed }, spec, 'rmse');
    const unlabelled = run({ labels: Float64Array.of(1, Number.NaN, 3) });
    await expect(unlabelled).rejects.toThrow(InputError);
    await expect(unlabelled).rejects.toThrow('the validation part has no labelled record');
    const broken = run({ features: Float32Array.of(1, Number.NaN, 3) });
    await expect(broken).rejects.toThrow(LacunaError);
    await expect(broken).rejects.toThrow('embedding 2 holds NaN');
  });
});
