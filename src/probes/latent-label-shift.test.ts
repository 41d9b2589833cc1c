import { describe, expect, it } from 'vitest';
import type { Part } from '../records/split.js';
import { describeLabels } from '../scoring/labels.js';
import { random } from '../tensor/random.js';
import { classDiscovery } from './class-discovery.js';
import { latentClasses, latentLabelShift } from './latent-label-shift.js';
import { represented } from './represented.case.js';

/** Three classes along one direction, which k-means overlooks beside another that is wider and says nothing. */
const COUNT = 1500;
const SHARES = [
  [0.7, 0.2, 0.1],
  [0.1, 0.7, 0.2],
  [0.2, 0.1, 0.7],
];
const { uniform, normal } = random(0, 'latent label shift', 0);
const domain = Int32Array.from({ length: COUNT }, (_, row) => row % 3);
const labels = Float64Array.from(domain, (own) => {
  const drawn = uniform();
  return drawn < SHARES[own][0] ? 0 : drawn < SHARES[own][0] + SHARES[own][1] ? 1 : 2;
});
const CENTERS = [
  [1, 0],
  [-0.5, 0.87],
  [-0.5, -0.87],
];
const features = Float32Array.from(
  Array.from(labels).flatMap((label) => [
    CENTERS[label][0] + 0.15 * normal(),
    CENTERS[label][1] + 0.15 * normal(),
    4 * normal(),
  ]),
);
const part = Array.from(labels, (_, row): Part => (row < 1000 ? 'train' : row < 1200 ? 'valid' : 'test'));
const spec = describeLabels([{ name: 'y', values: labels }], 'multiclass');
const given = {
  ...represented({ features, dimension: 3, labels, part }, spec, 'accuracy'),
  domains: {
    names: ['a', 'b', 'c'],
    train: domain.slice(0, 1000),
    valid: domain.slice(1000, 1200),
    test: domain.slice(1200),
  },
};

async function valuesOf(rows: AsyncIterable<readonly [string, number]>): Promise<Record<string, number>> {
  const values: Record<string, number> = {};
  for await (const [name, value] of rows) values[name] = value;
  return values;
}

describe('latent label shift', () => {
  it('finds classes by their shares in domains, where clusters of the features are others', async () => {
    const found = await valuesOf(latentLabelShift(given));
    expect(found.accuracy).toBeGreaterThan(0.95);
    expect(found['shares error']).toBeLessThan(0.2);
    expect((await valuesOf(classDiscovery(given))).accuracy).toBeLessThan(0.7);
  });

  it('knows the shares from a classifier that is right: p(d | x) = p(d | y) of the record’s class', async () => {
    const told = Float64Array.from(
      Array.from(labels).flatMap((label) => {
        const sum = SHARES.reduce((total, own) => total + own[label], 0);
        return SHARES.map((own) => own[label] / sum);
      }),
    );
    const { shares } = await latentClasses(told, domain, { domains: 3, classes: 3 });
    // The class that is most frequent in a domain is the one that the domain was given most of.
    const order = [0, 1, 2].map((d) => {
      const own = [0, 1, 2].map((y) => shares[y * 3 + d]);
      return own.indexOf(Math.max(...own));
    });
    expect(new Set(order).size).toBe(3);
    SHARES.forEach((own, d) => {
      own.forEach((share, y) => {
        const drawn =
          labels.filter((label, row) => label === y && domain[row] === d).length / (COUNT / SHARES.length);
        expect(Math.abs(share - drawn)).toBeLessThan(0.06);
        expect(shares[order[y] * 3 + d]).toBeCloseTo(drawn, 2);
      });
    });
  });

  it('refuses fewer domains than classes, and a domain that training has no record of', async () => {
    const domains = { ...given.domains, names: ['a', 'b', 'c', 'd'] };
    await expect(valuesOf(latentLabelShift({ ...given, domains }))).rejects.toThrow(
      'domain d has no training record',
    );
    const two = {
      names: ['a', 'b'],
      train: given.domains.train.map((own) => own & 1),
      valid: given.domains.valid.map((own) => own & 1),
      test: given.domains.test.map((own) => own & 1),
    };
    await expect(valuesOf(latentLabelShift({ ...given, domains: two }))).rejects.toThrow(
      'expected at least as many domains as classes',
    );
  });
});
