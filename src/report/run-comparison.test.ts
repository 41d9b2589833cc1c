import { describe, expect, it } from 'vitest';
import type { Config } from '../config/schema.js';
import type { Scores } from '../runs/scores.js';
import { summarize } from '../scoring/statistics.js';
import { PALETTE } from './charts.js';
import { reportPage } from './page.js';
import { type ComparedRun, comparisonPage } from './run-comparison.js';

const configOf = (changes: object): Config =>
  ({ encoder: { kind: 'transformer', width: 64 }, training: { steps: 10, seed: 0 }, ...changes }) as Config;
const scoresOf = (perSeed: number[], test = 40): Scores => ({
  task: 'binary',
  targets: ['toxic'],
  metric: 'roc-auc',
  higherIsBetter: true,
  split: { by: 'at random', train: 100, valid: 20, test },
  methods: [
    {
      method: 'sma',
      metric: 'roc-auc',
      perSeed,
      validPerSeed: perSeed,
      mean: 0.8,
      sd: 0.1,
      low: 0.7,
      high: 0.9,
      n: perSeed.length,
      seconds: 2,
    },
  ],
});
const run = (name: string, changes: Partial<ComparedRun> = {}): ComparedRun => ({
  name,
  config: configOf({}),
  metrics: [
    { step: 0, effective_rank: 2 },
    { step: 5, loss: 2, lr: 1e-3, gradient_norm: 1, samples_per_second: 100, seconds: 60 },
    { step: 10, loss: 1, val_loss: 1.5, val_loss_marginal: 2.5, effective_rank: 4, seconds: 120 },
  ],
  done: true,
  ...changes,
});
const textOf = async (runs: readonly ComparedRun[]) => reportPage(await comparisonPage(runs));

