import { describe, expect, it } from 'vitest';
import { summarize } from '../scoring/statistics.js';
import { demoReport } from './demo-report.js';
import { describeComparison } from './describe-comparison.js';

const METHODS: readonly (readonly [string, readonly number[]])[] = [
  ['SMA', [0.744, 0.731, 0.752]],
  ['random masking', [0.739, 0.735, 0.741]],
  ['no pretraining', [0.695, 0.701, 0.69]],
];

describe('demoReport', async () => {
  const scores = METHODS.map(([method, perSeed]) => ({
    method,
    metric: 'mean ROC-AUC',
    perSeed,
    ...summarize(perSeed),
    seconds: 12.34,
  }));
  const points = Array.from({ length: 20 }, (_, i) => ({
    step: 10 * i + 10,
    loss: 2 / (i + 1),
    val_loss: 1,
  }));
  const smiles = 'CNC(=O)Oc1ccccc1C1OCCO1';
  const results = {
    curves: [
      { name: 'SMA', points, marginal: 2.31 },
      { name: 'random masking', points, marginal: 2.31 },
    ],
    scores,
    perTask: scores.map((score) => ({ ...score, task: 'mutagenic', metric: 'ROC-AUC' })),
    molecules: [{ smiles, masks: [{ title: 'SMA', hidden: [true, true] }] }],
    data: [{ part: 'train', molecules: 3387, positives: { mutagenic: 1868 } }],
    conclusion: describeComparison(scores),
    commands: ['npm run demo'],
    configuration: { training: { steps: 200 } },
    versions: { lacuna: '0.1.0' },
  };
  const page = await demoReport(results);

  it('says what the intervals say, before anything else', () => {
    const finding = page.slice(page.indexOf('class="finding"'), page.indexOf('<figure'));
    expect(finding).toContain('SMA − random masking: +0.004 mean ROC-AUC');
    expect(finding).toContain('no difference is shown at this size');
    expect(finding).toContain('SMA is better here');
  });

  it('holds the scores with intervals, the data, four figures and how it was made', () => {
    expect(page).toContain('<td class="numeric">0.742 ± 0.026</td>');
    expect(page).toContain('<td class="numeric">3,387</td><td class="numeric">1,868</td>');
    expect(page.split('<figure ').length - 1).toBe(4);
    expect(page).toContain('<mark>CN</mark>C(=O)');
    expect(page).toContain('npm run demo');
    expect(page).toContain('&quot;steps&quot;: 200');
  });

  it('is the same, byte for byte, when made again, and no number is missing', async () => {
    expect(await demoReport(results)).toBe(page);
    expect(page).not.toMatch(/NaN|undefined|\[object/);
  });
});
