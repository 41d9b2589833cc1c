import { createRequire } from 'node:module';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { Engine } from '../engine/engine.js';
import { nodeEngine } from '../engine/node.js';
import { LacunaError } from '../errors.js';
import { describeLabels, encodeLabels } from '../scoring/labels.js';
import { random } from '../tensor/random.js';
import { type ProtocolName, protocols } from './index.js';
import { linearProbe } from './linear-probe.js';
import { type Candidate, type Protocol, runProbe, type TrainingRows } from './protocol.js';
import { type LabelledFeatures, represented } from './represented.case.js';

/** Those that judge embeddings by the metric of the task; the others have tests of their own. */
const names = (Object.keys(protocols) as ProtocolName[]).filter(
  (name) => !(protocols[name] as Protocol).onRequest,
);
const digitSpec = describeLabels([
  { name: 'digit', values: Float64Array.from({ length: 800 }, (_, i) => i % 10) },
]);

/** 800 digits that were written by hand, shrunk to 7 × 7 pixels: 480 training, 160 validation, 160 test. */
function handwrittenDigits(): LabelledFeatures {
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
  const part = Array.from({ length: count }, (_, row) =>
    row < 480 ? 'train' : row < 640 ? 'valid' : 'test',
  );
  return { features, dimension: 49, labels, part };
}

/** The pairs that a protocol gives. */
async function run(name: ProtocolName, data: LabelledFeatures, engine?: Engine) {
  return pairsOf(protocols[name].run(represented(data, digitSpec, 'accuracy', engine)));
}

async function pairsOf(given: AsyncIterable<readonly [string, number]>) {
  const pairs: (readonly [string, number])[] = [];
  for await (const pair of given) pairs.push(pair);
  return pairs;
}

describe('every protocol that is not on request', () => {
  let digits: LabelledFeatures;
  beforeAll(() => {
    digits = handwrittenDigits();
  });

  // Chance is 0.1.
  it.each(names)('%s reads handwritten digits', async (name) => {
    const [[metric, test], ...more] = await run(name, digits);
    expect([metric, more]).toEqual(['accuracy', []]);
    expect(test).toBeGreaterThan(0.6);
  });

  it.each(names)('%s does not let the test part touch anything but the test score', async (name) => {
    const shown: unknown[] = [];
    const spied = ({ features, labels }: Pick<LabelledFeatures, 'features' | 'labels'>) => {
      const { parts, ...rest } = represented({ ...digits, features, labels }, digitSpec, 'accuracy');
      const score = vi.fn((...asked: Parameters<typeof parts.test.score>) => {
        shown.push(asked[1].length);
        return parts.test.score(...asked);
      });
      return { ...rest, parts: { ...parts, test: { ...parts.test, score } } };
    };
    const turned = digits.labels.map((label, row) => (row < 640 ? label : (label + 1) % 10));
    const before = await pairsOf(protocols[name].run(spied(digits)));
    const after = await pairsOf(protocols[name].run(spied({ ...digits, labels: turned })));
    // Scored once each, of the same rows; with all labels turned over nothing that is right stays right.
    expect(shown).toEqual([160 * 10, 160 * 10]);
    expect(after[0][1]).toBeLessThan(0.2 * before[0][1]);
  });

  it.each(names)('%s gives the same result twice', async (name) => {
    const [first, second] = await Promise.all([run(name, digits), run(name, digits)]);
    expect(second).toEqual(first);
  });

  it('nearest neighbours search each part once, large ones on the engine', async () => {
    const engine = await nodeEngine({ threads: 1 });
    const compile = vi.spyOn(engine, 'compile');
    await run('nearest-neighbors', digits, engine);
    expect(compile).not.toHaveBeenCalled();

    // Each pixel three times, each time with a little noise.
    const { normal } = random(3, 'noise');
    const dimension = 3 * 49;
    const features = Float32Array.from({ length: 800 * dimension }, (_, i) => {
      const row = Math.floor(i / dimension);
      return digits.features[row * 49 + (i % 49)] + 0.1 * normal();
    });
    const large = { ...digits, features, dimension };
    const result = await run('nearest-neighbors', large, engine);
    expect(result).toEqual(await run('nearest-neighbors', large));
    // Once for the validation part and once for the test part, whatever the number of settings tried.
    expect(compile).toHaveBeenCalledTimes(2);
  });
});

describe('runProbe', () => {
  const spec = describeLabels([{ name: 'y', values: Float64Array.of(1, 2.5, 4) }]);
  const data: LabelledFeatures = {
    features: Float32Array.of(1, 2, 3),
    dimension: 1,
    labels: Float64Array.of(1, 2, 3),
    part: ['train', 'valid', 'test'],
  };
  /** Predicts the features times `slope` and counts how often it was asked. */
  const scaling = (slope: number) => ({
    chosen: { slope },
    predict: vi.fn((features: Float32Array) => Float64Array.from(features, (value) => slope * value)),
  });

  it('keeps the first of the candidates that are best on validation, and asks only that one about test', async () => {
    const candidates = [scaling(0), scaling(Number.NaN), scaling(1), scaling(1), scaling(2)];
    const result = await runProbe(() => candidates, represented(data, spec, 'rmse'));
    expect(result).toEqual({ valid: 0, test: 0, chosen: { slope: 1 } });
    expect(candidates.map(({ predict }) => predict.mock.calls.length)).toEqual([1, 1, 2, 1, 1]);
  });

  it('shows a probe the training part, and the validation part beside it for stopping early', async () => {
    let seen: TrainingRows | undefined;
    const probe = function* (train: TrainingRows): Iterable<Candidate> {
      seen = train;
      yield scaling(1);
    };
    await runProbe(probe, represented(data, spec, 'rmse'));
    expect(seen).toEqual({
      count: 1,
      dimension: 1,
      features: Float32Array.of(1),
      labels: Float64Array.of(1),
      valid: { features: Float32Array.of(2), labels: Float64Array.of(2) },
    });
  });

  it('refuses an embedding that is not finite, in whichever part', async () => {
    for (const row of [0, 1, 2]) {
      const features = data.features.map((value, i) => (i === row ? Number.NaN : value));
      const broken = runProbe(linearProbe, represented({ ...data, features }, spec, 'rmse'));
      await expect(broken).rejects.toThrow(LacunaError);
      await expect(broken).rejects.toThrow('an embedding (row 1 of its part) holds NaN');
    }
  });
});