describe('the page of several runs', () => {
  it('has the newest of each run, curves, monitors with what they mean, and what differs alone', async () => {
    const other = run('second', { config: configOf({ encoder: { kind: 'transformer', width: 128 } }) });
    const page = await comparisonPage([run('first'), other]);
    expect(page.sections.map(({ title }) => title)).toEqual([
      'How far they are',
      'Learning without labels',
      'What the embeddings look like',
      'Settings that differ',
    ]);
    const [progress] = page.sections[0].blocks;
    expect(progress.kind === 'table' && progress.rows[0]).toEqual([
      'A  first',
      '10/10',
      '1',
      '1.5',
      '2.5',
      '1',
      'done',
    ]);
    const [settings] = page.sections[3].blocks;
    expect(settings.kind === 'table' && settings.rows).toEqual([['encoder.width', '64', '128']]);
    const text = reportPage(page);
    expect(text).toContain('towards 1 all records look alike');
    expect(text).not.toMatch(/(src|href)="http/);
  });

  it('pairs scores of one task by seed, and those of other test records not at all', async () => {
    const [first, second] = [
      [0.7, 0.8, 0.75],
      [0.8, 0.9, 0.85],
    ].map((perSeed) => scoresOf(perSeed));
    const page = await comparisonPage([run('a', { scores: first }), run('b', { scores: second })]);
    const blocks = page.sections.find(({ title }) => title === 'Scores')!.blocks;
    const differences = blocks.at(-1)!;
    expect(differences.kind === 'table' && differences.rows).toEqual([['B − A', '0.1', '0.1', '0.1']]);
    const other = { ...second, methods: second.methods.map((own) => ({ ...own, method: 'another' })) };
    const named = await comparisonPage([run('a', { scores: first }), run('b', { scores: other })]);
    const last = named.sections.find(({ title }) => title === 'Scores')!.blocks.at(-1)!;
    expect(last.kind === 'table' && last.rows[0][0]).toBe(`B (another) − A (${first.methods[0].method})`);
    const apart = await textOf([
      run('a', { scores: first }),
      run('b', { scores: scoresOf([0.8, 0.9, 0.85], 41) }),
    ]);
    expect(apart).not.toContain('Differences of');
    const files = [first, second].map((scores, i) => run(`${i}`, { scores: { ...scores, hash: `${i}` } }));
    expect(await textOf(files)).not.toContain('Differences of');
  });

  it('pairs scores of several splits by split, and tells how many test records a run learned from', async () => {
    // Of each split the means of two seeds.
    const scores = [
      [0.5, 0.6, 0.7],
      [0.6, 0.5, 0.9],
    ].map((perSplit, run): Scores => {
      const known = scoresOf(perSplit.flatMap((mean) => [mean - 0.01, mean + 0.01]));
      const testLearned = { records: 3 * run, of: 40, exact: true };
      return {
        ...known,
        split: { ...known.split, splits: 3, testLearned },
        methods: known.methods.map((method) => ({ ...method, perSplit })),
      };
    });
    const page = await comparisonPage(scores.map((own, i) => run(`${i}`, { scores: own })));
    const [table, differences] = page.sections.find(({ title }) => title === 'Scores')!.blocks;
    if (table.kind !== 'table' || differences.kind !== 'table') throw new Error('expected two tables');
    expect(table.rows.map((row) => row.at(-1))).toEqual(['0', '3']);
    expect(differences.caption).toContain('paired by split');
    const { mean, low, high } = summarize([0.1, -0.1, 0.2]);
    expect(differences.rows).toEqual([
      ['B − A', ...[mean, low, high].map((value) => String(Number(value.toPrecision(3))))],
    ]);
  });

  it('draws scores of several numbers of labels as curves, and pairs them at each and over all', async () => {
    const curveOf = (perSeeds: Record<number, number[]>): Scores => {
      const scores = scoresOf([0, 0]);
      const [known] = scores.methods;
      const methods = ['sma', 'untrained'].flatMap((method, lower) =>
        Object.entries(perSeeds).map(([shots, values]) => {
          const perSeed = values.map((value) => value - lower / 10);
          return { ...known, method, shots: Number(shots), perSeed, ...summarize(perSeed) };
        }),
      );
      return { ...scores, methods };
    };
    const page = await comparisonPage([
      run('plain', { scores: curveOf({ 5: [0.5, 0.7], 50: [0.8, 0.9] }) }),
      run('lora', { scores: curveOf({ 5: [0.6, 0.8], 50: [0.9, 0.9] }) }),
      run('short', { scores: curveOf({ 5: [0.5, 0.6] }) }),
    ]);
    const { blocks } = page.sections.find(({ title }) => title === 'Scores')!;
    const [figure, means, differences] = blocks;
    expect(blocks).toHaveLength(3);
    expect(figure.kind).toBe('figure');
    expect(reportPage(page)).toContain('against the number of labels: A, A untrained, B, C');
    if (means.kind !== 'table' || differences.kind !== 'table') throw new Error('expected two tables');
    expect(means.columns.map(({ title }) => title)).toEqual(['run', 'method', '5', '50']);
    expect(means.rows.map(([name, method]) => `${name} ${method}`)).toEqual([
      'A sma',
      'A untrained',
      'B sma',
      'B untrained',
      'C sma',
      'C untrained',
    ]);
    expect(means.rows.at(-1)!.at(-1)).toBe('–');
    const [lora, short] = differences.rows;
    expect(lora.slice(0, 2)).toEqual(['B − A', '0.100 ± 0.000']);
    // Of each seed the mean over both: 0.1 and 0.05.
    expect(lora[3]).toMatch(/^0\.075 ± /);
    expect(short[0]).toBe('C − A');
    expect(short.slice(2)).toEqual(['–', '–']);
  });

  it('draws a run in one colour, also where another has no losses', async () => {
    const { sections } = await comparisonPage([run('fine-tuned', { metrics: [] }), run('pretrained')]);
    const pictures = sections.flatMap(({ blocks }) =>
      blocks.flatMap((block) => (block.kind === 'figure' ? [JSON.stringify(block.picture)] : [])),
    );
    expect(pictures).toHaveLength(2);
    const [first, second] = PALETTE;
    for (const picture of pictures) {
      expect(picture).toContain(second);
      expect(picture).not.toContain(first);
    }
  });

  it('takes a run that has no step yet, names from files as text, and warnings', async () => {
    const text = await textOf([
      run('<b>new</b>', { metrics: [], done: false, warnings: ['the effective rank fell below 2'] }),
    ]);
    expect(text).toContain('&lt;b&gt;new&lt;/b&gt;');
    expect(text).toContain('the effective rank fell below 2');
    expect(text).toContain('The configuration.');
  });
});
